package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

const (
	cancelledWith = "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons "
	onRoster      = `"TableName":"SocketRoster",`
)

// transact makes a TransactWriteItems call of actions.
func transact(t testing.TB, s *Service, actions ...string) string {
	t.Helper()
	return do(t, s, "TransactWriteItems", transactBody(actions...))
}

func transactBody(actions ...string) string {
	return `{"TransactItems":[{` + strings.Join(actions, "},{") + `}]}`
}

func TestTransactionDoesAllOrNothing(t *testing.T) {
	s := with(t, streamed("KEYS_ONLY"), events)
	do(t, s, "PutItem", `{`+onRoster+`"Item":`+item("a", `,"v":{"N":"1"}`)+`}`)
	do(t, s, "PutItem", `{`+onRoster+`"Item":`+item("gone", ``)+`}`)
	if got := transact(t, s,
		`"Put":{"TableName":"events","Item":{"p":{"S":"x"},"n":{"N":"1"},"user":{"S":"u"}}}`,
		`"Update":{`+onRoster+`"Key":`+item("a", "")+`,"UpdateExpression":"ADD v :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`,
		`"Delete":{`+onRoster+`"Key":`+item("gone", "")+`}`,
		`"ConditionCheck":{`+onRoster+`"Key":`+item("none", "")+`,"ConditionExpression":"attribute_not_exists(PK)"}`,
	); got != "{}" {
		t.Fatal(got)
	}
	if got, want := changes(t, rosterStream(t, s), 2), "3 MODIFY {PK:a,SK:x { {\n4 REMOVE {PK:gone,SK:x { {"; got != want {
		t.Errorf("the stream has\n%s\nwant\n%s", got, want)
	}
	steps(t, s,
		step{"GetItem", `{"TableName":"events","Key":{"p":{"S":"x"},"n":{"N":"1"}}}`, `{"Item":{"n":{"N":"1"},"p":{"S":"x"},"user":{"S":"u"}}}`},
		step{"Query", `{"TableName":"events","IndexName":"keys","KeyConditionExpression":"#u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"u"}},"Select":"COUNT"}`, `{"Count":1,"ScannedCount":1}`},
	)
	// One condition that does not hold undoes the rest.
	if got, want := transact(t, s,
		`"Put":{`+onRoster+`"Item":`+item("new", "")+`}`,
		`"Delete":{`+onRoster+`"Key":`+item("a", "")+`,"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"9"}}}`,
	), cancelledWith+"[None, ConditionalCheckFailed]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	steps(t, s,
		step{"GetItem", `{` + onRoster + `"Key":` + item("new", "") + `}`, `{}`},
		step{"GetItem", `{` + onRoster + `"Key":` + item("a", "") + `}`, `{"Item":` + item("a", `,"v":{"N":"2"}`) + `}`},
	)
	if got := changes(t, rosterStream(t, s), 4); got != "" {
		t.Errorf("a cancelled transaction is in the stream: %s", got)
	}
}

// TestCancellationReasons is what AWS answers, action by action.
func TestCancellationReasons(t *testing.T) {
	s := with(t, roster, events)
	do(t, s, "PutItem", `{`+onRoster+`"Item":`+item("a", `,"v":{"N":"1"},"s":{"S":"text"}`)+`}`)
	key := onRoster + `"Key":` + item("a", "")
	fails := `"ConditionExpression":"attribute_not_exists(PK)"`
	for _, c := range []struct{ name, action, want string }{
		{"a condition", `"ConditionCheck":{` + key + `,` + fails + `}`, `{"Code":"ConditionalCheckFailed","Message":"The conditional request failed"}`},
		{"a condition, with the item", `"Put":{` + onRoster + `"Item":` + item("a", "") + `,` + fails + `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`,
			`{"Code":"ConditionalCheckFailed","Message":"The conditional request failed","Item":` + item("a", `,"s":{"S":"text"},"v":{"N":"1"}`) + `}`},
		{"a key of another form", `"Delete":{` + onRoster + `"Key":{"PK":{"S":"a"}}}`, `{"Code":"ValidationError","Message":"The provided key element does not match the schema"}`},
		{"an index key of another type", `"Put":{"TableName":"events","Item":{"p":{"S":"x"},"n":{"N":"1"},"at":{"S":"noon"}}}`,
			`{"Code":"ValidationError","Message":"One or more parameter values were invalid: Type mismatch for Index Key at Expected: N Actual: S IndexName: byUser"}`},
		{"an update of an index key to another type", `"Update":{"TableName":"events","Key":{"p":{"S":"x"},"n":{"N":"1"}},"UpdateExpression":"SET #at = :v","ExpressionAttributeNames":{"#at":"at"},"ExpressionAttributeValues":{":v":{"L":[]}}}`,
			`{"Code":"ValidationError","Message":"One or more parameter values were invalid: Type mismatch for Index Key at Expected: N Actual: L IndexName: byUser"}`},
		{"an update of the wrong type", `"Update":{` + key + `,"UpdateExpression":"ADD s :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`,
			`{"Code":"ValidationError","Message":"An operand in the update expression has an incorrect data type"}`},
		{"an update of what is not there", `"Update":{` + key + `,"UpdateExpression":"SET s = nothing"}`,
			`{"Code":"ValidationError","Message":"The provided expression refers to an attribute that does not exist in the item"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Do(t.Context(), &awswire.Call{Operation: "TransactWriteItems", Body: []byte(transactBody(c.action, `"Put":{`+onRoster+`"Item":`+item("other", "")+`}`))})
			var e *awswire.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if got, want := string(awswire.MarshalJSON(e.Fields["CancellationReasons"])), `[`+c.want+`,{"Code":"None"}]`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			var reason struct{ Code string }
			json.Unmarshal([]byte(c.want), &reason)
			if want := cancelledWith + "[" + reason.Code + ", None]"; err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestTransactionsThatAreRefused fail before they run.
func TestTransactionsThatAreRefused(t *testing.T) {
	s := with(t, roster, events)
	put := func(key string) string { return `"Put":{` + onRoster + `"Item":` + item(key, "") + `}` }
	many := make([]string, 101)
	for i := range many {
		many[i] = put(fmt.Sprint(i))
	}
	large := strings.Repeat("x", 399<<10)
	var heavy []string
	for i := range 11 {
		heavy = append(heavy, `"Put":{`+onRoster+`"Item":`+item(fmt.Sprint(i), `,"d":{"S":"`+large+`"}`)+`}`)
	}
	const one = validation + "1 validation error detected: "
	for _, c := range []struct{ body, want string }{
		{`{}`, one + "Value null at 'transactItems' failed to satisfy constraint: Member must not be null"},
		{`{"TransactItems":[]}`, one + "Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{transactBody(many...), one + "Value '[...]' at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"},
		{transactBody(heavy...), validation + "The aggregate size of the items in the transaction exceeds 4 MB"},
		{`{"TransactItems":[{}]}`, validation + "TransactItems can only contain one of Check, Put, Update or Delete"},
		{transactBody(put("a") + "," + `"Delete":{` + onRoster + `"Key":` + item("b", "") + `}`), validation + "TransactItems can only contain one of Check, Put, Update or Delete"},
		{transactBody(put("a"), put("a")), validation + "Transaction request cannot include multiple operations on one item"},
		{transactBody(`"Put":{"TableName":"nowhere","Item":{"a":{"S":"a"}}}`), "ResourceNotFoundException: Requested resource not found"},
		{transactBody(`"Put":{"TableName":"events"}`), one + "Value null at 'transactItems.1.member.put.item' failed to satisfy constraint: Member must not be null"},
		{transactBody(`"ConditionCheck":{` + onRoster + `"Key":` + item("a", "") + `}`), one + "Value null at 'transactItems.1.member.conditionCheck.conditionExpression' failed to satisfy constraint: Member must not be null"},
		{transactBody(`"Update":{` + onRoster + `"Key":` + item("a", "") + `}`), one + "Value null at 'transactItems.1.member.update.updateExpression' failed to satisfy constraint: Member must not be null"},
		{transactBody(`"Put":{` + onRoster + `"Item":` + item("a", "") + `,"ConditionExpression":"a ="}`), validation + `Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="`},
		{transactBody(`"Put":{` + onRoster + `"Item":` + item("a", "") + `,"ExpressionAttributeValues":{":v":{"S":"a"}}}`), validation + "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		{transactBody(`"Put":{` + onRoster + `"Item":` + item("", "") + `}`), validation + "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: PK"},
		{transactBody(`"Update":{"TableName":"events","Key":{"p":{"S":"x"},"n":{"N":"1"}},"UpdateExpression":"SET #u = :v","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":v":{"S":""}}}`),
			validation + "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."},
	} {
		if got := do(t, s, "TransactWriteItems", c.body); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", clip(c.body), clip(got), c.want)
		}
	}
	steps(t, s, step{"Scan", `{"TableName":"SocketRoster","Select":"COUNT"}`, `{"Count":0,"ScannedCount":0}`})
}

// TestClientRequestToken: a repeated call changes nothing for ten minutes, also
// after a restart.
func TestClientRequestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := file(t)
		s := open(t, Config{Path: path})
		if err := s.EnsureTable(roster); err != nil {
			t.Fatal(err)
		}
		add := func(n int) string {
			return do(t, s, "TransactWriteItems", fmt.Sprintf(`{"ClientRequestToken":"once","TransactItems":[{"Update":{%s"Key":%s,"UpdateExpression":"ADD v :v","ExpressionAttributeValues":{":v":{"N":"%d"}}}}]}`, onRoster, item("a", ""), n))
		}
		const mismatch = "IdempotentParameterMismatchException: DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used."
		v := func() string {
			return do(t, s, "GetItem", `{`+onRoster+`"Key":`+item("a", "")+`,"ProjectionExpression":"v"}`)
		}
		for _, c := range []struct {
			after     time.Duration
			n         int
			want, has string
		}{
			{0, 1, "{}", "1"},
			{0, 1, "{}", "1"},
			{9 * time.Minute, 1, "{}", "1"},
			{0, 2, mismatch, "1"},
			{90 * time.Second, 2, "{}", "3"},
			{0, 2, "{}", "3"},
		} {
			time.Sleep(c.after)
			if got := add(c.n); got != c.want {
				t.Errorf("adding %d answers %s, want %s", c.n, got, c.want)
			}
			if got, want := v(), `{"Item":{"v":{"N":"`+c.has+`"}}}`; got != want {
				t.Errorf("after adding %d the item has %s, want %s", c.n, got, want)
			}
			s.Close()
			s = open(t, Config{Path: path})
		}
		do(t, s, "TransactWriteItems", `{"ClientRequestToken":"other","TransactItems":[{"Put":{`+onRoster+`"Item":`+item("b", "")+`}}]}`)
		time.Sleep(12 * time.Minute)
		if old, err := s.oldTokens(time.Now().Add(time.Hour)); err != nil || len(old) != 0 {
			t.Errorf("%d tokens are kept too long, %v", len(old), err)
		}
	})
}

func TestTransactGetItems(t *testing.T) {
	s := with(t, roster, events)
	do(t, s, "PutItem", `{`+onRoster+`"Item":`+item("a", `,"v":{"N":"1"},"w":{"M":{"x":{"S":"y"}}}`)+`}`)
	get := func(key, rest string) string { return `{"Get":{` + onRoster + `"Key":` + item(key, "") + rest + `}}` }
	const one = validation + "1 validation error detected: "
	steps(t, s,
		step{"TransactGetItems", `{"TransactItems":[` + get("a", `,"ProjectionExpression":"w.x"`) + `,` + get("none", "") + `,{"Get":{"TableName":"events","Key":{"p":{"S":"a"},"n":{"N":"1"}}}}],"ReturnConsumedCapacity":"TOTAL"}`,
			`{"Responses":[{"Item":{"w":{"M":{"x":{"S":"y"}}}}},{},{}],"ConsumedCapacity":[{"TableName":"SocketRoster","CapacityUnits":4,"ReadCapacityUnits":4},{"TableName":"events","CapacityUnits":2,"ReadCapacityUnits":2}]}`},
		step{"TransactGetItems", `{"TransactItems":[` + get("a", `,"ProjectionExpression":"nothing"`) + `]}`, `{"Responses":[{"Item":{}}]}`},
		step{"TransactGetItems", `{"TransactItems":[` + get("a", "") + `,` + get("a", "") + `]}`, validation + "Transaction request cannot include multiple operations on one item"},
		step{"TransactGetItems", `{"TransactItems":[` + get("a", "") + `,{"Get":{` + onRoster + `"Key":{"PK":{"S":"a"}}}}]}`, cancelledWith + "[None, ValidationError]"},
		step{"TransactGetItems", `{"TransactItems":[{}]}`, one + "Value null at 'transactItems.1.member.get' failed to satisfy constraint: Member must not be null"},
		step{"TransactGetItems", `{"TransactItems":[]}`, one + "Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		step{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"nowhere","Key":{"a":{"S":"a"}}}}]}`, "ResourceNotFoundException: Requested resource not found"},
	)
}

// TestWhatWritesCost: the table and each index whose entry changes; twice in a
// transaction.
func TestWhatWritesCost(t *testing.T) {
	s := with(t, events)
	put := func(rest string) string {
		return `{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"}` + rest + `},"ReturnConsumedCapacity":"INDEXES","ReturnItemCollectionMetrics":"SIZE"}`
	}
	const size = `,"ItemCollectionMetrics":{"ItemCollectionKey":{"p":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}}`
	steps(t, s,
		step{"PutItem", put(""), `{"ConsumedCapacity":{"TableName":"events","CapacityUnits":1,"Table":{"CapacityUnits":1}}` + size},
		step{"PutItem", put(`,"user":{"S":"u"}`), `{"ConsumedCapacity":{"TableName":"events","CapacityUnits":3,"Table":{"CapacityUnits":1},"GlobalSecondaryIndexes":{"keys":{"CapacityUnits":1},"some":{"CapacityUnits":1}}}` + size},
		step{"PutItem", put(`,"user":{"S":"u"},"x":{"S":"y"}`), `{"ConsumedCapacity":{"TableName":"events","CapacityUnits":2,"Table":{"CapacityUnits":1},"GlobalSecondaryIndexes":{"some":{"CapacityUnits":1}}}` + size},
		step{"PutItem", put(`,"user":{"S":"v"},"at":{"N":"1"}`), `{"ConsumedCapacity":{"TableName":"events","CapacityUnits":7,"Table":{"CapacityUnits":1},"LocalSecondaryIndexes":{"local":{"CapacityUnits":1}},"GlobalSecondaryIndexes":{"byUser":{"CapacityUnits":1},"keys":{"CapacityUnits":2},"some":{"CapacityUnits":2}}}` + size},
		step{"DeleteItem", `{"TableName":"events","Key":{"p":{"S":"a"},"n":{"N":"1"}},"ReturnConsumedCapacity":"TOTAL"}`, `{"ConsumedCapacity":{"TableName":"events","CapacityUnits":5}}`},
		step{"TransactWriteItems", `{"ReturnConsumedCapacity":"INDEXES","ReturnItemCollectionMetrics":"SIZE","TransactItems":[{"Put":{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"},"at":{"N":"1"}}}}]}`,
			`{"ConsumedCapacity":[{"TableName":"events","CapacityUnits":4,"WriteCapacityUnits":4,"Table":{"CapacityUnits":2,"WriteCapacityUnits":2},"LocalSecondaryIndexes":{"local":{"CapacityUnits":2,"WriteCapacityUnits":2}}}],"ItemCollectionMetrics":{"events":[{"ItemCollectionKey":{"p":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}]}}`},
		step{"BatchWriteItem", `{"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE","RequestItems":{"events":[{"DeleteRequest":{"Key":{"p":{"S":"a"},"n":{"N":"1"}}}},{"DeleteRequest":{"Key":{"p":{"S":"a"},"n":{"N":"2"}}}}]}}`,
			`{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"events","CapacityUnits":3}],"ItemCollectionMetrics":{"events":[{"ItemCollectionKey":{"p":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}]}}`},
	)
}

// TestSDKSeesCancellationReasons: the real client makes typed errors of them.
func TestSDKSeesCancellationReasons(t *testing.T) {
	c := client(t, with(t, roster))
	key := map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "a"}, "SK": &types.AttributeValueMemberS{Value: "a"}}
	_, err := c.TransactWriteItems(t.Context(), &sdk.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("SocketRoster"), Item: key, ConditionExpression: aws.String("attribute_exists(PK)")}},
	}})
	var typed *types.TransactionCanceledException
	if !errors.As(err, &typed) || len(typed.CancellationReasons) != 1 || *typed.CancellationReasons[0].Code != "ConditionalCheckFailed" || !strings.HasSuffix(typed.ErrorMessage(), "[ConditionalCheckFailed]") {
		t.Fatalf("%v %+v", err, typed)
	}
}
