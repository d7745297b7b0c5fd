package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

// functions are the Invoker of a test: Go functions by name, and the events
// that they got.
type functions struct {
	mu     sync.Mutex
	events map[string][]string
	run    map[string]func(ctx context.Context, event []byte) ([]byte, error)
}

func (f *functions) Invoke(ctx context.Context, name string, event []byte) ([]byte, error) {
	f.mu.Lock()
	f.events[name] = append(f.events[name], string(event))
	run := f.run[name]
	f.mu.Unlock()
	if run == nil {
		return []byte(`{"statusCode":200}`), nil
	}
	return run(ctx, event)
}

func (f *functions) got(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[name]
}

func answer(out string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return []byte(out), nil }
}

// system is a gateway on loopback.
type system struct {
	*functions
	gateway *Gateway
	hub     *conn.Hub
	url     string
	address string
}

func route(key string, twoWay bool) apigw.Route {
	name := strings.TrimPrefix(key, "$")
	return apigw.Route{Key: key, TwoWay: twoWay, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: name}}
}

func newSystem(t *testing.T, limits apigw.Limits, routes ...apigw.Route) *system {
	t.Helper()
	s := &system{functions: &functions{events: make(map[string][]string), run: make(map[string]func(context.Context, []byte) ([]byte, error))}, hub: conn.NewHub(limits)}
	api := &apigw.API{ID: "abcdefghij", Name: "test", RouteSelectionExpression: "$request.body.action", Stage: apigw.Stage{Name: "main", Variables: map[string]string{"k": "v"}}, Routes: routes}
	var err error
	s.gateway, err = New(Config{
		API: api, Domain: "localhost:3001", Limits: limits, IDs: apigw.NewIDs(), Hub: s.hub, Invoker: s.functions,
		HandOver: func(c net.Conn, read []byte) error {
			fmt.Fprintf(c, "plain:%s", read)
			return c.Close()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = ln.Addr().String()
	s.url = "ws://" + s.address + "/main"
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() { s.gateway.ServeConn(c, nil) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.gateway.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		accepting.Wait()
	})
	return s
}

func (s *system) dial(t *testing.T, query string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, s.url+query, opts)
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, resp, err
}

func (s *system) open(t *testing.T) *websocket.Conn {
	t.Helper()
	c, _, err := s.dial(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}

func TestConnectOutcomes(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.IntegrationTimeout = 50 * time.Millisecond
	for _, tt := range []struct {
		name   string
		run    func(context.Context, []byte) ([]byte, error)
		status int
		body   string
	}{
		{"200", answer(`{"statusCode":200}`), 101, ""},
		{"201", answer(`{"statusCode":201}`), 101, ""},
		{"301", answer(`{"statusCode":301}`), 301, ""},
		{"401 with a body", answer(`{"statusCode":401,"body":"who are you"}`), 401, "who are you"},
		{"501", answer(`{"statusCode":501}`), 501, ""},
		{"malformed", answer(`"ok"`), 502, "Internal server error"},
		{"null", answer(`null`), 502, "Internal server error"},
		{"failed", func(context.Context, []byte) ([]byte, error) { return nil, fmt.Errorf("boom: %w", apigw.ErrFunction) }, 502, "Internal server error"},
		{"throttled", func(context.Context, []byte) ([]byte, error) { return nil, apigw.ErrThrottled }, 500, "Internal server error"},
		{"unknown function", func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no such function") }, 500, "Internal server error"},
		{"late", func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, 504, "timed out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, limits, route(apigw.RouteConnect, false), route(apigw.RouteDisconnect, false))
			s.run["connect"] = tt.run
			_, resp, err := s.dial(t, "", nil)
			if (err == nil) != (tt.status == 101) || resp == nil || resp.StatusCode != tt.status {
				t.Fatalf("dial: %v, %+v; want status %d", err, resp, tt.status)
			}
			if tt.status == 101 {
				return
			}
			body, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(body), tt.body) {
				t.Errorf("body %q, want %q in it", body, tt.body)
			}
			if s.hub.Len() != 0 {
				t.Error("a refused client is in the hub")
			}
			if len(s.got("disconnect")) != 0 {
				t.Error("$disconnect ran for a handshake that was refused")
			}
		})
	}
}

func TestConnectWithoutARoute(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits())
	s.open(t)
	s = newSystem(t, apigw.DefaultLimits(), apigw.Route{Key: apigw.RouteConnect})
	s.open(t)
}

func TestConnectEvent(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteConnect, false))
	_, _, err := s.dial(t, "?token=a&token=b", &websocket.DialOptions{
		HTTPHeader:   http.Header{"x-lower": {"1"}, "User-Agent": {"tester"}, "X-Forwarded-For": {"198.51.100.1"}, "X-Amzn-Trace-Id": {"forged"}},
		Subprotocols: []string{"a", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Headers                         map[string]string
		MultiValueHeaders               map[string][]string
		QueryStringParameters           map[string]string
		MultiValueQueryStringParameters map[string][]string
		StageVariables                  map[string]string
		RequestContext                  struct {
			RouteKey, EventType, Stage, DomainName, APIID, ConnectionID, RequestID, ExtendedRequestID string
			Identity                                                                                  struct{ SourceIP, UserAgent string }
		}
	}
	if err := json.Unmarshal([]byte(s.got("connect")[0]), &e); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"Connection", "Upgrade", "Content-Length"} {
		if _, there := e.Headers[gone]; there {
			t.Errorf("the header %s was not stripped", gone)
		}
	}
	for name, want := range map[string]string{
		"x-lower": "1", "Sec-Websocket-Version": "13", "Sec-Websocket-Protocol": "a,b",
		"X-Forwarded-For": "198.51.100.1, 127.0.0.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https", "Host": s.address,
	} {
		if e.Headers[name] != want {
			t.Errorf("header %s = %q, want %q", name, e.Headers[name], want)
		}
	}
	if id := e.Headers["X-Amzn-Trace-Id"]; !strings.HasPrefix(id, "Root=1-") || len(id) != len("Root=1-65d2ff2e-718990494fd688f062bf1571") {
		t.Errorf("trace id %q", id)
	}
	if got := fmt.Sprint(e.QueryStringParameters, e.MultiValueQueryStringParameters, e.StageVariables); got != "map[token:b] map[token:[a b]] map[k:v]" {
		t.Errorf("parameters %s", got)
	}
	r := e.RequestContext
	if r.RouteKey != "$connect" || r.EventType != "CONNECT" || r.Stage != "main" || r.DomainName != "localhost:3001" || r.Identity.SourceIP != "127.0.0.1" || r.Identity.UserAgent != "tester" {
		t.Errorf("context %+v", r)
	}
	if r.RequestID == "" || r.RequestID != r.ExtendedRequestID || r.RequestID == r.ConnectionID {
		t.Errorf("request ids %q and %q of connection %q; want two that are the same and another's", r.RequestID, r.ExtendedRequestID, r.ConnectionID)
	}
}

func TestSubprotocolIsTheFunctionsChoice(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteConnect, false))
	offer := &websocket.DialOptions{Subprotocols: []string{"a", "b"}}
	_, resp, err := s.dial(t, "", offer)
	if err != nil || resp.Header.Get("Sec-WebSocket-Protocol") != "" || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("without the function's word: %v, %v", err, resp.Header)
	}
	s.run["connect"] = answer(`{"statusCode":200,"headers":{"sec-websocket-protocol":"b","Set-Cookie":"c=1"}}`)
	_, resp, err = s.dial(t, "", offer)
	if err != nil || resp.Header.Get("Sec-WebSocket-Protocol") != "b" || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("with the function's word: %v, %v", err, resp.Header)
	}
}

func TestWhichURLs(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits())
	for path, status := range map[string]int{"/main": 101, "/main/": 101, "/main?x=1": 101, "/main/?x=1": 101, "/": 403, "/mainx": 403, "/main/x": 403, "/main//": 403, "/Main": 403} {
		s.url = "ws://" + s.address + path
		if _, resp, _ := s.dial(t, "", nil); resp == nil || resp.StatusCode != status {
			t.Errorf("%s: %+v, want %d", path, resp, status)
		}
	}
}

func TestAConnectionIsFoundAsSoonAsItsClientKnows(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteConnect, false))
	for range 200 {
		s.open(t)
		events := s.got("connect")
		var e struct {
			RequestContext struct{ ConnectionID apigw.ConnectionID }
		}
		if err := json.Unmarshal([]byte(events[len(events)-1]), &e); err != nil {
			t.Fatal(err)
		}
		if err := s.hub.Send(t.Context(), e.RequestContext.ConnectionID, []byte("hello")); err != nil {
			t.Fatalf("a post right behind the handshake: %v", err)
		}
	}
}

func TestAPostDuringConnectIsGone(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteConnect, false))
	var during error
	s.run["connect"] = func(ctx context.Context, event []byte) ([]byte, error) {
		var e struct {
			RequestContext struct{ ConnectionID apigw.ConnectionID }
		}
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, err
		}
		during = s.hub.Send(ctx, e.RequestContext.ConnectionID, []byte("too early"))
		return []byte(`{"statusCode":200}`), nil
	}
	s.open(t)
	if !errors.Is(during, apigw.ErrGone) {
		t.Errorf("a post from $connect: %v, want ErrGone", during)
	}
}

func TestMessages(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.IntegrationTimeout = 100 * time.Millisecond
	s := newSystem(t, limits, route(apigw.RouteConnect, false), route(apigw.RouteDisconnect, false), route("two", true), route("one", false), route("fails", false), route("late", false), apigw.Route{Key: "bare"}, route("odd", true), route("null", false), route("two-null", true))
	s.run["two"] = answer(`{"statusCode":500,"body":"the body all the same"}`)
	s.run["one"] = answer(`{"statusCode":200,"body":"not sent"}`)
	s.run["fails"] = func(context.Context, []byte) ([]byte, error) { return nil, apigw.ErrFunction }
	s.run["late"] = func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	s.run["odd"] = answer(`{"statusCode":200}`)
	s.run["null"] = answer(`null`)
	s.run["two-null"] = answer(`null`)
	c := s.open(t)
	id := ""
	for conn := range s.hub.All() {
		id = conn.ID().String()
	}
	frame := func(text string) string {
		return `{"message": "` + text + `", "connectionId":"` + id + `", "requestId":"`
	}
	for _, tt := range []struct{ send, want string }{
		{`{"action":"two"}`, "the body all the same"},
		{`{"action":"unknown"}`, frame("Forbidden")},
		{`{"action":"$connect"}`, frame("Forbidden")},
		{`{"action":"$disconnect"}`, frame("Forbidden")},
		{`not JSON`, frame("Forbidden")},
		{``, frame("Forbidden")},
		{`{"action":"fails"}`, frame("Internal server error")},
		{`{"action":"late"}`, frame("Endpoint request timed out")},
		{`{"action":"bare"}`, frame("Internal server error")},
		{`{"action":"odd"}`, ""},
		{`{"action":"two-null"}`, frame("Internal server error")},
	} {
		say(t, c, tt.send)
		if got := hear(t, c); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", tt.send, got, tt.want)
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
	s := newSystem(t, apigw.DefaultLimits(), route("known", true), route(apigw.RouteDefault, true))
	s.run["default"] = answer(`{"statusCode":200,"body":"default"}`)
	s.run["known"] = answer(`{"statusCode":200,"body":"known"}`)
	c := s.open(t)
	for _, tt := range []struct{ send, want string }{
		{`{"action":"known"}`, "known"}, {`{"action":"x"}`, "default"}, {`{}`, "default"}, {`text`, "default"}, {``, "default"}, {`{"action":"$default"}`, "default"},
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

func TestMessagesOfOneConnectionRunTogether(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route("slow", true))
	const n = 50
	var running sync.WaitGroup
	running.Add(n)
	s.run["slow"] = func(context.Context, []byte) ([]byte, error) {
		running.Done()
		running.Wait() // only all together can go on
		return []byte(`{"statusCode":200,"body":"done"}`), nil
	}
	c := s.open(t)
	for range n {
		say(t, c, `{"action":"slow"}`)
	}
	for range n {
		hear(t, c)
	}
}

func TestMessagesInFlightAreBounded(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxInFlight = 3
	s := newSystem(t, limits, route("slow", false))
	release := make(chan struct{})
	s.run["slow"] = func(context.Context, []byte) ([]byte, error) {
		<-release
		return nil, nil
	}
	c := s.open(t)
	for range 10 {
		say(t, c, `{"action":"slow"}`)
	}
	eventually(t, "three run", func() bool { return len(s.got("slow")) == 3 })
	time.Sleep(20 * time.Millisecond)
	if n := len(s.got("slow")); n != 3 {
		t.Errorf("%d run at once, want 3", n)
	}
	close(release)
	eventually(t, "all ran", func() bool { return len(s.got("slow")) == 10 })
}

func TestDisconnect(t *testing.T) {
	for _, tt := range []struct {
		name   string
		end    func(t *testing.T, s *system, c *websocket.Conn)
		code   int
		reason string
	}{
		{"client with a code", func(t *testing.T, s *system, c *websocket.Conn) { c.Close(4001, "enough") }, 4001, "enough"},
		{"client without a code", func(t *testing.T, s *system, c *websocket.Conn) { c.Close(websocket.StatusNoStatusRcvd, "") }, 1005, "Client-side close frame status not set"},
		{"lost", func(t *testing.T, s *system, c *websocket.Conn) { c.CloseNow() }, 1006, ""},
		{"deleted", func(t *testing.T, s *system, c *websocket.Conn) {
			for conn := range s.hub.All() {
				s.hub.Delete(t.Context(), conn.ID())
			}
			c.Read(t.Context())
		}, 1000, "Connection Closed Normally"},
		{"binary", func(t *testing.T, s *system, c *websocket.Conn) {
			c.Write(t.Context(), websocket.MessageBinary, []byte("x"))
			c.Read(t.Context())
		}, 1003, "Binary messages are not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteDisconnect, false))
			c := s.open(t)
			tt.end(t, s, c)
			eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) > 0 })
			eventually(t, "the hub forgot it", func() bool { return s.hub.Len() == 0 })
			events := s.got("disconnect")
			want := fmt.Sprintf(`{"headers":{"Host":"%s","x-api-key":"","X-Forwarded-For":"","x-restapi":""},"multiValueHeaders":{"Host":["%s"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},"stageVariables":{"k":"v"},"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":%d,"eventType":"DISCONNECT","extendedRequestId":"`, s.address, s.address, tt.code)
			if len(events) != 1 || !strings.HasPrefix(events[0], want) || !strings.Contains(events[0], fmt.Sprintf(`"disconnectReason":%q,`, tt.reason)) {
				t.Errorf("%d events\n got %s\nwant %s", len(events), events[0], want)
			}
		})
	}
}

func TestShutdownTellsClientsAndRunsDisconnect(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), route(apigw.RouteDisconnect, false))
	c := s.open(t)
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		closed <- err
	}()
	if err := s.gateway.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client was told %v, want 1001", err)
	}
	if events := s.got("disconnect"); len(events) != 1 || !strings.Contains(events[0], `"disconnectStatusCode":1001`) {
		t.Errorf("$disconnect: %v", events)
	}
	if _, _, err := s.dial(t, "", nil); err == nil {
		t.Error("a client came in after the shutdown")
	}
}

// rawExchange sends bytes and returns what comes back until the end.
func (s *system) rawExchange(t *testing.T, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, text)
	out, _ := io.ReadAll(c)
	return string(out)
}

func TestHandshakeFields(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxHead = 2000
	s := newSystem(t, limits)
	const good = "GET /main HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for _, tt := range []struct{ name, text, want string }{
		{"version 8", strings.Replace(good, "Version: 13", "Version: 8", 1), "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"},
		{"no key", strings.Replace(good, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1), "HTTP/1.1 400 "},
		{"short key", strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 1), "HTTP/1.1 400 "},
		{"no host", strings.Replace(good, "Host: x\r\n", "", 1), "HTTP/1.1 400 "},
		{"HTTP/1.0", strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), "HTTP/1.1 400 "},
		{"no HTTP", "hello\r\n\r\n", "HTTP/1.1 400 "},
		{"too long", strings.Replace(good, "Host: x", "Host: "+strings.Repeat("x", 2000), 1), "HTTP/1.1 431 "},
		{"a POST", "POST /main HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "plain:POST /main HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"},
		{"a POST that asks for an upgrade", strings.Replace(good, "GET", "POST", 1), "plain:POST"},
	} {
		if got := s.rawExchange(t, tt.text); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAcceptKey is the example of RFC 6455 section 1.3.
func TestAcceptKey(t *testing.T) {
	h := &head{headers: []apigw.Header{{Name: "sec-websocket-key", Value: "dGhlIHNhbXBsZSBub25jZQ=="}}}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	if got := string(switching(h, "")); got != want {
		t.Errorf("got %q", got)
	}
	if got := string(switching(h, "a\r\nSet-Cookie: x")); got != want {
		t.Errorf("a subprotocol with a line break passed: %q", got)
	}
}

func TestAClientThatNeverFinishesItsHead(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.Handshake = 50 * time.Millisecond
	s := newSystem(t, limits)
	if got := s.rawExchange(t, "GET /main HTTP/1.1\r\nHost"); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q, want 408", got)
	}
}

func TestTheHandshakesLimitEndsWithIt(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.Handshake = 50 * time.Millisecond
	s := newSystem(t, limits, route("two", true))
	s.run["two"] = answer(`{"statusCode":200,"body":"still here"}`)
	c := s.open(t)
	time.Sleep(2 * limits.Handshake)
	say(t, c, `{"action":"two"}`)
	if got := hear(t, c); got != "still here" {
		t.Errorf("got %q", got)
	}
}

func TestPlainHTTP(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits())
	h := s.gateway.Plain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, status := range map[string]int{
		"/main": 426, "/main/": 426, "/main/x": 403, "/": 403, "/other": 403,
		"/main/@connections/x": 418, "/main/%40connections/x": 418, "/@connections/x": 418, "/other/@connections/x": 418,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

func TestABadExpressionIsALoadError(t *testing.T) {
	api := &apigw.API{Name: "a", RouteSelectionExpression: "$request.header.x"}
	if _, err := New(Config{API: api}); err == nil || !strings.Contains(err.Error(), "API a: ") {
		t.Errorf("New = %v", err)
	}
}
