package dynamodb

import (
	"bytes"
	"cmp"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"pgregory.net/rapid"
)

// keyBytes draws strings that are rich in the bytes that parts escape.
func keyBytes() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 1, 2, 'a', 0xfe, 0xff}), 1, 6), func(b []byte) string { return string(b) })
}

// shortStrings returns all strings of up to three of the bytes that parts
// escape or that lie beside them.
func shortStrings() []string {
	all := []string{""}
	for from, length := 0, 0; length < 3; length++ {
		to := len(all)
		for _, s := range all[from:to] {
			for _, c := range []string{"\x00", "\x01", "a", "\xff"} {
				all = append(all, s+c)
			}
		}
		from = to
	}
	return all
}

func TestPartsKeepTheOrder(t *testing.T) {
	for _, a := range shortStrings() {
		for _, b := range shortStrings() {
			// What follows must not matter: it points the other way.
			x, y := append(appendPart(nil, a), 0xff), append(appendPart(nil, b), 0)
			want := cmp.Or(cmp.Compare(a, b), 1)
			if got := bytes.Compare(x, y); got != want {
				t.Fatalf("%q and %q become %x and %x, which compare as %d", a, b, x, y, got)
			}
		}
	}
}

// TestTermRange: a key is in the range of a key condition if and only if its
// values meet the condition.
func TestTermRange(t *testing.T) {
	operators := []expression.KeyOperator{expression.KeyEqual, expression.KeyLess, expression.KeyLessEqual, expression.KeyGreater,
		expression.KeyGreaterEqual, expression.KeyBetween, expression.KeyBeginsWith}
	schema := keySchema{{"p", attribute.B}, {"s", attribute.B}}
	rapid.Check(t, func(t *rapid.T) {
		item := attribute.Map{{Name: "p", Value: attribute.Binary(keyBytes().Draw(t, "p"))}, {Name: "s", Value: attribute.Binary(keyBytes().Draw(t, "s"))}}
		partition := expression.KeyTerm{Attribute: "p", Operator: expression.KeyEqual, Values: []attribute.Value{attribute.Binary(keyBytes().Draw(t, "partition"))}}
		sort := expression.KeyTerm{Attribute: "s", Operator: rapid.SampledFrom(operators).Draw(t, "operator")}
		for range 2 {
			sort.Values = append(sort.Values, attribute.Binary(keyBytes().Draw(t, "value")))
		}
		want := matches(&partition, item[0].Value) && matches(&sort, item[1].Value)
		if got := termRange(&partition, &sort).contains(schema.key(item)); got != want {
			t.Fatalf("in the range: %v, meets the condition: %v", got, want)
		}
		if got := termRange(&partition, nil).contains(schema.key(item)); got != matches(&partition, item[0].Value) {
			t.Fatalf("in the partition's range: %v", got)
		}
	})
}

func TestSegmentsCoverAllKeys(t *testing.T) {
	for _, total := range []int{1, 2, 3, 7, 4096, 5000} {
		var last []byte
		for i := range total {
			r := segmentRange(i, total)
			if i > 0 && !bytes.Equal(r.low, last) {
				t.Fatalf("segment %d of %d begins at %x, the one before ends at %x", i, total, r.low, last)
			}
			last = r.high
		}
		if first := segmentRange(0, total).low; !bytes.Equal(first, []byte{0, 0, 0}) || last != nil {
			t.Fatalf("%d segments reach from %x to %x", total, first, last)
		}
	}
}

func TestAfter(t *testing.T) {
	for in, want := range map[string]string{"a": "b", "a\xff": "b", "\x00": "\x01"} {
		if got := after([]byte(in)); string(got) != want {
			t.Errorf("after(%q) = %q", in, got)
		}
	}
	if got := after([]byte{0xff, 0xff}); got != nil {
		t.Errorf("something after the last: %x", got)
	}
}
