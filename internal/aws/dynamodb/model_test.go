package dynamodb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"pgregory.net/rapid"
)

// model is a table of events as a map, to compare the service with. Its items
// have p, n, and perhaps user, at and v.
type model struct {
	t     *rapid.T
	path  string
	s     *Service
	items map[modelKey]attribute.Map
	// stream is what the table's stream must have, as modelRecord writes it;
	// read is how far check has read it.
	stream []string
	read   uint64
	// keysIndex is true while the table has the index keys.
	keysIndex bool
}

type modelKey struct{ p, n string }

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "gatepost-model-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{t: t, path: dir + "/tables.db", items: make(map[modelKey]attribute.Map)}
		m.open()
		defer func() { m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "delete": m.delete, "update": m.update, "batch": m.batch, "get": m.get,
			"query": m.query, "queryIndex": m.queryIndex, "reopen": m.reopen, "crash": m.crash, "transact": m.transact, "changeIndex": m.changeIndex,
			"": m.check,
		})
	})
}

func (m *model) open() {
	var err error
	if m.s, err = Open(Config{Path: m.path}); err != nil {
		m.t.Fatal(err)
	}
	table := events
	table.StreamView = "NEW_AND_OLD_IMAGES"
	if err := m.s.EnsureTable(table); err != nil {
		m.t.Fatal(err)
	}
	m.keysIndex = true
}

// set changes an item of the model; nil deletes it.
func (m *model) set(k modelKey, item attribute.Map) {
	if old := m.items[k]; !attribute.Equal(old, item) && (old != nil || item != nil) {
		m.stream = append(m.stream, modelRecord(old, item))
	}
	if item == nil {
		delete(m.items, k)
		return
	}
	m.items[k] = item
}

// reopen does so now and then: each time costs the disk a sync.
func (m *model) reopen(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "now") == 0 {
		m.s.Close()
		m.open()
	}
}

func (m *model) do(t *rapid.T, operation, body string) string {
	out, err := m.s.Do(m.t.Context(), &awswire.Call{Operation: operation, Body: []byte(`{"TableName":"events",` + body + `}`)})
	if err == nil {
		return string(awswire.MarshalJSON(out))
	}
	if e, ok := err.(*awswire.Error); !ok || e.Code != "ConditionalCheckFailedException" {
		t.Fatalf("%s %s: %v", operation, body, err)
	}
	return "failed"
}

func drawKey(t *rapid.T) modelKey {
	return modelKey{rapid.SampledFrom([]string{"a", "b", "b\x00", "c"}).Draw(t, "p"), rapid.SampledFrom([]string{"-10", "-1.5", "0", "2", "10", "100"}).Draw(t, "n")}
}

func (k modelKey) item() attribute.Map {
	n, _ := attribute.ParseNumber(k.n)
	return attribute.NewMap([]attribute.Field{{Name: "p", Value: attribute.String(k.p)}, {Name: "n", Value: n}})
}

func drawItem(t *rapid.T, k modelKey) attribute.Map {
	item := k.item()
	if rapid.Bool().Draw(t, "has user") {
		item.Set("user", attribute.String(rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user")))
	}
	if rapid.Bool().Draw(t, "has at") {
		item.Set("at", attribute.NumberOf(rapid.Int64Range(-3, 3).Draw(t, "at")))
	}
	item.Set("v", attribute.NumberOf(rapid.Int64Range(0, 3).Draw(t, "v")))
	return item
}

func text(m attribute.Map) string { return string(m.AppendJSON(nil)) }

// condition draws a condition and returns its members and whether it holds.
func (m *model) condition(t *rapid.T, k modelKey) (members string, holds bool) {
	old, exists := m.items[k]
	switch rapid.IntRange(0, 3).Draw(t, "condition") {
	case 0:
		return `,"ConditionExpression":"attribute_not_exists(p)"`, !exists
	case 1:
		return `,"ConditionExpression":"attribute_exists(#u)","ExpressionAttributeNames":{"#u":"user"}`, old.Get("user") != nil
	}
	return "", true
}

// returned checks the old item that a call answers.
func returned(t *rapid.T, answer string, old attribute.Map) {
	want := `{}`
	if old != nil {
		want = `{"Attributes":` + text(old) + `}`
	}
	if answer != want {
		t.Fatalf("answered %s, want %s", answer, want)
	}
}

func (m *model) put(t *rapid.T) {
	k := drawKey(t)
	item := drawItem(t, k)
	condition, holds := m.condition(t, k)
	answer := m.do(t, "PutItem", `"Item":`+text(item)+`,"ReturnValues":"ALL_OLD"`+condition)
	if !holds {
		expectFailure(t, answer)
		return
	}
	returned(t, answer, m.items[k])
	m.set(k, item)
}

func expectFailure(t *rapid.T, answer string) {
	if answer != "failed" {
		t.Fatalf("a condition that does not hold answered %s", answer)
	}
}

func (m *model) delete(t *rapid.T) {
	k := drawKey(t)
	condition, holds := m.condition(t, k)
	answer := m.do(t, "DeleteItem", `"Key":`+text(k.item())+`,"ReturnValues":"ALL_OLD"`+condition)
	if !holds {
		expectFailure(t, answer)
		return
	}
	returned(t, answer, m.items[k])
	m.set(k, nil)
}

func (m *model) update(t *rapid.T) {
	k := drawKey(t)
	item := m.items[k].Clone()
	if m.items[k] == nil {
		item = k.item()
	}
	value, _ := item.Get("v").(attribute.Number)
	var expression string
	switch rapid.IntRange(0, 2).Draw(t, "update") {
	case 0:
		expression = "ADD v :one"
		if value == (attribute.Number{}) {
			value = attribute.NumberOf(0)
		}
		total, _ := value.Add(attribute.NumberOf(1))
		item.Set("v", total)
	case 1:
		expression = "SET #u = :u, v = if_not_exists(v, :one)"
		item.Set("user", attribute.String("w"))
		if value == (attribute.Number{}) {
			item.Set("v", attribute.NumberOf(1))
		}
	case 2:
		if m.items[k] == nil {
			item = nil
		}
		expression = "REMOVE v, #u"
		item.Delete("v")
		item.Delete("user")
	}
	body := `"Key":` + text(k.item()) + `,"ReturnValues":"ALL_NEW","UpdateExpression":"` + expression + `"`
	if strings.Contains(expression, "#u") {
		body += `,"ExpressionAttributeNames":{"#u":"user"}`
	}
	body += map[string]string{
		"ADD v :one": `,"ExpressionAttributeValues":{":one":{"N":"1"}}`, "REMOVE v, #u": "",
		"SET #u = :u, v = if_not_exists(v, :one)": `,"ExpressionAttributeValues":{":one":{"N":"1"},":u":{"S":"w"}}`,
	}[expression]
	returned(t, m.do(t, "UpdateItem", body), item)
	if item != nil {
		m.set(k, item)
	}
}

func (m *model) batch(t *rapid.T) {
	var requests []string
	done := make(map[modelKey]bool)
	for range rapid.IntRange(1, 6).Draw(t, "changes") {
		k := drawKey(t)
		if done[k] {
			continue
		}
		done[k] = true
		if rapid.Bool().Draw(t, "delete") {
			requests = append(requests, `{"DeleteRequest":{"Key":`+text(k.item())+`}}`)
			m.set(k, nil)
			continue
		}
		m.set(k, drawItem(t, k))
		requests = append(requests, `{"PutRequest":{"Item":`+text(m.items[k])+`}}`)
	}
	m.do(t, "BatchWriteItem", `"RequestItems":{"events":[`+strings.Join(requests, ",")+`]}`)
}

func (m *model) get(t *rapid.T) {
	k := drawKey(t)
	want := `{}`
	if item := m.items[k]; item != nil {
		want = `{"Item":` + text(item) + `}`
	}
	if got := m.do(t, "GetItem", `"Key":`+text(k.item())); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// sorted returns the model's items that the test lets through, by an attribute.
func (m *model) sorted(by string, take func(attribute.Map) bool) []string {
	var items []attribute.Map
	for _, item := range m.items {
		if take(item) {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b attribute.Map) int {
		order, _ := attribute.Compare(a.Get(by), b.Get(by))
		return cmp.Or(order, cmp.Compare(text(a), text(b)))
	})
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = text(item)
	}
	return out
}

func (m *model) query(t *rapid.T) {
	k := drawKey(t)
	operator := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "="}).Draw(t, "operator")
	from, _ := attribute.ParseNumber(k.n)
	want := m.sorted("n", func(item attribute.Map) bool {
		order, _ := attribute.Compare(item.Get("n"), from)
		return item.Get("p") == attribute.String(k.p) &&
			(order < 0 && operator[0] == '<' || order > 0 && operator[0] == '>' || order == 0 && strings.HasSuffix(operator, "="))
	})
	p, _ := json.Marshal(k.p)
	m.compare(t, "Query", fmt.Sprintf(`"KeyConditionExpression":"p = :p AND n %s :n","ExpressionAttributeValues":{":p":{"S":%s},":n":{"N":"%s"}}`, operator, p, k.n), want)
}

func (m *model) queryIndex(t *rapid.T) {
	user := rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "user")
	want := m.sorted("at", func(item attribute.Map) bool {
		return item.Get("user") == attribute.String(user) && item.Get("at") != nil
	})
	got := m.pages(t, "Query", `"IndexName":"byUser","KeyConditionExpression":"#u = :u","ExpressionAttributeNames":{"#u":"user"},"ExpressionAttributeValues":{":u":{"S":"`+user+`"}}`, 2)
	last := int64(-1 << 62)
	for _, item := range got {
		var in attribute.Input
		json.Unmarshal([]byte(item), &in)
		at, _ := in.Map.Get("at").(attribute.Number).Int64()
		if at < last {
			t.Fatalf("the index is out of order: %v", got)
		}
		last = at
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("the index has\n%v, want\n%v", got, want)
	}
}

func (m *model) compare(t *rapid.T, operation, body string, want []string) {
	for _, limit := range []int{2, 100} {
		if got := m.pages(t, operation, body, limit); !slices.Equal(got, want) {
			t.Fatalf("%s %s in pages of %d has\n%v, want\n%v", operation, body, limit, got, want)
		}
	}
}

// pages reads all pages and returns the items as JSON.
func (m *model) pages(t *rapid.T, operation, body string, limit int) (items []string) {
	start := ""
	for {
		var out struct {
			Items            []attribute.Input
			LastEvaluatedKey json.RawMessage
		}
		answer := m.do(t, operation, fmt.Sprintf(`%s,"Limit":%d%s`, body, limit, start))
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			items = append(items, text(item.Map))
		}
		if out.LastEvaluatedKey == nil {
			return items
		}
		start = `,"ExclusiveStartKey":` + string(out.LastEvaluatedKey)
	}
}

// check compares all items and the table's counts.
func (m *model) check(t *rapid.T) {
	got := m.pages(t, "Scan", `"ConsistentRead":true`, 7)
	slices.Sort(got)
	want := m.sorted("n", func(attribute.Map) bool { return true })
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("the table has\n%v, want\n%v", got, want)
	}
	table := m.s.lookup(tableID{"000000000000", "us-east-1", "events"})
	counted := m.s.stats(table)
	size, inIndex := 0, 0
	for _, item := range m.items {
		size += item.ItemSize()
		if item.Get("user") != nil {
			inIndex++
		}
	}
	m.checkStream()
	if !m.keysIndex {
		inIndex = 0
	}
	if int(counted.items) != len(want) || int(counted.bytes) != size || int(counted.entries["keys"]) != inIndex {
		t.Fatalf("counted %d items of %d bytes, %d in the index; want %d, %d, %d", counted.items, counted.bytes, counted.entries["keys"], len(want), size, inIndex)
	}
}
