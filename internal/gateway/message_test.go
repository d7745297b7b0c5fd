package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestMessages(t *testing.T) {
	conformance.Covers(t, "route.forbidden-frame route.error-frame-bytes route.reserved-not-selected route.no-integration route.exact-match",
		"integration.one-way-silent integration.two-way integration.one-way-failure-frame integration.two-way-failure-frame integration.status-ignored integration.empty-body-frame",
		"integration.timeout-frame integration.unknown-keys integration.null-success integration.malformed-output integration.function-throttled integration.output-too-large mapping.passthrough-frame")
	limits := apigw.DefaultLimits()
	limits.IntegrationTimeout = 100 * time.Millisecond
	picky := apigw.Route{Key: "picky", TwoWay: true, Integration: &apigw.Integration{Type: apigw.Mock, PassthroughBehavior: "NEVER"}}
	s := newSystem(t, limits, proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false), proxied("two", true), proxied("one", false), proxied("fails", false), proxied("two-fails", true),
		proxied("late", false), apigw.Route{Key: "bare"}, proxied("odd", true), proxied("null", false), proxied("two-null", true), proxied("keys", false), proxied("throttled", true), proxied("large", true), picky)
	s.on("two", answer(`{"statusCode":500,"body":"the body all the same"}`))
	s.on("one", answer(`{"statusCode":200,"body":"not sent"}`))
	s.on("fails", fails("boom"))
	s.on("two-fails", fails("boom"))
	s.on("late", never)
	s.on("odd", answer(`{"statusCode":200}`))
	s.on("null", answer(`null`))
	s.on("two-null", answer(`null`))
	s.on("keys", answer(`{"statusCode":200,"Data":"x"}`))
	s.on("throttled", func(context.Context, []byte) ([]byte, error) { return nil, apigw.ErrThrottled })
	s.on("large", answer(`{"statusCode":200,"body":"`+strings.Repeat("x", limits.MaxMessage+1)+`"}`))
	c := s.open(t)
	id := s.id(t)
	for _, tt := range []struct{ send, want string }{
		{`{"action":"two"}`, "the body all the same"},
		{`{"action":"unknown"}`, errorFrame("Forbidden", id)},
		{`{"action":"Two"}`, errorFrame("Forbidden", id)},
		{`{"action":"$connect"}`, errorFrame("Forbidden", id)},
		{`{"action":"$disconnect"}`, errorFrame("Forbidden", id)},
		{`not JSON`, errorFrame("Forbidden", id)},
		{``, errorFrame("Forbidden", id)},
		{`{"action":"fails"}`, errorFrame("Internal server error", id)},
		{`{"action":"two-fails"}`, errorFrame("Internal server error", id)},
		{`{"action":"late"}`, errorFrame("Endpoint request timed out", id)},
		{`{"action":"bare"}`, errorFrame("Internal server error", id)},
		{`{"action":"odd"}`, ""},
		{`{"action":"two-null"}`, errorFrame("Internal server error", id)},
		{`{"action":"keys"}`, errorFrame("Internal server error", id)},
		{`{"action":"throttled"}`, errorFrame("Internal server error", id)},
		{`{"action":"large"}`, errorFrame("Internal server error", id)},
		{`{"action":"picky"}`, errorFrame("Unsupported Media Type", id)},
	} {
		say(t, c, tt.send)
		got := hear(t, c)
		if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.send, got, tt.want)
		}
		if strings.HasPrefix(tt.want, `{"message"`) && (len(got) != len(tt.want)+18 || !json.Valid([]byte(got))) {
			t.Errorf("%s: %q does not end in a request id", tt.send, got)
		}
	}
	// Neither of these answers; the next answer is the two-way route's.
	say(t, c, `{"action":"one"}`)
	say(t, c, `{"action":"null"}`)
	eventually(t, "both ran", func() bool { return len(s.got("one")) == 1 && len(s.got("null")) == 1 })
	say(t, c, `{"action":"two"}`)
	if got := hear(t, c); got != "the body all the same" {
		t.Errorf("a one-way route answered %q", got)
	}
}

func TestDefaultRoute(t *testing.T) {
	conformance.Covers(t, "route.default-fallback route.non-json-default route.empty-message-default event.selected-route-key route.bare-expression")
	s := newSystem(t, apigw.DefaultLimits(), proxied("known", true), proxied(apigw.RouteDefault, true))
	s.on("default", answer(`{"statusCode":200,"body":"default"}`))
	s.on("known", answer(`{"statusCode":200,"body":"known"}`))
	c := s.open(t)
	for _, tt := range []struct{ send, want string }{
		{`{"action":"known"}`, "known"}, {`{"action":"x"}`, "default"}, {`{}`, "default"}, {`text`, "default"}, {``, "default"}, {`  `, "default"}, {`{"action":"$default"}`, "default"},
		{`{"action":"$connect"}`, "default"},
	} {
		say(t, c, tt.send)
		if got := hear(t, c); got != tt.want {
			t.Errorf("%s went to %q, want %q", tt.send, got, tt.want)
		}
	}
	if e := s.got("default")[0]; !strings.Contains(e, `"routeKey":"$default"`) || !strings.Contains(e, `"body":"{\"action\":\"x\"}"`) {
		t.Errorf("event %s", e)
	}
}

func TestRouteSelectionByTheContext(t *testing.T) {
	conformance.Covers(t, "route.context-variable route.compound-expression")
	api := testAPI(proxied("main/a", true))
	api.RouteSelectionExpression = "${context.stage}/${request.body.action}"
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	s.on("main/a", answer(`{"statusCode":200,"body":"hi"}`))
	c := s.open(t)
	say(t, c, `{"action":"a"}`)
	if got := hear(t, c); got != "hi" {
		t.Errorf("got %q", got)
	}
}

func TestOpenConnectionsFollowANewDeployment(t *testing.T) {
	conformance.Covers(t, "route.current-deployment")
	s := newSystem(t, apigw.DefaultLimits(), proxied("old", true), proxied(apigw.RouteDisconnect, false))
	s.on("old", answer(`{"statusCode":200,"body":"old"}`))
	s.on("new", answer(`{"statusCode":200,"body":"new"}`))
	c := s.open(t)
	ask := func(action string) string {
		say(t, c, `{"action":"`+action+`"}`)
		return hear(t, c)
	}
	if got := ask("old"); got != "old" {
		t.Errorf("before: %q", got)
	}
	if err := s.gateway.Deploy(testAPI(apigw.Route{Key: "new", Integration: &apigw.Integration{Type: "NONE"}})); err == nil {
		t.Error("an API that cannot run was deployed")
	}
	if got := ask("old"); got != "old" {
		t.Errorf("after a deployment that failed: %q", got)
	}
	if err := s.gateway.Deploy(testAPI(proxied("new", true))); err != nil {
		t.Fatal(err)
	}
	if got := ask("new"); got != "new" {
		t.Errorf("the new route: %q", got)
	}
	if got := ask("old"); !strings.HasPrefix(got, errorFrame("Forbidden", s.id(t))) {
		t.Errorf("the old route: %q", got)
	}
	c.Close(1000, "")
	eventually(t, "the connection is gone", func() bool { return s.hub.Len() == 0 })
	if n := len(s.got("disconnect")); n != 0 {
		t.Errorf("a $disconnect that is no more ran %d times", n)
	}
}

func TestMessagesOfOneConnectionRunTogether(t *testing.T) {
	conformance.Covers(t, "lifecycle.messages-concurrent integration.replies-unordered")
	s := newSystem(t, apigw.DefaultLimits(), proxied("slow", true))
	const n = 50
	var running sync.WaitGroup
	running.Add(n)
	s.on("slow", func(context.Context, []byte) ([]byte, error) {
		running.Done()
		running.Wait() // only all together can go on
		return []byte(`{"statusCode":200,"body":"done"}`), nil
	})
	c := s.open(t)
	for range n {
		say(t, c, `{"action":"slow"}`)
	}
	for range n {
		hear(t, c)
	}
}

func TestMessagesInFlightAreBounded(t *testing.T) {
	conformance.Covers(t, "limit.in-flight")
	limits := apigw.DefaultLimits()
	limits.MaxInFlight = 3
	s := newSystem(t, limits, proxied("slow", false), proxied("other", true))
	release := make(chan struct{})
	s.on("slow", func(context.Context, []byte) ([]byte, error) {
		<-release
		return nil, nil
	})
	s.on("other", answer(`{"statusCode":200,"body":"hi"}`))
	c := s.open(t)
	for range 10 {
		say(t, c, `{"action":"slow"}`)
	}
	eventually(t, "three run", func() bool { return len(s.got("slow")) == 3 })
	// Another connection is not held up, and gives the reader of the first one
	// time to do what it must not.
	other := s.open(t)
	for range 20 {
		say(t, other, `{"action":"other"}`)
		hear(t, other)
	}
	if n := len(s.got("slow")); n != 3 {
		t.Errorf("%d run at once, want 3", n)
	}
	close(release)
	eventually(t, "all ran", func() bool { return len(s.got("slow")) == 10 })
}

// TestTheEventIsTheMessagesOwn holds that a message's bytes, which the
// connection takes back, are not in what an integration still reads.
func TestTheEventIsTheMessagesOwn(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), proxied("slow", true))
	var sent sync.WaitGroup
	sent.Add(1)
	s.on("slow", func(_ context.Context, event []byte) ([]byte, error) {
		sent.Wait()
		var e struct{ Body string }
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, err
		}
		body, err := json.Marshal(map[string]any{"statusCode": 200, "body": e.Body})
		return body, err
	})
	c := s.open(t)
	want := make(map[string]bool)
	for i := range 20 {
		text := `{"action":"slow","n":` + strings.Repeat("1", i+1) + `}`
		want[text] = true
		say(t, c, text)
	}
	sent.Done()
	for range 20 {
		got := hear(t, c)
		if !want[got] {
			t.Errorf("got %q, twice or never sent", got)
		}
		delete(want, got)
	}
}

// TestAWaitingMessageKeepsItsBytes has an HTTP backend on an ordered route:
// while its first message is under way, the others wait, and the connection reads
// on into the same buffer.
func TestAWaitingMessageKeepsItsBytes(t *testing.T) {
	conformance.Covers(t, "integration.http-proxy")
	release, asked := make(chan struct{}), make(chan string, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		<-release
		w.Write(body)
	}))
	t.Cleanup(backend.Close)
	r := apigw.Route{Key: "http", TwoWay: true, Ordered: true, Integration: &apigw.Integration{Type: apigw.HTTPProxy, URI: backend.URL, Method: "POST"}}
	s := newSystem(t, apigw.DefaultLimits(), r, proxied("two", true))
	s.on("two", answer(`{"statusCode":200,"body":"read"}`))
	c := s.open(t)
	var sent []string
	for i := range 5 {
		sent = append(sent, fmt.Sprintf(`{"action":"http","n":%d}`, i))
		say(t, c, sent[i])
		say(t, c, `{"action":"two","n":9}`)
		if got := hear(t, c); got != "read" { // so was the one before it
			t.Errorf("got %q", got)
		}
	}
	close(release)
	for _, want := range sent {
		if asked, got := <-asked, hear(t, c); asked != want || got != want {
			t.Errorf("the backend got %q and the client %q, want %q", asked, got, want)
		}
	}
}

func TestOtherIntegrationsDecideOnConnectToo(t *testing.T) {
	conformance.Covers(t, "handshake.connect-integration-response handshake.subprotocol-mapped handshake.connect-http-any-status")
	mock := func(status string) apigw.Route {
		return apigw.Route{Key: apigw.RouteConnect, Integration: &apigw.Integration{
			Type: apigw.Mock, RequestTemplates: map[string]string{"$default": `{"statusCode":` + status + `}`},
			Responses: []apigw.IntegrationResponse{
				{Key: "$default", Parameters: map[string]string{"route.response.header.Sec-WebSocket-Protocol": "'b'"}},
				{Key: `/4\d\d/`, Parameters: map[string]string{"route.response.statuscode": "'403'"}},
			},
		}}
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(backend.Close)
	anyStatus := apigw.Route{Key: apigw.RouteConnect, Integration: &apigw.Integration{
		Type: apigw.HTTPCustom, URI: backend.URL, Method: "GET", Responses: []apigw.IntegrationResponse{{Key: "$default"}},
	}}
	for name, tt := range map[string]struct {
		route    apigw.Route
		status   int
		protocol string
	}{
		"a mock that lets in":              {mock("200"), 101, "b"},
		"a mock whose status is mapped":    {mock("404"), 403, ""},
		"an HTTP backend that answers 418": {anyStatus, 101, ""},
	} {
		s := newSystem(t, apigw.DefaultLimits(), tt.route)
		resp, body := s.shake(t, upgrade("/main", "Sec-WebSocket-Protocol: a, b\r\n"))
		if resp.StatusCode != tt.status || resp.Header.Get("Sec-WebSocket-Protocol") != tt.protocol {
			t.Errorf("%s: %d %v %s, want %d and the protocol %q", name, resp.StatusCode, resp.Header, body, tt.status, tt.protocol)
		}
	}
}
