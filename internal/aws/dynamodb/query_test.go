package dynamodb

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// fill puts items p=a, n=0..9 with user u0 or u1, at = -n, and x = n mod 3.
func fill(t *testing.T, s *Service) {
	t.Helper()
	for i := range 10 {
		do(t, s, "PutItem", fmt.Sprintf(`{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"%d"},"user":{"S":"u%d"},"at":{"N":"%d"},"x":{"N":"%d"},"y":{"S":"y"}}}`, i, i%2, -i, i%3))
	}
	do(t, s, "PutItem", `{"TableName":"events","Item":{"p":{"S":"b"},"n":{"N":"-1.5"}}}`)
}

// numbers returns the attribute n of the items in an answer, and the starting
// key of the next page.
func numbers(t *testing.T, answer string) (list, next string) {
	t.Helper()
	var out struct {
		Items            []map[string]map[string]string
		LastEvaluatedKey json.RawMessage
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		t.Fatalf("%s", clip(answer))
	}
	var n []string
	for _, item := range out.Items {
		n = append(n, item["n"]["N"])
	}
	return strings.Join(n, " "), string(out.LastEvaluatedKey)
}

func TestQuery(t *testing.T) {
	s := with(t, events)
	fill(t, s)
	for _, c := range []struct{ members, want string }{
		{`'KeyConditionExpression':'p = :p'`, "0 1 2 3 4 5 6 7 8 9"},
		{`'KeyConditionExpression':'p = :p','ScanIndexForward':false`, "9 8 7 6 5 4 3 2 1 0"},
		{`'KeyConditionExpression':'p = :p AND n = :n'`, "4"},
		{`'KeyConditionExpression':'p = :p AND n < :n'`, "0 1 2 3"},
		{`'KeyConditionExpression':'p = :p AND n <= :n','ScanIndexForward':false`, "4 3 2 1 0"},
		{`'KeyConditionExpression':'n > :n AND p = :p'`, "5 6 7 8 9"},
		{`'KeyConditionExpression':'p = :p AND n >= :n','ScanIndexForward':false`, "9 8 7 6 5 4"},
		{`'KeyConditionExpression':'p = :p AND n BETWEEN :n AND :m'`, "4 5 6"},
		{`'KeyConditionExpression':'p = :p','Limit':3`, "0 1 2"},
		{`'KeyConditionExpression':'p = :p','Limit':3,'ExclusiveStartKey':{'p':{'S':'a'},'n':{'N':'2'}}`, "3 4 5"},
		{`'KeyConditionExpression':'p = :p','Limit':3,'ScanIndexForward':false,'ExclusiveStartKey':{'p':{'S':'a'},'n':{'N':'2'}}`, "1 0"},
		{`'KeyConditionExpression':'p = :p','FilterExpression':'x = :x'`, "1 4 7"},
		{`'KeyConditionExpression':'p = :p','FilterExpression':'x = :x','Limit':5`, "1 4"},
		{`'KeyConditionExpression':'p = :p','FilterExpression':'attribute_exists(gone)'`, ""},
		{`'KeyConditionExpression':'p = :u'`, ""},
		{`'IndexName':'byUser','KeyConditionExpression':'#u = :u'`, "9 7 5 3 1"},
		{`'IndexName':'byUser','KeyConditionExpression':'#u = :u AND #at > :at'`, "3 1"},
		{`'IndexName':'byUser','KeyConditionExpression':'#u = :u','ScanIndexForward':false,'Limit':2`, "1 3"},
		{`'IndexName':'local','KeyConditionExpression':'p = :p AND #at <= :at'`, "9 8 7 6 5"},
		{`'KeyConditions':{'p':{'ComparisonOperator':'EQ','AttributeValueList':[{'S':'a'}]},'n':{'ComparisonOperator':'GT','AttributeValueList':[{'N':'7'}]}}`, "8 9"},
	} {
		got, _ := numbers(t, do(t, s, "Query", queryBody(c.members)))
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.members, got, c.want)
		}
	}
}

// queryBody makes a Query of the events with those names and values that the
// members use.
func queryBody(members string) string {
	var names, values []string
	for _, placeholder := range []string{"#u", "#at"} {
		if strings.Contains(members, placeholder) {
			names = append(names, map[string]string{"#u": `"#u":"user"`, "#at": `"#at":"at"`}[placeholder])
		}
	}
	for _, v := range []string{`":p":{"S":"a"}`, `":n":{"N":"4"}`, `":m":{"N":"6"}`, `":x":{"N":"1"}`, `":u":{"S":"u1"}`, `":at":{"N":"-5"}`} {
		if strings.Contains(members, " "+v[1:strings.Index(v, `":{`)]) {
			values = append(values, v)
		}
	}
	body := `{"TableName":"events",` + quoted(members)
	if names != nil {
		body += `,"ExpressionAttributeNames":{` + strings.Join(names, ",") + `}`
	}
	if values != nil {
		body += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + `}`
	}
	return body + "}"
}

// TestPages: pages of any size, forward and backward, over the table and its
// indexes, make up the whole.
func TestPages(t *testing.T) {
	s := with(t, events)
	fill(t, s)
	for _, q := range []string{
		`'KeyConditionExpression':'p = :p'`, `'KeyConditionExpression':'p = :p AND n > :n'`, `'IndexName':'byUser','KeyConditionExpression':'#u = :u'`,
		`'IndexName':'keys','KeyConditionExpression':'#u = :u'`, `'IndexName':'local','KeyConditionExpression':'p = :p AND #at <= :at'`,
		`'KeyConditionExpression':'p = :p','FilterExpression':'x = :x'`,
	} {
		for _, direction := range []string{"", `,'ScanIndexForward':false`} {
			whole, _ := numbers(t, do(t, s, "Query", queryBody(q+direction)))
			for _, limit := range []int{1, 2, 3, 9, 10, 11} {
				if got := pages(t, s, "Query", queryBody(q+direction), limit); got != whole {
					t.Errorf("%s in pages of %d: %s, want %s", q+direction, limit, got, whole)
				}
			}
		}
	}
	for _, index := range []string{"", `,"IndexName":"byUser"`, `,"IndexName":"keys"`} {
		whole, _ := numbers(t, do(t, s, "Scan", `{"TableName":"events"`+index+`}`))
		for _, limit := range []int{1, 2, 3, 9, 10, 11} {
			if got := pages(t, s, "Scan", `{"TableName":"events"`+index+`}`, limit); got != whole {
				t.Errorf("scan%s in pages of %d: %s, want %s", index, limit, got, whole)
			}
		}
	}
}

// pages reads all pages and joins their numbers.
func pages(t *testing.T, s *Service, operation, body string, limit int) string {
	t.Helper()
	var all []string
	start := ""
	for range 30 {
		answer := do(t, s, operation, fmt.Sprintf(`%s,"Limit":%d%s}`, strings.TrimSuffix(body, "}"), limit, start))
		list, next := numbers(t, answer)
		all = append(all, strings.Fields(list)...)
		if next == "" {
			return strings.Join(all, " ")
		}
		start = `,"ExclusiveStartKey":` + next
	}
	t.Fatalf("%s with pages of %d does not end", body, limit)
	return ""
}

func TestQueryAnswers(t *testing.T) {
	s := with(t, events)
	fill(t, s)
	const one = `{"TableName":"events","KeyConditionExpression":"p = :p AND n = :n","ExpressionAttributeValues":{":p":{"S":"a"},":n":{"N":"4"}}`
	const user = `{"TableName":"events","KeyConditionExpression":"#u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"u0"}},"Limit":1`
	steps(t, s,
		step{"Query", one + `}`, `{"Items":[{"at":{"N":"-4"},"n":{"N":"4"},"p":{"S":"a"},"user":{"S":"u0"},"x":{"N":"1"},"y":{"S":"y"}}],"Count":1,"ScannedCount":1}`},
		step{"Query", one + `,"ProjectionExpression":"x, n"}`, `{"Items":[{"n":{"N":"4"},"x":{"N":"1"}}],"Count":1,"ScannedCount":1}`},
		step{"Query", one + `,"Select":"COUNT","ReturnConsumedCapacity":"TOTAL"}`, `{"Count":1,"ScannedCount":1,"ConsumedCapacity":{"TableName":"events","CapacityUnits":0.5}}`},
		step{"Query", user + `,"IndexName":"byUser"}`, `{"Items":[{"at":{"N":"-8"},"n":{"N":"8"},"p":{"S":"a"},"user":{"S":"u0"},"x":{"N":"2"},"y":{"S":"y"}}],"Count":1,"ScannedCount":1,"LastEvaluatedKey":{"at":{"N":"-8"},"n":{"N":"8"},"p":{"S":"a"},"user":{"S":"u0"}}}`},
		step{"Scan", `{"TableName":"events","Select":"COUNT"}`, `{"Count":11,"ScannedCount":11}`},
		step{"Scan", `{"TableName":"events","IndexName":"keys","Select":"COUNT"}`, `{"Count":10,"ScannedCount":10}`},
		step{"Scan", `{"TableName":"events","FilterExpression":"p = :p","ExpressionAttributeValues":{":p":{"S":"b"}}}`, `{"Items":[{"n":{"N":"-1.5"},"p":{"S":"b"}}],"Count":1,"ScannedCount":11}`},
	)
	for index, attributes := range map[string]string{"keys": "n p user", "some": "n p user x"} {
		answer := do(t, s, "Query", user+`,"IndexName":"`+index+`"}`)
		var out struct{ Items []map[string]any }
		if json.Unmarshal([]byte(answer), &out); len(out.Items) != 1 || keysOf(out.Items[0]) != attributes {
			t.Errorf("index %s shows %s, want %s", index, answer, attributes)
		}
	}
	// A local index fetches what it does not have.
	local := `{"TableName":"events","IndexName":"local","KeyConditionExpression":"p = :p AND #at = :at","ExpressionAttributeNames":{"#at":"at"},"ExpressionAttributeValues":{":p":{"S":"a"},":at":{"N":"-3"}}`
	steps(t, s,
		step{"Query", local + `}`, `{"Items":[{"at":{"N":"-3"},"n":{"N":"3"},"p":{"S":"a"}}],"Count":1,"ScannedCount":1}`},
		step{"Query", local + `,"ProjectionExpression":"y"}`, `{"Items":[{"y":{"S":"y"}}],"Count":1,"ScannedCount":1}`},
	)
}

func keysOf(m map[string]any) string {
	var keys []string
	for _, k := range []string{"at", "n", "p", "user", "x", "y"} {
		if _, ok := m[k]; ok {
			keys = append(keys, k)
		}
	}
	return strings.Join(keys, " ")
}

// TestIndexesFollowItems: entries come, move and go with their items.
func TestIndexesFollowItems(t *testing.T) {
	s := with(t, events)
	count := func(user string) string {
		answer := do(t, s, "Query", `{"TableName":"events","IndexName":"byUser","Select":"COUNT","KeyConditionExpression":"#u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"`+user+`"}}}`)
		return field(t, answer, "Count")
	}
	const key = `{"TableName":"events","Key":{"p":{"S":"a"},"n":{"N":"1"}}`
	for i, c := range []struct{ operation, body, old, new string }{
		{"PutItem", `{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"},"user":{"S":"old"},"at":{"N":"1"}}}`, "1", "0"},
		{"UpdateItem", key + `,"UpdateExpression":"SET #u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"new"}}}`, "0", "1"},
		{"UpdateItem", key + `,"UpdateExpression":"REMOVE #at","ExpressionAttributeNames":{"#at":"at"}}`, "0", "0"},
		{"PutItem", `{"TableName":"events","Item":{"p":{"S":"a"},"n":{"N":"1"},"user":{"S":"new"},"at":{"N":"2"}}}`, "0", "1"},
		{"DeleteItem", key + `}`, "0", "0"},
	} {
		if got := do(t, s, c.operation, c.body); got != "{}" {
			t.Fatal(got)
		}
		if count("old") != c.old || count("new") != c.new {
			t.Errorf("after step %d the index has %s old and %s new, want %s and %s", i, count("old"), count("new"), c.old, c.new)
		}
	}
}

func TestPageOfOneMegabyte(t *testing.T) {
	s := with(t, roster)
	for i := range 4 {
		do(t, s, "PutItem", fmt.Sprintf(`{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"%02d"},"v":{"S":"%s"}}}`, i, strings.Repeat("x", 400_000)))
	}
	answer := do(t, s, "Query", `{"TableName":"SocketRoster","KeyConditionExpression":"PK = :p","ProjectionExpression":"SK","ExpressionAttributeValues":{":p":{"S":"a"}}}`)
	if n, last := field(t, answer, "Count"), field(t, answer, "LastEvaluatedKey"); n != "3" || last != `{"PK":{"S":"a"},"SK":{"S":"02"}}` {
		t.Errorf("%s items to %s, want 3 items of 400 kB", n, last)
	}
}

// TestSegments: parallel scans see each item once.
func TestSegments(t *testing.T) {
	s := with(t, roster)
	for i := range 200 {
		do(t, s, "PutItem", fmt.Sprintf(`{"TableName":"SocketRoster","Item":{"PK":{"S":"%d"},"SK":{"S":"x"}}}`, i))
	}
	seen := make(map[string]bool)
	for i := range 7 {
		answer := do(t, s, "Scan", fmt.Sprintf(`{"TableName":"SocketRoster","Segment":%d,"TotalSegments":7}`, i))
		var out struct {
			Items []struct{ PK struct{ S string } }
		}
		if err := json.Unmarshal([]byte(answer), &out); err != nil || len(out.Items) == 0 {
			t.Errorf("segment %d: %s", i, clip(answer))
		}
		for _, item := range out.Items {
			if seen[item.PK.S] {
				t.Errorf("item %s is in two segments", item.PK.S)
			}
			seen[item.PK.S] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d items in all segments, want 200", len(seen))
	}
}

func TestQueryErrors(t *testing.T) {
	s := with(t, events, roster)
	const values = `,"ExpressionAttributeValues":{":p":{"S":"a"},":n":{"N":"4"}}}`
	for _, c := range []struct{ body, want string }{
		{`{"TableName":"events"}`, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{`{"TableName":"events","KeyConditionExpression":"n = :n","ExpressionAttributeValues":{":n":{"N":"1"}}}`, "Query condition missed key schema element: p"},
		{`{"TableName":"events","KeyConditionExpression":"p = :p AND x = :n"` + values, "Query condition missed key schema element: n"},
		{`{"TableName":"events","KeyConditionExpression":"p > :p AND n = :n"` + values, "Query key condition not supported"},
		{`{"TableName":"events","KeyConditionExpression":"p = :n AND n = :p"` + values, "One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{`{"TableName":"events","KeyConditionExpression":"p = :p","FilterExpression":"n = :n"` + values, "Filter Expression can only contain non-primary key attributes: Primary key attribute: n"},
		{`{"TableName":"events","IndexName":"nowhere","KeyConditionExpression":"p = :p AND n = :n"` + values, "The table does not have the specified index: nowhere"},
		{`{"TableName":"events","IndexName":"byUser","ConsistentRead":true,"KeyConditionExpression":"p = :p AND n = :n"` + values, "Consistent reads are not supported on global secondary indexes"},
		{`{"TableName":"events","IndexName":"keys","Select":"ALL_ATTRIBUTES","KeyConditionExpression":"#u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"u"}}}`, "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index keys because its projection type is not ALL"},
		{`{"TableName":"events","ExclusiveStartKey":{"p":{"S":"b"},"n":{"N":"1"}},"KeyConditionExpression":"p = :p","ExpressionAttributeValues":{":p":{"S":"a"}}}`, "The provided starting key is outside query boundaries based on provided conditions"},
		{`{"TableName":"events","ExclusiveStartKey":{"p":{"S":"a"},"n":{"N":"1"}},"KeyConditionExpression":"p = :p AND n > :n"` + values, "The provided starting key does not match the range key predicate"},
		{`{"TableName":"events","ExclusiveStartKey":{"p":{"S":"a"}},"KeyConditionExpression":"p = :p AND n > :n"` + values, "The provided starting key is invalid"},
		{`{"TableName":"SocketRoster","KeyConditionExpression":"PK = :p","ExpressionAttributeValues":{":p":{"S":""}}}`, "One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty string value. Key: PK"},
	} {
		if got := do(t, s, "Query", c.body); got != validation+c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, clip(got), c.want)
		}
	}
	for body, want := range map[string]string{
		`{"TableName":"events","Segment":1}`:                             "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
		`{"TableName":"events","Segment":2,"TotalSegments":2}`:           "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2",
		`{"TableName":"events","ExclusiveStartKey":{"p":{"S":"a"}}}`:     "The provided starting key is invalid: The provided key element does not match the schema",
		`{"TableName":"events","Select":"SPECIFIC_ATTRIBUTES"}`:          "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
		`{"TableName":"events","Limit":0}`:                               "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
		`{"TableName":"events","FilterExpression":"a","ScanFilter":{}}`:  "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {ScanFilter} Expression parameters: {FilterExpression}",
		`{"TableName":"events","FilterExpression":"attribute_exists(a"}`: `Invalid FilterExpression: Syntax error; token: "<EOF>", near: "a"`,
	} {
		if got := do(t, s, "Scan", body); got != validation+want {
			t.Errorf("%s\n got %s\nwant %s", body, clip(got), want)
		}
	}
}
