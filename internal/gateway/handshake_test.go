package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestWhichURLsOpenAConnection(t *testing.T) {
	api := testAPI()
	api.Domains = []apigw.Domain{{Name: "ws.example.com", MappingKey: "chat"}, {Name: "bare.example.com"}, {Name: "deep.example.com", MappingKey: "v1/$chat"}}
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	for _, tt := range []struct {
		rule, host, target string
		status             int
	}{
		{rule: "handshake.url-stage", target: "/main", status: 101},
		{rule: "handshake.url-stage", target: "/main?x=1", status: 101},
		{rule: "handshake.url-stage", target: "/Main", status: 403},
		{rule: "handshake.url-stage", target: "/m%61in", status: 101},
		{rule: "handshake.url-stage", target: "http://localhost:3001/main?x=1", status: 101},
		{rule: "handshake.trailing-slash", target: "/main/", status: 101},
		{rule: "handshake.trailing-slash", target: "/main/?x=1", status: 101},
		{rule: "handshake.path-below-stage-403", target: "/main/x", status: 403},
		{rule: "handshake.path-below-stage-403", target: "/main%2Fx", status: 403},
		{rule: "handshake.path-below-stage-403", target: "/main//", status: 403},
		{rule: "handshake.path-below-stage-403", target: "//main", status: 403},
		{rule: "handshake.path-below-stage-403", target: "/main/../main", status: 403},
		{rule: "handshake.unknown-stage-403", target: "/", status: 403},
		{rule: "handshake.unknown-stage-403", target: "/mainx", status: 403},
		{rule: "handshake.unknown-stage-403", target: "/%zz", status: 403},
		{rule: "handshake.unknown-stage-403", target: "main", status: 403},
		{rule: "handshake.unknown-stage-403", host: "zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com", target: "/main", status: 403},
		{rule: "handshake.url-stage", host: "abcdefghij.execute-api.eu-west-1.amazonaws.com", target: "/main", status: 101},
		{rule: "handshake.custom-domain-mapping-key", host: "ws.example.com", target: "/chat", status: 101},
		{rule: "handshake.custom-domain-mapping-key", host: "WS.Example.Com:3001", target: "/chat/", status: 101},
		{rule: "handshake.custom-domain-mapping-key", host: "ws.example.com", target: "/main", status: 403},
		{rule: "handshake.custom-domain-mapping-key", host: "ws.example.com", target: "/", status: 403},
		{rule: "handshake.custom-domain-mapping-key", host: "ws.example.com", target: "/chat/main", status: 403},
		{rule: "handshake.custom-domain-mapping-key", host: "deep.example.com", target: "/v1/%24chat", status: 101},
		{rule: "handshake.custom-domain-mapping-key", host: "deep.example.com", target: "/v1", status: 403},
		{rule: "handshake.custom-domain-empty-key", host: "bare.example.com", target: "/", status: 101},
		{rule: "handshake.custom-domain-empty-key", host: "bare.example.com", target: "http://bare.example.com", status: 101},
		{rule: "handshake.custom-domain-empty-key", host: "bare.example.com", target: "/main", status: 403},
	} {
		conformance.Covers(t, tt.rule)
		host := ""
		if tt.host != "" {
			host = "Host: " + tt.host + "\r\n"
		}
		resp, body := s.shake(t, upgrade(tt.target, host))
		if resp.StatusCode != tt.status || tt.status == 403 && body != `{"message":"Forbidden"}` {
			t.Errorf("%s at %q: %d %s, want %d", tt.target, tt.host, resp.StatusCode, body, tt.status)
		}
	}
}

func TestTheDefaultEndpointCanBeDisabled(t *testing.T) {
	conformance.Covers(t, "handshake.disable-default-endpoint")
	api := testAPI()
	api.DisableExecuteAPIEndpoint = true
	api.Domains = []apigw.Domain{{Name: "ws.example.com"}}
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	for _, tt := range []struct {
		host, target string
		status       int
	}{
		{"abcdefghij.execute-api.eu-west-1.amazonaws.com", "/main", 403},
		{"ABCDEFGHIJ.Execute-API.eu-west-1.amazonaws.com:443", "/main", 403},
		{"ws.example.com", "/", 101},
		{"localhost:3001", "/main", 101},
		{"127.0.0.1:3001", "/main", 101},
	} {
		if resp, _ := s.shake(t, upgrade(tt.target, "Host: "+tt.host+"\r\n")); resp.StatusCode != tt.status {
			t.Errorf("%s at %s: %d, want %d", tt.target, tt.host, resp.StatusCode, tt.status)
		}
	}
}

func TestTheEventsNameTheCustomDomain(t *testing.T) {
	conformance.Covers(t, "handshake.custom-domain-event event.domain-name event.api-and-stage")
	api := testAPI(proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false))
	api.Domains = []apigw.Domain{{Name: "ws.example.com", MappingKey: "chat"}}
	for host, want := range map[string]string{
		"ws.example.com": "ws.example.com", "WS.example.com": "ws.example.com", "ws.example.com:8443": "ws.example.com:8443",
		"localhost:3001": "localhost:3001", "other.example.com": "localhost:3001", "ws.example.com.evil.test": "localhost:3001",
	} {
		s := startSystem(t, api, apigw.DefaultLimits(), nil)
		target := "/chat"
		if want == "localhost:3001" {
			target = "/main"
		}
		if resp, _ := s.shake(t, upgrade(target, "Host: "+host+"\r\n")); resp.StatusCode != 101 {
			t.Fatalf("%s: %d", host, resp.StatusCode)
		}
		eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 })
		for _, function := range []string{"connect", "disconnect"} {
			var e struct {
				RequestContext struct{ DomainName, Stage, APIID string }
			}
			s.decodeEvent(t, function, &e)
			if r := e.RequestContext; r.DomainName != want || r.Stage != "main" || r.APIID != "abcdefghij" {
				t.Errorf("%s at %s: %+v, want the domain %s", function, host, r, want)
			}
		}
	}
}

func TestHandshakeFields(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxHead = 6000
	s := newSystem(t, limits)
	good := upgrade("/main", "")
	line := func(l string) string { return upgrade("/main", l+"\r\n") }
	for _, tt := range []struct{ rule, name, text, want string }{
		{rule: "protocol.version-426", name: "version 8", text: strings.Replace(good, "Version: 13", "Version: 8", 1), want: "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"},
		{rule: "protocol.version-426", name: "no version", text: strings.Replace(good, "Sec-WebSocket-Version: 13\r\n", "", 1), want: "HTTP/1.1 426 "},
		{rule: "protocol.key-400", name: "no key", text: strings.Replace(good, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1), want: "HTTP/1.1 400 "},
		{rule: "protocol.key-400", name: "short key", text: strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 1), want: "HTTP/1.1 400 "},
		{rule: "protocol.key-400", name: "two keys", text: line("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "no host", text: strings.Replace(good, "Host: localhost:3001\r\n", "", 1), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "an empty host", text: strings.Replace(good, "Host: localhost:3001\r\n", "Host:\r\n", 1), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "two hosts", text: line("host: localhost:3001\r\nHost: ws.example.com"), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "HTTP/1.0", text: strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "no HTTP", text: "hello\r\n\r\n", want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "a body", text: line("Content-Length: 5"), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "a body in chunks", text: line("Transfer-Encoding: chunked"), want: "HTTP/1.1 400 "},
		{rule: "protocol.request-line", name: "an empty body", text: line("Content-Length: 0"), want: "HTTP/1.1 101 "},
		{rule: "protocol.upgrade-tokens", name: "other tokens", text: strings.NewReplacer("Upgrade: websocket", "upgrade: h2c, WebSocket", "Connection: Upgrade", "Connection: keep-alive, UPGRADE").Replace(good), want: "HTTP/1.1 101 "},
		{rule: "protocol.upgrade-tokens", name: "tokens on several lines", text: line("Connection: keep-alive"), want: "HTTP/1.1 101 "},
		{rule: "handshake.head-limit-431", name: "too long", text: line("X: " + strings.Repeat("x", 6000)), want: "HTTP/1.1 431 "},
		{rule: "handshake.head-limit-431", name: "too long without an end", text: strings.Repeat("x", 6001), want: "HTTP/1.1 431 "},
		{name: "a POST", text: "POST /main HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", want: "plain:POST /main HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"},
		{name: "a POST that asks for an upgrade", text: strings.Replace(good, "GET", "POST", 1), want: "plain:POST"},
	} {
		conformance.Covers(t, tt.rule)
		t.Run(tt.name, func(t *testing.T) {
			if strings.HasPrefix(tt.want, "HTTP/1.1 101") {
				if resp, _ := s.shake(t, tt.text); resp.StatusCode != 101 {
					t.Errorf("%d, want 101", resp.StatusCode)
				}
				return
			}
			if got := s.rawExchange(t, tt.text); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheURLsLength(t *testing.T) {
	conformance.Covers(t, "handshake.url-4096 handshake.url-too-long-414")
	s := newSystem(t, apigw.DefaultLimits())
	target := "/main?x="
	target += strings.Repeat("y", 4096-len(target))
	if resp, _ := s.shake(t, upgrade(target, "")); resp.StatusCode != 101 {
		t.Errorf("a URL of 4,096 bytes: %d, want 101", resp.StatusCode)
	}
	if resp, _ := s.shake(t, upgrade(target+"y", "")); resp.StatusCode != 414 {
		t.Errorf("a URL of 4,097 bytes: %d, want 414", resp.StatusCode)
	}
}

// TestAcceptKey is the example of RFC 6455 section 1.3.
func TestAcceptKey(t *testing.T) {
	conformance.Covers(t, "protocol.accept-key handshake.headers-of-101 handshake.subprotocol-hostile")
	h := &head{headers: []apigw.Header{{Name: "sec-websocket-key", Value: "dGhlIHNhbXBsZSBub25jZQ=="}}}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	if got := string(switching(h, "", "")); got != want {
		t.Errorf("got %q", got)
	}
	if got := string(switching(h, "a\r\nSet-Cookie: x", "")); got != want {
		t.Errorf("a subprotocol with a line break passed: %q", got)
	}
}

func TestSubprotocolIsTheFunctionsChoice(t *testing.T) {
	conformance.Covers(t, "handshake.subprotocol-not-echoed handshake.subprotocol-returned handshake.subprotocol-name-case handshake.headers-of-101 handshake.no-extensions")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false))
	offer := "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	for _, tt := range []struct{ name, answer, want string }{
		{"none", `{"statusCode":200}`, ""},
		{"lower case", `{"statusCode":200,"headers":{"sec-websocket-protocol":"b","Set-Cookie":"c=1","Sec-WebSocket-Extensions":"permessage-deflate"}}`, "b"},
		{"Go's case", `{"statusCode":200,"headers":{"Sec-Websocket-Protocol":"a"}}`, "a"},
		{"the RFC's case", `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"a"}}`, "a"},
		{"among the multi-value headers", `{"statusCode":200,"multiValueHeaders":{"sec-WEBSOCKET-protocol":["b"]}}`, "b"},
		{"one that was not offered", `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"c"}}`, "c"},
		{"a line break", `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"a\r\nSet-Cookie: x"}}`, ""},
	} {
		s.on("connect", answer(tt.answer))
		resp, _ := s.shake(t, upgrade("/main", offer))
		if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Protocol") != tt.want || len(resp.Header["Set-Cookie"])+len(resp.Header["Sec-Websocket-Extensions"]) > 0 {
			t.Errorf("%s: %d %v, want the protocol %q and no other header", tt.name, resp.StatusCode, resp.Header, tt.want)
		}
	}
}

func TestConnectOutcomes(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.IntegrationTimeout = 50 * time.Millisecond
	for _, tt := range []struct {
		rule, name string
		run        func(context.Context, []byte) ([]byte, error)
		status     int
		body, kind string
	}{
		{rule: "handshake.connect-2xx", name: "200", run: answer(`{"statusCode":200}`), status: 101},
		{rule: "handshake.connect-2xx", name: "201", run: answer(`{"statusCode":201}`), status: 101},
		{rule: "handshake.connect-2xx", name: "299 in quotes", run: answer(`{"statusCode":"299"}`), status: 101},
		{rule: "handshake.connect-status-passed", name: "301", run: answer(`{"statusCode":301}`), status: 301},
		{rule: "handshake.connect-status-passed", name: "304 has no body", run: answer(`{"statusCode":304,"body":"x"}`), status: 304},
		{rule: "handshake.connect-status-passed", name: "400", run: answer(`{"statusCode":400}`), status: 400},
		{rule: "handshake.connect-status-passed handshake.refused-body", name: "401 with a body", run: answer(`{"statusCode":401,"body":"who are you"}`), status: 401, body: "who are you"},
		{rule: "handshake.connect-status-passed handshake.refused-body", name: "403 without a body", run: answer(`{"statusCode":403}`), status: 403},
		{rule: "handshake.connect-status-passed handshake.refused-headers", name: "501 with headers", run: answer(`{"statusCode":501,"headers":{"Set-Cookie":"a=1","X-Own":"1"}}`), status: 501},
		{rule: "handshake.connect-status-passed", name: "a status without a name", run: answer(`{"statusCode":499}`), status: 499},
		{rule: "handshake.connect-malformed-502", name: "a text", run: answer(`"ok"`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-malformed-502", name: "null", run: answer(`null`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-malformed-502", name: "an unknown key", run: answer(`{"statusCode":200,"policyDocument":{}}`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-malformed-502", name: "no status", run: answer(`{"body":"x"}`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-malformed-502", name: "a status of 101", run: answer(`{"statusCode":101}`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-malformed-502", name: "a status of 600", run: answer(`{"statusCode":600}`), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-function-error-502", name: "failed", run: fails("boom"), status: 502, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-function-throttled-500", name: "throttled", run: func(context.Context, []byte) ([]byte, error) { return nil, apigw.ErrThrottled }, status: 500, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-no-permission-500", name: "unknown function", run: func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no such function") }, status: 500, body: `{"message":"Internal server error"}`, kind: internalError},
		{rule: "handshake.connect-timeout-504", name: "late", run: never, status: 504, body: `{"message":"Endpoint request timed out"}`, kind: internalError},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "handshake.refused-headers lifecycle.disconnect-not-for-refused")
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, limits, proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false))
			s.on("connect", tt.run)
			resp, body := s.shake(t, upgrade("/main", ""))
			if resp.StatusCode != tt.status || body != tt.body {
				t.Fatalf("%d %q, want %d %q", resp.StatusCode, body, tt.status, tt.body)
			}
			if tt.status == 101 {
				return
			}
			want := http.Header{
				"Content-Type": {"application/json"}, "X-Amzn-Requestid": resp.Header["X-Amzn-Requestid"], "X-Amz-Apigw-Id": resp.Header["X-Amzn-Requestid"],
				"Date": resp.Header["Date"], "Content-Length": {fmt.Sprint(len(tt.body))},
			}
			if tt.kind != "" {
				want["X-Amzn-Errortype"] = []string{tt.kind}
			}
			if fmt.Sprint(resp.Header) != fmt.Sprint(want) || !resp.Close {
				t.Errorf("headers %v, want %v and Connection: close", resp.Header, want)
			}
			if _, err := http.ParseTime(resp.Header.Get("Date")); err != nil || len(resp.Header.Get("X-Amzn-Requestid")) != 16 {
				t.Errorf("Date %q, request id %q", resp.Header.Get("Date"), resp.Header.Get("X-Amzn-Requestid"))
			}
			if event := s.got("connect")[0]; !strings.Contains(event, `"requestId":"`+resp.Header.Get("X-Amzn-Requestid")+`"`) {
				t.Errorf("the answer's request id is not the event's: %s", event)
			}
			if s.hub.Len() != 0 || len(s.got("disconnect")) != 0 {
				t.Errorf("%d connections, $disconnect ran %d times for a handshake that was refused", s.hub.Len(), len(s.got("disconnect")))
			}
		})
	}
}

func TestConnectWithoutARoute(t *testing.T) {
	conformance.Covers(t, "handshake.connect-no-route lifecycle.disconnect-no-route")
	for _, routes := range [][]apigw.Route{nil, {{Key: apigw.RouteConnect}}} {
		s := newSystem(t, apigw.DefaultLimits(), routes...)
		c := s.open(t)
		c.Close(websocket.StatusNormalClosure, "")
		eventually(t, "the connection is closed", func() bool { return s.hub.Len() == 0 })
	}
}

func TestRequiredParameters(t *testing.T) {
	conformance.Covers(t, "model.required-parameter")
	connect := proxied(apigw.RouteConnect, false)
	connect.RequestParameters = map[string]bool{"route.request.querystring.room": true, "route.request.header.X-Token": true, "route.request.querystring.color": false}
	s := newSystem(t, apigw.DefaultLimits(), connect)
	for _, tt := range []struct {
		target, header string
		status         int
		body           string
	}{
		{"/main?room=1", "x-token: t\r\n", 101, ""},
		{"/main?room=1", "", 400, `{"message":"Missing required request parameters: [X-Token]"}`},
		{"/main?room=&color=red", "X-Token:\r\n", 400, `{"message":"Missing required request parameters: [X-Token, room]"}`},
		{"/main?Room=1", "X-Token: t\r\n", 400, `{"message":"Missing required request parameters: [room]"}`},
	} {
		before := len(s.got("connect"))
		resp, body := s.shake(t, upgrade(tt.target, tt.header))
		if resp.StatusCode != tt.status || body != tt.body {
			t.Errorf("%s with %q: %d %s, want %d %s", tt.target, tt.header, resp.StatusCode, body, tt.status, tt.body)
		}
		if called := len(s.got("connect")) > before; called != (tt.status == 101) {
			t.Errorf("%s with %q: $connect was called: %v", tt.target, tt.header, called)
		}
	}
}

func TestTheUpgradeIsHeldUntilConnectHasAnswered(t *testing.T) {
	conformance.Covers(t, "handshake.held-until-connect lifecycle.nothing-before-connect handshake.pipelined lifecycle.answer-before-post")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false), proxied("two", true))
	asked, release := make(chan struct{}), make(chan struct{})
	s.on("connect", func(context.Context, []byte) ([]byte, error) {
		close(asked)
		<-release
		return []byte(`{"statusCode":200}`), nil
	})
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// A masked text frame {"action":"two"} right behind the head, with a key of
	// zeros.
	frame := "\x81\x90\x00\x00\x00\x00" + `{"action":"two"}`
	fmt.Fprint(c, upgrade("/main", "")+frame)
	<-asked
	if s.hub.Len() != 0 || len(s.got("two")) != 0 {
		t.Error("there is a connection before $connect has answered")
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came before $connect had answered", n)
	}
	c.SetReadDeadline(time.Now().Add(within))
	close(release)
	if resp, _ := readAnswer(t, c); resp.StatusCode != 101 {
		t.Fatalf("%d", resp.StatusCode)
	}
	got := make([]byte, 4)
	if _, err := c.Read(got); err != nil || string(got) != "\x81\x02hi" {
		t.Errorf("%q, %v; want the answer to the frame that came early", got, err)
	}
}

func TestAConnectionIsFoundAsSoonAsItsClientKnows(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false))
	for range 200 {
		s.open(t)
		events := s.got("connect")
		if err := s.hub.Send(t.Context(), connectionOf(t, events[len(events)-1]), []byte("hello")); err != nil {
			t.Fatalf("a post right behind the handshake: %v", err)
		}
	}
}

func TestAPostDuringConnectIsGone(t *testing.T) {
	conformance.Covers(t, "management.gone-during-connect")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false))
	var during error
	s.on("connect", func(ctx context.Context, event []byte) ([]byte, error) {
		during = s.hub.Send(ctx, connectionOf(t, string(event)), []byte("too early"))
		return []byte(`{"statusCode":200}`), nil
	})
	s.open(t)
	if !errors.Is(during, apigw.ErrGone) {
		t.Errorf("a post from $connect: %v, want ErrGone", during)
	}
}

func TestPlainHTTP(t *testing.T) {
	api := testAPI()
	api.Domains = []apigw.Domain{{Name: "ws.example.com", MappingKey: "chat"}}
	s := startSystem(t, api, apigw.DefaultLimits(), nil)
	h := s.gateway.Plain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, tt := range []struct {
		rule, host, path string
		status           int
	}{
		{rule: "handshake.plain-http-426", path: "/main", status: 426},
		{rule: "handshake.plain-http-426", path: "/main/", status: 426},
		{rule: "handshake.plain-http-426", host: "ws.example.com", path: "/chat", status: 426},
		{rule: "handshake.plain-http-unknown-403", host: "ws.example.com", path: "/main", status: 403},
		{rule: "handshake.plain-http-unknown-403", path: "/main/x", status: 403},
		{rule: "handshake.plain-http-unknown-403", path: "/", status: 403},
		{path: "/main/@connections/x", status: 418},
		{path: "/main/%40connections/x", status: 418},
		{path: "/@connections/x", status: 418},
		{path: "/other/@connections/x", status: 418},
	} {
		conformance.Covers(t, tt.rule)
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, tt.path, nil)
		if tt.host != "" {
			r.Host = tt.host
		}
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.status == 426 && w.Header().Get("Upgrade") != "websocket" {
			t.Errorf("%s at %s: %d %v, want %d", tt.path, tt.host, w.Code, w.Header(), tt.status)
		}
	}
}
