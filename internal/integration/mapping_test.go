package integration

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// seen compiles a Lambda integration and returns the event that the function
// got of a request, or the error.
func seen(t *testing.T, in apigw.Integration, req *Request) string {
	t.Helper()
	f := answers("{}")
	in.Type, in.Function, in.Responses = apigw.AWSService, "f", anyAnswer
	compiled := compile(t, newBackends(t, Config{Invoker: f, StageVariables: map[string]string{"table": "rooms"}}), in)
	if _, err := compiled.Call(t.Context(), req); err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimPrefix(f.got()[0], "f ")
}

func TestTheSelectedRequestTemplateMakesTheBody(t *testing.T) {
	conformance.Covers(t, "mapping.template-selection", "mapping.template-default")
	two := map[string]string{"a": `{"t":"A"}`, "b": `{"t":"B"}`}
	withDefault := map[string]string{"a": `{"t":"A"}`, "$default": `{"t":"D"}`}
	const passed = `{"action":"a","kind":"b"}`
	for _, tt := range []struct {
		name, expression, body string
		templates              map[string]string
		want                   string
	}{
		{"by a member of the message", "${request.body.action}", passed, two, `{"t":"A"}`},
		{"by another member", "$request.body.kind", passed, two, `{"t":"B"}`},
		{"by a constant", "b", passed, two, `{"t":"B"}`},
		{"by $default", `\$default`, passed, withDefault, `{"t":"D"}`},
		{"no such key, $default", "${request.body.kind}", passed, withDefault, `{"t":"D"}`},
		{"no such key, default as the console has it", "x", passed, map[string]string{"default": `{"t":"C"}`}, `{"t":"C"}`},
		{"no such key at all: the message passes", "x", passed, two, passed},
		{"an expression that cannot be evaluated", "${request.body.action}", `[]`, map[string]string{"": `{"t":"E"}`}, `{"t":"E"}`},
		{"without an expression $default", "", passed, withDefault, `{"t":"D"}`},
		{"without an expression application/json", "", passed, map[string]string{"application/json": `{"t":"J"}`}, `{"t":"J"}`},
		{"with an expression not application/json", "x", passed, map[string]string{"application/json": `{"t":"J"}`}, passed},
		{"a template with variables", `\$default`, `{"n":7}`, map[string]string{"$default": `{"n":$input.json('$.n'),"at":"$context.stage","in":"$stageVariables.table"}`}, `{"n":7,"at":"main","in":"rooms"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := apigw.Integration{RequestTemplates: tt.templates, TemplateSelectionExpression: tt.expression}
			if got := seen(t, in, message(tt.body)); got != tt.want {
				t.Errorf("the function got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAMessageThatIsNoJSONSelectsTheDefaultTemplate(t *testing.T) {
	in := apigw.Integration{RequestTemplates: map[string]string{"$default": `{"raw":true}`, "": `{"empty":true}`}, TemplateSelectionExpression: "${request.body.action}"}
	if got := seen(t, in, message("hello")); got != `{"raw":true}` {
		t.Error(got)
	}
}

func TestPassthroughBehavior(t *testing.T) {
	conformance.Covers(t, "mapping.passthrough-when-no-match", "mapping.passthrough-when-no-templates", "mapping.passthrough-never", "mapping.passthrough-frame")
	const unsupported = "error"
	for _, tt := range []struct {
		behavior  string
		templates map[string]string
		want      string
	}{
		{"", nil, `{"m":1}`},
		{"", map[string]string{"other": `{"t":1}`}, `{"m":1}`},
		{"", map[string]string{"$default": `{"t":1}`}, `{"t":1}`},
		{"WHEN_NO_MATCH", nil, `{"m":1}`},
		{"WHEN_NO_MATCH", map[string]string{"other": `{"t":1}`}, `{"m":1}`},
		{"WHEN_NO_TEMPLATES", nil, `{"m":1}`},
		{"WHEN_NO_TEMPLATES", map[string]string{"other": `{"t":1}`}, unsupported},
		{"WHEN_NO_TEMPLATES", map[string]string{"$default": `{"t":1}`}, `{"t":1}`},
		{"NEVER", nil, unsupported},
		{"NEVER", map[string]string{"other": `{"t":1}`}, unsupported},
		{"NEVER", map[string]string{"$default": `{"t":1}`}, `{"t":1}`},
	} {
		f := answers("{}")
		in := compile(t, newBackends(t, Config{Invoker: f}), apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer,
			PassthroughBehavior: tt.behavior, RequestTemplates: tt.templates, TemplateSelectionExpression: "key"})
		for name, req := range map[string]*Request{"a message": message(`{"m":1}`), "a one-way message": oneWay(`{"m":1}`)} {
			_, err := in.Call(t.Context(), req)
			if tt.want == unsupported {
				if !errors.Is(err, ErrUnsupportedMediaType) || len(f.got()) != 0 {
					t.Errorf("%s with %v, %s: %v and %d calls, want ErrUnsupportedMediaType and none", tt.behavior, tt.templates, name, err, len(f.got()))
				}
				continue
			}
			if got := f.got(); err != nil || got[len(got)-1] != "f "+tt.want {
				t.Errorf("%s with %v, %s: %v, %s; want %s", tt.behavior, tt.templates, name, err, got, tt.want)
			}
		}
	}
	in := compile(t, newBackends(t, Config{Invoker: answers("{}")}), apigw.Integration{Type: apigw.AWSService, Function: "f", Responses: anyAnswer, PassthroughBehavior: "NEVER"})
	if _, err := in.Call(t.Context(), connect(nil)); !errors.Is(err, ErrUnsupportedMediaType) {
		t.Errorf("NEVER on $connect: %v", err)
	}
}

// sourceRequest has something for every source.
func sourceRequest() *Request {
	r := connect(map[string][]string{"room": {"a", "b c"}, "empty": {}}, apigw.Header{Name: "x-Token", Value: "t1"}, apigw.Header{Name: "X-TOKEN", Value: "t2"})
	r.Body = []byte(`{"user":{"name":"Ann","tags":["x","y"],"id":7,"none":null,"on":true,"o":{"k":"v"}},"a b":"c"}`)
	r.StageVariables = map[string]string{"table": "rooms"}
	return r
}

var requestSources = []struct{ source, want string }{
	{"'static'", "[static]"},
	{"''", "[]"},
	{"'it''s'", "[it''s]"},
	{"route.request.header.X-Token", "[t2]"},
	{"route.request.header.x-token", "[t2]"},
	{"route.request.header.X-Other", "none"},
	{"route.request.multivalueheader.X-Token", "[t1 t2]"},
	{"route.request.multivalueheader.X-Other", "none"},
	{"route.request.querystring.room", "[b c]"},
	{"route.request.querystring.Room", "none"},
	{"route.request.querystring.empty", "none"},
	{"route.request.multivaluequerystring.room", "[a b c]"},
	{"route.request.body.user.name", "[Ann]"},
	{"route.request.body.user.id", "[7]"},
	{"route.request.body.user.on", "[true]"},
	{"route.request.body.user.tags", "[[x, y]]"},
	{"route.request.body.user.tags[1]", "[y]"},
	{"route.request.body.user.o", "[{k=v}]"},
	{"route.request.body['a b']", "[c]"},
	{"route.request.body.user.none", "none"},
	{"route.request.body.nobody", "none"},
	{"context.connectionId", "[JC1dgf9yoAMCK-g=]"},
	{"context.identity.sourceIp", "[203.0.113.7]"},
	{"context.authorizer.tenant", "[x]"},
	{"context.authorizer.numKey", "[1]"},
	{"context.authorizer.nothing", "none"},
	{"context.connectedAt", "[1708326702789]"},
	{"context.messageId", "none"},
	{"stageVariables.table", "[rooms]"},
	{"stageVariables.other", "none"},
}

func TestRequestParameterSources(t *testing.T) {
	conformance.Covers(t, "mapping.parameter-header", "mapping.parameter-querystring", "mapping.parameter-body", "mapping.parameter-context", "mapping.parameter-stage-variable", "mapping.parameter-static")
	for _, tt := range requestSources {
		req := sourceRequest()
		if got := valuesOf(t, tt.source, requestForms, &exchange{req: req, stageVariables: req.StageVariables}); got != tt.want {
			t.Errorf("%s = %s, want %s", tt.source, got, tt.want)
		}
	}
	text := &exchange{req: message("hello")}
	for _, source := range []string{"route.request.header.X-Token", "route.request.querystring.room", "route.request.body.user"} {
		if got := valuesOf(t, source, requestForms, text); got != "none" {
			t.Errorf("%s of a message that is text = %s, want none", source, got)
		}
	}
}

func valuesOf(t *testing.T, text string, forms []sourceForm, ex *exchange) string {
	t.Helper()
	s, err := parseSource(text, forms)
	if err != nil {
		t.Errorf("parseSource(%s): %v", text, err)
		return ""
	}
	values := s(ex)
	if len(values) == 0 {
		return "none"
	}
	return "[" + strings.Join(values, " ") + "]"
}

func TestSourcesThatAreRefused(t *testing.T) {
	conformance.Covers(t, "mapping.parameter-names", "mapping.parameter-targets")
	for source, want := range map[string]string{
		"":                                  "is no source",
		"static":                            "in single quotes",
		"'open":                             "is no source",
		"'":                                 "is no source",
		"method.request.header.X":           "route.request.header.",
		"route.request.header.":             "is not a name",
		"route.request.header.a b":          "is not a name",
		"route.request.header.X-A\r\nX-B":   "is not a name",
		"route.request.querystring.ü":       "is not a name",
		"route.request.path.id":             "is no source",
		"route.request.bodyname":            "a dot and a JSONPath",
		"route.request.body.":               "JSONPath",
		"route.request.body[":               "JSONPath",
		"context.":                          "is not a context variable",
		"context.nothing":                   "those that are: connectionId",
		"context.authorizer.":               "is not a context variable",
		"context.connectionId}${context.x}": "is not a context variable",
		"stageVariables.":                   "is not a name",
		"integration.response.header.X":     "is no source",
	} {
		if _, err := parseSource(source, requestForms); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseSource(%q): %v, want an error with %q", source, err, want)
		}
	}
	for key, want := range map[string]string{
		"integration.request.header.X":                 "",
		"integration.request.querystring.a.b$c_d-e":    "",
		"integration.request.header.":                  "is not a name",
		"integration.request.header.a:b":               "is not a name",
		"integration.request.header.X\r\nY":            "is not a name",
		"integration.request.body.x":                   "integration.request.path.NAME",
		"integration.request.headers.x":                "integration.request.header.NAME",
		"method.request.header.X":                      "integration.request.header.NAME",
		"X":                                            "integration.request.header.NAME",
		"integration.request.header.Content-Length":    "belongs to the connection",
		"integration.request.header.transfer-encoding": "belongs to the connection",
		"integration.request.header.Connection":        "belongs to the connection",
		"integration.request.header.upgrade":           "belongs to the connection",
	} {
		_, err := parseParameter(key, "'x'")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("parseParameter(%q): %v, want %q", key, err, want)
		}
	}
}

func TestContentHandlingOfMessages(t *testing.T) {
	conformance.Covers(t, "mapping.content-to-binary", "mapping.content-to-binary-invalid")
	// {"a":1} in base64, which Lambda gets decoded.
	const encoded = "eyJhIjoxfQ=="
	for _, tt := range []struct{ name, handling, template, body, want string }{
		{"to binary", "CONVERT_TO_BINARY", "", encoded, `{"a":1}`},
		{"to binary with white space", "CONVERT_TO_BINARY", "", " " + encoded + "\n", `{"a":1}`},
		{"to binary, but a template made it", "CONVERT_TO_BINARY", `{"b":"$input.body"}`, encoded, `{"b":"` + encoded + `"}`},
		{"to binary, no base64", "CONVERT_TO_BINARY", "", `{"a":1}`, "error: " + errNotBase64.Error()},
		{"to binary, nothing", "CONVERT_TO_BINARY", "", ``, `{}`},
		{"to text", "CONVERT_TO_TEXT", "", `{"a":1}`, `{"a":1}`},
	} {
		in := apigw.Integration{ContentHandling: tt.handling}
		if tt.template != "" {
			in.RequestTemplates = map[string]string{"$default": tt.template}
		}
		if got := seen(t, in, message(tt.body)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// FuzzParameter holds that a parameter that is taken can be applied to any
// request, and never makes a header with a line break.
func FuzzParameter(f *testing.F) {
	for _, s := range requestSources {
		f.Add("integration.request.header.X", s.source, `{"user":{"name":"a\r\nb"}}`)
	}
	f.Add("integration.request.querystring.q", "route.request.body..name", `[{"name":1}]`)
	f.Fuzz(func(t *testing.T, key, source, body string) {
		p, err := parseParameter(key, source)
		if err != nil {
			return
		}
		req := sourceRequest()
		req.Body = []byte(body)
		out := &outgoing{ex: &exchange{req: req, stageVariables: req.StageVariables}, path: make(map[string]string), query: make(map[string][]string)}
		if err := p.apply(out); err != nil {
			return
		}
		for _, line := range out.header {
			if strings.ContainsAny(line.Value, "\r\n\x00") || !parameterName.MatchString(line.Name) || oneOf(ownHeaders, line.Name) {
				t.Errorf("header %q: %q", line.Name, line.Value)
			}
		}
	})
}
