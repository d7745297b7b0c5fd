package apigw

import (
	"strings"
	"testing"
)

func TestEvaluate(t *testing.T) {
	for _, tt := range []struct {
		expression, body, key string
		evaluated             bool
	}{
		{"$request.body.action", `{"action":"echo"}`, "echo", true},
		{"${request.body.action}", `{"action":"echo"}`, "echo", true},
		{"$request.body.action", `{"action":"a \"b\" \u00e9"}`, `a "b" é`, true},
		{"$request.body.action", `{"other":"echo"}`, "", true},
		{"$request.body.action", `{"Action":"echo"}`, "", true},
		{"$request.body.a.b", `{"a":{"b":"deep"}}`, "deep", true},
		{"$request.body.a.b", `{"a":"flat"}`, "", true},
		{"${request.body.service}/${request.body.action}", `{"service":"chat","action":"join"}`, "chat/join", true},
		{"${request.body.action}-${request.body.invalidPath}", `{"action":"join"}`, "join-", true},
		{"$request.body.n", `{"n":5}`, "5", true},
		{"$request.body.n", `{"n":true}`, "true", true},
		{"$request.body.n", `{"n":null}`, "", true},
		{"$request.body.n", `{"n":["item1","item2"]}`, "[item1, item2]", true},
		{"$request.body.n", `{"n":[]}`, "[]", true},
		{"$request.body.action", `[1,2]`, "", true},
		{"$request.body.action", `"text"`, "", true},
		{"$request.body.action", ``, "", false},
		{"$request.body.action", `hello`, "", false},
		{"$request.body.action", `{"action":"echo"`, "", false},
		{"$request.body.action", `{"action":"echo"} x`, "", false},
		{"action", `anything`, "action", true},
		{`\$default`, `anything`, "$default", true},
	} {
		e, err := ParseExpression(tt.expression)
		if err != nil {
			t.Errorf("ParseExpression(%q): %v", tt.expression, err)
			continue
		}
		if key, ok := e.Evaluate([]byte(tt.body)); key != tt.key || ok != tt.evaluated {
			t.Errorf("%s of %s = %q, %v; want %q, %v", tt.expression, tt.body, key, ok, tt.key, tt.evaluated)
		}
		if e.String() != tt.expression {
			t.Errorf("String() = %q, want %q", e.String(), tt.expression)
		}
	}
}

func TestParseExpressionErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                             "is empty",
		"  ":                           "is empty",
		"$request.header.x":            `"request.header.x" at character 2`,
		"$request.body":                "use request.body.NAME",
		"$request.body.":               "not a path",
		"$request.body.a..b":           "not a path",
		"${request.body.a":             "brace opened at character 2 is not closed",
		"x-${request.body.a}-${":       "brace opened at character 22 is not closed",
		"a$b":                          "dollar at character 2",
		"${request.body.a}$default":    "dollar at character 18",
		"${context.routeKey}":          "is not a variable",
		"$request.body.a[0]":           "not a path",
		"${request.body.a} ${nothing}": `"nothing"`,
	} {
		if _, err := ParseExpression(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseExpression(%q) = %v, want an error with %q", source, err, want)
		}
	}
}

// FuzzExpression holds that an expression which parses can be evaluated
// against anything.
func FuzzExpression(f *testing.F) {
	f.Add("$request.body.action", `{"action":"echo"}`)
	f.Add("${request.body.a.b}/${request.body.c}", `{"a":{"b":[1,{"x":null}]},"c":1e9}`)
	f.Add(`\$default`, ``)
	f.Add("${", `{`)
	f.Fuzz(func(t *testing.T, source, body string) {
		e, err := ParseExpression(source)
		if err != nil {
			return
		}
		key, ok := e.Evaluate([]byte(body))
		if !ok && key != "" {
			t.Errorf("a body that cannot be evaluated gave the key %q", key)
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	e, err := ParseExpression("$request.body.action")
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"action":"echo","data":"` + strings.Repeat("x", 100) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		e.Evaluate(body)
	}
}
