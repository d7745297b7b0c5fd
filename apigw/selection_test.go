package apigw

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestEvaluate(t *testing.T) {
	conformance.Covers(t, "route.bare-expression", "route.braced-expression", "route.compound-expression", "route.missing-path-empty",
		"route.constant-expression", "route.escaped-dollar", "route.nested-path", "route.array-body", "route.number", "route.boolean",
		"route.array-string", "route.object-string", "route.null-value")
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
		{"$request.body.n", `{"n":1.50}`, "1.50", true},
		{"$request.body.n", `{"n":{"a":1,"b":["x",null]}}`, "{a=1, b=[x, null]}", true},
		{"$request.body", `"ping"`, "ping", true},
		{"$request.body[2]", `[2,"id","BootNotification",{}]`, "BootNotification", true},
		{"$request.body[7]", `[2,"id"]`, "", true},
		{"$request.body.a[0].b", `{"a":[{"b":"deep"}]}`, "deep", true},
		{"$request.body['my key']", `{"my key":"k"}`, "k", true},
		{"${request.body['}']}!", `{"}":"k"}`, "k!", true},
		{"$request.body..id", `{"a":{"id":1},"b":{"id":2}}`, "[1, 2]", true},
		{"${request.body.a}${request.body.b}", `nonsense`, "", false},
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
	conformance.Covers(t, "route.expression-error", "route.other-variables-refused")
	for source, want := range map[string]string{
		"":                                 "is empty",
		"  ":                               "is empty",
		"$request.header.x":                `"request.header.x" at character 2`,
		"$request.bodyaction":              "use request.body.NAME",
		"$request.body.":                   "JSONPath",
		"$request.body.a b[":               "JSONPath",
		"${request.body.a":                 "brace opened at character 2 is not closed",
		"x-${request.body.a}-${":           "brace opened at character 22 is not closed",
		"a$b":                              "dollar at character 2",
		"${request.body.a}$default":        "dollar at character 18",
		"${context.nonsense}":              "is not a variable",
		"$context.authorizer.":             "is not a variable",
		"$request.querystring.x":           "is not a variable",
		"$integration.response.statuscode": "is not a variable",
		"$request.body.a[0":                "JSONPath",
		"${request.body.a} ${nothing}":     `"nothing"`,
	} {
		if _, err := ParseExpression(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseExpression(%q) = %v, want an error with %q", source, err, want)
		}
	}
}

func TestAResultIsNotEvaluatedAgain(t *testing.T) {
	conformance.Covers(t, "route.evaluated-once")
	e, err := ParseExpression("${request.body.action}")
	if err != nil {
		t.Fatal(err)
	}
	if key, _ := e.Evaluate([]byte(`{"action":"${request.body.secret}","secret":"s"}`)); key != "${request.body.secret}" {
		t.Errorf("got %q", key)
	}
}

func TestOfARepeatedMemberTheLastCounts(t *testing.T) {
	conformance.Covers(t, "route.duplicate-member")
	for _, expression := range []string{"$request.body.action", "${request.body.action}${request.body.none}"} {
		e, err := ParseExpression(expression)
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := e.Evaluate([]byte(`{"action":"first","action":"last"}`)); !ok || key != "last" {
			t.Errorf("%s: %q, %v", expression, key, ok)
		}
	}
}

func TestAMessageNestedTooDeeplyCannotBeRead(t *testing.T) {
	conformance.Covers(t, "route.json-depth")
	nested := func(n int) []byte {
		return []byte(`{"action":"x","deep":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	for _, expression := range []string{"$request.body.action", "${request.body.action}${request.body.none}"} {
		e, err := ParseExpression(expression)
		if err != nil {
			t.Fatal(err)
		}
		if key, ok := e.Evaluate(nested(500)); !ok || key != "x" {
			t.Errorf("%s, 500 deep: %q, %v", expression, key, ok)
		}
		if key, ok := e.Evaluate(nested(1000)); ok || key != "" {
			t.Errorf("%s, 1000 deep: %q, %v; want what cannot be evaluated", expression, key, ok)
		}
	}
}

func TestEvaluateWithContext(t *testing.T) {
	conformance.Covers(t, "route.context-variable")
	e, err := ParseExpression("${context.authorizer.tenant}/${request.body.action}${context.messageId}")
	if err != nil {
		t.Fatal(err)
	}
	values := &ExpressionValues{Body: []byte(`{"action":"join"}`), Context: func(name string) (string, bool) {
		return "acme", name == "authorizer.tenant"
	}}
	if key, ok := e.EvaluateWith(values); !ok || key != "acme/joinacme" {
		t.Errorf("got %q, %v", key, ok)
	}
	if key, ok := e.Evaluate(values.Body); !ok || key != "/join" {
		t.Errorf("without a context: %q, %v", key, ok)
	}
}

func TestResponseExpressions(t *testing.T) {
	conformance.Covers(t, "mapping.response-template-selection")
	values := &ExpressionValues{
		Body: []byte(`{"action":"join"}`), Status: 201, ResponseBody: []byte(`{"kind":"big"}`),
		Header: func(name string) []string {
			if strings.EqualFold(name, "X-Kind") {
				return []string{"a", "b"}
			}
			return nil
		},
	}
	for expression, want := range map[string]string{
		"$default":                             "$default",
		`\$default`:                            "$default",
		"json":                                 "json",
		"${integration.response.statuscode}":   "201",
		"$integration.response.header.x-kind":  "b",
		"${integration.response.header.other}": "",
		"${integration.response.multivalueheader.X-Kind}": "a,b",
		"${integration.response.body.kind}":               "big",
		"${integration.response.body.none}":               "",
		"${request.body.action}":                          "join",
	} {
		e, err := ParseResponseExpression(expression)
		if err != nil {
			t.Error(err)
			continue
		}
		if key, ok := e.EvaluateWith(values); !ok || key != want {
			t.Errorf("%s = %q, %v; want %q", expression, key, ok, want)
		}
	}
	for _, bad := range []string{"$integration.response.header.", "$integration.response.nothing", "$integration.response.body[", "$stageVariables.x"} {
		if _, err := ParseResponseExpression(bad); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	if _, err := ParseTemplateExpression("$integration.response.statuscode"); err == nil {
		t.Error("a request template was chosen by a response")
	}
	if e, err := ParseTemplateExpression("$default"); err != nil || e.parts[0].text != "$default" {
		t.Errorf("$default of a template: %v", err)
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
		e, err := ParseResponseExpression(source)
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
