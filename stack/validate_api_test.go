package stack

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// guarded is a stack whose API has one of everything.
func guarded() *Stack {
	return &Stack{
		Functions: []Function{{Name: "fn", Timeout: time.Second, MemoryMB: 128}, {Name: "guard", Timeout: time.Second, MemoryMB: 128}},
		APIs: []apigw.API{{
			Name: "chat", RouteSelectionExpression: "$request.body.action", APIKeySelectionExpression: apigw.APIKeyFromAuthorizer,
			Stage: apigw.Stage{
				Name: "main", Throttle: &apigw.Throttle{Rate: 0.5},
				RouteThrottles: map[string]apigw.Throttle{"send": {}},
			},
			Domains: []apigw.Domain{{Name: "ws.example.com"}, {Name: "ws.example.com", MappingKey: "v1/chat"}},
			UsagePlans: []apigw.UsagePlan{{
				Name: "gold", Throttle: &apigw.Throttle{Rate: 1, Burst: 2}, RouteThrottles: map[string]apigw.Throttle{"send": {Rate: 1, Burst: 1}},
				Quota: &apigw.Quota{Limit: 1, Offset: 6, Period: "WEEK"},
				Keys:  []apigw.APIKey{{Name: "alpha", ID: "a", Value: strings.Repeat("a", 20)}, {Name: "beta", ID: "b"}, {Name: "gamma", ID: "c"}},
			}},
			Routes: []apigw.Route{
				{
					Key: "$connect", Authorization: apigw.AuthorizationCustom, APIKeyRequired: true,
					Authorizer:        &apigw.Authorizer{Name: "guard", Function: "guard", IdentitySources: []string{"route.request.header.A", "context.stage"}},
					RequestParameters: map[string]bool{"route.request.querystring.room": true},
				},
				{
					Key: "send", APIKeyRequired: true, ModelSelectionExpression: "$request.body.kind",
					RequestModels: map[string]string{"$default": `{"type": "object"}`},
					Integration: &apigw.Integration{
						Type: apigw.HTTPCustom, URI: "https://example.com/{room}", Method: "PUT", Timeout: 50 * time.Millisecond,
						RequestParameters:           map[string]string{"integration.request.path.room": "route.request.body.room"},
						RequestTemplates:            map[string]string{"$default": "{}"},
						TemplateSelectionExpression: "$default", PassthroughBehavior: "NEVER", ContentHandling: "CONVERT_TO_TEXT",
						Responses: []apigw.IntegrationResponse{{
							Key: `/2\d\d/`, Parameters: map[string]string{"route.response.statuscode": "'200'"},
							Templates: map[string]string{"a": "b"}, TemplateSelectionExpression: "${integration.response.statuscode}", ContentHandling: "CONVERT_TO_TEXT",
						}},
					},
				},
				{Key: "queue", Integration: &apigw.Integration{Type: apigw.AWSService, URI: "arn:aws:apigateway:us-east-1:sqs:path/0/q", Timeout: 29 * time.Second}},
				{Key: "call", Integration: &apigw.Integration{Type: apigw.AWSService, Function: "fn"}},
				{Key: "mock", Integration: &apigw.Integration{Type: apigw.Mock}},
			},
		}},
	}
}

func TestValidateAcceptsEverythingOfAnAPI(t *testing.T) {
	if err := guarded().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateRefusesPartsOfAnAPI(t *testing.T) {
	conformance.Covers(t, "authorizer.types authorizer.connect-only authorizer.identity-unknown-source access.api-key-expression",
		"integration.timeout-range mapping.parameter-names mapping.response-key-regex model.schema-error model.no-remote-references",
		"handshake.mapping-key-syntax handshake.mapping-key-reserved limit.routes-300")
	type part = func(*apigw.API)
	for _, c := range []struct {
		want string
		harm part
	}{
		{`API chat: the API key selection expression is "$request.header.key" and must be`, func(a *apigw.API) { a.APIKeySelectionExpression = "$request.header.key" }},
		{`API chat, stage main: the throttle has the rate -1 and the burst 0`, func(a *apigw.API) { a.Stage.Throttle.Rate = -1 }},
		{`API chat, stage main: the throttle has the rate NaN and the burst 0`, func(a *apigw.API) { a.Stage.Throttle.Rate = math.NaN() }},
		{`API chat, stage main: the throttle has the rate +Inf and the burst 0`, func(a *apigw.API) { a.Stage.Throttle.Rate = math.Inf(1) }},
		{`API chat, stage main, route send: the throttle has the rate 0 and the burst -1`, func(a *apigw.API) { a.Stage.RouteThrottles["send"] = apigw.Throttle{Burst: -1} }},
		{`API chat, stage main: a throttle is for the route "sent", which the API does not have`, func(a *apigw.API) { a.Stage.RouteThrottles["sent"] = apigw.Throttle{} }},
		{`API chat: "WS.example.com" is not a domain name`, func(a *apigw.API) { a.Domains[0].Name = "WS.example.com" }},
		{`API chat: "*.example.com" is not a domain name`, func(a *apigw.API) { a.Domains[0].Name = "*.example.com" }},
		{`API chat, domain ws.example.com: the mapping key ping is kept`, func(a *apigw.API) { a.Domains[0].MappingKey = "ping" }},
		{`API chat, domain ws.example.com: "chat/" is not a mapping key`, func(a *apigw.API) { a.Domains[0].MappingKey = "chat/" }},
		{`API chat: the domain ws.example.com with the mapping key "v1/chat" leads to the API chat already`, func(a *apigw.API) { a.Domains[0].MappingKey = "v1/chat" }},
		{`API chat, usage plan gold: the throttle has the rate -1`, func(a *apigw.API) { a.UsagePlans[0].Throttle.Rate = -1 }},
		{`API chat, usage plan gold: a throttle is for the route "sent"`, func(a *apigw.API) { a.UsagePlans[0].RouteThrottles["sent"] = apigw.Throttle{} }},
		{`API chat, usage plan gold: the quota's period is "YEAR" and must be DAY, WEEK or MONTH`, func(a *apigw.API) { a.UsagePlans[0].Quota.Period = "YEAR" }},
		{`API chat, usage plan gold: the quota's limit is 0 and must be 1 or more`, func(a *apigw.API) { a.UsagePlans[0].Quota.Limit = 0 }},
		{`API chat, usage plan gold: the quota's offset is 7 and must be from 0 to 6 in the period WEEK`, func(a *apigw.API) { a.UsagePlans[0].Quota.Offset = 7 }},
		{`API chat, usage plan gold, key alpha: the value of an API key has 20 to 128 characters, and this one has 6`, func(a *apigw.API) { a.UsagePlans[0].Keys[0].Value = "secret" }},
		{`API chat, usage plan gold, key alpha: the value of an API key has 20 to 128 characters, and this one has 129`, func(a *apigw.API) { a.UsagePlans[0].Keys[0].Value = strings.Repeat("s", 129) }},
		{`API chat, usage plan gold, key alpha: the value of an API key stands in a header`, func(a *apigw.API) { a.UsagePlans[0].Keys[0].Value = strings.Repeat("é", 20) }},
		{`API chat, usage plan gold, key beta: it has the same value as the key alpha`, func(a *apigw.API) { a.UsagePlans[0].Keys[1].Value = a.UsagePlans[0].Keys[0].Value }},
		{`API chat, usage plan gold, key beta: it has no id`, func(a *apigw.API) { a.UsagePlans[0].Keys[1].ID = "" }},
		{`API chat, usage plan gold, key alpha: it belongs to the usage plan gold already`, func(a *apigw.API) { a.UsagePlans = append(a.UsagePlans, a.UsagePlans[0]) }},
		{`API chat, route $connect: the authorization is "JWT" and must be NONE, AWS_IAM or CUSTOM`, func(a *apigw.API) { a.Routes[0].Authorization = "JWT" }},
		{`API chat, route $connect: the authorization CUSTOM needs an authorizer`, func(a *apigw.API) { a.Routes[0].Authorizer = nil }},
		{`API chat, route $connect: it has an authorizer, which is asked only with the authorization CUSTOM`, func(a *apigw.API) { a.Routes[0].Authorization = apigw.AuthorizationNone }},
		{`API chat, route $connect: it has an authorizer, which is asked only`, func(a *apigw.API) { a.Routes[0].Authorization = apigw.AuthorizationIAM }},
		{`API chat, route send: it has the authorization AWS_IAM, which API Gateway checks on $connect alone`, func(a *apigw.API) { a.Routes[1].Authorization = apigw.AuthorizationIAM }},
		{`API chat, route $connect, authorizer guard: its function "gone" is not a function of this stack`, func(a *apigw.API) { a.Routes[0].Authorizer.Function = "gone" }},
		{`API chat, route $connect, authorizer guard: "$request.header.A" is an identity source of another kind of API`, func(a *apigw.API) { a.Routes[0].Authorizer.IdentitySources[0] = "$request.header.A" }},
		{`API chat, route $connect: "route.request.path.room" is not a request parameter`, func(a *apigw.API) { a.Routes[0].RequestParameters["route.request.path.room"] = true }},
		{`API chat, route send: it declares request parameters, which $connect alone has`, func(a *apigw.API) { a.Routes[1].RequestParameters = a.Routes[0].RequestParameters }},
		{`API chat, route send: it asks for an API key, which clients give on $connect alone`, func(a *apigw.API) { a.Routes[0].APIKeyRequired = false }},
		{`API chat, route send, ModelSelectionExpression: selection expression "${a"`, func(a *apigw.API) { a.Routes[1].ModelSelectionExpression = "${a" }},
		{`API chat, route send, model $default: the schema is not JSON`, func(a *apigw.API) { a.Routes[1].RequestModels["$default"] = "{" }},
		{`API chat, route send, model $default: the schema is not a JSON Schema of draft 4: at '/type'`, func(a *apigw.API) { a.Routes[1].RequestModels["$default"] = `{"type": "text"}` }},
		{`API chat, route send, model $default: the schema refers to "file:///etc/passwd"`, func(a *apigw.API) { a.Routes[1].RequestModels["$default"] = `{"$ref": "file:///etc/passwd"}` }},
		{`API chat, route mock: the integration's type is "SOAP" and must be one of`, func(a *apigw.API) { a.Routes[4].Integration.Type = "SOAP" }},
		{`API chat, route send: "ftp://example.com" is not a URL to call`, func(a *apigw.API) { a.Routes[1].Integration.URI = "ftp://example.com" }},
		{`API chat, route queue: "" is not the URI of an AWS service`, func(a *apigw.API) { a.Routes[2].Integration.URI = "" }},
		{`API chat, route call: its function "gone" is not a function of this stack`, func(a *apigw.API) { a.Routes[3].Integration.Function = "gone" }},
		{`API chat, route mock: it names the function "fn", which the type MOCK does not call`, func(a *apigw.API) { a.Routes[4].Integration.Function = "fn" }},
		{`API chat, route mock: its function "" is not a function of this stack`, func(a *apigw.API) { a.Routes[4].Integration.Type = apigw.AWSProxy }},
		{`API chat, route send: the integration's timeout is 49ms`, func(a *apigw.API) { a.Routes[1].Integration.Timeout = 49 * time.Millisecond }},
		{`API chat, route send: the integration's method is "FETCH" and must be one of GET,`, func(a *apigw.API) { a.Routes[1].Integration.Method = "FETCH" }},
		{`API chat, route send: the integration's passthrough behavior is "ALWAYS"`, func(a *apigw.API) { a.Routes[1].Integration.PassthroughBehavior = "ALWAYS" }},
		{`API chat, route send: the integration's content handling is "TEXT"`, func(a *apigw.API) { a.Routes[1].Integration.ContentHandling = "TEXT" }},
		{`API chat, route send, TemplateSelectionExpression: selection expression`, func(a *apigw.API) { a.Routes[1].Integration.TemplateSelectionExpression = "${a" }},
		{`API chat, route send: "request.body" is not a source`, func(a *apigw.API) {
			a.Routes[1].Integration.RequestParameters["integration.request.path.room"] = "request.body"
		}},
		{`API chat, route send: the template "$default" has 307201 bytes`, func(a *apigw.API) {
			a.Routes[1].Integration.RequestTemplates["$default"] = strings.Repeat("a", MaxTemplate+1)
		}},
		{`API chat, route send: it has integration responses, which the type HTTP_PROXY does not use`, func(a *apigw.API) { a.Routes[1].Integration.Type = apigw.HTTPProxy }},
		{`API chat, route send, integration response 200: "200" is not the key of an integration response`, func(a *apigw.API) { a.Routes[1].Integration.Responses[0].Key = "200" }},
		{`API chat, route send, integration response /(/: the key "/(/" cannot be compiled`, func(a *apigw.API) { a.Routes[1].Integration.Responses[0].Key = "/(/" }},
		{`API chat, route send, integration response /2\d\d/: it is declared twice`, func(a *apigw.API) {
			in := a.Routes[1].Integration
			in.Responses = append(in.Responses, in.Responses[0])
		}},
		{`API chat, route send, integration response /2\d\d/: "integration.request.header.a" is not a source`, func(a *apigw.API) {
			a.Routes[1].Integration.Responses[0].Parameters["route.response.statuscode"] = "integration.request.header.a"
		}},
		{`API chat, route send, integration response /2\d\d/: "route.response.body" is not a parameter of a route's response`, func(a *apigw.API) {
			a.Routes[1].Integration.Responses[0].Parameters["route.response.body"] = "'a'"
		}},
		{`API chat, route send, integration response /2\d\d/, TemplateSelectionExpression: selection expression`, func(a *apigw.API) {
			a.Routes[1].Integration.Responses[0].TemplateSelectionExpression = "${a"
		}},
		{`API chat, route send, integration response /2\d\d/: the content handling is "TEXT"`, func(a *apigw.API) { a.Routes[1].Integration.Responses[0].ContentHandling = "TEXT" }},
		{`API chat: it has 301 routes, and API Gateway takes 300`, func(a *apigw.API) {
			for i := len(a.Routes); i < 301; i++ {
				a.Routes = append(a.Routes, apigw.Route{Key: fmt.Sprint("r", i)})
			}
		}},
	} {
		s := guarded()
		c.harm(&s.APIs[0])
		err := s.Validate()
		if err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasPrefix(line, c.want) }) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows an API key: %v", err)
		}
	}
}

func TestValidateDomainsOfAllAPIs(t *testing.T) {
	s := guarded()
	s.APIs = append(s.APIs, apigw.API{Name: "room", RouteSelectionExpression: "a", Stage: apigw.Stage{Name: "main"}, Domains: []apigw.Domain{{Name: "ws.example.com"}}})
	want := `API room: the domain ws.example.com with the mapping key "" leads to the API chat already`
	if err := s.Validate(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
