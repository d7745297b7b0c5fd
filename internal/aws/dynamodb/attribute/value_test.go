package attribute

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func decodeInput(t testing.TB, text string) *Input {
	t.Helper()
	var in Input
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatalf("%.200s: %.200v", text, err)
	}
	return &in
}

func TestItemJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                               ``,
		`{"b":{"N":"1.50"},"a":{"S":"x"}}`: `{"a":{"S":"x"},"b":{"N":"1.5"}}`,
		`{ "a" : { "S" : "q\"\\\n\u0001<é>\u2028" } }`: "{\"a\":{\"S\":\"q\\\"\\\\\\n\\u0001<é>\u2028\"}}",
		`{"a":{"S":""}}`:          ``,
		`{"\u0061":{"B":"AAEC"}}`: `{"a":{"B":"AAEC"}}`,
		`{"a":{"BOOL":true},"b":{"BOOL":false},"c":{"NULL":true}}`: ``,
		`{"a":{"BOOL":"yes"}}`: `{"a":{"BOOL":true}}`,
		`{"a":{"L":[{"L":[]},{"M":{"x":{"SS":["b","a"]}}},{"NS":["2","1.0"]},{"BS":["AA==",""]}]}}`: `{"a":{"L":[{"L":[]},{"M":{"x":{"SS":["b","a"]}}},{"NS":["2","1"]},{"BS":["AA==",""]}]}}`,
		`{"a":{"S":"first"},"a":{"S":"last"}}`:                                                      `{"a":{"S":"last"}}`,
		`{"a":{"S":"x","N":null,"Other":{"deep":["]",{}]}}}`:                                        `{"a":{"S":"x"}}`,
	} {
		if want == "" {
			want = in
		}
		got := decodeInput(t, in)
		if _, err := got.Check(); err != nil || string(got.Map.AppendJSON(nil)) != want {
			t.Errorf("%s\n got %s, %v\nwant %s", in, got.Map.AppendJSON(nil), err, want)
		}
	}
}

func TestInvalidValues(t *testing.T) {
	const (
		empty   = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
		several = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
		params  = "One or more parameter values were invalid: "
		deep    = params + "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
	)
	nest := func(levels int) string {
		return strings.Repeat(`{"L":[`, levels) + `{"S":"x"}` + strings.Repeat(`]}`, levels)
	}
	for value, want := range map[string]string{
		`{}`: empty, `{"X":"y"}`: empty, `null`: empty, `{"S":null}`: empty, `{"L":[{}]}`: empty, `{"M":{"x":{}}}`: empty,
		`{"S":"a","N":"1"}`: several, `{"S":"a","N":"x"}`: "The parameter cannot be converted to a numeric value: x",
		`{"NULL":false}`: params + "Null attribute value types must have the value of true",
		`{"SS":[]}`:      params + "An string set  may not be empty", `{"NS":[]}`: params + "An number set  may not be empty", `{"BS":[]}`: params + "Binary sets should not be empty",
		`{"SS":["a","a"]}`: params + "Input collection [a, a] contains duplicates.", `{"NS":["1","1.0"]}`: "Input collection contains duplicates",
		`{"BS":["Yg==","Yg=="]}`: params + "Input collection [Yg==, Yg==]of type BS contains duplicates.",
		`{"NS":["1","x"]}`:       "The parameter cannot be converted to a numeric value: x", `{"N":""}`: "The parameter cannot be converted to a numeric value",
		nest(MaxDepth + 1): deep, nest(2000): deep,
	} {
		name, err := decodeInput(t, `{"ok":{"S":"x"},"bad":`+value+`,"worse":{}}`).Check()
		if err == nil || err.Error() != want || name != "bad" {
			t.Errorf("%.100s: %q %v, want %s", value, name, err, want)
		}
	}
	if _, err := decodeInput(t, `{"a":`+nest(MaxDepth)+`}`).Check(); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
}

func TestMalformedValues(t *testing.T) {
	for value, want := range map[string]string{
		`{"S":1}`: "NUMBER_VALUE cannot be converted to String", `{"S":true}`: "TRUE_VALUE cannot be converted to String", `{"N":1}`: "NUMBER_VALUE cannot be converted to String",
		`{"S":{}}`: "Start of structure or map found where not expected", `{"S":[]}`: "Unrecognized collection type class java.lang.String",
		`{"B":"a"}`: "Base64 encoded length is expected a multiple of 4 bytes but found: 1", `{"B":1}`: "only base-64-encoded strings are convertible to bytes",
		`{"BOOL":1}`: "NUMBER_VALUE cannot be converted to Boolean", `{"BOOL":"perhaps"}`: "Unexpected token received from parser",
		`{"SS":"a"}`: "Unexpected field type", `{"SS":{}}`: "Start of structure or map found where not expected", `{"SS":[1]}`: "NUMBER_VALUE cannot be converted to String",
		`"a"`: "Unexpected value type in payload", `[]`: "Unrecognized collection type class " + className, `{"M":[]}`: "Unrecognized collection type java.util.Map<java.lang.String, " + className + ">",
	} {
		var in Input
		err := json.Unmarshal([]byte(`{"x":`+value+`}`), &in)
		if _, ok := errors.AsType[*FormError](err); !ok || err.Error() != want {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

// anyValue draws any attribute value.
func anyValue(depth int) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		kinds := 8
		if depth > 0 {
			kinds = 10
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return String(rapid.String().Draw(t, "S"))
		case 1:
			return mustNumber(t, numberText().Draw(t, "N"))
		case 2:
			return Binary(rapid.SliceOf(rapid.Byte()).Draw(t, "B"))
		case 3:
			return Bool(rapid.Bool().Draw(t, "BOOL"))
		case 4:
			return Null{}
		case 5:
			return StringSet(rapid.SliceOfNDistinct(rapid.String(), 1, 12, rapid.ID).Draw(t, "SS"))
		case 6:
			return BinarySet(rapid.SliceOfNDistinct(rapid.String(), 1, 3, rapid.ID).Draw(t, "BS"))
		case 7:
			numbers := rapid.Custom(func(t *rapid.T) Number { return mustNumber(t, numberText().Draw(t, "n")) })
			return NumberSet(rapid.SliceOfNDistinct(numbers, 1, 3, rapid.ID).Draw(t, "NS"))
		case 8:
			return List(rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "L"))
		}
		return anyItem(depth-1).Draw(t, "M")
	})
}

func anyItem(depth int) *rapid.Generator[Map] {
	return rapid.Custom(func(t *rapid.T) Map {
		var m Map
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			m.Set(rapid.StringN(1, 5, -1).Draw(t, "name"), anyValue(depth).Draw(t, "value"))
		}
		return m
	})
}

func TestItemRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item := anyItem(3).Draw(t, "item")
		stored, err := DecodeItem(AppendItem(nil, item))
		if err != nil || !Equal(stored, item) {
			t.Fatalf("stored and read back: %v, %v", stored, err)
		}
		text, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		var in Input
		if err := json.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Check(); err != nil || !Equal(in.Map, item) {
			t.Fatalf("through %s: %v, %v", text, in.Map, err)
		}
		if clone := item.Clone(); !Equal(clone, item) || clone.ItemSize() != item.ItemSize() {
			t.Fatal("a clone is not equal")
		}
	})
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(AppendItem(nil, Map{{"a", List{String("x"), NumberOf(12), NumberSet{NumberOf(1)}}}, {"b", Map{{"c", Bool(true)}}}}))
	f.Add([]byte{1, 1, 'a', storedNumber, 30})
	f.Fuzz(func(t *testing.T, stored []byte) {
		item, err := DecodeItem(stored)
		if err == nil {
			item.AppendJSON(nil)
			item.ItemSize()
		} else if !errors.Is(err, ErrStored) {
			t.Fatal(err)
		}
	})
}

func FuzzInput(f *testing.F) {
	for _, seed := range []string{`{"a":{"S":"x"}}`, `{"a":{"L":[{"N":"1"},{"M":{"b":{"NS":["1"]}}}]}}`, `{"a":{"B":"AA=="},"b":null}`, `{"a":{"X":[{"]":"}"}]}}`, `{"a":{"S":"\ud800"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var in Input
		if json.Unmarshal(text, &in) != nil {
			return
		}
		if _, err := in.Check(); err != nil || in.Map == nil {
			return
		}
		again := decodeInput(t, string(in.Map.AppendJSON(nil)))
		if !Equal(again.Map, in.Map) {
			t.Fatalf("%s became %s", text, again.Map.AppendJSON(nil))
		}
	})
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int{
		`{"ab":{"S":"é"}}`: 4, `{"a":{"N":"100"}}`: 3, `{"a":{"B":"AAEC"}}`: 4, `{"a":{"BOOL":true}}`: 2, `{"a":{"NULL":true}}`: 2,
		`{"a":{"SS":["x","yz"]}}`: 4, `{"a":{"L":[]}}`: 4, `{"a":{"L":[{"S":"x"}]}}`: 6, `{"a":{"M":{"k":{"S":"x"}}}}`: 7,
	} {
		if got := decodeInput(t, text).Map.ItemSize(); got != want {
			t.Errorf("size of %s is %d, want %d", text, got, want)
		}
	}
}

func TestSets(t *testing.T) {
	large := make(StringSet, 50)
	for i := range large {
		large[i] = strings.Repeat("x", i)
	}
	a, b := StringSet{"x", "y"}, StringSet{"y", "z"}
	if u, ok := Union(a, b); !ok || !Equal(u, StringSet{"x", "y", "z"}) {
		t.Errorf("union %v", u)
	}
	if d, ok := Difference(a, b); !ok || !Equal(d, StringSet{"x"}) {
		t.Errorf("difference %v", d)
	}
	if d, ok := Difference(a, a); !ok || d != nil {
		t.Errorf("difference with itself %v", d)
	}
	if d, ok := Difference(large, large[:49]); !ok || !Equal(d, large[49:]) {
		t.Errorf("difference of large sets %v", d)
	}
	if _, ok := Union(a, NumberSet{NumberOf(1)}); ok {
		t.Error("a union of two types")
	}
	if !hasDuplicates(append(large, "")) || hasDuplicates(large) {
		t.Error("duplicates of large sets")
	}
}

func BenchmarkDecodeItem(b *testing.B) {
	stored := AppendItem(nil, decodeInput(b, benchItem).Map)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeItem(stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkItemJSON(b *testing.B) {
	item := decodeInput(b, benchItem).Map
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = item.AppendJSON(buf[:0])
	}
}

func BenchmarkInput(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var in Input
		if err := json.Unmarshal([]byte(benchItem), &in); err != nil {
			b.Fatal(err)
		}
	}
}

const benchItem = `{"PK":{"S":"CONN#L0SM9cOFvHcCIhw="},"SK":{"S":"CONN#L0SM9cOFvHcCIhw="},"ConnectionId":{"S":"L0SM9cOFvHcCIhw="},"EstablishedTime":{"S":"2026-11-20T10:00:00Z"},"TTL":{"N":"1795215769"},"Groups":{"SS":["a","b"]}}`
