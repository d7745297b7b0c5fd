package gateway

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

const (
	goodKey  = "0123456789abcdefghij-good"
	otherKey = "0123456789abcdefghij-other"
	offKey   = "0123456789abcdefghij-off"
)

// keyedAPI is an API whose $connect asks for an API key.
func keyedAPI(change func(plan *apigw.UsagePlan)) *apigw.API {
	connect := proxied(apigw.RouteConnect, false)
	connect.APIKeyRequired = true
	api := testAPI(connect, proxied("two", true), proxied("three", true))
	plan := apigw.UsagePlan{Name: "plan", Keys: []apigw.APIKey{
		{Name: "good", ID: "good-id", Value: goodKey, Enabled: true}, {Name: "off", ID: "off-id", Value: offKey}, {Name: "other", ID: "other-id", Value: otherKey, Enabled: true},
	}}
	if change != nil {
		change(&plan)
	}
	api.UsagePlans = []apigw.UsagePlan{plan}
	return api
}

func withKey(key string) string { return upgrade("/main", "X-Api-Key: "+key+"\r\n") }

func TestAPIKeys(t *testing.T) {
	s := startSystem(t, keyedAPI(nil), apigw.DefaultLimits(), nil)
	for _, tt := range []struct {
		rule, name, request string
		status              int
	}{
		{rule: "access.api-key-header", name: "an enabled key", request: withKey(goodKey), status: 101},
		{rule: "access.api-key-header", name: "the header in lower case", request: strings.Replace(withKey(goodKey), "X-Api-Key", "x-api-key", 1), status: 101},
		{rule: "access.api-key-missing-403", name: "no key", request: upgrade("/main", ""), status: 403},
		{rule: "access.api-key-missing-403", name: "an empty key", request: withKey(""), status: 403},
		{rule: "access.api-key-missing-403", name: "an unknown key", request: withKey(goodKey + "x"), status: 403},
		{rule: "access.api-key-missing-403", name: "the beginning of a key", request: withKey(goodKey[:len(goodKey)-1]), status: 403},
		{rule: "access.api-key-missing-403", name: "a disabled key", request: withKey(offKey), status: 403},
		{rule: "access.api-key-missing-403", name: "a key's id", request: withKey("good-id"), status: 403},
		{rule: "access.api-key-missing-403", name: "a key in the query", request: upgrade("/main?x-api-key="+goodKey, ""), status: 403},
	} {
		conformance.Covers(t, tt.rule)
		resp, body := s.shake(t, tt.request)
		if resp.StatusCode != tt.status || tt.status == 403 && (body != `{"message":"Forbidden"}` || resp.Header.Get("x-amzn-ErrorType") != "ForbiddenException") {
			t.Errorf("%s: %d %s, want %d", tt.name, resp.StatusCode, body, tt.status)
		}
	}
	if strings.Contains(s.log.String(), goodKey) {
		t.Error("the key is in the log")
	}
	without := keyedAPI(nil)
	without.UsagePlans = nil
	s = startSystem(t, without, apigw.DefaultLimits(), nil)
	if resp, _ := s.shake(t, withKey(goodKey)); resp.StatusCode != 403 {
		t.Errorf("a key without a plan: %d, want 403", resp.StatusCode)
	}
}

func TestTheKeyIsInTheIdentity(t *testing.T) {
	conformance.Covers(t, "access.api-key-identity")
	s := startSystem(t, keyedAPI(nil), apigw.DefaultLimits(), nil)
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	c := s.rawOpen(t, withKey(goodKey))
	c.send(`{"action":"two"}`)
	c.read(4)
	for _, function := range []string{"connect", "two"} {
		if event, want := s.got(function)[0], `"identity":{"apiKey":"`+goodKey+`","apiKeyId":"good-id","sourceIp":"127.0.0.1"}`; !strings.Contains(event, want) {
			t.Errorf("%s got %s\nwant %s", function, event, want)
		}
	}
}

func TestTheAuthorizerMayFindTheKey(t *testing.T) {
	conformance.Covers(t, "authorizer.usage-identifier-key access.api-key-expression")
	api := keyedAPI(nil)
	api.APIKeySelectionExpression = apigw.APIKeyFromAuthorizer
	api.Routes[0].Authorization = apigw.AuthorizationCustom
	api.Routes[0].Authorizer = &apigw.Authorizer{Name: "guard", Function: "guard"}
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	for answered, status := range map[string]int{
		permit(`,"usageIdentifierKey":"` + goodKey + `"`): 101, permit(`,"usageIdentifierKey":"` + offKey + `"`): 403, permit(`,"usageIdentifierKey":null`): 403, permit(""): 403,
	} {
		s.on("guard", answer(answered))
		// The header does not count.
		if resp, body := s.shake(t, withKey(goodKey)); resp.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", answered, resp.StatusCode, body, status)
		}
	}
}

func TestUsagePlans(t *testing.T) {
	conformance.Covers(t, "access.usage-plan-rate access.usage-plan-route-rate access.usage-plan-quota access.throttle-message-frame")
	const tooMany, limit = `{"message":"Too Many Requests"}`, `{"message":"Limit Exceeded"}`
	for _, tt := range []struct {
		name   string
		change func(*apigw.UsagePlan)
		// messages is how many of route two, after the handshake, are answered; then
		// frame refuses. refused is how a second handshake is refused.
		messages       int
		frame, refused string
		// others: route three is still answered.
		others bool
	}{
		{"a rate", func(p *apigw.UsagePlan) { p.Throttle = &apigw.Throttle{Burst: 3} }, 2, "Too Many Requests", tooMany, false},
		{"a rate for a route", func(p *apigw.UsagePlan) { p.RouteThrottles = map[string]apigw.Throttle{"two": {Burst: 3}} }, 3, "Too Many Requests", "", true},
		{"a rate for $connect", func(p *apigw.UsagePlan) { p.RouteThrottles = map[string]apigw.Throttle{"$connect": {Burst: 1}} }, 5, "", tooMany, true},
		{"a quota", func(p *apigw.UsagePlan) { p.Quota = &apigw.Quota{Limit: 5, Offset: 1, Period: "MONTH"} }, 3, "Limit Exceeded", limit, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startSystem(t, keyedAPI(tt.change), apigw.DefaultLimits(), nil)
			s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
			s.on("three", answer(`{"statusCode":200,"body":"ho"}`))
			c := s.rawOpen(t, withKey(goodKey))
			for i := range tt.messages {
				c.send(`{"action":"two"}`)
				if got := c.read(4); got != "\x81\x02hi" {
					t.Fatalf("message %d: %q", i+1, got)
				}
			}
			if tt.frame != "" {
				c.send(`{"action":"two"}`)
				want := errorFrame(tt.frame, s.id(t))
				if got := c.read(2 + len(want) + 18)[2:]; !strings.HasPrefix(got, want) {
					t.Errorf("message %d: %q, want %q", tt.messages+1, got, want)
				}
			}
			if tt.others {
				c.send(`{"action":"three"}`)
				if got := c.read(4); got != "\x81\x02ho" {
					t.Errorf("another route: %q", got)
				}
			}
			resp, body := s.shake(t, withKey(goodKey))
			if tt.refused != "" && (resp.StatusCode != 429 || body != tt.refused) || tt.refused == "" && resp.StatusCode != 101 {
				t.Errorf("a second handshake: %d %s, want %s", resp.StatusCode, body, tt.refused)
			}
			if resp, body := s.shake(t, withKey(otherKey)); resp.StatusCode != 101 {
				t.Errorf("the other key is bounded, too: %d %s", resp.StatusCode, body)
			}
			s.gateway.RenewLimits()
			if resp, body := s.shake(t, withKey(goodKey)); resp.StatusCode != 101 {
				t.Errorf("after all limits were renewed: %d %s", resp.StatusCode, body)
			}
		})
	}
}

// errorFrame is the beginning of the gateway's error frame, up to the id.
func errorFrame(text, connection string) string {
	return `{"message": "` + text + `", "connectionId":"` + connection + `", "requestId":"`
}

func TestKeysThatCannotBeToldApartAreRefusedByNew(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*apigw.API)
		want   string
	}{
		"an enabled key without a value": {func(a *apigw.API) { a.UsagePlans[0].Keys[0].Value = "" }, "the API key good has no value"},
		"the same value twice":           {func(a *apigw.API) { a.UsagePlans[0].Keys[2].Value = goodKey }, "twice"},
		"a quota of another period":      {func(a *apigw.API) { a.UsagePlans[0].Quota = &apigw.Quota{Limit: 1, Period: "YEAR"} }, "period"},
		"another expression":             {func(a *apigw.API) { a.APIKeySelectionExpression = "$request.querystring.key" }, "API key selection expression"},
	} {
		api := keyedAPI(nil)
		tt.change(api)
		s := &system{functions: newFunctions(), log: new(lockedBuffer)}
		if _, err := New(s.config(api, apigw.DefaultLimits())); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), goodKey) {
			t.Errorf("%s: New = %v, want an error with %q", name, err, tt.want)
		}
	}
}
