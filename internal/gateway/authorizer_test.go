package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

const methodARN = "arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/$connect"

// guarded is an API whose $connect has an authorizer.
func guarded(sources ...string) *apigw.API {
	connect := proxied(apigw.RouteConnect, false)
	connect.Authorization = apigw.AuthorizationCustom
	connect.Authorizer = &apigw.Authorizer{Name: "guard", Function: "guard", IdentitySources: sources}
	return testAPI(connect, proxied(apigw.RouteDisconnect, false), proxied("two", true))
}

// permit is an authorizer's answer with more members behind the policy.
func permit(more string) string {
	return `{"principalId":"user-1","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + methodARN + `"}]}` + more + `}`
}

func policyAnswer(statements string) string {
	return `{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":[` + statements + `]}}`
}

// payloadError has a payload and is no function's failure.
type payloadError string

func (e payloadError) Error() string        { return string(e) }
func (e payloadError) ErrorPayload() []byte { return []byte(e) }

func TestAuthorizerOutcomes(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.IntegrationTimeout = 50 * time.Millisecond
	const (
		failed     = `{"message":"Internal server error"}`
		denied     = `{"message":"User is not authorized to access this resource"}`
		explicitly = `{"message":"User is not authorized to access this resource with an explicit deny"}`
		allowAll   = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	)
	for _, tt := range []struct {
		rule, name string
		run        func(context.Context, []byte) ([]byte, error)
		status     int
		body, kind string
	}{
		{name: "allows the method ARN", run: answer(permit("")), status: 101},
		{rule: "authorizer.resource-arn", name: "allows the stage's routes", run: answer(policyAnswer(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/*"}`)), status: 101},
		{rule: "authorizer.resource-arn authorizer.deny-403", name: "allows as on a REST API", run: answer(policyAnswer(`{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:111122223333:abcdefghij/main/*/*"}`)), status: 403, body: denied, kind: accessDenied},
		{rule: "authorizer.resource-wildcards", name: "wildcards", run: answer(policyAnswer(`{"Effect":"Allow","Action":"execute-api:*","Resource":["arn:aws:execute-api:*:*:*/mai?/$*"]}`)), status: 101},
		{rule: "authorizer.deny-403", name: "denies", run: answer(policyAnswer(`{"Effect":"Deny","Action":"*","Resource":"*"}`)), status: 403, body: explicitly, kind: accessDenied},
		{rule: "authorizer.explicit-deny", name: "denies before it allows", run: answer(policyAnswer(`{"Effect":"Deny","Action":"*","Resource":"*"},` + allowAll)), status: 403, body: explicitly, kind: accessDenied},
		{rule: "authorizer.explicit-deny", name: "allows before it denies", run: answer(policyAnswer(allowAll + `,{"Effect":"Deny","Action":"*","Resource":"*"}`)), status: 403, body: explicitly, kind: accessDenied},
		{rule: "authorizer.deny-403", name: "says nothing", run: answer(policyAnswer(``)), status: 403, body: denied, kind: accessDenied},
		{rule: "authorizer.not-action-not-resource", name: "NotAction and NotResource", run: answer(policyAnswer(`{"Effect":"Allow","NotAction":"s3:*","NotResource":"arn:other"}`)), status: 101},
		{rule: "authorizer.conditions-refused", name: "a condition that can be evaluated", run: answer(policyAnswer(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"},"Bool":{"aws:SecureTransport":"false"}}}`)), status: 101},
		{rule: "authorizer.conditions-refused", name: "a condition that does not hold", run: answer(policyAnswer(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`)), status: 403, body: denied, kind: accessDenied},
		{rule: "authorizer.conditions-refused", name: "a condition that nobody can evaluate", run: answer(policyAnswer(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}`)), status: 403, body: denied, kind: accessDenied},
		{rule: "authorizer.conditions-refused", name: "a Deny whose condition nobody can evaluate", run: answer(policyAnswer(allowAll + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}`)), status: 403, body: explicitly, kind: accessDenied},
		{rule: "authorizer.unauthorized-401", name: "fails with Unauthorized", run: fails("Unauthorized"), status: 401, body: `{"message":"Unauthorized"}`, kind: unauthorized},
		{rule: "authorizer.failure-500", name: "fails with another text", run: fails("unauthorized"), status: 500, body: failed, kind: authorizerFailed},
		{rule: "authorizer.failure-500", name: "is late", run: never, status: 500, body: failed, kind: authorizerFailed},
		{rule: "authorizer.failure-500", name: "is throttled", run: func(context.Context, []byte) ([]byte, error) { return nil, apigw.ErrThrottled }, status: 500, body: failed, kind: authorizerFailed},
		{rule: "authorizer.failure-500", name: "says Unauthorized without being a function's failure", run: func(context.Context, []byte) ([]byte, error) { return nil, fmt.Errorf("Unauthorized") }, status: 500, body: failed, kind: authorizerFailed},
		{rule: "authorizer.failure-500", name: "cannot be run, though something says Unauthorized", run: func(context.Context, []byte) ([]byte, error) {
			return nil, payloadError(`{"errorMessage":"Unauthorized"}`)
		}, status: 500, body: failed, kind: authorizerFailed},
		{rule: "authorizer.no-policy-500", name: "a proxy answer", run: answer(`{"statusCode":401}`), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.no-policy-500", name: "null", run: answer(`null`), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.no-policy-500", name: "no JSON", run: answer(``), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.no-policy-500", name: "an Effect in lower case", run: answer(policyAnswer(`{"Effect":"allow","Action":"*","Resource":"*"}`)), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.missing-principal", name: "no principal", run: answer(`{"policyDocument":{"Version":"2012-10-17","Statement":[` + allowAll + `]}}`), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.http-api-settings-refused", name: "a simple response", run: answer(`{"isAuthorized":true}`), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.context-nested-500", name: "an object in the context", run: answer(permit(`,"context":{"a":{"b":1}}`)), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.context-nested-500", name: "a list in the context", run: answer(permit(`,"context":{"a":[]}`)), status: 500, body: failed, kind: authorizerMalformed},
		{rule: "authorizer.result-8k", name: "8 KB", run: answer(permit(`,"context":{"a":"` + strings.Repeat("x", 8<<10-len(permit(`,"context":{"a":""}`))) + `"}`)), status: 101},
		{rule: "authorizer.result-8k", name: "8 KB and a byte", run: answer(permit(`,"context":{"a":"` + strings.Repeat("x", 8<<10-len(permit(`,"context":{"a":""}`))+1) + `"}`)), status: 500, body: failed, kind: authorizerMalformed},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "authorizer.before-integration")
		t.Run(tt.name, func(t *testing.T) {
			s := startSystem(t, guarded(), limits, nil)
			s.on("guard", tt.run)
			resp, body := s.shake(t, upgrade("/main", ""))
			if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get("x-amzn-ErrorType") != tt.kind {
				t.Errorf("%d %s %s, want %d %s %s", resp.StatusCode, body, resp.Header.Get("x-amzn-ErrorType"), tt.status, tt.body, tt.kind)
			}
			if called := len(s.got("connect")); (called == 1) != (tt.status == 101) {
				t.Errorf("$connect ran %d times", called)
			}
			if tt.status != 101 && len(s.got("disconnect")) > 0 {
				t.Error("$disconnect ran for a client that the authorizer refused")
			}
		})
	}
}

func TestIdentitySources(t *testing.T) {
	for _, tt := range []struct {
		rule, name, source string
		target, header     string
		status             int
	}{
		{rule: "authorizer.no-identity-sources", name: "none", target: "/main", status: 101},
		{rule: "authorizer.identity-header", name: "a header", source: "route.request.header.Authorization", target: "/main", header: "Authorization: x\r\n", status: 101},
		{rule: "authorizer.identity-header", name: "a header in another case", source: "route.request.header.Authorization", target: "/main", header: "AUTHORIZATION: x\r\n", status: 101},
		{rule: "authorizer.missing-identity-source-401", name: "no header", source: "route.request.header.Authorization", target: "/main?Authorization=x", status: 401},
		{rule: "authorizer.missing-identity-source-401", name: "an empty header", source: "route.request.header.Authorization", target: "/main", header: "Authorization:  \r\n", status: 401},
		{rule: "authorizer.identity-querystring", name: "a parameter", source: "route.request.querystring.token", target: "/main?token=t", status: 101},
		{rule: "authorizer.identity-querystring", name: "a parameter in another case", source: "route.request.querystring.token", target: "/main?Token=t", status: 401},
		{rule: "authorizer.missing-identity-source-401", name: "an empty parameter", source: "route.request.querystring.token", target: "/main?token=", status: 401},
		{rule: "authorizer.identity-stage-variable", name: "a stage variable", source: "stageVariables.k", target: "/main", status: 101},
		{rule: "authorizer.identity-stage-variable", name: "no such stage variable", source: "stageVariables.x", target: "/main", status: 401},
		{rule: "authorizer.identity-context", name: "the source address", source: "context.identity.sourceIp", target: "/main", status: 101},
		{rule: "authorizer.identity-context", name: "a user agent that is not there", source: "context.identity.userAgent", target: "/main", status: 401},
		{rule: "authorizer.identity-context", name: "a user agent", source: "context.identity.userAgent", target: "/main", header: "User-Agent: me\r\n", status: 101},
		{rule: "authorizer.missing-identity-source-401", name: "one of two", source: "route.request.querystring.a route.request.querystring.b", target: "/main?a=1", status: 401},
		{name: "both of two", source: "route.request.querystring.a route.request.querystring.b", target: "/main?a=1&b=2", status: 101},
	} {
		conformance.Covers(t, tt.rule)
		t.Run(tt.name, func(t *testing.T) {
			s := startSystem(t, guarded(strings.Fields(tt.source)...), apigw.DefaultLimits(), nil)
			s.on("guard", answer(permit("")))
			resp, body := s.shake(t, upgrade(tt.target, tt.header))
			if resp.StatusCode != tt.status || tt.status == 401 && body != `{"message":"Unauthorized"}` {
				t.Errorf("%d %s, want %d", resp.StatusCode, body, tt.status)
			}
			if called := len(s.got("guard")); (called == 1) != (tt.status == 101) {
				t.Errorf("the authorizer ran %d times", called)
			}
		})
	}
}

func TestAnAnswerIsNotCached(t *testing.T) {
	conformance.Covers(t, "authorizer.not-cached authorizer.connect-only")
	s := startSystem(t, guarded("route.request.querystring.token"), apigw.DefaultLimits(), nil)
	s.on("guard", answer(permit("")))
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	for range 3 {
		c, _, err := s.dial(t, "?token=same", nil)
		if err != nil {
			t.Fatal(err)
		}
		say(t, c, `{"action":"two"}`)
		hear(t, c)
	}
	if n := len(s.got("guard")); n != 3 {
		t.Errorf("the authorizer ran %d times for three connections and three messages", n)
	}
}

func TestTheAuthorizersContextIsInEveryEvent(t *testing.T) {
	conformance.Covers(t, "authorizer.context-in-connect authorizer.context-in-messages authorizer.context-in-disconnect authorizer.integration-latency authorizer.context-strings")
	s := startSystem(t, guarded(), apigw.DefaultLimits(), nil)
	s.on("guard", answer(permit(`,"context":{"z":"text <&>","n":1,"f":1.50,"b":true,"gone":null,"principalId":"forged","integrationLatency":5}`)))
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	c := s.open(t)
	say(t, c, `{"action":"two"}`)
	hear(t, c)
	c.Close(1000, "")
	eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 })
	const same = `"z":"text <&>","n":"1","f":"1.50","b":"true","principalId":"user-1"`
	for function, want := range map[string]string{
		"connect":    `{"routeKey":"\$connect","authorizer":{` + regexp.QuoteMeta(same) + `,"integrationLatency":[0-9]+},"eventType"`,
		"two":        `{"routeKey":"two","authorizer":{` + regexp.QuoteMeta(same) + `},"messageId"`,
		"disconnect": `{"routeKey":"\$disconnect","authorizer":{` + regexp.QuoteMeta(same) + `},"disconnectStatusCode"`,
	} {
		if event := s.got(function)[0]; !regexp.MustCompile(want).MatchString(event) {
			t.Errorf("%s got %s\nwant %s", function, event, want)
		}
	}
}

func TestTheAuthorizersEvent(t *testing.T) {
	conformance.Covers(t, "authorizer.event-shape authorizer.event-headers authorizer.event-empty-maps authorizer.method-arn")
	api := guarded()
	api.Stage.Variables = nil
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	s.on("guard", answer(permit("")))
	s.shake(t, upgrade("/main", "HeaderAuth1: v\r\n"))
	eventually(t, "the connection is gone", func() bool { return len(s.got("disconnect")) == 1 })
	golden(t, "authorizer-bare.json", s.got("guard")[0])
	api = guarded()
	s = startSystem(t, api, apigw.DefaultLimits(), nil)
	s.on("guard", answer(permit("")))
	s.shake(t, upgrade("/main?b=2&a=1&a=3", "User-Agent: me\r\nconnection: keep-alive\r\n"))
	golden(t, "authorizer-full.json", s.got("guard")[0])
	var guard, connect struct {
		Headers        map[string]string
		RequestContext struct{ RequestID, ConnectionID string }
	}
	s.decodeEvent(t, "guard", &guard)
	s.decodeEvent(t, "connect", &connect)
	if guard.RequestContext != connect.RequestContext || guard.Headers["X-Amzn-Trace-Id"] != connect.Headers["X-Amzn-Trace-Id"] {
		t.Errorf("the authorizer and $connect saw different requests: %+v and %+v", guard, connect)
	}
	for _, gone := range []string{"Connection", "Upgrade", "content-length"} {
		if guard.Headers[gone] == "" || connect.Headers[gone] != "" {
			t.Errorf("%s is %q for the authorizer and %q for $connect", gone, guard.Headers[gone], connect.Headers[gone])
		}
	}
}

func TestWhatCannotBeCheckedIsRefusedByNew(t *testing.T) {
	conformance.Covers(t, "authorizer.identity-unknown-source authorizer.types")
	with := func(change func(api *apigw.API)) *apigw.API {
		api := guarded()
		change(api)
		return api
	}
	for name, tt := range map[string]struct {
		api  *apigw.API
		want string
	}{
		"an unknown identity source":         {guarded("route.request.cookie.x"), "API test, route $connect: authorizer guard: identity source"},
		"an identity source without a name":  {guarded("route.request.header."), "identity source"},
		"an unknown context variable":        {guarded("context.nothing"), "there is no such context variable"},
		"no authorizer":                      {with(func(a *apigw.API) { a.Routes[0].Authorizer = nil }), "no authorizer"},
		"an authorizer without a function":   {with(func(a *apigw.API) { a.Routes[0].Authorizer.Function = "" }), "no authorizer"},
		"JWT":                                {with(func(a *apigw.API) { a.Routes[0].Authorization = "JWT" }), `"JWT" is none of`},
		"IAM without a verifier":             {with(func(a *apigw.API) { a.Routes[0].Authorization = apigw.AuthorizationIAM }), "AWS_IAM"},
		"an authorizer on a message route":   {with(func(a *apigw.API) { a.Routes[2].Authorization = apigw.AuthorizationCustom }), "route two: only $connect"},
		"an API key on a message route":      {with(func(a *apigw.API) { a.Routes[2].APIKeyRequired = true }), "route two: only $connect"},
		"a parameter of the body":            {with(func(a *apigw.API) { a.Routes[0].RequestParameters = map[string]bool{"route.request.body.x": true} }), "request parameter"},
		"a parameter of the stage":           {with(func(a *apigw.API) { a.Routes[0].RequestParameters = map[string]bool{"stageVariables.x": true} }), "a client sends"},
		"an integration of no type":          {with(func(a *apigw.API) { a.Routes[2].Integration = &apigw.Integration{} }), "route two: integration"},
		"an expression that nobody can read": {with(func(a *apigw.API) { a.RouteSelectionExpression = "$request.header.x" }), "API test: "},
	} {
		s := &system{functions: newFunctions(), log: new(lockedBuffer)}
		if _, err := New(s.config(tt.api, apigw.DefaultLimits())); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: New = %v, want an error with %q", name, err, tt.want)
		}
	}
}

// FuzzAuthorizerAnswer holds that nobody comes in whose authorizer did not
// return a policy that allows it.
func FuzzAuthorizerAnswer(f *testing.F) {
	f.Add([]byte(permit("")))
	f.Add([]byte(permit(`,"context":{"a":1}`)))
	f.Add([]byte(policyAnswer(`{"Effect":"Deny","Action":"*","Resource":"*"}`)))
	f.Add([]byte(`{"statusCode":200}`))
	f.Add([]byte(`null`))
	s := &system{functions: newFunctions(), log: new(lockedBuffer)}
	g, err := New(s.config(guarded(), apigw.DefaultLimits()))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		s.on("guard", answer(string(out)))
		o := &opening{g: g, d: g.deployed.Load(), h: &head{}, s: &session{g: g, identity: apigw.Identity{SourceIP: "192.0.2.1"}}}
		if no := o.authorize(); no != nil {
			if no.status < 400 {
				t.Errorf("%q refuses with %d", out, no.status)
			}
			return
		}
		if !json.Valid(out) || !strings.Contains(string(out), "Allow") || !json.Valid(o.s.authorizer) {
			t.Errorf("%q let a client in, with the context %s", out, o.s.authorizer)
		}
	})
}
