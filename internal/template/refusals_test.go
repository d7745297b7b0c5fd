package template

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// chat is a WebSocket API with a function; each template of the tables below
// follows it, from line 6 on.
const chat = `Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}}
  Fn: {Type: AWS::Lambda::Function, Properties: {Runtime: provided.al2023, Handler: bootstrap, Code: fn}}
  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: main}}
  Proxy: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}}
`

// TestRefusedAtLoad has one template for each rule by which a template is
// refused, with the place that the error must give.
func TestRefusedAtLoad(t *testing.T) {
	for _, c := range []struct {
		rule, resource, want string
	}{
		{rule: "handshake.stage-name", resource: `S: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: $default}}`,
			want: `t.yaml:6:80: Resources.S.StageName: a WebSocket API has no $default stage`},
		{rule: "handshake.mapping-key-syntax", resource: `M: {Type: AWS::ApiGatewayV2::ApiMapping, Properties: {ApiId: !Ref Api, DomainName: a.example.com, Stage: main, ApiMappingKey: a b}}`,
			want: `t.yaml:6:129: Resources.M.ApiMappingKey: "a b" is not a mapping key`},
		{rule: "handshake.mapping-key-syntax", resource: `M: {Type: AWS::ApiGatewayV2::ApiMapping, Properties: {ApiId: !Ref Api, DomainName: a.example.com, Stage: main, ApiMappingKey: ` + strings.Repeat("a", 301) + `}}`,
			want: `t.yaml:6:129: Resources.M.ApiMappingKey: the mapping key has 301 characters, and may have 300`},
		{rule: "handshake.mapping-key-reserved", resource: `M: {Type: AWS::ApiGatewayV2::ApiMapping, Properties: {ApiId: !Ref Api, DomainName: a.example.com, Stage: main, ApiMappingKey: sping}}`,
			want: `t.yaml:6:129: Resources.M.ApiMappingKey: the mapping key sping is kept by API Gateway`},
		{rule: "authorizer.connect-only", resource: `R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: send, AuthorizationType: AWS_IAM}}`,
			want: `t.yaml:6:104: Resources.R.AuthorizationType: route send asks for authorization of the type "AWS_IAM"; API Gateway checks it on $connect alone`},
		{rule: "authorizer.types", resource: `R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: JWT}}`,
			want: `t.yaml:6:108: Resources.R.AuthorizationType: the authorization of a WebSocket API is NONE, AWS_IAM or CUSTOM, not "JWT"`},
		{rule: "authorizer.types", resource: `A: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: TOKEN, AuthorizerUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}}`,
			want: `t.yaml:6:99: Resources.A.AuthorizerType: AuthorizerType must be REQUEST, not "TOKEN"`},
		{rule: "authorizer.identity-unknown-source", resource: `A: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST, IdentitySource: [$request.header.A], AuthorizerUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}}`,
			want: `t.yaml:6:125: Resources.A.IdentitySource[0]: "$request.header.A" is an identity source of another kind of API; for a WebSocket API write route.request.header.A`},
		{rule: "access.api-key-expression", resource: `B: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: a, ApiKeySelectionExpression: $request.header.key}}`,
			want: `t.yaml:6:131: Resources.B.ApiKeySelectionExpression: ApiKeySelectionExpression must be $request.header.x-api-key or $context.authorizer.usageIdentifierKey`},
		{rule: "route.expression-required", resource: `B: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET}}`,
			want: `t.yaml:6:49: Resources.B: the property RouteSelectionExpression is missing`},
		{rule: "route.expression-error", resource: `B: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: '${request.body.a'}}`,
			want: `t.yaml:6:101: Resources.B.RouteSelectionExpression: selection expression "${request.body.a": the brace opened at character 2 is not closed`},
		{rule: "route.other-variables-refused", resource: `B: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.querystring.a}}`,
			want: `t.yaml:6:101: Resources.B.RouteSelectionExpression: selection expression "$request.querystring.a"`},
		{rule: "route.key-syntax", resource: `R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: $send}}`,
			want: `t.yaml:6:79: Resources.R.RouteKey: "$send" is not a route key`},
		{rule: "route.key-unique", resource: "R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: a}}\n  S: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: a}}",
			want: `t.yaml:7:79: Resources.S.RouteKey: the API has the route a already, in line 6; keys are unique`},
		{rule: "model.no-remote-references", resource: `M: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M, Schema: {$ref: 'https://example.com/a.json'}}}`,
			want: `t.yaml:6:86: Resources.M.Schema: the schema refers to "https://example.com/a.json", and nothing outside of it is read`},
		{rule: "model.schema-error", resource: `M: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M, Schema: {required: true}}}`,
			want: `t.yaml:6:86: Resources.M.Schema: the schema is not a JSON Schema of draft 4: at '/required'`},
		{rule: "integration.timeout-range", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TimeoutInMillis: 29001}}`,
			want: `t.yaml:6:115: Resources.I.TimeoutInMillis: TimeoutInMillis must be a whole number from 50 to 29000, not 29001`},
		{rule: "mapping.parameter-names", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.a b: context.stage}}}`,
			want: `t.yaml:6:150: Resources.I.RequestParameters.integration.request.header.a b: "integration.request.header.a b" is not a parameter of an integration's request`},
		{rule: "mapping.parameter-names", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestParameters: {integration.request.header.a: cookie.a}}}`,
			want: `t.yaml:6:148: Resources.I.RequestParameters.integration.request.header.a: "cookie.a" is not a source`},
		{rule: "mapping.response-key-regex", resource: "I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}\n  J: {Type: AWS::ApiGatewayV2::IntegrationResponse, Properties: {ApiId: !Ref Api, IntegrationId: !Ref I, IntegrationResponseKey: '/[/'}}",
			want: `t.yaml:7:130: Resources.J.IntegrationResponseKey: the key "/[/" cannot be compiled as a regular expression`},
		{rule: "vtl.macros-refused", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {$default: '#macro(a)#end'}}}`,
			want: `t.yaml:6:127: Resources.I.RequestTemplates.$default: line 1, column 1: #macro is not supported`},
		{rule: "vtl.syntax-error", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {$default: "a\n#if(true)"}}}`,
			want: `t.yaml:6:127: Resources.I.RequestTemplates.$default: line 2, column 1`},
		{rule: "vtl.template-300k", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {$default: ` + strings.Repeat("a", 300<<10+1) + `}}}`,
			want: `t.yaml:6:127: Resources.I.RequestTemplates.$default: the template "$default" has 307201 bytes, and may have 307200`},
		{rule: "limit.routes-300", resource: many(301, `R%d: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: r%[1]d}}`),
			want: `t.yaml:2:8: Resources.Api: the API has 301 routes, and API Gateway takes 300`},
		{rule: "limit.integrations-300", resource: many(300, `I%d: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}`),
			want: `t.yaml:305:9: Resources.I299: the API has more than 300 integrations, which API Gateway does not take`},
		{rule: "limit.authorizers-10", resource: many(11, `A%d: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST, AuthorizerUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}}`),
			want: `t.yaml:16:8: Resources.A10: the API has more than 10 authorizers, which API Gateway does not take`},
	} {
		conformance.Covers(t, c.rule)
		_, err := LoadBytes("t.yaml", []byte(chat+"  "+c.resource+"\n"), "", Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v\nwant one line that begins %s", c.rule, err, c.want)
		}
	}
}

// many repeats a resource, each with a number of its own.
func many(n int, format string) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(lines, "\n  ")
}

// TestAcceptedAtLoad has the templates that stand just within the limits of
// TestRefusedAtLoad, and the forms of AWS that it is easy to be too strict with.
func TestAcceptedAtLoad(t *testing.T) {
	for _, c := range []struct {
		rule, resource string
	}{
		{rule: "limit.routes-300", resource: many(300, `R%d: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: r%[1]d}}`)},
		{rule: "limit.integrations-300", resource: many(299, `I%d: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK}}`)},
		{rule: "limit.authorizers-10", resource: many(10, `A%d: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, Name: a, AuthorizerType: REQUEST, AuthorizerUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}}`)},
		{rule: "vtl.template-300k", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, RequestTemplates: {$default: ` + strings.Repeat("a", 300<<10) + `}}}`},
		{rule: "handshake.mapping-key-syntax", resource: `M: {Type: AWS::ApiGatewayV2::ApiMapping, Properties: {ApiId: !Ref Api, DomainName: a.example.com, Stage: main, ApiMappingKey: "` + strings.Repeat("a", 276) + `/b/$-_.+!*'()/PING/pings"}}`},
		{rule: "route.key-syntax", resource: `R: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: 'a b/c.d-e'}}`},
		{rule: "integration.timeout-range", resource: `I: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationType: MOCK, TimeoutInMillis: '50'}}`},
		{rule: "model.draft4", resource: `M: {Type: AWS::ApiGatewayV2::Model, Properties: {ApiId: !Ref Api, Name: M, Schema: {id: 'urn:m', minimum: 1, exclusiveMinimum: true, properties: {a: {$ref: '#/definitions/a'}}, definitions: {a: {type: string}}}}}`},
	} {
		conformance.Covers(t, c.rule)
		if _, err := LoadBytes("t.yaml", []byte(chat+"  "+c.resource+"\n"), "", Options{}); err != nil {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}
