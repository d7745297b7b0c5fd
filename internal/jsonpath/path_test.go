package jsonpath

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

const store = `{"store":{"book":[
 {"category":"reference","title":"Sayings","price":8.95},
 {"category":"fiction","title":"Sword","price":12.99},
 {"category":"fiction","title":"Moby","isbn":"0-553","price":8.99},
 {"category":"fiction","title":"Lord","isbn":"0-395","price":22.99}],
 "bicycle":{"color":"red","price":19.95}},
 "a-b":1,"a b":2,"expensive":10,"nothing":null,"text":"x","list":[1,2,3,4,5],"nested":[[1,2],[3]],"é":"e"}`

func TestSelect(t *testing.T) {
	conformance.Covers(t, "vtl.jsonpath")
	doc := mustParse(t, store)
	for _, tt := range []struct{ rule, path, want string }{
		{"the document", "$.bicycle", ""},
		{"the whole document", "$['store']['bicycle']", `{"color":"red","price":19.95}`},
		{"names after dots", "$.store.bicycle.color", `"red"`},
		{"a path without $ gets one", "store.bicycle.color", `"red"`},
		{"a path that begins with a bracket", "['text']", `"x"`},
		{"blanks around a path", "  $.text ", `"x"`},
		{"a dot before a bracket", "$.store.['bicycle'].color", `"red"`},
		{"double quotes", `$["store"]["bicycle"]["color"]`, `"red"`},
		{"a name with a hyphen", "$.a-b", `1`},
		{"a name beyond ASCII", "$.é", `"e"`},
		{"a name with a blank", "$['a b']", `2`},
		{"an escaped name", `$['\u0061 b']`, `2`},
		{"an index", "$.list[0]", `1`},
		{"an index from the end", "$.list[-1]", `5`},
		{"an index behind the end", "$.list[5]", ``},
		{"an index before the front", "$.list[-6]", ``},
		{"an index into an object", "$.store[0]", ``},
		{"indexes in a row", "$.nested[0][1]", `2`},
		{"null is found", "$.nothing", `null`},
		{"a name within null", "$.nothing.x", ``},
		{"a name within text", "$.text.x", ``},
		{"a name within an array", "$.store.book.title", ``},
		{"a missing name", "$.missing", ``},
		{"a wildcard behind a missing name", "$.missing[*]", ``},
		{"a wildcard in an array", "$.list[*]", `[1,2,3,4,5]`},
		{"a wildcard in an object", "$.store.bicycle.*", `["red",19.95]`},
		{"a wildcard in a scalar", "$.text.*", `[]`},
		{"names behind a wildcard", "$.store.book[*].title", `["Sayings","Sword","Moby","Lord"]`},
		{"missing names behind a wildcard are left out", "$.store.book[*].isbn", `["0-553","0-395"]`},
		{"a scan", "$..isbn", `["0-553","0-395"]`},
		{"a scan keeps the document's order", "$..price", `[8.95,12.99,8.99,22.99,19.95]`},
		{"a scan for nothing", "$..missing", `[]`},
		{"a scan for an index", "$..book[0].title", `["Sayings"]`},
		{"a scan for brackets", "$..[0]", `[{"category":"reference","title":"Sayings","price":8.95},1,[1,2],1,3]`},
		{"a scan for everything", "$.nested..*", `[[1,2],[3],1,2,3]`},
		{"a slice", "$.list[1:3]", `[2,3]`},
		{"a slice from", "$.list[3:]", `[4,5]`},
		{"a slice from the end", "$.list[-2:]", `[4,5]`},
		{"a slice to", "$.list[:2]", `[1,2]`},
		{"a slice to before the end", "$.list[:-2]", `[1,2,3]`},
		{"a slice past the end", "$.list[3:99]", `[4,5]`},
		{"a slice of an object", "$.store[0:1]", ``},
		{"several indexes", "$.list[0,2]", `[1,3]`},
		{"several names at the end make an object", "$.store.bicycle['color','missing','price']", `{"color":"red","price":19.95}`},
		{"several names in between", "$['store','missing']['bicycle']", `[{"color":"red","price":19.95}]`},
		{"a filter that compares numbers", "$.store.book[?(@.price < 10)].title", `["Sayings","Moby"]`},
		{"a filter that compares texts", "$.store.book[?(@.category == 'reference')].title", `["Sayings"]`},
		{"a filter for what is there", "$.store.book[?(@.isbn)].title", `["Moby","Lord"]`},
		{"a filter for what is missing", "$.store.book[?(!@.isbn)].title", `["Sayings","Sword"]`},
		{"a filter with and", "$.store.book[?(@.isbn && @.price > 10)].title", `["Lord"]`},
		{"a filter with or and parentheses", "$.store.book[?((@.price<8.96 || @.price>=22.99) && @.title)].title", `["Sayings","Lord"]`},
		{"a filter that looks at the document", "$.store.book[?(@.price <= $.expensive)].title", `["Sayings","Moby"]`},
		{"a filter with a pattern", "$.store.book[?(@.title =~ /s.*/i)].title", `["Sayings","Sword"]`},
		{"a pattern matches the whole text", "$.store.book[?(@.title =~ /ord/)].title", `[]`},
		{"a filter with in", "$.store.book[?(@.title in ['Moby', 'Lord'])].price", `[8.99,22.99]`},
		{"a filter with nin", "$.store.book[?(@.title nin ['Moby', 'Lord'])].price", `[8.95,12.99]`},
		{"a filter with contains", "$.store.book[?(@.title contains 'or')].title", `["Sword","Lord"]`},
		{"a filter with size", "$.nested[?(@ size 2)]", `[[1,2]]`},
		{"a filter with empty", "$.nested[?(@ empty false)]", `[[1,2],[3]]`},
		{"a filter over scalars", "$.list[?(@ > 3)]", `[4,5]`},
		{"a filter on an object tests the object", "$.store.bicycle[?(@.color == 'red')].price", `[19.95]`},
		{"a filter behind a scan tests objects", "$..[?(@.isbn)].title", `["Moby","Lord"]`},
		{"a filter on a scalar", "$.text[?(@.a)]", ``},
		{"a number equals text that reads the same", "$.list[?(@ == '3')]", `[3]`},
		{"not equal is true of what is missing", "$.store.book[?(@.isbn != 'x')].title", `["Sayings","Sword","Moby","Lord"]`},
		{"the length of an array", "$.list.length()", `5`},
		{"the size of an array", "$.list.size()", `5`},
		{"the length of what was found", "$..isbn.length()", `2`},
		{"the length of a text", "$.text.length()", ``},
		{"the keys of an object", "$.store.keys()", `["book","bicycle"]`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			p, err := Compile(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			for name, find := range finders(p, doc) {
				got, ok := find()
				if ok != (tt.want != "") || ok && string(got.JSON()) != tt.want {
					t.Errorf("%s of %s found %s, %v; want %s", name, tt.path, got.JSON(), ok, tt.want)
				}
			}
		})
	}
}

// finders are the two ways to use a path, which must agree.
func finders(p *Path, doc Value) map[string]func() (Value, bool) {
	return map[string]func() (Value, bool){
		"Select": func() (Value, bool) { return p.Select(doc) },
		"SelectBytes": func() (Value, bool) {
			v, ok, err := p.SelectBytes(doc.JSON())
			return v, ok && err == nil
		},
	}
}

func TestSelectBytesReadsWhatParseReads(t *testing.T) {
	for _, tt := range []struct{ rule, path, doc, want string }{
		{"the last of two members", "$.a", `{"a":1,"a":2}`, `2`},
		{"the last of two members that hold the rest of the path", "$.a.b", `{"a":{"b":1},"a":{"c":2}}`, ``},
		{"the last of two members within", "$.a.b", `{"a":{"b":1},"a":{"b":2},"c":{"b":3}}`, `2`},
		{"an escaped name", "$.action", `{"\u0061ction":"x"}`, `"x"`},
		{"a name with escapes in the path", `$['a"b']`, `{"a\"b":1}`, `1`},
		{"a name beyond ASCII", "$.é", `{"é":1}`, `1`},
		{"an escaped text", "$.a", `{"a":"x\ny"}`, `"x\ny"`},
		{"a text with broken UTF-8", "$.a", "{\"a\":\"x\xff\xffy\"}", "\"x\uFFFD\uFFFDy\""},
		{"an object", "$.a", ` { "a" : { "b" : [ 1 ] } } `, `{"b":[1]}`},
		{"an element", "$[1].a", `[{"a":1},{"a":2},{"a":3}]`, `2`},
		{"the document", "$", ` [1] `, `[1]`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			p, err := Compile(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := p.SelectBytes([]byte(tt.doc))
			if err != nil || ok != (tt.want != "") || ok && string(got.JSON()) != tt.want {
				t.Errorf("SelectBytes found %s, %v, %v; want %s", got.JSON(), ok, err, tt.want)
			}
			if same, ok2 := p.Select(mustParse(t, tt.doc)); ok2 != ok || string(same.JSON()) != string(got.JSON()) {
				t.Errorf("Select found %s, %v", same.JSON(), ok2)
			}
		})
	}
	p, err := Compile("$.a")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{"", `{"a":1`, `{"a":1} x`, `{"a":1,"b":tru}`, `{"a":01}`, "{\"a\":\"\n\"}"} {
		if _, _, err := p.SelectBytes([]byte(doc)); err == nil {
			t.Errorf("SelectBytes takes %q", doc)
		}
	}
}

func TestSelectBytesKeepsNothingOfTheMessage(t *testing.T) {
	p, err := Compile("$.a")
	if err != nil {
		t.Fatal(err)
	}
	data := []byte(`{"a":"kept"}`)
	found, ok, err := p.SelectBytes(data)
	clear(data)
	if !ok || err != nil || found.Str() != "kept" {
		t.Errorf("found %q, %v, %v", found.Str(), ok, err)
	}
}

func TestDefinite(t *testing.T) {
	for path, want := range map[string]bool{
		"$": true, "$.a.b[0]": true, "$.a[-1]": true, "$['a','b']": true, "$.a.length()": true,
		"$['a','b'].c": false, "$.a[0,1]": false, "$.a[1:]": false, "$.*": false, "$..a": false, "$[?(@.a)]": false,
	} {
		p, err := Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		if p.Definite() != want {
			t.Errorf("Definite of %s = %v", path, !want)
		}
		if p.String() != path {
			t.Errorf("String of %s = %s", path, p)
		}
	}
}

func TestSegments(t *testing.T) {
	p, err := Compile("$.a['b c'][-1][2]")
	if err != nil {
		t.Fatal(err)
	}
	want := []Segment{{Name: "a"}, {Name: "b c"}, {Index: -1, IsIndex: true}, {Index: 2, IsIndex: true}}
	if got, ok := p.Segments(); !ok || !slices.Equal(got, want) {
		t.Errorf("Segments = %v, %v", got, ok)
	}
	for _, path := range []string{"$.*", "$..a", "$['a','b']", "$[0,1]", "$[1:]", "$[?(@.a)]", "$.a.length()"} {
		p, err := Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Segments(); ok {
			t.Errorf("Segments of %s = %v", path, got)
		}
	}
}

func TestCompileErrorsNameTheCharacter(t *testing.T) {
	for path, want := range map[string]string{
		"":                   "is empty",
		" ":                  "is empty",
		"$a":                 "character 2: expected . or [",
		"$.":                 "character 3: the path ends with a dot",
		"$..":                "the path ends with a dot",
		"a.":                 "character 3: the path ends with a dot",
		"a..":                "the path ends with a dot",
		"$...a":              "character 4: there are more than two dots",
		"$.a b":              "character 4: a name with a blank must stand in brackets",
		"a b":                "character 2: a name with a blank",
		"$.é.a b":            "character 6",
		"$[":                 "character 3: expected a name in quotes",
		"$[a]":               "character 3: expected a name in quotes",
		"$['a'":              "character 2: the bracket that opens here is not closed",
		"$['a":               "character 3: the quote that opens here is not closed",
		"$['a'x]":            "character 6: expected ]",
		"$['a',]":            "character 7: expected another name",
		"$[1":                "character 2: the bracket",
		"$[1,]":              "expected a whole number",
		"$[1:2:3]":           "no step",
		"$[:]":               "character 4: expected a whole number",
		"$[99999999999]":     "character 3: expected a whole number",
		"$[-]":               "expected a whole number",
		"$[?(@.a]":           "expected && or ||",
		"$[?(@.a":            "character 4: the parenthesis",
		"$[?@.a]":            "expected ( after the question mark",
		"$[?()]":             "expected a path, a text",
		"$[?(@.a ==)]":       "character 11: expected a path, a text",
		"$[?('a')]":          "expected an operator",
		"$[?(@.a =~ 'x')]":   "stands on the right of =~",
		"$[?(@.a == /x/)]":   "stands on the right of =~",
		"$[?(@.a =~ /(/)]":   "this is no regular expression",
		"$[?(@.a =~ /x)]":    "regular expression that opens here is not closed",
		"$[?(@.a in [1 2])]": "comma or ] in the list",
		"$[?(@.a in [[1]])]": "a list within a list",
		"$.a.avg()":          "the function avg() is not supported",
		"$.a.length(1)":      "takes no arguments",
		"$.a.length().b":     "must be the end",
		"$..length()":        "after .. is not supported",
		"$" + strings.Repeat("[?(@", 20) + strings.Repeat(")]", 20): "nest deeper than 16",
		"$." + strings.Repeat("a", MaxPath):                         "8192 are allowed",
	} {
		if _, err := Compile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%.40q) = %v, want an error with %q", path, err, want)
		}
	}
}

func TestAPathThatMultipliesScansEnds(t *testing.T) {
	doc := mustParse(t, strings.Repeat("[", 300)+strings.Repeat("]", 300))
	p, err := Compile("$..*..*..*..*")
	if err != nil {
		t.Fatal(err)
	}
	steps := 10_000
	if _, ok, err := p.SelectWithin(doc, &steps); ok || err != ErrSteps {
		t.Errorf("SelectWithin = %v, %v; want ErrSteps", ok, err)
	}
	if _, ok := p.Select(doc); ok {
		t.Error("Select found something beyond its steps")
	}
	steps = 100
	if _, ok, err := p.SelectWithin(mustParse(t, `[[1]]`), &steps); !ok || err != nil || steps >= 100 || steps < 0 {
		t.Errorf("a small document: %v, %v, %d steps left", ok, err, steps)
	}
}

func mustParse(t testing.TB, doc string) Value {
	t.Helper()
	v, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
