package dynamodb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TestRequestsOfAnotherForm is what AWS's framework says of JSON that is not of
// the API's model.
func TestRequestsOfAnotherForm(t *testing.T) {
	s := with(t, roster)
	const class = "com.amazonaws.dynamodb.v20120810."
	for _, c := range []struct{ operation, body, want string }{
		{"GetItem", ``, ""},
		{"GetItem", `{"Key":"text"}`, "Unexpected field type"},
		{"GetItem", `{"Key":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, " + class + "AttributeValue>"},
		{"GetItem", `{"Key":{"a":[]}}`, "Unrecognized collection type class " + class + "AttributeValue"},
		{"GetItem", `{"Key":{"a":1}}`, "Unexpected value type in payload"},
		{"GetItem", `{"Key":{"a":{"S":{}}}}`, "Start of structure or map found where not expected"},
		{"GetItem", `{"Key":{"a":{"B":"abc"}}}`, "Base64 encoded length is expected a multiple of 4 bytes but found: 3"},
		{"GetItem", `{"Key":{"a":{"B":"=+/="}}}`, "Invalid last non-pad Base64 character dectected"},
		{"GetItem", `{"Key":{"a":{"B":true}}}`, "only base-64-encoded strings are convertible to bytes"},
		{"GetItem", `{"Key":{"a":{"L":[{"M":{"b":{"BS":[[]]}}}]}}}`, "Unrecognized collection type class java.nio.ByteBuffer"},
		{"GetItem", `{"ConsistentRead":"true"}`, "Unexpected token received from parser"},
		{"GetItem", `{"ConsistentRead":1.5}`, "DECIMAL_VALUE cannot be converted to Boolean"},
		{"GetItem", `{"TableName":false}`, "FALSE_VALUE cannot be converted to String"},
		{"GetItem", `{"ExpressionAttributeNames":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>"},
		{"Query", `{"Limit":"3"}`, "STRING_VALUE cannot be converted to Integer"},
		{"Query", `{"KeyConditions":{"a":[]}}`, "Unrecognized collection type class " + class + "Condition"},
		{"PutItem", `{"Expected":{"a":[]}}`, "Unrecognized collection type class " + class + "ExpectedAttributeValue"},
		{"CreateTable", `{"ProvisionedThroughput":{"ReadCapacityUnits":[]}}`, "Unrecognized collection type class java.lang.Long"},
		{"CreateTable", `{"GlobalSecondaryIndexes":[[]]}`, "Unrecognized collection type class " + class + "GlobalSecondaryIndex"},
		{"UpdateTable", `{"GlobalSecondaryIndexUpdates":[{"Create":[]}]}`, "Unrecognized collection type class " + class + "CreateGlobalSecondaryIndexAction"},
		{"BatchWriteItem", `{"RequestItems":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, java.util.List<" + class + "WriteRequest>>"},
		{"BatchWriteItem", `{"RequestItems":{"a":1}}`, errCast},
		{"BatchGetItem", `{"RequestItems":{"a":{"Keys":[1]}}}`, errCast},
		{"TransactWriteItems", `{"TransactItems":[{"Put":[]}]}`, "Unrecognized collection type class " + class + "Put"},
	} {
		if got, want := do(t, s, c.operation, c.body), "SerializationException: "+c.want; got != want {
			t.Errorf("%s %s\n got %s\nwant %s", c.operation, c.body, got, want)
		}
	}
}

// FuzzCall: no body makes a call panic, and every error is one of AWS's.
func FuzzCall(f *testing.F) {
	names := slices.Sorted(maps.Keys(operations))
	for _, body := range []string{
		`{}`, `null`, `[]`, `{"TableName":"events","Key":{"p":{"S":"a"},"n":{"N":"1"}}}`, `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"b"},"l":{"L":[{"M":{}}]}}}`,
		transactBody(`"Update":{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"b"}},"UpdateExpression":"SET a.b[1] = :v","ExpressionAttributeValues":{":v":{"N":"1e9"}}}`),
		`{"TableName":"events","KeyConditions":{"p":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]}}}`, `{"RequestItems":{"events":[{"PutRequest":{"Item":{}}}]}}`, `{"RequestItems":{"events":{"Keys":[{}]}}}`,
		indexOn("abc", "x", ""), createHash, `{"ResourceArn":"a:b:c:d:e:f/g","Tags":[null]}`, `{"TableName":"events","AttributeUpdates":{"a":null},"Expected":{"b":null}}`,
	} {
		for i := range names {
			f.Add(uint(i), []byte(body))
		}
	}
	s := with(f, roster, events)
	f.Fuzz(func(t *testing.T, which uint, body []byte) {
		name := names[which%uint(len(names))]
		out, err := s.Do(context.Background(), &awswire.Call{Operation: name, Body: body})
		var e *awswire.Error
		if err != nil && (!errors.As(err, &e) || e.Status == 500) {
			t.Fatalf("%s %q: %v", name, body, err)
		}
		if err == nil {
			awswire.MarshalJSON(out)
		}
	})
}

// FuzzStreamsCall does the same for DynamoDB Streams, iterators above all.
func FuzzStreamsCall(f *testing.F) {
	s := with(f, streamed("NEW_AND_OLD_IMAGES"))
	writeAll(f, s)
	arn := rosterStream(f, s).ARN()
	f.Add("GetRecords", `{"ShardIterator":"`+arn+`|1|AAAAAAAAAAAAAAAAAAAAAA=="}`)
	f.Add("GetShardIterator", `{"StreamArn":"`+arn+`","ShardId":"`+strings.Repeat("s", 30)+`","ShardIteratorType":"LATEST"}`)
	f.Add("DescribeStream", `{"StreamArn":"`+arn+`","Limit":0}`)
	f.Add("ListStreams", `{}`)
	f.Fuzz(func(t *testing.T, name, body string) {
		_, err := s.Streams().Do(context.Background(), &awswire.Call{Operation: name, Body: []byte(body)})
		var e *awswire.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%s %q: %v", name, body, err)
		}
	})
}
