package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

const (
	validation  = "ValidationException: "
	checkFailed = "ConditionalCheckFailedException: The conditional request failed"
)

func TestPutGetDelete(t *testing.T) {
	s := with(t, roster)
	const key = `"Key":{"PK":{"S":"a"},"SK":{"S":"1"}}`
	steps(t, s,
		step{"GetItem", `{"TableName":"SocketRoster",` + key + `}`, `{}`},
		step{"PutItem", `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"N":"1.0"},"Unknown":{"BOOL":true}},"UnknownMember":1}`, `{}`},
		step{"GetItem", `{"TableName":"SocketRoster",` + key + `,"ConsistentRead":true}`, `{"Item":{"PK":{"S":"a"},"SK":{"S":"1"},"Unknown":{"BOOL":true},"v":{"N":"1"}}}`},
		step{"GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:1:table/SocketRoster",` + key + `,"ProjectionExpression":"v"}`, `{"Item":{"v":{"N":"1"}}}`},
		step{"GetItem", `{"TableName":"SocketRoster",` + key + `,"ProjectionExpression":"gone"}`, `{"Item":{}}`},
		step{"GetItem", `{"TableName":"SocketRoster",` + key + `,"AttributesToGet":["v"]}`, `{"Item":{"v":{"N":"1"}}}`},
		step{"PutItem", `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"1"}},"ReturnValues":"ALL_OLD","ReturnConsumedCapacity":"TOTAL"}`,
			`{"Attributes":{"PK":{"S":"a"},"SK":{"S":"1"},"Unknown":{"BOOL":true},"v":{"N":"1"}},"ConsumedCapacity":{"TableName":"SocketRoster","CapacityUnits":1}}`},
		step{"DeleteItem", `{"TableName":"SocketRoster",` + key + `,"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"PK":{"S":"a"},"SK":{"S":"1"}}}`},
		step{"DeleteItem", `{"TableName":"SocketRoster",` + key + `,"ReturnValues":"ALL_OLD"}`, `{}`},
		step{"GetItem", `{"TableName":"SocketRoster",` + key + `,"ReturnConsumedCapacity":"INDEXES"}`, `{"ConsumedCapacity":{"TableName":"SocketRoster","CapacityUnits":0.5,"Table":{"CapacityUnits":0.5}}}`},
	)
}

func TestConditions(t *testing.T) {
	s := with(t, roster)
	put := func(extra string) string {
		return `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"N":"1"}}` + extra + `}`
	}
	const key = `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"1"}}`
	steps(t, s,
		step{"PutItem", put(`,"ConditionExpression":"attribute_exists(PK)"`), checkFailed},
		step{"PutItem", put(`,"ConditionExpression":"attribute_not_exists(PK)"`), `{}`},
		step{"PutItem", put(`,"ConditionExpression":"attribute_not_exists(PK)"`), checkFailed},
		step{"PutItem", put(`,"ConditionExpression":"#v < :v","ExpressionAttributeNames":{"#v":"v"},"ExpressionAttributeValues":{":v":{"N":"1.5"}}`), `{}`},
		step{"PutItem", put(`,"Expected":{"v":{"ComparisonOperator":"GT","AttributeValueList":[{"N":"1"}]}}`), checkFailed},
		step{"PutItem", put(`,"Expected":{"v":{"Value":{"N":"1"}},"w":{"Exists":false}}`), `{}`},
		step{"UpdateItem", key + `,"UpdateExpression":"SET v = :v","ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"2"}}}`, checkFailed},
		step{"DeleteItem", key + `,"ConditionExpression":"v > :v","ExpressionAttributeValues":{":v":{"N":"2"}}}`, checkFailed},
		step{"GetItem", key + `}`, `{"Item":{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"N":"1"}}}`},
		step{"DeleteItem", key + `,"ConditionExpression":"v = :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, `{}`},
		step{"GetItem", key + `}`, `{}`},
	)
}

func TestUpdateItem(t *testing.T) {
	s := with(t, roster)
	const key = `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"1"}}`
	steps(t, s,
		// What only takes away does not bring an item into being.
		step{"UpdateItem", key + `,"UpdateExpression":"REMOVE v","ReturnValues":"ALL_NEW"}`, `{}`},
		step{"GetItem", key + `}`, `{}`},
		step{"UpdateItem", key + `}`, `{}`},
		step{"GetItem", key + `}`, `{"Item":{"PK":{"S":"a"},"SK":{"S":"1"}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"SET v = :v ADD hits :one","ExpressionAttributeValues":{":v":{"L":[]},":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`, `{"Attributes":{"hits":{"N":"1"},"v":{"L":[]}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"ADD hits :one","ExpressionAttributeValues":{":one":{"N":"41"}},"ReturnValues":"UPDATED_OLD"}`, `{"Attributes":{"hits":{"N":"1"}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"REMOVE v","ReturnValues":"ALL_OLD"}`, `{"Attributes":{"PK":{"S":"a"},"SK":{"S":"1"},"hits":{"N":"42"},"v":{"L":[]}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"SET tags = :t","ExpressionAttributeValues":{":t":{"SS":["x","y"]}},"ReturnValues":"ALL_NEW"}`, `{"Attributes":{"PK":{"S":"a"},"SK":{"S":"1"},"hits":{"N":"42"},"tags":{"SS":["x","y"]}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"DELETE tags :t","ExpressionAttributeValues":{":t":{"SS":["y"]}},"ReturnValues":"NONE"}`, `{}`},
		step{"UpdateItem", key + `,"AttributeUpdates":{"hits":{"Action":"ADD","Value":{"N":"1"}},"tags":{"Action":"DELETE"},"z":{"Value":{"S":"put"}}},"ReturnValues":"ALL_NEW"}`, `{"Attributes":{"PK":{"S":"a"},"SK":{"S":"1"},"hits":{"N":"43"},"z":{"S":"put"}}}`},
		step{"UpdateItem", key + `,"UpdateExpression":"SET SK = :t","ExpressionAttributeValues":{":t":{"S":"y"}}}`, validation + "One or more parameter values were invalid: Cannot update attribute SK. This attribute is part of the key"},
		step{"UpdateItem", key + `,"UpdateExpression":"SET x = SK.y"}`, validation + "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: SK"},
		step{"UpdateItem", key + `,"UpdateExpression":"SET hits = hits + :t","ExpressionAttributeValues":{":t":{"S":"y"}}}`, validation + "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S"},
		step{"UpdateItem", key + `,"UpdateExpression":"SET a.b = :t","ExpressionAttributeValues":{":t":{"S":"y"}}}`, validation + "The document path provided in the update expression is invalid for update"},
		step{"GetItem", key + `}`, `{"Item":{"PK":{"S":"a"},"SK":{"S":"1"},"hits":{"N":"43"},"z":{"S":"put"}}}`},
	)
}

func TestItemErrors(t *testing.T) {
	s := with(t, roster, events)
	const invalidValue = validation + "One or more parameter values were invalid: "
	big := strings.Repeat("x", maxItem)
	put := func(item string) step { return step{"PutItem", `{"TableName":"SocketRoster","Item":` + item + `}`, ""} }
	for want, call := range map[string]step{
		"ResourceNotFoundException: Requested resource not found":                                                                                       {"PutItem", `{"TableName":"nowhere","Item":{}}`, ""},
		validation + "The provided key element does not match the schema":                                                                               {"GetItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"}}}`, ""},
		invalidValue + "Missing the key SK in the item":                                                                                                 put(`{"PK":{"S":"a"}}`),
		invalidValue + "Type mismatch for key SK expected: S actual: N":                                                                                 put(`{"PK":{"S":"a"},"SK":{"N":"1"}}`),
		invalidValue + "Size of hashkey has exceeded the maximum size limit of2048 bytes":                                                               put(`{"PK":{"S":"` + strings.Repeat("x", 2049) + `"},"SK":{"S":"1"}}`),
		invalidValue + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes":                                                    put(`{"PK":{"S":"a"},"SK":{"S":"` + strings.Repeat("x", 1025) + `"}}`),
		validation + "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: PK": put(`{"PK":{"S":""},"SK":{"S":"1"}}`),
		invalidValue + "The AttributeValue for a key attribute cannot contain an empty string value. Key: PK":                                           {"GetItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":""},"SK":{"S":"1"}}}`, ""},
		validation + "Item size has exceeded the maximum allowed size":                                                                                  put(`{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"S":"` + big + `"}}`),
		validation + "The parameter cannot be converted to a numeric value: x":                                                                          put(`{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"N":"x"}}`),
		validation + "ReturnValues can only be ALL_OLD or NONE":                                                                                         {"PutItem", `{"TableName":"SocketRoster","Item":{},"ReturnValues":"ALL_NEW"}`, ""},
		validation + "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'item' failed to satisfy constraint: Member must not be null":                                {"PutItem", `{}`, ""},
		validation + "1 validation error detected: Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+":                                                                    {"GetItem", `{"TableName":"a b","Key":{}}`, ""},
		validation + "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}":                                                                                                                                            {"DeleteItem", `{"TableName":"SocketRoster","Key":{},"ConditionExpression":"attribute_exists(a)","ExpressionAttributeValues":{":v":{"S":"x"}}}`, ""},
		validation + "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null":                                                                                                                      {"DeleteItem", `{"TableName":"SocketRoster","Key":{},"ExpressionAttributeValues":{":v":{"S":"x"}}}`, ""},
		validation + "ExpressionAttributeNames can only be specified when using expressions":                                                                                                                                                    {"GetItem", `{"TableName":"SocketRoster","Key":{},"ExpressionAttributeNames":{"#v":"x"}}`, ""},
		invalidValue + "Type mismatch for Index Key at Expected: N Actual: S IndexName: byUser":                                                                                                                                                 {"PutItem", `{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"},"at":{"S":"x"}}}`, ""},
		validation + "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: byUser, IndexKey: user": {"PutItem", `{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"},"user":{"S":""}}}`, ""},
		"UnknownOperationException: DynamoDB has no operation \"Explode\".":                                                                                                                                                                     {"Explode", `{}`, ""},
		"SerializationException: NUMBER_VALUE cannot be converted to String":                                                                                                                                                                    put(`{"PK":{"S":1}}`),
		"SerializationException: TRUE_VALUE cannot be converted to String":                                                                                                                                                                      {"GetItem", `{"TableName":true}`, ""},
	} {
		if got := do(t, s, call.operation, call.body); got != want {
			t.Errorf("%s %.200s\n got %.300s\nwant %s", call.operation, call.body, got, want)
		}
	}
}

func TestItemSizeLimit(t *testing.T) {
	s := with(t, roster)
	fill := maxItem - len("PKaSK1v")
	body := `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"1"},"v":{"S":"` + strings.Repeat("x", fill) + `"}}}`
	if got := do(t, s, "PutItem", body); got != "{}" {
		t.Errorf("an item of the largest size: %s", clip(got))
	}
	update := `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"1"}},"UpdateExpression":"SET w = :v","ExpressionAttributeValues":{":v":{"S":""}}}`
	if got := do(t, s, "UpdateItem", update); got != validation+"Item size to update has exceeded the maximum allowed size" {
		t.Errorf("an update past the largest size: %s", clip(got))
	}
}

// TestDepthAfterUpdate: an update must not nest deeper than items may be.
func TestDepthAfterUpdate(t *testing.T) {
	s := with(t, roster)
	nested := strings.Repeat(`{"M":{"x":`, 32) + `{"S":"x"}` + strings.Repeat(`}}`, 32)
	key := `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"1"}},`
	update := key + `"UpdateExpression":"SET v = :v","ExpressionAttributeValues":{":v":` + nested + `}}`
	deeper := key + `"UpdateExpression":"SET v.y = v"}`
	if got := do(t, s, "UpdateItem", update); got != "{}" {
		t.Fatalf("32 levels: %s", clip(got))
	}
	if got := do(t, s, "UpdateItem", deeper); !strings.Contains(got, "Nesting Levels have exceeded supported limits") {
		t.Errorf("33 levels: %s", clip(got))
	}
}

func TestRegionsAreApart(t *testing.T) {
	s := with(t, roster)
	for region, want := range map[string]string{"": `{"TableNames":["SocketRoster"]}`, "us-east-1": `{"TableNames":["SocketRoster"]}`, "eu-west-1": `{"TableNames":[]}`} {
		if got := doCall(s, &awswire.Call{Operation: "ListTables", Region: region, Body: []byte(`{}`)}); got != want {
			t.Errorf("tables in %q: %s, want %s", region, got, want)
		}
	}
}

func TestBatches(t *testing.T) {
	s := with(t, roster, events)
	var puts, keys []string
	for i := range 25 {
		puts = append(puts, fmt.Sprintf(`{"PutRequest":{"Item":{"PK":{"S":"a"},"SK":{"S":"%02d"}}}}`, i))
		keys = append(keys, fmt.Sprintf(`{"PK":{"S":"a"},"SK":{"S":"%02d"}}`, i))
	}
	all := strings.Join(puts, ",")
	steps(t, s,
		step{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[` + all + `]}}`, `{"UnprocessedItems":{}}`},
		step{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[` + all + `,{"DeleteRequest":{"Key":{"PK":{"S":"b"},"SK":{"S":"b"}}}}]}}`,
			validation + "1 validation error detected: Value '{SocketRoster=[...]}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		step{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[` + puts[0] + `,` + puts[0] + `]}}`, validation + "Provided list of item keys contains duplicates"},
		step{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[{"DeleteRequest":{"Key":` + keys[0] + `}},{"DeleteRequest":{"Key":` + keys[1] + `}}],"events":[{"PutRequest":{"Item":{"p":{"S":"e"},"n":{"N":"1"}}}}]},"ReturnConsumedCapacity":"NONE"}`, `{"UnprocessedItems":{}}`},
		step{"BatchGetItem", `{"RequestItems":{"SocketRoster":{"Keys":[` + keys[0] + `,` + keys[2] + `],"ProjectionExpression":"SK"},"events":{"Keys":[{"p":{"S":"e"},"n":{"N":"1.0"}}]}}}`,
			`{"Responses":{"SocketRoster":[{"SK":{"S":"02"}}],"events":[{"n":{"N":"1"},"p":{"S":"e"}}]},"UnprocessedKeys":{}}`},
		step{"BatchGetItem", `{"RequestItems":{"SocketRoster":{"Keys":[` + keys[0] + `,` + keys[0] + `]}}}`, validation + "Provided list of item keys contains duplicates"},
		step{"BatchGetItem", `{"RequestItems":{"nowhere":{"Keys":[{}]}}}`, "ResourceNotFoundException: Requested resource not found"},
		// One wrong change fails the whole batch.
		step{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[{"DeleteRequest":{"Key":` + keys[2] + `}},{"PutRequest":{"Item":{"PK":{"S":"a"}}}}]}}`, validation + "The provided key element does not match the schema"},
		step{"GetItem", `{"TableName":"SocketRoster","Key":` + keys[2] + `}`, `{"Item":` + keys[2] + `}`},
	)
}

// TestBatchGetStopsAtTheLargestAnswer: what does not fit is left for another
// call, with all that it needs.
func TestBatchGetStopsAtTheLargestAnswer(t *testing.T) {
	s := with(t, roster)
	request := &batchKeys{ConsistentRead: true, projectionInput: projectionInput{AttributesToGet: []string{"SK"}}}
	for i := range 4 {
		item := rosterItem(i)
		do(t, s, "PutItem", `{"TableName":"SocketRoster","Item":`+string(item.AppendJSON(nil))+`}`)
		request.Keys = append(request.Keys, attribute.Input{Map: item})
	}
	read, err := prepareBatch(request, new(int))
	if err != nil {
		t.Fatal(err)
	}
	if err := read.find(s, tableID{"000000000000", "us-east-1", "SocketRoster"}, request); err != nil {
		t.Fatal(err)
	}
	out := &batchGetOutput{Responses: make(map[string][]attribute.Map), UnprocessedKeys: make(map[string]unprocessedKeys)}
	room := request.Keys[0].Map.ItemSize() + 1
	err = s.store.view(func(tx *bbolt.Tx) error { return out.read(tx, "SocketRoster", read, request, nil, &room) })
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Responses":{"SocketRoster":[{"SK":{"S":"0"}},{"SK":{"S":"1"}}]},"UnprocessedKeys":{"SocketRoster":{"Keys":[{"PK":{"S":"a"},"SK":{"S":"2"}},{"PK":{"S":"a"},"SK":{"S":"3"}}],"ConsistentRead":true,"AttributesToGet":["SK"]}}}`
	if got := string(awswire.MarshalJSON(out)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func rosterItem(i int) attribute.Map {
	return attribute.Map{{Name: "PK", Value: attribute.String("a")}, {Name: "SK", Value: attribute.String(fmt.Sprint(i))}}
}
