package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// bind makes bindings of the names #x -> x for each x in names, with the
// values in JSON.
func bind(t testing.TB, names []string, values string) *Bindings {
	t.Helper()
	m := make(map[string]string)
	for _, n := range names {
		m["#"+n] = n
	}
	if len(m) == 0 {
		m = nil
	}
	b, err := Bind(m, input(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func input(t testing.TB, text string) *attribute.Input {
	t.Helper()
	var in attribute.Input
	if text == "" {
		return &in
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &in
}

func itemOf(t testing.TB, text string) attribute.Map {
	t.Helper()
	in := input(t, text)
	if _, err := in.Check(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return in.Map
}

const testValues = `{":n":{"N":"5"},":n9":{"N":"9"},":s":{"S":"hello"},":he":{"S":"he"},":e":{"S":""},":b":{"B":"aGVsbG8="},":bhe":{"B":"aGU="},
	":t":{"BOOL":true},":nil":{"NULL":true},":l":{"L":[{"N":"1"},{"S":"x"}]},":m":{"M":{"k":{"S":"v"}}},":ss":{"SS":["y","x"]},":ns":{"NS":["2","1"]},
	":x":{"S":"x"},":one":{"N":"1.0"},":typeS":{"S":"S"},":typeL":{"S":"L"},":typeSS":{"S":"SS"},":big":{"N":"1E100"}}`

const testItem = `{"n":{"N":"5"},"n7":{"N":"7"},"s":{"S":"hello"},"b":{"B":"aGVsbG8="},"yes":{"BOOL":true},"nil":{"NULL":true},"name":{"S":"reserved"},
	"l":{"L":[{"N":"1"},{"S":"x"}]},"m":{"M":{"k":{"S":"v"},"deep":{"L":[{"M":{"c":{"N":"5"}}}]}}},"ss":{"SS":["x","y"]},"ns":{"NS":["1","2"]},"blank":{"S":""}}`

func TestConditionHolds(t *testing.T) {
	item := itemOf(t, testItem)
	for source, want := range map[string]bool{
		"n = :n": true, ":n = n": true, "n = :n9": false, "n <> :n9": true, "n <> :n": false, "n < :n9": true, "n <= :n": true, "n > :n": false, "n >= :n": true,
		"n7 > n": true, "s = :s": true, "s > :he": true, "b = :b": true, "b > :bhe": true, "yes = :t": true, "nil = :nil": true,
		"s = :n": false, "s <> :n": true, "s < :n": false, "n < :big": true,
		"gone = :n": false, "gone <> :n": true, "gone < :n": false, "gone = them": false, "gone <> them": true,
		"l = :l": true, "m = :m": false, "ss = :ss": true, "ns = :ns": true, "ss <> :ns": true,
		"attribute_exists(n)": true, "attribute_exists(m.k)": true, "attribute_exists(m.gone)": false, "attribute_exists(l[1])": true, "attribute_exists(l[2])": false,
		"attribute_not_exists(gone)": true, "attribute_not_exists(n)": false, "attribute_exists(n.x)": false, "attribute_exists(l.x)": false, "attribute_exists(m[0])": false,
		"m.deep[0].c = :n": true, "#m.#deep[0].#c = :n": true, "(m.deep)[0].c = :n": true, "#name <> :s": true, "m . deep [ 0 ] . c = :n": true,
		"attribute_type(s, :typeS)": true, "attribute_type(l, :typeL)": true, "attribute_type(ss, :typeSS)": true, "attribute_type(n, :typeS)": false, "attribute_type(gone, :typeS)": false,
		"begins_with(s, :he)": true, "begins_with(s, :x)": false, "begins_with(b, :bhe)": true, "begins_with(b, :he)": false, "begins_with(n, :he)": false, "begins_with(s, :e)": true, "begins_with(gone, :e)": false,
		"contains(s, :he)": true, "contains(s, :x)": false, "contains(ss, :x)": true, "contains(ss, :he)": false, "contains(ns, :one)": true, "contains(ns, :n)": false,
		"contains(l, :x)": true, "contains(l, :one)": true, "contains(l, :he)": false, "contains(b, :bhe)": true, "contains(n, :n)": false,
		"size(s) = :n": true, "size(b) = :n": true, "size(l) < :n": true, "size(m) < size(s)": true, "size(ss) > :one": true, "size(n) >= :one": false, "size(gone) >= :one": false, "size(gone) <> :one": true, "size(blank) < :one": true,
		"n BETWEEN :one AND :n9": true, "n between :n AND :n": true, "n7 BETWEEN :one AND n": false, "s BETWEEN :he AND :x": true, "gone BETWEEN :one AND :n9": false, "s BETWEEN :one AND :n9": false,
		"n IN (:one, :n)": true, "n in (:one)": false, "s IN (:n, :s)": true, "gone IN (:n)": false, "size(s) IN (:n)": true,
		"n = :n AND s = :s": true, "n = :n AND s = :x": false, "n = :n9 OR s = :s": true, "NOT n = :n": false, "NOT n = :n9": true, "not attribute_exists(gone)": true,
		"n = :n9 AND n = :n OR s = :s": true, "s = :s OR n = :n9 AND n = :n9": true, "(s = :s OR n = :n9) AND n = :n9": false,
		"NOT n = :n9 AND NOT n = :n9": true, "NOT (n = :n OR n = :n9)": false, "n BETWEEN :one AND :n9 AND s = :s": true, "NOT NOT n = :n": true,
		"(n) = (:n)": true, "((n) = :n)": true, "n=:n": true, "n\t=\r\n:n": true, "((n = :n) AND (s = :s))": true,
	} {
		c, err := ParseCondition(FilterExpression, source, bind(t, []string{"m", "deep", "c", "name"}, testValues))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := c.Matches(item); got != want {
			t.Errorf("%s is %v, want %v", source, got, want)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                              "The expression can not be empty;",
		"  ":                            `Syntax error; token: "<EOF>", near: ""`,
		"foo":                           `Syntax error; token: "<EOF>", near: "foo"`,
		":n":                            `Syntax error; token: "<EOF>", near: ":n"`,
		"n =":                           `Syntax error; token: "<EOF>", near: "="`,
		"n = :n s":                      `Syntax error; token: "s", near: ":n s"`,
		"n == :n":                       `Syntax error; token: "=", near: "== :n"`,
		"n = :n = :n":                   `Syntax error; token: "=", near: ":n = :n"`,
		"n AND s = :s":                  `Syntax error; token: "AND", near: "n AND s"`,
		"(n = :n":                       `Syntax error; token: "<EOF>", near: ":n"`,
		"n = :n)":                       `Syntax error; token: ")", near: ":n)"`,
		"n > 2017-01":                   `Syntax error; token: "2017", near: "> 2017-"`,
		"n = :":                         `Syntax error; token: ":", near: "= :"`,
		"n ! :n":                        `Syntax error; token: "!", near: "n ! :n"`,
		`n = "x"`:                       `Syntax error; token: """, near: "= "x"`,
		"n = é":                         `Syntax error; token: "é", near: "= é"`,
		"a.b.[0] = :n":                  `Syntax error; token: "[", near: ".[0"`,
		"a[x] = :n":                     `Syntax error; token: "x", near: "[x]"`,
		"n + :n = :n":                   `Syntax error; token: "+", near: "n + :n"`,
		"n BETWEEN :n :n9":              `Syntax error; token: ":n9", near: ":n :n9"`,
		"n IN :n":                       `Syntax error; token: ":n", near: "IN :n"`,
		"n IN ()":                       `Syntax error; token: ")", near: "()"`,
		"size(n = :n)":                  `Syntax error; token: "=", near: "n = :n"`,
		"attribute_exists()":            `Syntax error; token: ")", near: "()"`,
		"between = :n":                  `Syntax error; token: "between", near: "between ="`,
		"NOT n":                         `Syntax error; token: "<EOF>", near: "n"`,
		"a[99999999999] = :n":           "List index is not within the allowable range; index: [99999999999]",
		"((n = :n))":                    "The expression has redundant parentheses;",
		"((n)) = :n":                    "The expression has redundant parentheses;",
		"n = ((:n))":                    "The expression has redundant parentheses;",
		"attribute_Exists(n)":           "Invalid function name; function: attribute_Exists",
		"if_not_exists(n, :n)":          "Invalid function name; function: if_not_exists",
		"size(n)":                       "The function is not allowed to be used this way in an expression; function: size",
		"size(n) AND s = :s":            "The function is not allowed to be used this way in an expression; function: size",
		"NOT size(n)":                   "The function is not allowed to be used this way in an expression; function: size",
		"attribute_exists(n)=n":         "The function is not allowed to be used this way in an expression; function: attribute_exists",
		"contains(contains(n, :n), :n)": "The function is not allowed to be used this way in an expression; function: contains",
		"abort = :n":                    "Attribute name is a reserved keyword; reserved keyword: abort",
		"n.Size = :n":                   "Attribute name is a reserved keyword; reserved keyword: Size",
		"#zz = :n":                      "An expression attribute name used in the document path is not defined; attribute name: #zz",
		"n = :zz":                       "An expression attribute value used in expression is not defined; attribute value: :zz",
		"size(n, s) = :n":               "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
		"attribute_exists(:n)":          "Operator or function requires a document path; operator or function: attribute_exists",
		"begins_with(n, :n)":            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
		"size(:n) = :n":                 "Incorrect operand type for operator or function; operator or function: size, operand type: N",
		"n < :t":                        "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
		"attribute_type(n, s)":          "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}",
		"attribute_type(n, :n)":         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"attribute_type(n, :s)":         "Invalid attribute type name found; type: hello, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		"n = n":                         "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]",
		"a.b[0] <> a.b[0]":              "The first operand must be distinct from the remaining operands for this operator or function; operator: <>, first operand: [a, b, [0]]",
		"n BETWEEN :n9 AND :n":          "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:9}, upper bound operand: AttributeValue: {N:5}",
		"n BETWEEN :n AND :s":           "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {S:hello}",
		strings.Repeat("x", 4097):       "Expression size has exceeded the maximum allowed size; expression size: 4097",
		strings.Repeat("attribute_exists(q)", 1) + strings.Repeat(" OR n=:n", 200): "The expression contains too many operators; operator count: 401",
		"n IN (" + strings.Repeat(":n,", 100) + ":n)":                              "The IN operator is provided with too many operands; number of operands: 101",
	} {
		_, err := ParseCondition(ConditionExpression, source, bind(t, nil, testValues))
		if err == nil || err.Error() != "Invalid ConditionExpression: "+want {
			t.Errorf("%s\n got %v\nwant Invalid ConditionExpression: %s", source, err, want)
		}
	}
}

func TestBindErrors(t *testing.T) {
	for _, c := range []struct {
		names  map[string]string
		values string
		want   string
	}{
		{map[string]string{}, "", "ExpressionAttributeNames must not be empty"},
		{map[string]string{"a": "a"}, "", `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{map[string]string{"#": "a"}, "", `ExpressionAttributeNames contains invalid key: Syntax error; key: "#"`},
		{nil, "{}", "ExpressionAttributeValues must not be empty"},
		{nil, `{":a":{},"b":{"S":"a"}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: "b"`},
		{nil, `{"b":{}}`, `ExpressionAttributeValues contains invalid key: Syntax error; key: "b"`},
		{nil, `{":a":{"N":"x"}}`, "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a"},
	} {
		if _, err := Bind(c.names, input(t, c.values)); err == nil || err.Error() != c.want {
			t.Errorf("%v %s: %v, want %s", c.names, c.values, err, c.want)
		}
	}
}

func TestUnusedBindings(t *testing.T) {
	b := bind(t, []string{"a", "b", "n"}, `{":n":{"N":"1"},":z":{"N":"1"},":y":{"N":"1"}}`)
	if _, err := ParseCondition(ConditionExpression, "#n = :n", b); err != nil {
		t.Fatal(err)
	}
	const names = "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}"
	if err := b.CheckUsed(); err == nil || err.Error() != names {
		t.Errorf("%v, want %s", err, names)
	}
	if _, err := ParseProjection("#a, #b", b); err != nil {
		t.Fatal(err)
	}
	const values = "Value provided in ExpressionAttributeValues unused in expressions: keys: {:y, :z}"
	if err := b.CheckUsed(); err == nil || err.Error() != values {
		t.Errorf("%v, want %s", err, values)
	}
}

func TestProjection(t *testing.T) {
	item := itemOf(t, `{"a":{"S":"1"},"b":{"M":{"c":{"S":"2"},"d":{"L":[{"S":"x"},{"S":"y"},{"M":{"e":{"S":"3"},"f":{"S":"4"}}}]}}},"g":{"N":"5"},"size":{"S":"6"}}`)
	for source, want := range map[string]string{
		"a":                        `{"a":{"S":"1"}}`,
		"g, a":                     `{"a":{"S":"1"},"g":{"N":"5"}}`,
		"gone":                     `{}`,
		"b.gone, b.c.d, a[0]":      `{}`,
		"b.c":                      `{"b":{"M":{"c":{"S":"2"}}}}`,
		"b.d[2].e, b.d[0], b.c":    `{"b":{"M":{"c":{"S":"2"},"d":{"L":[{"S":"x"},{"M":{"e":{"S":"3"}}}]}}}}`,
		"b.d[2].f,b.d[2].e,b.d[9]": `{"b":{"M":{"d":{"L":[{"M":{"e":{"S":"3"},"f":{"S":"4"}}}]}}}}`,
		"#size":                    `{"size":{"S":"6"}}`,
	} {
		p, err := ParseProjection(source, bind(t, []string{"size"}, ""))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := string(p.Apply(item).AppendJSON(nil)); got != want {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
	for source, want := range map[string]string{
		"":          "The expression can not be empty;",
		"a,":        `Syntax error; token: "<EOF>", near: ","`,
		"a b":       `Syntax error; token: "b", near: "a b"`,
		"(a)":       `Syntax error; token: "(", near: "(a"`,
		"size":      "Attribute name is a reserved keyword; reserved keyword: size",
		"#zz":       "An expression attribute name used in the document path is not defined; attribute name: #zz",
		"a, a":      "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]",
		"b.c, b":    "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [b, c], path two: [b]",
		"b[0], b.c": "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [b, [0]], path two: [b, c]",
	} {
		_, err := ParseProjection(source, bind(t, nil, ""))
		if err == nil || err.Error() != "Invalid ProjectionExpression: "+want {
			t.Errorf("%s\n got %v\nwant Invalid ProjectionExpression: %s", source, err, want)
		}
	}
}

func keyTerms(source string, b *Bindings) ([]KeyTerm, error) {
	terms, err := ParseKeyCondition(source, b)
	if err != nil {
		return nil, err
	}
	return terms()
}

func TestKeyCondition(t *testing.T) {
	for source, want := range map[string]string{
		"pk = :s":                           "pk = hello",
		":s = pk":                           "pk = hello",
		"pk = :s AND sk > :n":               "pk = hello; sk > 5",
		"(pk = :s) AND (:n > sk)":           "pk = hello; sk < 5",
		":n <= sk AND pk = :s":              "sk >= 5; pk = hello",
		"#n = :s AND n7 BETWEEN :n AND :n9": "n = hello; n7 BETWEEN 5 9",
		"pk = :s AND begins_with(sk, :he)":  "pk = hello; sk begins_with he",
	} {
		terms, err := keyTerms(source, bind(t, []string{"n"}, testValues))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got []string
		for _, term := range terms {
			words := []string{term.Attribute, string(term.Operator)}
			for _, v := range term.Values {
				words = append(words, strings.Trim(describe(v), "{SN:}"))
			}
			got = append(got, strings.Join(words, " "))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s\n got %s\nwant %s", source, strings.Join(got, "; "), want)
		}
	}
	for source, want := range map[string]string{
		"pk":                             `Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "pk"`,
		"pk = :s OR sk = :s":             "Invalid operator used in KeyConditionExpression: OR",
		"NOT pk = :s":                    "Invalid operator used in KeyConditionExpression: NOT",
		"pk <> :s":                       "Invalid operator used in KeyConditionExpression: <>",
		"pk IN (:s)":                     "Invalid operator used in KeyConditionExpression: IN",
		"attribute_exists(pk)":           "Invalid operator used in KeyConditionExpression: attribute_exists",
		"contains(pk, :s)":               "Invalid operator used in KeyConditionExpression: contains",
		"size(pk) = :n":                  "KeyConditionExpressions cannot contain nested operations",
		":n BETWEEN :n AND :n9":          "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first operand",
		"begins_with(:s, pk)":            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand",
		"pk = sk":                        "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
		"pk.a = :s":                      "KeyConditionExpressions cannot have conditions on nested attributes",
		":s = :n":                        "Invalid condition in KeyConditionExpression: No key attribute specified",
		"pk = :s AND pk > :n":            "KeyConditionExpressions must only contain one condition per key",
		"pk = :s AND sk > :n AND x = :n": "Conditions can be of length 1 or 2 only",
	} {
		if _, err := keyTerms(source, bind(t, nil, testValues)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", source, err, want)
		}
	}
}

func TestReservedWords(t *testing.T) {
	if n := len(reservedWords()); n != 573 {
		t.Errorf("%d reserved words, want 573", n)
	}
	for word := range reservedWords() {
		if !isReserved(strings.ToLower(word)) {
			t.Errorf("%s is not reserved in lower case", word)
		}
	}
}
