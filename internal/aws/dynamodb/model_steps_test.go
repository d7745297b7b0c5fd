package dynamodb

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"pgregory.net/rapid"
)

// crash goes on with the file as it lies on the disk now: what kill -9 would
// leave.
func (m *model) crash(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "now") > 0 {
		return
	}
	text, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	m.s.Close()
	m.path += "+"
	if err := os.WriteFile(m.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	m.open()
}

// modelRecord is a stream record as the model writes it.
func modelRecord(old, item attribute.Map) string {
	switch {
	case old == nil:
		return EventInsert + " " + text(item)
	case item == nil:
		return EventRemove + " " + text(old)
	}
	return EventModify + " " + text(old) + " " + text(item)
}

// checkStream reads what has come to the stream since the last step.
func (m *model) checkStream() {
	table := m.s.lookup(tableID{"000000000000", "us-east-1", "events"})
	st, err := m.s.Stream(table.StreamARN)
	if err != nil {
		m.t.Fatal(err)
	}
	for {
		records, _, err := st.Read(m.read, 2)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		for _, r := range records {
			if m.read++; r.Sequence != m.read || int(m.read) > len(m.stream) {
				m.t.Fatalf("record %d is %s, but it is the %d. of %d", r.Sequence, modelRecord(r.OldImage, r.NewImage), m.read, len(m.stream))
			}
			if got, want := modelRecord(r.OldImage, r.NewImage), m.stream[m.read-1]; got != want || !strings.HasPrefix(got, r.Name) {
				m.t.Fatalf("record %d is %s %s, want %s", r.Sequence, r.Name, got, want)
			}
		}
	}
	if int(m.read) != len(m.stream) {
		m.t.Fatalf("the stream has %d records, want %d: %v", m.read, len(m.stream), m.stream[m.read:])
	}
}

// changeIndex removes the index keys or adds it again.
func (m *model) changeIndex(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") > 0 {
		return
	}
	change := `"GlobalSecondaryIndexUpdates":[{"Delete":{"IndexName":"keys"}}]`
	if !m.keysIndex {
		change = `"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"keys","KeySchema":[{"AttributeName":"user","KeyType":"HASH"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}}]`
	}
	m.do(t, "UpdateTable", change)
	m.keysIndex = !m.keysIndex
}

// transact draws a transaction: either all of it happens or nothing.
func (m *model) transact(t *rapid.T) {
	var actions []string
	var codes []string
	type change struct {
		k    modelKey
		item attribute.Map
	}
	var done []change
	seen := make(map[modelKey]bool)
	for range rapid.IntRange(1, 5).Draw(t, "actions") {
		k := drawKey(t)
		if seen[k] {
			continue
		}
		seen[k] = true
		condition, holds := m.condition(t, k)
		key := `"TableName":"events","Key":` + text(k.item())
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			item := drawItem(t, k)
			actions = append(actions, `"Put":{"TableName":"events","Item":`+text(item)+condition+`}`)
			done = append(done, change{k, item})
		case 1:
			actions = append(actions, `"Delete":{`+key+condition+`}`)
			done = append(done, change{k, nil})
		case 2:
			if condition == "" {
				continue
			}
			actions = append(actions, `"ConditionCheck":{`+key+condition+`}`)
		case 3:
			item := m.items[k].Clone()
			if m.items[k] == nil {
				item = k.item()
			}
			item.Set("v", attribute.NumberOf(7))
			value := `,"ExpressionAttributeValues":{":v":{"N":"7"}}`
			actions = append(actions, `"Update":{`+key+`,"UpdateExpression":"SET v = :v"`+value+condition+`}`)
			done = append(done, change{k, item})
		}
		codes = append(codes, map[bool]string{true: "None", false: "ConditionalCheckFailed"}[holds])
	}
	if len(actions) == 0 {
		return
	}
	_, err := m.s.Do(m.t.Context(), &awswire.Call{Operation: "TransactWriteItems", Body: []byte(transactBody(actions...))})
	if strings.Contains(fmt.Sprint(codes), "Failed") {
		var e *awswire.Error
		if want := "[" + strings.Join(codes, ", ") + "]"; !errors.As(err, &e) || !strings.HasSuffix(e.Message, want) {
			t.Fatalf("%v answers %v, want %s", actions, err, want)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v: %v", actions, err)
	}
	for _, c := range done {
		m.set(c.k, c.item)
	}
}
