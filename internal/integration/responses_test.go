package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// mocked returns a MOCK integration whose backend status is the message's
// member "status".
func mocked(t testing.TB, responses ...apigw.IntegrationResponse) *Integration {
	t.Helper()
	return compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.Mock, Responses: responses,
		RequestTemplates: map[string]string{"$default": `{"statusCode": $input.json('$.status')}`}})
}

func status(code int) *Request { return message(fmt.Sprintf(`{"status":%d,"kind":"k"}`, code)) }

func text(template string) map[string]string { return map[string]string{"$default": template} }

func TestMock(t *testing.T) {
	conformance.Covers(t, "integration.mock")
	for _, tt := range []struct {
		name      string
		templates map[string]string
		body      string
		want      string
	}{
		{"a status", text(`{"statusCode":200}`), "hello", "200 pong"},
		{"a status in quotes", text(`{"statusCode":"200"}`), "hello", "200 pong"},
		{"another status", text(`{"statusCode":404}`), "hello", "404 other"},
		{"no status", text(`{}`), "hello", "200 pong"},
		{"no template: a client cannot set the status", nil, `{"statusCode":404}`, "200 pong"},
		{"no JSON", text(`{ statusCode : 200}`), "hello", "~made no JSON object like"},
		{"no object", text(`[200]`), "hello", "~made no JSON object like"},
		{"no number", text(`{"statusCode":"ok"}`), "hello", "~not a number from 100 to 599"},
		{"a large number", text(`{"statusCode":1000}`), "hello", "~not a number from 100 to 599"},
	} {
		in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.Mock, RequestTemplates: tt.templates,
			Responses: []apigw.IntegrationResponse{{Key: "/2../", Templates: text("pong")}, {Key: "$default", Templates: text("other")}}})
		if got := call(t, in, message(tt.body)); !matches(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestIntegrationResponsesAreSelectedByStatus(t *testing.T) {
	conformance.Covers(t, "mapping.response-selection-status", "mapping.response-key-regex", "mapping.response-default", "integration.nonproxy-default-response")
	in := mocked(t,
		apigw.IntegrationResponse{Key: `/2\d\d/`, Templates: text("fine")},
		apigw.IntegrationResponse{Key: `/40[04]|41./`, Templates: text("client")},
		apigw.IntegrationResponse{Key: `/4\d\d/`, Templates: text("second")},
		apigw.IntegrationResponse{Key: `/5/`, Templates: text("only a part")},
		apigw.IntegrationResponse{Key: `503`, Templates: text("bare")},
		apigw.IntegrationResponse{Key: `$default`, Templates: text("rest")},
	)
	for code, want := range map[int]string{200: "200 fine", 299: "299 fine", 404: "404 client", 418: "418 client", 401: "401 second", 500: "500 rest", 503: "503 bare", 302: "302 rest"} {
		if got := call(t, in, status(code)); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}

func TestWithoutAMatchingIntegrationResponse(t *testing.T) {
	conformance.Covers(t, "mapping.response-default integration.one-way-no-response")
	for name, in := range map[string]*Integration{"none at all": mocked(t), "none that matches": mocked(t, apigw.IntegrationResponse{Key: "/500/"})} {
		for kind, req := range map[string]*Request{"a two-way route": status(200), "$connect": {Kind: apigw.EventConnect, OneWay: true, Body: []byte(`{"status":200}`), Context: requestContext(apigw.EventConnect, "$connect")}} {
			if _, err := in.Call(t.Context(), req); !errors.Is(err, ErrNoResponse) {
				t.Errorf("%s on %s: %v, want ErrNoResponse", name, kind, err)
			}
		}
		quiet := status(200)
		quiet.OneWay = true
		if got := call(t, in, quiet); got != "200" {
			t.Errorf("%s on a one-way route: %s", name, got)
		}
	}
}

func TestOneWayRoutesRunNoResponseTemplate(t *testing.T) {
	conformance.Covers(t, "integration.one-way-silent")
	in := mocked(t, apigw.IntegrationResponse{Key: "$default", Templates: text("reply"), ContentHandling: "CONVERT_TO_BINARY"})
	req := status(200)
	req.OneWay = true
	if got := call(t, in, req); got != "200" {
		t.Error(got)
	}
}

func TestTheStatusOfConnect(t *testing.T) {
	conformance.Covers(t, "handshake.connect-integration-response mapping.response-statuscode")
	set := func(source string) map[string]string {
		return map[string]string{"route.response.statuscode": source}
	}
	connectWith := func(code int) *Request {
		r := status(code)
		r.Kind = apigw.EventConnect
		return r
	}
	for _, tt := range []struct {
		name      string
		responses []apigw.IntegrationResponse
		backend   int
		want      string
	}{
		{"$default of a mock says what the mock says", []apigw.IntegrationResponse{{Key: "$default"}}, 403, "403"},
		{"and so it lets in", []apigw.IntegrationResponse{{Key: "$default"}}, 200, "200"},
		{"a pattern passes the status on", []apigw.IntegrationResponse{{Key: "$default"}, {Key: `/4\d\d/`}}, 403, "403"},
		{"a pattern for success", []apigw.IntegrationResponse{{Key: `/2\d\d/`}}, 204, "204"},
		{"a parameter on $default", []apigw.IntegrationResponse{{Key: "$default", Parameters: set("'401'")}}, 200, "401"},
		{"a parameter on a pattern", []apigw.IntegrationResponse{{Key: `/5\d\d/`, Parameters: set("'200'")}}, 500, "200"},
		{"a parameter that passes it on", []apigw.IntegrationResponse{{Key: "$default", Parameters: set("integration.response.statuscode")}}, 418, "418"},
		{"a parameter that is no status", []apigw.IntegrationResponse{{Key: "$default", Parameters: set("context.stage")}}, 200, `~"main" is not a number from 100 to 599`},
		{"a template for the refusal", []apigw.IntegrationResponse{{Key: `/403/`, Templates: text("who are you")}}, 403, "403 who are you"},
	} {
		if got := call(t, mocked(t, tt.responses...), connectWith(tt.backend)); !matches(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	failed := compile(t, newBackends(t, Config{Invoker: fails(threw("no"))}), apigw.Integration{Type: apigw.AWSService, Function: "f",
		Responses: []apigw.IntegrationResponse{{Key: "$default"}}})
	if got := call(t, failed, connect(nil)); !strings.HasPrefix(got, "502 ") {
		t.Errorf("a function that threw on $connect: %s, want 502", got)
	}
	mapped := compile(t, newBackends(t, Config{Invoker: fails(threw("no"))}), apigw.Integration{Type: apigw.AWSService, Function: "f",
		Responses: []apigw.IntegrationResponse{{Key: "/no/", Parameters: set("'403'")}}})
	if got := call(t, mapped, connect(nil)); !strings.HasPrefix(got, "403 ") {
		t.Errorf("a function's error that is mapped: %s, want 403", got)
	}
}

func TestResponseTemplatesAreSelected(t *testing.T) {
	conformance.Covers(t, "mapping.response-template-selection", "mapping.response-passthrough")
	f := answers(`{"v":[1,2]}`)
	b := newBackends(t, Config{Invoker: f})
	for _, tt := range []struct {
		name, expression string
		templates        map[string]string
		want             string
	}{
		{"by the message", "${request.body.kind}", map[string]string{"k": "K", "$default": "D"}, "200 K"},
		{"by the status", "${integration.response.statuscode}", map[string]string{"200": "fine"}, "200 fine"},
		{"by the bare status", "$integration.response.statuscode", map[string]string{"200": "fine"}, "200 fine"},
		{"by a constant", "x", map[string]string{"x": "X"}, "200 X"},
		{"by nothing", "", map[string]string{"$default": "D"}, "200 D"},
		{"no match, $default", "y", map[string]string{"x": "X", "$default": "D"}, "200 D"},
		{"no match, no $default", "y", map[string]string{"x": "X"}, `200 {"v":[1,2]}`},
		{"no templates", "", nil, `200 {"v":[1,2]}`},
		{"a template over the answer", "", text(`$input.json('$.v') of $context.connectionId, $context.status`), "200 [1,2] of JC1dgf9yoAMCK-g=, 200"},
	} {
		in := compile(t, b, apigw.Integration{Type: apigw.AWSService, Function: "f", RequestTemplates: text(`{"route":"$context.routeKey"}`),
			Responses: []apigw.IntegrationResponse{{Key: "$default", Templates: tt.templates, TemplateSelectionExpression: tt.expression}}})
		if got := call(t, in, status(200)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestResponseParameterSources(t *testing.T) {
	conformance.Covers(t, "mapping.response-parameters")
	req := message(`{}`)
	ex := &exchange{req: req, stageVariables: map[string]string{"s": "v"}, answer: &answer{status: 404,
		header: Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}, body: []byte(`{"a":{"b":[true]}}`)}}
	for source, want := range map[string]string{
		"integration.response.header.X-A":           "[2]",
		"integration.response.header.X-B":           "none",
		"integration.response.multivalueheader.x-A": "[1 2]",
		"integration.response.body.a.b[0]":          "[true]",
		"integration.response.body.c":               "none",
		"integration.response.statuscode":           "[404]",
		"context.connectionId":                      "[JC1dgf9yoAMCK-g=]",
		"context.status":                            "[404]",
		"stageVariables.s":                          "[v]",
		"'chat'":                                    "[chat]",
	} {
		if got := valuesOf(t, source, responseForms, ex); got != want {
			t.Errorf("%s = %s, want %s", source, got, want)
		}
	}
	for _, source := range []string{"route.request.header.X", "route.request.body.a", "integration.response.statuscodes", "integration.response.header.", "chat"} {
		if _, err := parseSource(source, responseForms); err == nil {
			t.Errorf("%s was taken", source)
		}
	}
}

func TestResponseParametersSetHeaders(t *testing.T) {
	conformance.Covers(t, "handshake.subprotocol-mapped")
	for _, key := range []string{"route.response.header.Sec-WebSocket-Protocol", "method.response.header.Sec-WebSocket-Protocol"} {
		in := mocked(t, apigw.IntegrationResponse{Key: "$default", Parameters: map[string]string{key: "'chat'"}})
		req := status(200)
		req.Kind = apigw.EventConnect
		out, err := in.Call(t.Context(), req)
		if err != nil || out.Header.Get("sec-websocket-protocol") != "chat" {
			t.Errorf("%s: %v, %v", key, out, err)
		}
	}
	in := compile(t, newBackends(t, Config{Invoker: answers(`{"p":"chat\r\nSet-Cookie: x"}`)}), apigw.Integration{Type: apigw.AWSService, Function: "f",
		Responses: []apigw.IntegrationResponse{{Key: "$default", Parameters: map[string]string{"route.response.header.Sec-WebSocket-Protocol": "integration.response.body.p"}}}})
	if got := call(t, in, connect(nil)); !strings.Contains(got, "control character") {
		t.Errorf("a header with a line break: %s", got)
	}
}

func TestContentHandlingOfAnswers(t *testing.T) {
	conformance.Covers(t, "mapping.content-to-text")
	for _, tt := range []struct {
		name, handling, answer string
		templates              map[string]string
		want                   string
	}{
		{"to text", "CONVERT_TO_TEXT", "\x00\xff\x10", nil, "200 AP8Q"},
		{"to text, then the template", "CONVERT_TO_TEXT", "\x00\xff\x10", text(`{"data":"$input.body"}`), `200 {"data":"AP8Q"}`},
		{"to text, nothing", "CONVERT_TO_TEXT", "", nil, "200 "},
		{"to binary", "CONVERT_TO_BINARY", "aGk=", nil, "200 hi"},
		{"to binary, no base64", "CONVERT_TO_BINARY", "{}", nil, "~no base64 text"},
	} {
		in := compile(t, newBackends(t, Config{Invoker: answers(tt.answer)}), apigw.Integration{Type: apigw.AWSService, Function: "f",
			Responses: []apigw.IntegrationResponse{{Key: "$default", ContentHandling: tt.handling, Templates: tt.templates}}})
		got := call(t, in, message("{}"))
		if tt.answer == "" {
			got = strings.TrimSuffix(got, " ") + " "
		}
		if !matches(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestKeysThatRE2HasNot(t *testing.T) {
	for key, want := range map[string]string{
		`/(?=4).*/`:      "no lookahead and lookbehind",
		`/(?!2)\d+/`:     "no lookahead and lookbehind",
		`/(?<=a)b/`:      "no lookahead and lookbehind",
		`/(?<!a)b/`:      "no lookahead and lookbehind",
		`/(?>a|b)c/`:     "no atomic groups",
		`/a++/`:          "no possessive quantifiers",
		`/(a)\1/`:        "no backreferences",
		`/a{2,2000}/`:    "may go up to 1000",
		`/a)(b/`:         "IntegrationResponseKey: ",
		`/[/`:            "IntegrationResponseKey: ",
		`//`:             "there is nothing to match",
		``:               "there is nothing to match",
		`/[a-z]+(?i)x$/`: "",
		`/.*Error.*/`:    "",
		`$default`:       "",
		`/`:              "", // bare: a slash
	} {
		_, err := newBackends(t, Config{}).Compile(&apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{{Key: key}}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", key, err, want)
		}
	}
}

func TestContextValue(t *testing.T) {
	conformance.Covers(t, "vtl.context", "vtl.context-authorizer")
	code, reason := 1001, "Going away"
	c := requestContext(apigw.EventMessage, "say")
	c.DisconnectStatusCode, c.DisconnectReason = &code, &reason
	v := ContextValue(c, jsonpath.Member{Key: "error", Value: jsonpath.ObjectOf(jsonpath.Member{Key: "messageString", Value: jsonpath.StringOf(`"x"`)})})
	for name, want := range map[string]string{
		"connectionId": "JC1dgf9yoAMCK-g=", "connectedAt": "1708326702789", "domainName": "localhost:3001", "eventType": "MESSAGE", "messageId": "msg1",
		"routeKey": "say", "requestId": "req1", "extendedRequestId": "req1", "apiId": "abcdefghij", "stage": "main",
		"requestTime": "19/Feb/2024:07:11:42 +0000", "requestTimeEpoch": "1708326702790", "messageDirection": "IN",
		"authorizer.tenant": "x", "authorizer.principalId": "user-1", "authorizer.numKey": "1", "authorizer.boolKey": "true",
		"identity.sourceIp": "203.0.113.7", "identity.userAgent": "tester", "disconnectStatusCode": "1001", "disconnectReason": "Going away",
		"error.messageString": `"x"`,
	} {
		if got, ok := ContextText(v, name); !ok || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, ok, want)
		}
	}
	if n, _ := v.At("authorizer", "numKey"); n.Kind() != jsonpath.String {
		t.Errorf("the authorizer's number is a %s, want a string", n.Kind())
	}
	for _, name := range []string{"status", "authorizer.x", "identity.x", "nothing", "connectionId.x", ""} {
		if got, ok := ContextText(v, name); ok {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
	c.Authorizer = []byte(`{"a.b":"dotted","o":{"k":1}}`)
	if got, _ := ContextText(ContextValue(c), "authorizer.a.b"); got != "dotted" {
		t.Errorf("a name with a dot: %q", got)
	}
	for _, broken := range []string{`{`, `"text"`, `null`} {
		c.Authorizer = []byte(broken)
		if got, _ := ContextText(ContextValue(c), "connectionId"); got != "JC1dgf9yoAMCK-g=" {
			t.Errorf("with the authorizer %s: %q", broken, got)
		}
	}
	if ContextValue(nil).Len() != 0 {
		t.Error("no context has members")
	}
}
