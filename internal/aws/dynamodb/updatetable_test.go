package dynamodb

import (
	"fmt"
	"strings"
	"testing"
)

// indexOn is an UpdateTable call that adds an index of the attribute, a string.
func indexOn(name, attribute, rest string) string {
	return fmt.Sprintf(`{"TableName":"SocketRoster","AttributeDefinitions":[{"AttributeName":"PK","AttributeType":"S"},{"AttributeName":"SK","AttributeType":"S"},{"AttributeName":"%[2]s","AttributeType":"S"}],
		"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"%[1]s","KeySchema":[{"AttributeName":"%[2]s","KeyType":"HASH"}],"Projection":{"ProjectionType":"KEYS_ONLY"}%[3]s}}]}`, name, attribute, rest)
}

func dropIndex(name string) string {
	return `{"TableName":"SocketRoster","GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"` + name + `"}}]}`
}

// TestGlobalIndexesComeAndGo: a new index has the items that were there, but
// for those that it cannot have.
func TestGlobalIndexesComeAndGo(t *testing.T) {
	s := with(t, roster)
	for key, rest := range map[string]string{
		"a": `,"room":{"S":"red"}`, "b": `,"room":{"S":"red"}`, "without": ``, "number": `,"room":{"N":"1"}`, "empty": `,"room":{"S":""}`,
		"long": `,"room":{"S":"` + strings.Repeat("x", 2049) + `"}`,
	} {
		if got := do(t, s, "PutItem", `{`+onRoster+`"Item":`+item(key, rest)+`}`); got != "{}" {
			t.Fatal(got)
		}
	}
	got := field(t, do(t, s, "UpdateTable", indexOn("byRoom", "room", "")), "TableDescription")
	if !strings.Contains(got, `"TableStatus":"UPDATING"`) || !strings.Contains(got, `"IndexName":"byRoom","IndexArn":"arn:aws:dynamodb:us-east-1:000000000000:table/SocketRoster/index/byRoom","IndexStatus":"CREATING"`) {
		t.Errorf("the answer is %s", got)
	}
	red := step{"Query", `{` + onRoster + `"IndexName":"byRoom","KeyConditionExpression":"room = :r","ExpressionAttributeValues":{":r":{"S":"red"}},"Select":"COUNT"}`, `{"Count":2,"ScannedCount":2}`}
	steps(t, s, red,
		step{"Scan", `{` + onRoster + `"IndexName":"byRoom","Select":"COUNT"}`, `{"Count":2,"ScannedCount":2}`},
		step{"PutItem", `{` + onRoster + `"Item":` + item("c", `,"room":{"N":"1"}`) + `}`, validation + "One or more parameter values were invalid: Type mismatch for Index Key room Expected: S Actual: N IndexName: byRoom"},
		step{"UpdateTable", indexOn("byRoom", "room", ""), validation + "Attempting to create an index which already exists"},
	)
	described := field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table")
	if !strings.Contains(described, `"IndexStatus":"ACTIVE"`) || !strings.Contains(described, `{"AttributeName":"room","AttributeType":"S"}`) || !strings.Contains(described, `"TableStatus":"ACTIVE"`) {
		t.Errorf("the table is %s", described)
	}
	if got := do(t, s, "UpdateTable", dropIndex("byRoom")); !strings.Contains(got, `"IndexStatus":"DELETING"`) {
		t.Errorf("the answer is %s", got)
	}
	described = field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table")
	if strings.Contains(described, "byRoom") || strings.Contains(described, `"AttributeName":"room"`) {
		t.Errorf("the table still is %s", described)
	}
	red.want = validation + "The table does not have the specified index: byRoom"
	steps(t, s, red,
		step{"PutItem", `{` + onRoster + `"Item":` + item("c", `,"room":{"N":"1"}`) + `}`, `{}`},
		step{"UpdateTable", dropIndex("byRoom"), "ResourceNotFoundException: Requested resource not found"},
	)
}

func TestUpdateTableErrors(t *testing.T) {
	s := with(t, roster, events)
	const params = validation + "One or more parameter values were invalid: "
	update := func(rest string) string { return `{"TableName":"SocketRoster",` + rest + `}` }
	updates := func(list string) string { return update(`"GlobalSecondaryIndexUpdates":[` + list + `]`) }
	create := func(name string) string {
		return `{"Create":{"IndexName":"` + name + `","KeySchema":[{"AttributeName":"SK","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}`
	}
	for _, c := range []struct{ body, want string }{
		{update(`"AttributeDefinitions":[]`), validation + "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required"},
		{updates(create("abc") + `,` + create("abd")), "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"},
		{updates(create("abc")[:len(create("abc"))-1] + `,"Delete":{"IndexName":"abc"}}`), params + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object"},
		{updates(strings.ReplaceAll(create("abc"), "SK", "other")), params + "Some index key attributes are not defined in AttributeDefinitions. Keys: [other], AttributeDefinitions: [PK, SK]"},
		{updates(strings.ReplaceAll(create("abc"), `"ALL"`, `"INCLUDE"`)), params + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"},
		{updates(`{"Update":{"IndexName":"abc","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}}`), validation + "This operation cannot be performed with given input values. Please contact DynamoDB service team for more info: Action Blocked: IndexUpdate"},
		{strings.Replace(updates(`{"Delete":{"IndexName":"local"}}`), "SocketRoster", "events", 1), validation + "Cannot delete an index that is not a GlobalSecondaryIndex: local"},
		{strings.Replace(updates(`{"Update":{"IndexName":"keys","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}}`), "SocketRoster", "events", 1), params + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: keys when BillingMode is PAY_PER_REQUEST"},
		{update(`"BillingMode":"PROVISIONED"`), params + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"},
		{strings.Replace(update(`"BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}`), "SocketRoster", "events", 1), params + "ProvisionedThroughput must be specified for index: byUser,keys,some"},
		{update(`"TableClass":"GOLD"`), validation + "Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS]."},
		{update(`"DeletionProtectionEnabled":true,"BillingMode":"PAY_PER_REQUEST"`), params + "DeletionProtection modification must be the only operation in the request"},
		{update(`"SSESpecification":{},"TableClass":"STANDARD"`), params + "Server-Side Encryption modification must be the only operation in the request"},
		{update(`"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"},"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}`), params + "You cannot modify stream status while updating table IOPS"},
		{update(`"ReplicaUpdates":[{}]`), params + "Gatepost has no global tables: a table lives in one region"},
		{`{"TableName":"nowhere","BillingMode":"PAY_PER_REQUEST"}`, "ResourceNotFoundException: Requested resource not found: Table: nowhere not found"},
	} {
		if got := do(t, s, "UpdateTable", c.body); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, clip(got), c.want)
		}
	}
	for i := range maxGlobalIndexes {
		do(t, s, "UpdateTable", indexOn(fmt.Sprintf("index%02d", i), "room", ""))
	}
	steps(t, s, step{"UpdateTable", indexOn("more", "room", ""), "LimitExceededException: Subscriber limit exceeded: GlobalSecondaryIndex count exceeds the per-table limit of 20"})
}

func TestThroughputIsToldAgain(t *testing.T) {
	s := with(t, roster)
	provision := func(read, write int) string {
		return fmt.Sprintf(`{"TableName":"SocketRoster","BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":%d,"WriteCapacityUnits":%d}}`, read, write)
	}
	do(t, s, "UpdateTable", provision(5, 5))
	steps(t, s, step{"UpdateTable", provision(5, 5), validation + "The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. Current WriteCapacityUnits provisioned for the table: 5. Requested WriteCapacityUnits: 5. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."})
	if got := do(t, s, "UpdateTable", provision(3, 7)); !strings.Contains(got, `"NumberOfDecreasesToday":1,"ReadCapacityUnits":5,"WriteCapacityUnits":5`) {
		t.Errorf("the answer shows no old throughput: %s", got)
	}
	described := field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table")
	if got := field(t, described, "ProvisionedThroughput"); !strings.HasSuffix(got, `"NumberOfDecreasesToday":1,"ReadCapacityUnits":3,"WriteCapacityUnits":7}`) || !strings.Contains(got, "LastIncreaseDateTime") || !strings.Contains(got, "LastDecreaseDateTime") {
		t.Errorf("the throughput is %s", got)
	}
	do(t, s, "UpdateTable", `{"TableName":"SocketRoster","BillingMode":"PAY_PER_REQUEST"}`)
	described = field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table")
	if got := field(t, described, "BillingModeSummary"); !strings.Contains(got, perRequest) {
		t.Errorf("the billing mode is %s", got)
	}
}

func TestDeletionProtection(t *testing.T) {
	s := with(t, roster)
	protect := func(on bool) {
		do(t, s, "UpdateTable", fmt.Sprintf(`{"TableName":"SocketRoster","DeletionProtectionEnabled":%v}`, on))
	}
	protect(true)
	steps(t, s, step{"DeleteTable", `{"TableName":"SocketRoster"}`, validation + "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."})
	protect(false)
	if got := do(t, s, "DeleteTable", `{"TableName":"SocketRoster"}`); !strings.Contains(got, `"TableStatus":"DELETING"`) {
		t.Error(got)
	}
}

func TestTags(t *testing.T) {
	s := with(t, roster)
	arn := `"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/SocketRoster"`
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`{"Key":"%d","Value":""}`, i)
	}
	steps(t, s,
		step{"ListTagsOfResource", `{` + arn + `}`, `{"Tags":[]}`},
		step{"TagResource", `{` + arn + `,"Tags":[{"Key":"b","Value":"2"},{"Key":"a","Value":"1"}]}`, `null`},
		step{"TagResource", `{` + arn + `,"Tags":[{"Key":"a","Value":"3"}]}`, `null`},
		step{"ListTagsOfResource", `{` + arn + `}`, `{"Tags":[{"Key":"a","Value":"3"},{"Key":"b","Value":"2"}]}`},
		step{"UntagResource", `{` + arn + `,"TagKeys":["b","none"]}`, `null`},
		step{"ListTagsOfResource", `{` + arn + `}`, `{"Tags":[{"Key":"a","Value":"3"}]}`},
		step{"TagResource", `{` + arn + `,"Tags":[{"Key":"aws:x","Value":"3"}]}`, validation + "Tag Key cannot be prefixed with aws:, Key: aws:x"},
		step{"TagResource", `{` + arn + `,"Tags":[{"Key":"a","Value":"3"},{"Key":"a","Value":"4"}]}`, validation + "Duplicate Tag Keys provided as input: Duplicate Tag Key found a"},
		step{"TagResource", `{` + arn + `,"Tags":[{"Key":"a"}]}`, validation + "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"},
		step{"TagResource", `{` + arn + `,"Tags":[` + strings.Join(many, ",") + `]}`, validation + "Number of Tags exceed the current limit for the provided ResourceArn"},
		step{"TagResource", `{` + arn + `,"Tags":[` + strings.Join(many[:50], ",") + `]}`, validation + "Number of Tags exceed the current limit for the provided ResourceArn"},
		step{"DescribeLimits", `{}`, `{"AccountMaxReadCapacityUnits":80000,"AccountMaxWriteCapacityUnits":80000,"TableMaxReadCapacityUnits":40000,"TableMaxWriteCapacityUnits":40000}`},
	)
	created := strings.TrimSuffix(createHash, "}") + `,"Tags":[{"Key":"k","Value":"v"}],"TableClass":"STANDARD_INFREQUENT_ACCESS","DeletionProtectionEnabled":true}`
	do(t, s, "CreateTable", created)
	steps(t, s, step{"ListTagsOfResource", strings.Replace(`{`+arn+`}`, "SocketRoster", "made", 1), `{"Tags":[{"Key":"k","Value":"v"}]}`})
	described := field(t, do(t, s, "DescribeTable", `{"TableName":"made"}`), "Table")
	if !strings.Contains(described, `"TableClassSummary":{"TableClass":"STANDARD_INFREQUENT_ACCESS"},"DeletionProtectionEnabled":true`) {
		t.Errorf("the table is %s", described)
	}
}

// TestReset: nothing is left but the declared tables, empty.
func TestReset(t *testing.T) {
	path := file(t)
	s := open(t, Config{Path: path})
	if err := s.EnsureTable(streamed("KEYS_ONLY")); err != nil {
		t.Fatal(err)
	}
	do(t, s, "CreateTable", createHash)
	writeAll(t, s)
	do(t, s, "PutItem", `{`+onRoster+`"Item":`+item("left", "")+`}`)
	do(t, s, "TransactWriteItems", `{"ClientRequestToken":"once","TransactItems":[{"Put":{`+onRoster+`"Item":`+item("b", "")+`}}]}`)
	before := rosterStream(t, s)
	table := s.lookup(tableID{"000000000000", "us-east-1", "SocketRoster"})
	if err := s.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		steps(t, s,
			step{"ListTables", `{}`, `{"TableNames":["SocketRoster"]}`},
			step{"Scan", `{"TableName":"SocketRoster"}`, `{"Items":[],"Count":0,"ScannedCount":0}`},
		)
		if _, err := s.Stream(before.ARN()); err == nil {
			t.Error("the old stream is still there")
		}
		if got := changes(t, rosterStream(t, s), 0); got != "" {
			t.Errorf("the new stream has %s", got)
		}
		s.Close()
		s = open(t, Config{Path: path})
	}
	if now := s.lookup(table.id); now.Number == table.Number {
		t.Error("the table's number was used again")
	}
	if _, _, err := rosterStream(t, s).Read(7, 0); err != ErrTrimmed {
		t.Errorf("reading a new stream from an old place: %v", err)
	}
	steps(t, s,
		step{"TransactWriteItems", `{"ClientRequestToken":"once","TransactItems":[{"Put":{` + onRoster + `"Item":` + item("c", "") + `}}]}`, `{}`},
		step{"Scan", `{"TableName":"SocketRoster","Select":"COUNT"}`, `{"Count":1,"ScannedCount":1}`},
	)
}
