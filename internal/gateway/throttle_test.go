package gateway

import (
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// TestThrottledHandshakes uses buckets that are never refilled, so that no
// machine is too slow for it.
func TestThrottledHandshakes(t *testing.T) {
	none := apigw.DefaultLimits()
	none.Rate, none.Burst, none.ConnectRate = 0, 0, 0
	for _, tt := range []struct {
		rule, name string
		change     func(api *apigw.API, cfg *Config)
		want       int
	}{
		{rule: "limit.zero-means-none", name: "no limits", change: func(*apigw.API, *Config) {}, want: 10},
		{rule: "limit.connections-500-per-second", name: "new connections", change: func(_ *apigw.API, cfg *Config) { cfg.ConnectLimit = throttle.NewBucket(0, 4) }, want: 4},
		{rule: "access.throttle-account", name: "the account", change: func(_ *apigw.API, cfg *Config) { cfg.AccountLimit = throttle.NewBucket(0, 4) }, want: 4},
		{rule: "access.throttle-stage", name: "the stage's default", change: func(api *apigw.API, _ *Config) { api.Stage.Throttle = &apigw.Throttle{Burst: 4} }, want: 4},
		{rule: "access.throttle-route", name: "$connect in place of the default", change: func(api *apigw.API, _ *Config) {
			api.Stage.Throttle = &apigw.Throttle{Burst: 100}
			api.Stage.RouteThrottles = map[string]apigw.Throttle{"$connect": {Burst: 4}}
		}, want: 4},
		{rule: "access.throttle-zero", name: "zeros", change: func(api *apigw.API, _ *Config) { api.Stage.Throttle = &apigw.Throttle{} }, want: 0},
		{rule: "access.throttle-zero", name: "zeros for the route", change: func(api *apigw.API, _ *Config) {
			api.Stage.RouteThrottles = map[string]apigw.Throttle{"$connect": {}}
		}, want: 0},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "access.throttle-handshake-429 access.throttle-handshake-body")
		for _, routes := range [][]apigw.Route{nil, {proxied(apigw.RouteConnect, false)}} {
			api := testAPI(routes...)
			s := startSystem(t, api, none, func(cfg *Config) { tt.change(api, cfg) })
			for i := range 10 {
				resp, body := s.shake(t, upgrade("/main", ""))
				switch {
				case i < tt.want && resp.StatusCode == 101:
				case i >= tt.want && resp.StatusCode == 429 && body == `{"message":"Too Many Requests"}` && resp.Header.Get("x-amzn-ErrorType") == "TooManyRequestsException":
				default:
					t.Errorf("%s: handshake %d gets %d %s; %d are to pass", tt.name, i+1, resp.StatusCode, body, tt.want)
				}
			}
			if n := len(s.got("connect")); routes != nil && n != tt.want {
				t.Errorf("%s: $connect ran %d times, want %d", tt.name, n, tt.want)
			}
		}
	}
}

func TestTheLimitsFillTheBuckets(t *testing.T) {
	conformance.Covers(t, "access.throttle-account limit.connections-500-per-second")
	s := newSystem(t, apigw.DefaultLimits())
	for name, tt := range map[string]struct {
		bucket Limiter
		burst  int
	}{"account": {s.gateway.AccountLimit, 5000}, "new connections": {s.gateway.ConnectLimit, 500}} {
		// At 10,000 a second a slow machine may see many more than the burst.
		passed := 0
		for passed < tt.burst && tt.bucket.Allow() {
			passed++
		}
		if passed < tt.burst {
			t.Errorf("%s: %d at once, want %d", name, passed, tt.burst)
		}
	}
}

func TestThrottledMessages(t *testing.T) {
	for _, tt := range []struct {
		rule, name string
		change     func(api *apigw.API, cfg *Config)
		// two and three are how many of five messages of these routes are handled.
		two, three int
	}{
		{rule: "access.throttle-account", name: "the account, handshake included", change: func(_ *apigw.API, cfg *Config) { cfg.AccountLimit = throttle.NewBucket(0, 7) }, two: 5, three: 1},
		{rule: "access.throttle-stage", name: "each route by the stage's default", change: func(api *apigw.API, _ *Config) { api.Stage.Throttle = &apigw.Throttle{Burst: 3} }, two: 3, three: 3},
		{rule: "access.throttle-route", name: "one route", change: func(api *apigw.API, _ *Config) {
			api.Stage.RouteThrottles = map[string]apigw.Throttle{"two": {Burst: 2}}
		}, two: 2, three: 5},
		{rule: "access.throttle-zero", name: "one route by zeros", change: func(api *apigw.API, _ *Config) {
			api.Stage.RouteThrottles = map[string]apigw.Throttle{"two": {}}
		}, two: 0, three: 5},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "access.throttle-message-frame")
		t.Run(tt.name, func(t *testing.T) {
			api := testAPI(proxied("two", true), proxied("three", true))
			s := startSystem(t, api, apigw.DefaultLimits(), func(cfg *Config) { tt.change(api, cfg) })
			s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
			s.on("three", answer(`{"statusCode":200,"body":"hi"}`))
			c := s.open(t)
			refusal := errorFrame("Too Many Requests", s.id(t))
			for name, want := range map[string]int{"two": tt.two, "three": tt.three} {
				if name == "three" && tt.two == 5 {
					continue // after two, below
				}
				passes(t, func() string { say(t, c, `{"action":"`+name+`"}`); return hear(t, c) }, refusal, name, want)
			}
			if tt.two == 5 {
				passes(t, func() string { say(t, c, `{"action":"three"}`); return hear(t, c) }, refusal, "three", tt.three)
				passes(t, func() string { say(t, c, `no route`); return hear(t, c) }, refusal, "no route", 0)
			}
			if len(s.got("two")) != tt.two || len(s.got("three")) != tt.three {
				t.Errorf("%d and %d were handled, want %d and %d", len(s.got("two")), len(s.got("three")), tt.two, tt.three)
			}
		})
	}
}

// passes sends five messages, of which the first want are to be answered.
func passes(t *testing.T, send func() string, refusal, name string, want int) {
	t.Helper()
	for i := range 5 {
		switch got := send(); {
		case i < want && got == "hi":
		case i >= want && strings.HasPrefix(got, refusal):
		default:
			t.Errorf("message %d of %s: %q; %d are to pass", i+1, name, got, want)
		}
	}
}
