package pattern

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name, pattern, record string
		want                  bool
	}{
		{"nothing asked for", `{}`, `{"a":1}`, true},
		{"null", `{"a":[null]}`, `{"a":null}`, true},
		{"null is not absence", `{"a":[null]}`, `{}`, false},
		{"null is not a string", `{"a":[null]}`, `{"a":"null"}`, false},
		{"empty", `{"a":[""]}`, `{"a":""}`, true},
		{"empty is not null", `{"a":[""]}`, `{"a":null}`, false},
		{"equals", `{"a":["x"]}`, `{"a":"x"}`, true},
		{"equals is about case", `{"a":["x"]}`, `{"a":"X"}`, false},
		{"a string is no number", `{"a":["1"]}`, `{"a":1}`, false},
		{"numbers by value", `{"a":[300]}`, `{"a":3.0e2}`, true},
		{"numbers that no float holds, as written", `{"a":[1e999]}`, `{"a":1e999}`, true},
		{"true", `{"a":[true]}`, `{"a":true}`, true},
		{"true is not false", `{"a":[true]}`, `{"a":false}`, false},
		{"equals ignore case", `{"a":[{"equals-ignore-case":"Straße"}]}`, `{"a":"STRAßE"}`, true},
		{"and", `{"a":["x"],"b":["y"]}`, `{"a":"x","b":"y"}`, true},
		{"and, one missing", `{"a":["x"],"b":["y"]}`, `{"a":"x"}`, false},
		{"or of values", `{"a":["x","y"]}`, `{"a":"y"}`, true},
		{"or of fields, the first", `{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"a":"x","b":"n"}`, true},
		{"or of fields, the second", `{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"a":"n","b":"y"}`, true},
		{"or of fields, none", `{"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"a":"n","b":"n"}`, false},
		{"or beside and", `{"c":[1],"$or":[{"a":["x"]},{"b":["y"]}]}`, `{"a":"x","c":2}`, false},
		{"or within an object", `{"o":{"$or":[{"a":["x"]},{"b":["y"]}]}}`, `{"o":{"b":"y"}}`, true},
		{"a field that is called $or", `{"$or":{"a":["x"]}}`, `{"$or":{"a":"x"}}`, true},
		{"not", `{"a":[{"anything-but":["x"]}]}`, `{"a":"y"}`, true},
		{"not, as a single value", `{"a":[{"anything-but":"x"}]}`, `{"a":"x"}`, false},
		{"not, of numbers", `{"a":[{"anything-but":[1,2]}]}`, `{"a":2.0}`, false},
		{"not needs the field", `{"a":[{"anything-but":"x"}]}`, `{}`, false},
		{"not a prefix", `{"a":[{"anything-but":{"prefix":"ab"}}]}`, `{"a":"abc"}`, false},
		{"not one of prefixes", `{"a":[{"anything-but":{"prefix":["x","y"]}}]}`, `{"a":"abc"}`, true},
		{"not a suffix", `{"a":[{"anything-but":{"suffix":".png"}}]}`, `{"a":"a.png"}`, false},
		{"not in any case", `{"a":[{"anything-but":{"equals-ignore-case":["X","y"]}}]}`, `{"a":"Y"}`, false},
		{"numeric equals", `{"a":[{"numeric":["=",3]}]}`, `{"a":3.0}`, true},
		{"numeric wants a number", `{"a":[{"numeric":["=",3]}]}`, `{"a":"3"}`, false},
		{"range, its lower end", `{"a":[{"numeric":[">",10,"<=",20]}]}`, `{"a":10}`, false},
		{"range, its upper end", `{"a":[{"numeric":[">",10,"<=",20]}]}`, `{"a":20}`, true},
		{"at least", `{"a":[{"numeric":[">=",10]}]}`, `{"a":10}`, true},
		{"less", `{"a":[{"numeric":["<",10]}]}`, `{"a":10}`, false},
		{"exists", `{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{"exists, but not", `{"a":[{"exists":true}]}`, `{"b":1}`, false},
		{"an object is no value", `{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		{"absent", `{"a":[{"exists":false}]}`, `{"b":1}`, true},
		{"absent, but there", `{"a":[{"exists":false}]}`, `{"a":1}`, false},
		{"absent or a value", `{"a":[{"exists":false},"x"]}`, `{"a":"x"}`, true},
		{"absent within what is absent", `{"a":{"b":[{"exists":false}]}}`, `{}`, true},
		{"absent within what is no object", `{"a":{"b":[{"exists":false}]}}`, `{"a":"text"}`, false},
		{"begins with", `{"a":[{"prefix":"us-"}]}`, `{"a":"us-east-1"}`, true},
		{"begins with, in any case", `{"a":[{"prefix":{"equals-ignore-case":"US-"}}]}`, `{"a":"us-east-1"}`, true},
		{"begins with, in any case, but is shorter", `{"a":[{"prefix":{"equals-ignore-case":"US-"}}]}`, `{"a":"us"}`, false},
		{"ends with", `{"a":[{"suffix":".png"}]}`, `{"a":"a.png"}`, true},
		{"ends with, in any case", `{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"a":"a.pNg"}`, true},
		{"ends with, in any case, but is shorter", `{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"a":"png"}`, false},
		{"one of a list", `{"a":["x"]}`, `{"a":["y","x"]}`, true},
		{"none of a list", `{"a":["x"]}`, `{"a":["y","z"]}`, false},
		{"an empty list is absence", `{"a":[{"exists":false}]}`, `{"a":[]}`, true},
		{"two fields of one element", `{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1,"c":3},{"b":1,"c":2}]}`, true},
		{"two fields of two elements", `{"a":{"b":[1],"c":[2]}}`, `{"a":[{"b":1},{"c":2}]}`, false},
		{"a DynamoDB record", `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"kind":{"S":["order"]}}}}`,
			`{"eventName":"INSERT","dynamodb":{"NewImage":{"kind":{"S":"order"}}}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			record, err := jsonpath.Parse([]byte(c.record))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Matches(record); got != c.want {
				t.Errorf("%s on %s: %v", c.pattern, c.record, got)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{``, "the pattern is not JSON"},
		{`[]`, "the pattern must be an object, not a list"},
		{`{"a":"x"}`, `a: the value must be a list or an object, not a string; write ["x"]`},
		{`{"a":[]}`, "a: an empty list matches nothing"},
		{`{"a":{"b":{}}}`, "a.b: an empty object says nothing"},
		{`{"a":[["x"]]}`, "a[0]: a value must be a string, a number, true, false, null or an operator, not a list"},
		{`{"a":["x",{}]}`, "a[1]: an operator is an object with one field"},
		{`{"a":[{"prefix":"a","suffix":"b"}]}`, "a[0]: an operator is an object with one field"},
		{`{"a":[{"prefx":"a"}]}`, `a[0]: there is no operator "prefx"; there are prefix`},
		{`{"a":[{"wildcard":"a*"}]}`, "a[0]: Lambda's filters do not have EventBridge's operator wildcard"},
		{`{"a":[{"prefix":1}]}`, "a[0].prefix: it takes a string, not a number"},
		{`{"a":[{"suffix":{"equals-ignore-case":1}}]}`, "a[0].suffix.equals-ignore-case: it takes a string, not a number"},
		{`{"a":[{"exists":"true"}]}`, "a[0].exists: it takes true or false, not a string"},
		{`{"a":[{"anything-but":[]}]}`, "a[0].anything-but: an empty list excludes nothing"},
		{`{"a":[{"anything-but":[true]}]}`, "a[0].anything-but: it takes strings or numbers, not a boolean"},
		{`{"a":[{"anything-but":["x",1]}]}`, "a[0].anything-but: it takes strings or numbers, and not both in one list"},
		{`{"a":[{"anything-but":{"numeric":["=",1]}}]}`, "a[0].anything-but: it takes prefix, suffix or equals-ignore-case, one of them"},
		{`{"a":[{"anything-but":{"prefix":""}}]}`, "a[0].anything-but.prefix: an empty prefix excludes everything"},
		{`{"a":[{"anything-but":{"prefix":[]}}]}`, "a[0].anything-but.prefix: an empty list excludes nothing"},
		{`{"a":[{"numeric":["=",1,"<"]}]}`, "a[0].numeric: it takes a list such as"},
		{`{"a":[{"numeric":["~",1]}]}`, `a[0].numeric: "~" is not one of`},
		{`{"a":[{"numeric":["=","1"]}]}`, `a[0].numeric: "1" must be a number from`},
		{`{"a":[{"numeric":["=",6e9]}]}`, `a[0].numeric: 6e9 must be a number from`},
		{`{"a":[{"numeric":["<",1,">",0]}]}`, "a[0].numeric: a range is written from below"},
		{`{"a":[{"numeric":[">",1,"<",1]}]}`, "a[0].numeric: the range is empty"},
		{`{"$or":[{"a":[1]}]}`, "$or: alternatives are a list of two objects or more"},
		{`{"$or":[{"a":[1]},2]}`, "$or[1]: an alternative must be an object, not a number"},
		{`{"$or":[{"a":[1]},{}]}`, "$or[1]: an empty object says nothing"},
		{`{"a":["` + strings.Repeat("x", MaxLength) + `"]}`, "the pattern has 4106 bytes, and may have 4096"},
	} {
		if _, err := Parse(c.pattern); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, want %s", c.pattern, err, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	p, err := Parse(`{"body":{"a":[1]},"$or":[{"messageId":[1]},{"body":["x"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Fields(); !slices.Equal(got, []string{"body", "messageId"}) {
		t.Errorf("fields %v", got)
	}
}

// FuzzPattern: whatever the pattern and the record are, there is an answer, and
// it does not depend on how often one asks.
func FuzzPattern(f *testing.F) {
	f.Add(`{"a":[{"anything-but":{"prefix":["x"]}}],"$or":[{"b":{"c":[{"exists":false}]}},{"d":[{"numeric":[">",1,"<",2]}]}]}`, `{"a":["y",[1,{"b":2}]],"d":1.5}`)
	f.Add(`{"a":[{"suffix":{"equals-ignore-case":"\u212a"}}]}`, `{"a":"k"}`)
	f.Fuzz(func(t *testing.T, text, record string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		v, err := jsonpath.Parse([]byte(record))
		if err != nil {
			return
		}
		if first, second := p.Matches(v), p.Matches(v); first != second {
			t.Errorf("%s on %s: two answers", text, record)
		}
	})
}
