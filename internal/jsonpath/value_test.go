package jsonpath

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestParseKeepsOrderAndNumbers(t *testing.T) {
	for _, tt := range []struct{ rule, doc, want string }{
		{"the order of names", ` { "z" : 1 , "a" : 2 } `, `{"z":1,"a":2}`},
		{"numbers as written", `[1.0,1e3,-0,0.1E+2,123456789012345678901234567890]`, `[1.0,1e3,-0,0.1E+2,123456789012345678901234567890]`},
		{"the last of two members at the first one's place", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"empty arrays and objects", `[ [] , { } ]`, `[[],{}]`},
		{"scalars", `[true,false,null,"s"]`, `[true,false,null,"s"]`},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0041\u00e9\u0001"`, `"\"\\/\b\f\n\r\tAé\u0001"`},
		{"a surrogate pair", `"\ud83d\ude00"`, `"😀"`},
		{"half of a surrogate pair", `"\ud83dx\ude00\ud83d\u0041"`, "\"\uFFFDx\uFFFD\uFFFDA\""},
		{"bytes that are no UTF-8", "\"a\xff\xfeb\"", "\"a\uFFFD\uFFFDb\""},
		{"nothing is escaped for HTML", `"<a&b>\u2028"`, "\"<a&b>\u2028\""},
		{"many members", manyMembers(40), manyMembers(40)},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if got := string(mustParse(t, tt.doc).JSON()); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"k`)
		b.WriteString(strings.Repeat("x", n-i))
		b.WriteString(`":[]`)
	}
	return "{" + b.String()[1:] + "}"
}

func TestParseErrorsNameTheByte(t *testing.T) {
	for doc, want := range map[string]string{
		"":            "byte 1: the document ends where a value should stand",
		"  ":          "byte 3: the document ends",
		"{":           "byte 2: a name in double quotes",
		"{a:1}":       "byte 2: a name in double quotes",
		`{"a" 1}`:     "byte 6: a colon",
		`{"a":}`:      "byte 6: a value should stand here",
		`{"a":1,}`:    "byte 8: a name",
		`{"a":1 "b"}`: "byte 8: a comma or '}'",
		"[1,]":        "byte 4: a value should stand here",
		"[1 2]":       "byte 4: a comma or ']'",
		"[1":          "byte 3: a comma",
		"[1}":         "byte 3: a comma",
		`"a`:          "byte 3: the string is not closed",
		"\"a\nb\"":    "byte 3: a control character",
		`"\x"`:        "byte 2: this is no escape",
		`"\u12g4"`:    "byte 2: this is no escape",
		`"\u12"`:      "byte 2: this is no escape",
		`"\`:          "byte 2: this is no escape",
		"01":          "byte 2: there is more",
		"-":           "byte 2: a digit",
		"+1":          "byte 1: a value",
		".5":          "byte 1: a value",
		"1.":          "byte 3: a digit should stand after the decimal point",
		"1e":          "byte 3: a digit should stand in the exponent",
		"1e+":         "byte 4: a digit",
		"tru":         "byte 1: a value",
		"nullx":       "byte 5: there is more",
		"NaN":         "byte 1: a value",
		"{} {}":       "byte 4: there is more",
		"\ufeff{}":    "byte 1: a value",
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): "byte 513: arrays and objects nest deeper than 512",
	} {
		_, err := Parse([]byte(doc))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.20q) = %v, want %q", doc, err, want)
		}
		if Valid([]byte(doc)) {
			t.Errorf("Valid(%.20q)", doc)
		}
	}
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if _, err := Parse([]byte(deep)); err != nil {
		t.Errorf("%d arrays: %v", MaxDepth, err)
	}
}

func TestTextIsJavasToString(t *testing.T) {
	for doc, want := range map[string]string{
		`"a b"`:                           "a b",
		`5.0`:                             "5.0",
		`true`:                            "true",
		`null`:                            "",
		`["item1","item2"]`:               "[item1, item2]",
		`[]`:                              "[]",
		`{}`:                              "{}",
		`{"k":"v","l":[1,null,{"m":""}]}`: "{k=v, l=[1, null, {m=}]}",
	} {
		if got := mustParse(t, doc).Text(); got != want {
			t.Errorf("Text of %s = %q, want %q", doc, got, want)
		}
	}
}

func TestAccessors(t *testing.T) {
	v := mustParse(t, `{"o":{"k":"v"},"a":[1,2],"t":true,"n":null}`)
	if v.Kind() != Object || v.Len() != 4 || v.Key(1) != "a" || v.Index(1).Index(1).Str() != "2" {
		t.Error("the object reads wrong")
	}
	if got := v.Keys(); !reflect.DeepEqual(got, []string{"o", "a", "t", "n"}) {
		t.Errorf("Keys = %q", got)
	}
	v.Keys()[0] = "changed"
	if inner, ok := v.At("o", "k"); !ok || inner.Str() != "v" {
		t.Errorf("At(o, k) = %s, %v", inner.JSON(), ok)
	}
	if _, ok := v.At("o", "x", "y"); ok {
		t.Error("At finds what is not there")
	}
	if n, ok := v.Get("n"); !ok || !n.IsNull() {
		t.Error("a null member is there")
	}
	if b, _ := v.Get("t"); !b.Bool() || b.Str() != "" {
		t.Error("true reads wrong")
	}
	if (Value{}).Kind() != Null || (Value{}).Len() != 0 || (Value{}).Keys() != nil {
		t.Error("the zero Value is not null")
	}
	if Array.String() != "array" {
		t.Error("a kind's name is wrong")
	}
}

func TestObjectsOfManyMembers(t *testing.T) {
	var members []Member
	for i := range 50 {
		members = append(members, Member{string(rune('a'+i/26)) + string(rune('a'+i%26)), IntOf(int64(i))})
	}
	v := ObjectOf(append(members, Member{"ba", StringOf("new")})...)
	if v.Len() != 50 {
		t.Errorf("%d members", v.Len())
	}
	for i, m := range members {
		got, ok := v.Get(m.Key)
		want := string(m.Value.JSON())
		if m.Key == "ba" {
			want = `"new"`
		}
		if !ok || string(got.JSON()) != want || v.Key(i) != m.Key {
			t.Errorf("%s = %s, %v", m.Key, got.JSON(), ok)
		}
	}
	if _, ok := v.Get("zz"); ok {
		t.Error("a member that is not there")
	}
}

func TestParseNumber(t *testing.T) {
	if v, ok := ParseNumber("-1.50e3"); !ok || v.Str() != "-1.50e3" || v.Kind() != Number {
		t.Errorf("ParseNumber = %s, %v", v.JSON(), ok)
	}
	for _, text := range []string{"", "-", "01", "1x", " 1", "NaN", "Infinity", "1."} {
		if _, ok := ParseNumber(text); ok {
			t.Errorf("ParseNumber takes %q", text)
		}
	}
}

func TestOfGoValues(t *testing.T) {
	v := Of(map[string]any{
		"b": true, "a": "x", "n": nil, "i": 1, "j": int32(2), "k": int64(3), "f": 0.5, "inf": math.Inf(1),
		"num": json.Number("1.50"), "list": []any{1, "y"}, "texts": []string{"p"}, "values": []Value{IntOf(9)},
		"map": map[string]string{"z": "1", "y": "2"}, "tree": map[string]Value{"q": ArrayOf()},
	})
	want := `{"a":"x","b":true,"f":0.5,"i":1,"inf":null,"j":2,"k":3,"list":[1,"y"],"map":{"y":"2","z":"1"},"n":null,` +
		`"num":1.50,"texts":["p"],"tree":{"q":[]},"values":[9]}`
	if got := string(v.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(ObjectOf(Member{"b", IntOf(1)}, Member{"a", BoolOf(false)}, Member{"b", StringOf("2")}).JSON()); got != `{"b":"2","a":false}` {
		t.Errorf("ObjectOf = %s", got)
	}
	if got := string(ObjectOf().JSON()); got != "{}" {
		t.Errorf("ObjectOf() = %s", got)
	}
	for _, bad := range []any{struct{}{}, json.Number("x"), json.Number(`"1"`)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Of(%#v) did not panic", bad)
				}
			}()
			Of(bad)
		}()
	}
}
