package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gatepost-dev/gatepost/stack"
)

const createHash = `{"TableName":"made","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`

func TestTables(t *testing.T) {
	s := with(t, roster)
	if got := do(t, s, "CreateTable", createHash); !strings.Contains(got, `"TableStatus":"CREATING"`) {
		t.Fatal(got)
	}
	described := field(t, do(t, s, "DescribeTable", `{"TableName":"made"}`), "Table")
	for name, want := range map[string]string{
		"TableName": `"made"`, "TableArn": `"arn:aws:dynamodb:us-east-1:000000000000:table/made"`, "TableStatus": `"ACTIVE"`, "ItemCount": "0",
		"KeySchema": `[{"AttributeName":"a","KeyType":"HASH"}]`, "AttributeDefinitions": `[{"AttributeName":"a","AttributeType":"S"}]`,
	} {
		if got := field(t, described, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	steps(t, s,
		step{"CreateTable", createHash, "ResourceInUseException: Table already exists: made"},
		step{"ListTables", `{}`, `{"TableNames":["SocketRoster","made"]}`},
		step{"ListTables", `{"Limit":1}`, `{"TableNames":["SocketRoster"],"LastEvaluatedTableName":"SocketRoster"}`},
		step{"ListTables", `{"ExclusiveStartTableName":"SocketRoster"}`, `{"TableNames":["made"]}`},
		step{"PutItem", `{"TableName":"made","Item":{"a":{"S":"x"}}}`, `{}`},
	)
	if got := do(t, s, "DeleteTable", `{"TableName":"made"}`); !strings.Contains(got, `"TableStatus":"DELETING"`) {
		t.Error(got)
	}
	steps(t, s,
		step{"DescribeTable", `{"TableName":"made"}`, "ResourceNotFoundException: Requested resource not found: Table: made not found"},
		step{"DeleteTable", `{"TableName":"made"}`, "ResourceNotFoundException: Requested resource not found: Table: made not found"},
		step{"GetItem", `{"TableName":"made","Key":{"a":{"S":"x"}}}`, "ResourceNotFoundException: Requested resource not found"},
		step{"DescribeTable", `{}`, validation + "The parameter 'TableName' is required but was not present in the request"},
		step{"DescribeEndpoints", `{}`, `{"Endpoints":[{"Address":"","CachePeriodInMinutes":1440}]}`},
	)
	// A table made anew has none of the old one's items.
	do(t, s, "CreateTable", createHash)
	steps(t, s, step{"GetItem", `{"TableName":"made","Key":{"a":{"S":"x"}}}`, `{}`})
}

func TestCreateTableErrors(t *testing.T) {
	s := with(t)
	const params = validation + "One or more parameter values were invalid: "
	table := func(definitions, keys, rest string) string {
		return quoted(`{'TableName':'made','AttributeDefinitions':[` + definitions + `],'KeySchema':[` + keys + `],'BillingMode':'PAY_PER_REQUEST'` + rest + `}`)
	}
	const (
		a, b   = `{'AttributeName':'a','AttributeType':'S'}`, `{'AttributeName':'b','AttributeType':'N'}`
		hash   = `{'AttributeName':'a','KeyType':'HASH'}`
		sorted = hash + `,{'AttributeName':'b','KeyType':'RANGE'}`
	)
	for body, want := range map[string]string{
		`{}`:                     validation + "The parameter 'TableName' is required but was not present in the request",
		table("", hash, ""):      validation + "Invalid KeySchema: Some index key attribute have no definition",
		table(b, hash, ""):       params + "Some index key attributes are not defined in AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]",
		table(a+","+b, hash, ""): params + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
		table(a, `{'AttributeName':'a','KeyType':'RANGE'}`, ""): validation + "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
		table(a, "", ""): validation + "1 validation error detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1",
		table(a, hash, `,'LocalSecondaryIndexes':[{'IndexName':'idx','KeySchema':[`+hash+`],'Projection':{'ProjectionType':'ALL'}}]`):                                        params + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
		table(a+","+b, sorted, `,'GlobalSecondaryIndexes':[{'IndexName':'idx','KeySchema':[{'AttributeName':'c','KeyType':'HASH'}],'Projection':{'ProjectionType':'ALL'}}]`): params + "Some index key attributes are not defined in AttributeDefinitions. Keys: [c], AttributeDefinitions: [a, b]",
		table(a, hash, `,'ProvisionedThroughput':{'ReadCapacityUnits':1,'WriteCapacityUnits':1}`):                                                                            params + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
	} {
		if got := do(t, s, "CreateTable", body); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

// TestEnsureTable: what a template changes is followed, but for the key.
func TestEnsureTable(t *testing.T) {
	path := file(t)
	s := open(t, Config{Path: path})
	plain := events
	plain.Indexes, plain.Attributes = nil, events.Attributes[:2]
	if err := s.EnsureTable(plain); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	count := func(s *Service, index string) string {
		return do(t, s, "Scan", `{"TableName":"events","IndexName":"`+index+`","Select":"COUNT"}`)
	}
	const ten, none = `{"Count":10,"ScannedCount":10}`, validation + "The table does not have the specified index: keys"
	if err := s.EnsureTable(events); err != nil {
		t.Fatal(err)
	}
	if got := count(s, "keys"); got != ten {
		t.Errorf("a new index: %s", got)
	}
	moved := events
	moved.Indexes = []stack.TableIndex{{Name: "byUser", Key: []stack.KeyElement{{Attribute: "at", Type: "HASH"}}, Projection: "ALL"}}
	if err := s.EnsureTable(moved); err != nil {
		t.Fatal(err)
	}
	if got := count(s, "keys"); got != none {
		t.Errorf("an index that is gone: %s", got)
	}
	query := `{"TableName":"events","IndexName":"byUser","Select":"COUNT","KeyConditionExpression":"#at = :at","ExpressionAttributeNames":{"#at":"at"},"ExpressionAttributeValues":{":at":{"N":"-3"}}}`
	if got := do(t, s, "Query", query); got != `{"Count":1,"ScannedCount":1}` {
		t.Errorf("an index with another key: %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Path: path})
	if err := again.EnsureTable(moved); err != nil {
		t.Fatal(err)
	}
	if got := do(t, again, "Query", query); got != `{"Count":1,"ScannedCount":1}` {
		t.Errorf("after opening again: %s", got)
	}
	rekeyed := roster
	rekeyed.Name = "events"
	err := again.EnsureTable(rekeyed)
	if err == nil || !strings.Contains(err.Error(), "has it with the key p (S), n (N), the template declares PK (S), SK (S)") {
		t.Errorf("another key: %v", err)
	}
	if err := again.EnsureTable(stack.Table{Name: "bad", Key: []stack.KeyElement{{Attribute: "x", Type: "HASH"}}}); err == nil || !strings.Contains(err.Error(), "needs an attribute definition") {
		t.Errorf("a key without a definition: %v", err)
	}
}

// TestConcurrentWrites: writers that share transactions lose nothing, and the
// table's counts are exact.
func TestConcurrentWrites(t *testing.T) {
	s := with(t, roster)
	const writers, each = 16, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				do(t, s, "PutItem", fmt.Sprintf(`{"TableName":"SocketRoster","Item":{"PK":{"S":"%d"},"SK":{"S":"%d"}}}`, w, i))
				do(t, s, "UpdateItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":"all"},"SK":{"S":"all"}},"UpdateExpression":"ADD hits :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`)
				do(t, s, "DeleteItem", fmt.Sprintf(`{"TableName":"SocketRoster","Key":{"PK":{"S":"%d"},"SK":{"S":"%d"}},"ConditionExpression":"attribute_not_exists(PK)"}`, w, i))
			}
		})
	}
	wg.Wait()
	hits := do(t, s, "GetItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":"all"},"SK":{"S":"all"}},"ProjectionExpression":"hits"}`)
	if want := fmt.Sprintf(`{"Item":{"hits":{"N":"%d"}}}`, writers*each); hits != want {
		t.Errorf("%s, want %s", hits, want)
	}
	described := field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table")
	if got := field(t, described, "ItemCount"); got != fmt.Sprint(writers*each+1) {
		t.Errorf("ItemCount %s, want %d", got, writers*each+1)
	}
}

func TestClose(t *testing.T) {
	path := file(t)
	s := open(t, Config{Path: path, Sync: true})
	if err := s.EnsureTable(roster); err != nil {
		t.Fatal(err)
	}
	const put = `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"a"}}}`
	do(t, s, "PutItem", put)
	if _, err := Open(Config{Path: path}); err == nil {
		t.Error("a file was opened twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, got := range []string{do(t, s, "PutItem", put), do(t, s, "GetItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"a"}}}`), fmt.Sprint(s.Close())} {
		if got != errClosed.Error() {
			t.Errorf("after Close: %s", got)
		}
	}
	again := open(t, Config{Path: path})
	if got := do(t, again, "GetItem", `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"a"}}}`); got != `{"Item":{"PK":{"S":"a"},"SK":{"S":"a"}}}` {
		t.Errorf("after opening again: %s", got)
	}
}

// TestWriteThatFailsMidway: nobody is told that such a write, or one that shared
// its transaction, was kept.
func TestWriteThatFailsMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, roster)
		release := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			s.store.update(t.Context(), &write{run: func(*writeTx) error { <-release; return nil }})
		})
		synctest.Wait()
		wg.Go(func() {
			if got := do(t, s, "PutItem", `{"TableName":"SocketRoster","Item":{"PK":{"S":"a"},"SK":{"S":"a"}}}`); !strings.Contains(got, "write failed midway") {
				t.Errorf("a write beside one that fails: %s", got)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			broken := errors.New("broken")
			err := s.store.update(t.Context(), &write{run: func(tx *writeTx) error { tx.wrote = true; return broken }})
			if !errors.Is(err, broken) {
				t.Errorf("a write that fails: %v", err)
			}
		})
		synctest.Wait()
		close(release)
		wg.Wait()
		steps(t, s, step{"GetItem", getA, `{}`})
	})
}

// TestWithdrawnWrite: a caller that has gone before its write began leaves no
// write behind.
func TestWithdrawnWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, roster)
		release, ran := make(chan struct{}), false
		var wg sync.WaitGroup
		wg.Go(func() {
			s.store.update(t.Context(), &write{run: func(*writeTx) error { <-release; return nil }})
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := s.store.update(ctx, &write{run: func(*writeTx) error { ran = true; return nil }}); err != context.Canceled {
				t.Errorf("a withdrawn write returned %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		s.store.update(t.Context(), &write{run: func(*writeTx) error { return nil }})
		if ran {
			t.Error("a withdrawn write ran")
		}
	})
}
