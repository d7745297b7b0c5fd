package stack

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// formTest is one value; a form that is wrong has part of the error.
type formTest struct{ value, wrong string }

func checkForms(t *testing.T, check func(string) error, tests []formTest) {
	t.Helper()
	for _, c := range tests {
		err := check(c.value)
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%.80q is refused: %v", c.value, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%.80q: got %v, want an error with %q", c.value, err, c.wrong)
		}
	}
}

func TestIdentitySources(t *testing.T) {
	conformance.Covers(t, "authorizer.identity-unknown-source")
	checkForms(t, CheckIdentitySource, []formTest{
		{"route.request.header.Authorization", ""}, {"route.request.header.Sec-WebSocket-Protocol", ""},
		{"route.request.querystring.token", ""}, {"stageVariables.tenant_1", ""}, {"context.identity.sourceIp", ""},
		{"", "is not an identity source"}, {"route.request.header.", "is not an identity source"}, {"Route.request.header.a", "is not an identity source"},
		{"route.request.multivalueheader.a", "is not an identity source"}, {"route.request.body.a", "is not an identity source"},
		{"route.request.header.a b", "is not an identity source"}, {"route.request.header.a\n", "is not an identity source"},
		{"$request.header.Auth", "write route.request.header.Auth"}, {"$request.querystring.t", "write route.request.querystring.t"},
		{"method.request.header.Auth", "write route.request.header.Auth"}, {"$context.stage", "is not an identity source"},
		{"route.request.header." + strings.Repeat("a", 5000), "is not an identity source"},
	})
}

func TestRequestParameterSources(t *testing.T) {
	conformance.Covers(t, "mapping.parameter-names")
	checkForms(t, func(s string) error { return CheckRequestParameter("integration.request.header.a", s) }, []formTest{
		{"route.request.header.a", ""}, {"route.request.querystring.a.b", ""}, {"route.request.multivalueheader.a", ""},
		{"route.request.multivaluequerystring.a", ""}, {"route.request.body", ""}, {"route.request.body.a[0]['b c']", ""},
		{"stageVariables.a", ""}, {"context.authorizer.principalId", ""}, {"'text'", ""}, {"''", ""}, {"'it''s'", ""},
		{"text", "is not a source"}, {"'open", "is not a source"}, {"'a\r\nb: c'", "is not a source"}, {"route.request.path.a", "is not a source"},
		{"integration.response.header.a", "is not a source"}, {"route.request.body.a\x00", "is not a source"}, {"", "is not a source"},
	})
	checkForms(t, func(s string) error { return CheckRequestParameter(s, "'a'") }, []formTest{
		{"integration.request.header.X-Amz-Invocation-Type", ""}, {"integration.request.querystring.a", ""}, {"integration.request.path.a$b", ""},
		{"integration.request.body.a", "is not a parameter"}, {"route.request.header.a", "is not a parameter"}, {"integration.request.header.", "is not a parameter"},
		{"integration.request.header.a:b", "is not a parameter"}, {"integration.request.header." + strings.Repeat("a", 5000), "is not a parameter"},
	})
}

func TestResponseParameterSources(t *testing.T) {
	checkForms(t, func(s string) error { return CheckResponseParameter("route.response.header.a", s) }, []formTest{
		{"integration.response.header.a", ""}, {"integration.response.multivalueheader.a", ""}, {"integration.response.body", ""},
		{"integration.response.body.a.b", ""}, {"integration.response.statuscode", ""}, {"stageVariables.a", ""}, {"context.stage", ""}, {"'a'", ""},
		{"integration.response.statuscode.a", "is not a source"}, {"route.request.header.a", "is not a source"}, {"integration.response.header.", "is not a source"},
	})
	checkForms(t, func(s string) error { return CheckResponseParameter(s, "'a'") }, []formTest{
		{"route.response.header.Sec-WebSocket-Protocol", ""}, {"route.response.statuscode", ""},
		{"method.response.header.a", "is not a parameter"}, {"route.response.header.", "is not a parameter"}, {"route.response.body", "is not a parameter"},
	})
}

func TestMappingKeys(t *testing.T) {
	conformance.Covers(t, "handshake.mapping-key-syntax handshake.mapping-key-reserved")
	checkForms(t, CheckMappingKey, []formTest{
		{"", ""}, {"chat", ""}, {"v1/chat", ""}, {"$-_.+!*'()", ""}, {"Ping", ""}, {"ping/a", ""}, {strings.Repeat("a", 300), ""},
		{"ping", "kept by API Gateway"}, {"sping", "kept by API Gateway"}, {strings.Repeat("a", 301), "301 characters"},
		{"/", "is not a mapping key"}, {"/a", "is not a mapping key"}, {"a/", "is not a mapping key"}, {"a//b", "is not a mapping key"},
		{"a?b", "is not a mapping key"}, {"a b", "is not a mapping key"}, {"ä", "is not a mapping key"}, {"a\n", "is not a mapping key"},
	})
}

func TestDomainNames(t *testing.T) {
	checkForms(t, CheckDomainName, []formTest{
		{"ws.example.com", ""}, {"localhost", ""}, {"a-1.b", ""}, {strings.Repeat("a", 63) + ".b", ""},
		{"", "is not a domain name"}, {"ws.example.com:443", "is not a domain name"}, {"WS.example.com", "is not a domain name"},
		{"*.example.com", "is not a domain name"}, {"-a.b", "is not a domain name"}, {"a..b", "is not a domain name"}, {"a.b.", "is not a domain name"},
		{"a_b.c", "is not a domain name"}, {strings.Repeat("a", 64) + ".b", "is not a domain name"}, {strings.Repeat("a.", 127) + "a", "is not a domain name"},
	})
}

func TestResponseKeys(t *testing.T) {
	conformance.Covers(t, "mapping.response-key-regex")
	checkForms(t, CheckResponseKey, []formTest{
		{"$default", ""}, {`/2\d\d/`, ""}, {"/4\\d{2}/", ""}, {"/.*timed out.*/", ""}, {"/a/b/", ""},
		{"", "is not the key"}, {"//", "is not the key"}, {"/", "is not the key"}, {"200", "is not the key"}, {"/200", "is not the key"},
		{"default", "is not the key"}, {"/(/", "cannot be compiled"}, {"/(?=a)/", "cannot be compiled"}, {"/a{1000}b{900}/", ""}, {"/" + strings.Repeat("a{1000}", 6) + "/", "more than 2000 steps"}, {"/" + strings.Repeat("a", 2000) + "/", "is not the key"},
	})
}

func TestAPIKeyValues(t *testing.T) {
	checkForms(t, CheckAPIKey, []formTest{
		{strings.Repeat("a", 20), ""}, {strings.Repeat("~", 128), ""},
		{"", "this one has 0"}, {strings.Repeat("a", 19), "this one has 19"}, {strings.Repeat("a", 129), "this one has 129"},
		{strings.Repeat("a", 20) + " ", "no spaces"}, {strings.Repeat("é", 20), "beyond ASCII"}, {strings.Repeat("a", 20) + "\x7f", "beyond ASCII"},
	})
	if err := CheckAPIKey("hunter2"); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the key: %v", err)
	}
}

func TestIntegrationURLs(t *testing.T) {
	checkForms(t, func(s string) error { return CheckIntegrationURI(apigw.HTTPProxy, s) }, []formTest{
		{"https://example.com", ""}, {"http://127.0.0.1:8080/a?b=c", ""}, {"https://[::1]:8443/", ""}, {"https://example.com/{room}/x", ""},
		{"", "is not a URL"}, {"example.com", "is not a URL"}, {"ftp://example.com", "is not a URL"}, {"https://", "is not a URL"}, {"https://:80/", "is not a URL"},
		{"https://example.com/a b", "is not a URL"}, {"https://example.com/#a", "is not a URL"}, {"https://example.com/{a", "is not a URL"},
		{"https://example.com/{a b}", "is not a URL"}, {"https://exa\nmple.com", "is not a URL"}, {"https://example.com/" + strings.Repeat("a", 9000), "is not a URL"},
	})
	checkForms(t, func(s string) error { return CheckIntegrationURI(apigw.AWSService, s) }, []formTest{
		{"arn:aws:apigateway:us-east-1:sqs:path/000000000000/queue", ""}, {"arn:aws-cn:apigateway:cn-north-1:dynamodb:action/PutItem", ""},
		{"arn:aws:apigateway:us-east-1:bucket.s3:path/a/b", ""},
		{"", "is not the URI"}, {"https://example.com", "is not the URI"}, {"arn:aws:sqs:us-east-1:000000000000:queue", "is not the URI"},
		{"arn:aws:apigateway:us-east-1:sqs:action/", "is not the URI"}, {"arn:aws:apigateway:us-east-1:sqs:run/a", "is not the URI"},
	})
}

func TestModels(t *testing.T) {
	conformance.Covers(t, "model.draft4 model.schema-error model.no-remote-references")
	checkForms(t, CheckModel, []formTest{
		{`{}`, ""}, {`{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["a"]}`, ""},
		{`{"$schema": "http://json-schema.org/draft-04/schema"}`, ""}, {`{"id": "http://example.com/a", "$ref": "#"}`, ""},
		{`{"minimum": 1, "exclusiveMinimum": true}`, ""}, {`{"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#"}}}`, ""},
		{`{"$ref": "http://json-schema.org/draft-04/schema#"}`, ""},
		{``, "is not JSON"}, {`{`, "is not JSON"}, {`{} {}`, "is not JSON"}, {`[]`, "must be a JSON object"}, {`true`, "must be a JSON object"},
		{`{"$schema": "http://json-schema.org/draft-07/schema#"}`, "knows draft 4"}, {`{"$schema": 4}`, "knows draft 4"},
		{`{"minimum": 1, "exclusiveMinimum": 1}`, "at '/exclusiveMinimum'"}, {`{"required": []}`, "at '/required'"}, {`{"pattern": "("}`, "at '/pattern'"},
		{`{"properties": {"pattern": {"type": "string"}}}`, ""}, {`{"patternProperties": {"^a{1000}$": {}}}`, ""},
		{`{"pattern": "` + strings.Repeat("a{1000}", 6) + `"}`, "more than 2000 steps"},
		{`{"patternProperties": {"` + strings.Repeat("(a|b{9}){99}", 99) + `": {}}}`, "more than 2000 steps"},
		{`{"anyOf": [` + strings.Repeat(`{"pattern": "(a{1000}b{900})"}, `, 12) + `{}]}`, "more than 5000 steps"},
		{`{"$ref": "https://example.com/a.json"}`, `refers to "https://example.com/a.json"`}, {`{"$ref": "other.json"}`, `refers to "other.json"`}, {`{"$ref": "/etc/passwd"}`, `refers to "etc/passwd"`}, {`{"id": "http://example.com/a", "$ref": "b"}`, `refers to "b"`},
		{`{"$ref": "file:///etc/passwd"}`, `refers to "file:///etc/passwd"`}, {`{"$ref": "#/definitions/gone"}`, "not found"},
		{`{"a": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "levels deep"},
		{`{"anyOf": [` + strings.Repeat("{}, ", 998) + `{}]}`, ""}, {`{"anyOf": [` + strings.Repeat("{}, ", 999) + `{}]}`, "more than 1000 objects"},
		{`{"a": "` + strings.Repeat("a", maxSchema) + `"}`, "and may have"},
	})
}

// FuzzModel holds that no schema is read from elsewhere, hangs or panics.
func FuzzModel(f *testing.F) {
	for _, seed := range []string{`{}`, `{"type": "object"}`, `{"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#"}}}`, `{"id": "a:b", "$ref": "c"}`, `{"$ref": "http://a/b"}`, `{"pattern": "(a*)*"}`, `{"$schema": "x"}`, `[`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		first, second := CheckModel(schema), CheckModel(schema)
		if (first == nil) != (second == nil) {
			t.Errorf("two checks of one schema differ: %v, %v", first, second)
		}
	})
}

// FuzzForms holds that the checks of single values end without a panic, and
// that what they accept is bounded and has no control characters.
func FuzzForms(f *testing.F) {
	for _, seed := range []string{"route.request.header.A", "$request.header.A", "'text'", "/2\\d\\d/", "v1/chat", "ws.example.com", "https://example.com/{a}", "arn:aws:apigateway:us-east-1:sqs:path/a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for name, err := range map[string]error{
			"identity source": CheckIdentitySource(value), "parameter": CheckConnectParameter(value), "source": CheckRequestParameter("integration.request.header.a", value),
			"response source": CheckResponseParameter("route.response.header.a", value), "mapping key": CheckMappingKey(value), "domain": CheckDomainName(value),
			"API key": CheckAPIKey(value), "URL": CheckIntegrationURI(apigw.HTTPProxy, value), "URI": CheckIntegrationURI(apigw.AWSService, value),
		} {
			if err == nil && (len(value) > 16<<10 || strings.ContainsAny(value, "\x00\r\n")) {
				t.Errorf("%q is accepted as a %s", value, name)
			}
		}
		if err := CheckResponseKey(value); err == nil && len(value) > maxResponseKey {
			t.Errorf("a response key of %d bytes is accepted", len(value))
		}
	})
}
