package jsonpath

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse holds Parse against encoding/json: both take the same documents,
// and what is written again reads the same.
func FuzzParse(f *testing.F) {
	for _, doc := range []string{
		store, `{"a":1,"a":2}`, `"\ud83d\ude00\ud83d"`, "\"\xff\"", "[1e5,-0.0]", "[", `{"a":[{}]}`, " null ", `"\u0000"`,
		strings.Repeat(`{"a":[`, 300), manyMembers(20),
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Parse(data)
		if valid := json.Valid(data); valid != (err == nil) {
			if !valid || !strings.Contains(err.Error(), "nest deeper") {
				t.Fatalf("Parse = %v, but json.Valid = %v", err, valid)
			}
		}
		if Valid(data) != (err == nil) {
			t.Fatalf("Valid and Parse (%v) disagree", err)
		}
		if err != nil {
			return
		}
		written := v.JSON()
		if got, want := decode(t, written), decode(t, data); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s was written as %s", data, written)
		}
		again, err := Parse(written)
		if err != nil || !bytes.Equal(again.JSON(), written) || again.Text() != v.Text() {
			t.Fatalf("%s does not read as it was written: %v", written, err)
		}
	})
}

func decode(t *testing.T, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("encoding/json on %q: %v", data, err)
	}
	return v
}

// FuzzSelect holds that every path which compiles ends within its steps on any
// document, and that the way without a tree finds the same.
func FuzzSelect(f *testing.F) {
	for _, path := range []string{
		"$.store.book[0].title", "$..price", "$.list[1:3]", "$['a','b']", "$.store.book[?(@.price < 10 && @.isbn =~ /0.*/i)].title",
		"$..[?(@.a in [1,'2',null])]", "$.list.length()", "a.b", "$..*..*", "$[?(!(@.a || $.b != true))]", "$.a[-1]", "$['\\u0061']",
	} {
		f.Add(path, []byte(store))
		f.Add(path, []byte(`{"a":[{"a":{"b":1}},2],"b":true}`))
	}
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		p, err := Compile(path)
		if err != nil {
			return
		}
		viaBytes, okBytes, errBytes := p.SelectBytes(data)
		v, err := Parse(data)
		if err != nil {
			if errBytes == nil {
				t.Fatalf("SelectBytes took %q, which is no JSON: %v", data, err)
			}
			return
		}
		steps := MaxSteps
		found, ok, err := p.SelectWithin(v, &steps)
		if ok != okBytes || (err == nil) != (errBytes == nil) {
			t.Fatalf("%s: Select %v, %v; SelectBytes %v, %v", path, ok, err, okBytes, errBytes)
		}
		if !bytes.Equal(found.JSON(), viaBytes.JSON()) {
			t.Fatalf("%s: Select %s; SelectBytes %s", path, found.JSON(), viaBytes.JSON())
		}
	})
}
