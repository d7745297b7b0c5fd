package expression

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// changes decodes an object whose members may be null.
func changes(t testing.TB, text string) map[string]attribute.Value {
	t.Helper()
	var raw map[string]attribute.InputValue
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]attribute.Value)
	for name, v := range raw {
		out[name] = v.Value
	}
	return out
}

// FuzzExpression parses any text as every kind of expression and applies what
// parses. Errors must be of the two kinds that the service turns into
// a ValidationException.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"n = :n AND NOT (s <> :s OR size(l) < :n)", "attribute_exists(m.deep[0].c)", "#m.k, l[0]", "SET a = if_not_exists(n, :n) + :n REMOVE l[0], l[1] ADD ns :ns DELETE ss :ss",
		"SET l = list_append(l, :l), l[9] = :n", "n BETWEEN :n AND :n9", "s IN (:s, :x)", "begins_with(s, :he)", "((n))", "a.", "NOT NOT n = :n", ":", "#", "é[",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		item := itemOf(t, testItem)
		names := []string{"m", "k"}
		if c, err := ParseCondition(FilterExpression, source, bind(t, names, testValues)); check(t, err) {
			c.Matches(item)
			c.Matches(nil)
			c.Paths()
		}
		if p, err := ParseProjection(source, bind(t, names, testValues)); check(t, err) {
			p.Apply(item)
		}
		_, err := keyTerms(source, bind(t, names, testValues))
		check(t, err)
		if u, err := ParseUpdate(source, bind(t, names, testValues)); check(t, err) {
			if out, err := u.Apply(item); check(t, err) {
				roundTrip(t, out)
			}
			u.Projection().Apply(item)
		}
		if string(item.AppendJSON(nil)) != string(itemOf(t, testItem).AppendJSON(nil)) {
			t.Fatalf("%q has changed its item", source)
		}
	})
}

func check(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return true
	}
	_, isExpression := errors.AsType[*Error](err)
	if _, isValue := errors.AsType[*attribute.ValueError](err); !isExpression && !isValue {
		t.Fatalf("error of type %T: %v", err, err)
	}
	return false
}

// roundTrip stores an item and reads it back.
func roundTrip(t *testing.T, item attribute.Map) {
	t.Helper()
	if item.CheckDepth() != nil {
		return
	}
	back, err := attribute.DecodeItem(attribute.AppendItem(nil, item))
	if err != nil || !attribute.Equal(back, item) {
		t.Fatalf("%s came back as %s, %v", item.AppendJSON(nil), back.AppendJSON(nil), err)
	}
}
