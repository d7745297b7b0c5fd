package gateway

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

const (
	chatModel = `{"$schema":"http://json-schema.org/draft-04/schema#","title":"chat","type":"object","required":["text"],"properties":{"text":{"type":"string","maxLength":5},"n":{"type":"integer","minimum":0,"exclusiveMinimum":true}}}`
	anyModel  = `{"type":"object"}`
)

// modelled is a route whose messages are validated.
func modelled(expression string, models map[string]string) apigw.Route {
	r := proxied("send", true)
	r.ModelSelectionExpression, r.RequestModels = expression, models
	return r
}

func TestModels(t *testing.T) {
	byKind := map[string]string{"chat": chatModel, "any": anyModel}
	withDefault := map[string]string{"chat": chatModel, "$default": anyModel}
	referring := map[string]string{"chat": `{"id":"http://example.com/root","definitions":{"word":{"type":"string","pattern":"^[a-z]+$"}},"type":"object","properties":{"text":{"$ref":"#/definitions/word"},"list":{"items":{"$ref":"#"}}}}`}
	for _, tt := range []struct {
		rule, name, expression string
		models                 map[string]string
		message                string
		fits                   bool
	}{
		{rule: "model.validation", name: "fits", expression: "$request.body.kind", models: byKind, message: `{"action":"send","kind":"chat","text":"hi"}`, fits: true},
		{rule: "model.validation model.invalid-no-call", name: "too long", expression: "$request.body.kind", models: byKind, message: `{"action":"send","kind":"chat","text":"hello there"}`},
		{rule: "model.validation model.invalid-no-call", name: "lacks a member", expression: "$request.body.kind", models: byKind, message: `{"action":"send","kind":"chat"}`},
		{rule: "model.selection", name: "another model", expression: "$request.body.kind", models: byKind, message: `{"action":"send","kind":"any"}`, fits: true},
		{rule: "model.selection", name: "a constant", expression: "chat", models: byKind, message: `{"action":"send","text":"hi"}`, fits: true},
		{rule: "model.selection", name: "$default by its constant", expression: `\$default`, models: withDefault, message: `{"action":"send"}`, fits: true},
		{rule: "model.selection", name: "$default where no other key matches", expression: "$request.body.kind", models: withDefault, message: `{"action":"send","kind":"other"}`, fits: true},
		{rule: "model.selection", name: "$default where there is no key", expression: "$request.body.kind", models: withDefault, message: `{"action":"send"}`, fits: true},
		{rule: "model.no-match", name: "no model", expression: "$request.body.kind", models: byKind, message: `{"action":"send","kind":"other","text":"hi"}`},
		{rule: "model.no-match", name: "no models at all", expression: "$request.body.kind", models: nil, message: `{"action":"send","kind":"chat","text":"hi"}`},
		{rule: "model.draft4", name: "a boolean exclusiveMinimum", expression: "chat", models: byKind, message: `{"action":"send","text":"hi","n":0}`},
		{rule: "model.draft4", name: "above the exclusiveMinimum", expression: "chat", models: byKind, message: `{"action":"send","text":"hi","n":1}`, fits: true},
		{rule: "model.draft4", name: "references within the schema", expression: "chat", models: referring, message: `{"action":"send","text":"hi","list":[{"text":"ho"}]}`, fits: true},
		{rule: "model.draft4", name: "a reference that does not fit", expression: "chat", models: referring, message: `{"action":"send","text":"hi","list":[{"text":"HO"}]}`},
		{name: "a number too large to be compared", expression: "chat", models: byKind, message: `{"action":"send","text":"hi","n":1e999999}`},
		{name: "a number beyond any reader", expression: "chat", models: byKind, message: `{"action":"send","text":"hi","n":1e9999999999999999999999}`},
		{name: "a number of many digits", expression: "any", models: byKind, message: `{"action":"send","n":` + strings.Repeat("9", 500) + `}`},
		{name: "large numbers", expression: "any", models: byKind, message: `{"action":"send","n":[1e300,-1E-300,1.5e+10,123456789012345678901234567890]}`, fits: true},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "model.bad-request-frame model.error-string")
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, apigw.DefaultLimits(), modelled(tt.expression, tt.models))
			s.on("send", answer(`{"statusCode":200,"body":"done"}`))
			c := s.open(t)
			say(t, c, tt.message)
			got := hear(t, c)
			if tt.fits && got != "done" {
				t.Errorf("got %q, want an answer", got)
			}
			want := `{"message": "Bad request body", "connectionId":"` + s.id(t) + `", "messageId":"`
			if !tt.fits && (!strings.HasPrefix(got, want) || len(got) != len(want)+18) {
				t.Errorf("got %q, want %q", got, want)
			}
			if called := len(s.got("send")) > 0; called != tt.fits {
				t.Errorf("the backend was called: %v", called)
			}
			// The connection stays open.
			say(t, c, `{"action":"nothing"}`)
			hear(t, c)
		})
	}
}

// TestAMessageThatIsNoJSON goes through $default, which is the only route that
// such a message reaches.
func TestAMessageThatIsNoJSONFitsNoModel(t *testing.T) {
	conformance.Covers(t, "model.not-json")
	r := proxied(apigw.RouteDefault, true)
	r.ModelSelectionExpression, r.RequestModels = "any", map[string]string{"any": `{}`}
	s := newSystem(t, apigw.DefaultLimits(), r)
	s.on("default", answer(`{"statusCode":200,"body":"done"}`))
	c := s.open(t)
	for message, fits := range map[string]bool{`not JSON`: false, ``: false, `{"a":1}x`: false, `{"a":1}{}`: false, `"text"`: true, `[1]`: true} {
		say(t, c, message)
		if got := hear(t, c); (got == "done") != fits {
			t.Errorf("%q: %q", message, got)
		}
	}
}

func TestSchemasThatCannotBeUsedAreRefusedByNew(t *testing.T) {
	for name, tt := range map[string]struct{ rule, schema, want string }{
		"no JSON":              {rule: "model.schema-error", schema: `{`, want: "not JSON"},
		"no object":            {rule: "model.schema-error", schema: `true`, want: "no JSON object"},
		"a wrong type":         {rule: "model.schema-error", schema: `{"type":"strange"}`, want: "/type"},
		"a number of draft 6":  {rule: "model.schema-error", schema: `{"exclusiveMinimum":3}`, want: "exclusiveMinimum"},
		"a bad pattern":        {rule: "model.schema-error", schema: `{"pattern":"("}`, want: "pattern"},
		"another draft":        {rule: "model.schema-error", schema: `{"$schema":"http://json-schema.org/draft-07/schema#"}`, want: "draft 4"},
		"a dangling reference": {rule: "model.schema-error", schema: `{"$ref":"#/definitions/none"}`, want: "none"},
		"a number beyond all":  {rule: "model.schema-error", schema: `{"maximum":1e999999999}`, want: "too large"},
		"a URL":                {rule: "model.no-remote-references", schema: `{"$ref":"http://192.0.2.1/schema.json"}`, want: "must stay within the schema"},
		"a file":               {rule: "model.no-remote-references", schema: `{"properties":{"a":{"$ref":"file:///etc/passwd"}}}`, want: "must stay within the schema"},
		"a model by its name":  {rule: "model.no-remote-references", schema: `{"$ref":"other.json"}`, want: "must stay within the schema"},
	} {
		conformance.Covers(t, tt.rule)
		s := &system{functions: newFunctions(), log: new(lockedBuffer)}
		_, err := New(s.config(testAPI(modelled("a", map[string]string{"a": tt.schema})), apigw.DefaultLimits()))
		if err == nil || !strings.Contains(err.Error(), "API test, route send: request model a: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want an error with %q", name, err, tt.want)
		}
	}
	s := &system{functions: newFunctions(), log: new(lockedBuffer)}
	if _, err := New(s.config(testAPI(modelled("$request.header.x", nil)), apigw.DefaultLimits())); err == nil || !strings.Contains(err.Error(), "route send: model ") {
		t.Errorf("a bad expression: New = %v", err)
	}
}

// FuzzModels holds that no message makes a validation panic.
func FuzzModels(f *testing.F) {
	m, err := compileModels(&apigw.Route{ModelSelectionExpression: "$request.body.k", RequestModels: map[string]string{
		"$default": `{"type":"object","properties":{"n":{"type":"integer","maximum":9,"multipleOf":0.5},"u":{"uniqueItems":true},"e":{"enum":[1,"a",null,[1]]},"s":{"format":"email","minLength":2},"x":{"$ref":"#"}},"dependencies":{"a":["b"]}}`,
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"n":8,"u":[1,1.0,"a"],"e":1,"s":"a@b.c","x":{"n":1e5},"a":1}`))
	f.Add([]byte(`{"u":[1e999999,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22]}`))
	f.Add([]byte(`{"n":-0.0e-0,"u":[[],{},[[]]]}`))
	f.Fuzz(func(t *testing.T, body []byte) { m.check(body, nil) })
}
