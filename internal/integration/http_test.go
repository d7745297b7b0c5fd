package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// recorder is an HTTP backend that remembers the last request.
type recorder struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	last string
}

// record starts a backend; answer may be nil for a 200 without a body.
func record(t testing.TB, answer func(http.ResponseWriter, *http.Request)) *recorder {
	t.Helper()
	rec := &recorder{answer: answer}
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	rec.last = describeRequest(r, body)
	rec.mu.Unlock()
	if rec.answer != nil {
		rec.answer(w, r)
	}
}

// got returns the last request as text: request line, headers in order, body.
func (rec *recorder) got() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.last
}

func describeRequest(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.RequestURI)
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(r.Header[name], " | "))
	}
	return b.String() + "\n" + string(body)
}

func say(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Backend", "yes")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestHTTPRequestsAsTheBackendSeesThem(t *testing.T) {
	conformance.Covers(t, "integration.http-proxy", "integration.http-custom", "handshake.connect-http-headers-override", "mapping.parameter-missing")
	handshake := connect(map[string][]string{"token": {"a b", "c"}, "room": {"1"}},
		apigw.Header{Name: "Host", Value: "gateway"}, apigw.Header{Name: "user-agent", Value: "browser"}, apigw.Header{Name: "Sec-WebSocket-Version", Value: "13"},
		apigw.Header{Name: "Cookie", Value: "a=1"}, apigw.Header{Name: "X-Twice", Value: "1"}, apigw.Header{Name: "X-Twice", Value: "2"},
		apigw.Header{Name: "Connection", Value: "Upgrade, X-Hop"}, apigw.Header{Name: "Upgrade", Value: "websocket"}, apigw.Header{Name: "X-Hop", Value: "1"},
		apigw.Header{Name: "Transfer-Encoding", Value: "chunked"}, apigw.Header{Name: "Content-Length", Value: "7"}, apigw.Header{Name: "X-Bad", Value: "a\r\nb"}, apigw.Header{Name: "X Bad", Value: "a"})
	mapped := map[string]string{
		"integration.request.header.connectionId":          "context.connectionId",
		"integration.request.header.Sec-WebSocket-Version": "'none'",
		"integration.request.header.X-Missing":             "route.request.body.nothing",
		"integration.request.querystring.room":             "'2'",
		"integration.request.querystring.stage":            "context.stage",
	}
	for _, tt := range []struct {
		name string
		in   apigw.Integration
		req  *Request
		want string
	}{
		{"a message through a proxy", apigw.Integration{Type: apigw.HTTPProxy, URI: "/in?v=1", Method: "POST"}, message(`{"a":1}`), `POST /in?v=1
Content-Length: 7
Content-Type: application/json
User-Agent: AmazonAPIGateway_abcdefghij
X-Amzn-Apigateway-Api-Id: abcdefghij

{"a":1}`},
		{"a message through a proxy with parameters", apigw.Integration{Type: apigw.HTTPProxy, URI: "/in?v=1&room=0", Method: "put", RequestParameters: mapped}, message(`hello`), `PUT /in?room=2&stage=main&v=1
Connectionid: JC1dgf9yoAMCK-g=
Content-Length: 5
Content-Type: application/json
Sec-Websocket-Version: none
User-Agent: AmazonAPIGateway_abcdefghij
X-Amzn-Apigateway-Api-Id: abcdefghij

hello`},
		{"a handshake through a proxy", apigw.Integration{Type: apigw.HTTPProxy, URI: "/in", Method: "ANY", RequestParameters: mapped}, handshake, `GET /in?room=2&stage=main&token=a+b&token=c
Connectionid: JC1dgf9yoAMCK-g=
Cookie: a=1
Sec-Websocket-Version: none
User-Agent: browser
X-Amzn-Apigateway-Api-Id: abcdefghij
X-Twice: 1 | 2

`},
		{"a handshake through HTTP passes only what is mapped", apigw.Integration{Type: apigw.HTTPCustom, URI: "/in", RequestParameters: mapped, RequestTemplates: text(`{"id":"$context.connectionId"}`)}, handshake, `POST /in?room=2&stage=main
Connectionid: JC1dgf9yoAMCK-g=
Content-Length: 25
Content-Type: application/json
Sec-Websocket-Version: none
User-Agent: AmazonAPIGateway_abcdefghij
X-Amzn-Apigateway-Api-Id: abcdefghij

{"id":"JC1dgf9yoAMCK-g="}`},
		{"bytes", apigw.Integration{Type: apigw.HTTPProxy, URI: "/in", ContentHandling: "CONVERT_TO_BINARY"}, message("AAEC"), `POST /in
Content-Length: 3
Content-Type: application/octet-stream
User-Agent: AmazonAPIGateway_abcdefghij
X-Amzn-Apigateway-Api-Id: abcdefghij

` + "\x00\x01\x02"},
		{"a type of its own, ANY", apigw.Integration{Type: apigw.HTTPProxy, URI: "/in", Method: "ANY", RequestParameters: map[string]string{"integration.request.header.content-type": "'text/plain'", "integration.request.header.user-agent": "'mine'"}}, message("x"), `POST /in
Content-Length: 1
Content-Type: text/plain
User-Agent: mine
X-Amzn-Apigateway-Api-Id: abcdefghij

x`},
		{"path parameters", apigw.Integration{Type: apigw.HTTPCustom, URI: "/users/{id}/in-{room}/x", RequestParameters: map[string]string{
			"integration.request.path.id": "route.request.body.id", "integration.request.path.room": "'a/b?c#d é'"}}, message(`{"id":"../7"}`), `POST /users/..%2F7/in-a%2Fb%3Fc%23d%20%C3%A9/x
Content-Length: 13
Content-Type: application/json
User-Agent: AmazonAPIGateway_abcdefghij
X-Amzn-Apigateway-Api-Id: abcdefghij

{"id":"../7"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := record(t, nil)
			tt.in.URI, tt.in.Responses = rec.URL+tt.in.URI, anyAnswer
			if got := call(t, compile(t, newBackends(t, Config{}), tt.in), tt.req); !strings.HasPrefix(got, "200") {
				t.Fatal(got)
			}
			if got := rec.got(); got != tt.want {
				t.Errorf("the backend got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestOnlyTheHandshakeHasHeadersAndParameters(t *testing.T) {
	conformance.Covers(t, "mapping.parameter-header", "mapping.parameter-querystring")
	rec := record(t, nil)
	in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL + "/x",
		RequestParameters: map[string]string{"integration.request.header.X-Key": "route.request.header.x-api-key", "integration.request.querystring.q": "route.request.querystring.q"}})
	for _, kind := range []apigw.EventType{apigw.EventMessage, apigw.EventDisconnect} {
		req := connect(map[string][]string{"q": {"1"}}, apigw.Header{Name: "x-api-key", Value: "k"})
		req.Kind = kind
		call(t, in, req)
		if got := rec.got(); strings.Contains(got, "k\n") || !strings.HasPrefix(got, "POST /x\n") {
			t.Errorf("on %s the backend got\n%s", kind, got)
		}
	}
}

func TestAMappedHostIsTheRequestsHost(t *testing.T) {
	host := make(chan string, 1)
	rec := record(t, func(_ http.ResponseWriter, r *http.Request) { host <- r.Host })
	in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL, RequestParameters: map[string]string{"integration.request.header.host": "'api.example.com'"}})
	call(t, in, message("x"))
	if got := <-host; got != "api.example.com" {
		t.Errorf("Host %q", got)
	}
}

func TestHTTPAnswers(t *testing.T) {
	conformance.Covers(t, "integration.http-proxy", "integration.http-custom", "handshake.connect-http-any-status", "mapping.response-selection-status")
	responses := []apigw.IntegrationResponse{{Key: `/4\d\d/`, Templates: text("sorry: $input.body")}, {Key: "$default", Templates: text("fine: $input.body")}}
	for _, tt := range []struct {
		name      string
		kind      apigw.IntegrationType
		responses []apigw.IntegrationResponse
		status    int
		req       *Request
		want      string
	}{
		{"a proxy's answer", apigw.HTTPProxy, nil, 200, message("x"), "~X-Backend=yes"},
		{"a proxy's failure is an answer too", apigw.HTTPProxy, nil, 500, message("x"), "500"},
		{"a proxy on $connect refuses with its status", apigw.HTTPProxy, nil, 403, connect(nil), "403"},
		{"a proxy on a one-way route", apigw.HTTPProxy, nil, 200, oneWay("x"), "200"},
		{"redirects are not followed", apigw.HTTPProxy, nil, 302, message("x"), "302"},
		{"a template by the status", apigw.HTTPCustom, responses, 404, message("x"), "404 sorry: body"},
		{"a template by $default", apigw.HTTPCustom, responses, 500, message("x"), "200 fine: body"},
		{"any status lets $connect in", apigw.HTTPCustom, []apigw.IntegrationResponse{{Key: "$default"}}, 401, connect(nil), "200 body"},
		{"a mapped status refuses $connect", apigw.HTTPCustom, responses, 401, connect(nil), "401 sorry: body"},
		{"no response, one-way", apigw.HTTPCustom, nil, 500, oneWay("x"), "200"},
		{"no response, two-way", apigw.HTTPCustom, nil, 200, message("x"), "~no integration response matches"},
	} {
		rec := record(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			say(tt.status, "body")(w, r)
		})
		got := call(t, compile(t, newBackends(t, Config{}), apigw.Integration{Type: tt.kind, URI: rec.URL, Responses: tt.responses}), tt.req)
		if !matches(got, tt.want) && !(tt.kind == apigw.HTTPProxy && strings.HasPrefix(got, tt.want+" ") && strings.HasSuffix(got, " body")) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestHTTPFailures(t *testing.T) {
	conformance.Covers(t, "integration.http-failure")
	gone := record(t, nil)
	gone.Close()
	large := record(t, func(w http.ResponseWriter, _ *http.Request) { io.CopyN(w, zeros{}, maxAnswer+1) })
	full := record(t, func(w http.ResponseWriter, _ *http.Request) { io.CopyN(w, zeros{}, maxAnswer) })
	broken := record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "five")
	})
	for name, tt := range map[string]struct {
		rec  *recorder
		want string
	}{
		"nobody there":      {gone, "~error: call 127.0.0.1"},
		"too large":         {large, "~has more than 10485760 bytes"},
		"as large as may":   {full, "~200 "},
		"cut off":           {broken, "~read the answer of"},
		"no secret is told": {gone, "~refused"},
	} {
		in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.HTTPProxy, URI: tt.rec.URL + "/path", RequestParameters: map[string]string{"integration.request.querystring.token": "'secret'"}})
		got := call(t, in, message("x"))
		if !matches(got, tt.want) || strings.Contains(got, "secret") {
			t.Errorf("%s: %.200s, want %s", name, got, tt.want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAnHTTPBackendThatIsLate(t *testing.T) {
	conformance.Covers(t, "integration.timeout-frame")
	release := make(chan struct{})
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"before its answer": func(http.ResponseWriter, *http.Request) { <-release },
		"in its answer": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-release
		},
	} {
		rec := record(t, answer)
		in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL, Timeout: 50 * time.Millisecond})
		if _, err := in.Call(t.Context(), message("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want context.DeadlineExceeded", name, err)
		}
	}
	close(release)
}

func TestMappedValuesCannotAddHeadersOrLeaveThePath(t *testing.T) {
	conformance.Covers(t, "mapping.parameter-no-injection")
	rec := record(t, nil)
	b := newBackends(t, Config{})
	header := compile(t, b, apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL, RequestParameters: map[string]string{"integration.request.header.X": "route.request.body.v"}})
	for _, v := range []string{`a\r\nY: 1`, `a\nb`, `a\u0000`, `\u007f`} {
		if got := call(t, header, message(`{"v":"`+v+`"}`)); !strings.Contains(got, "RequestParameters[integration.request.header.X]: its value has the control character") {
			t.Errorf("%s: %s", v, got)
		}
	}
	path := compile(t, b, apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL + "/a/{p}/b", RequestParameters: map[string]string{"integration.request.path.p": "route.request.body.v"}})
	for _, v := range []string{`".."`, `"."`, `""`, `null`} {
		if got := call(t, path, message(`{"v":`+v+`}`)); !strings.Contains(got, "would change the path") {
			t.Errorf("%s: %s", v, got)
		}
	}
	if rec.got() != "" {
		t.Errorf("the backend was called: %s", rec.got())
	}
	query := compile(t, b, apigw.Integration{Type: apigw.HTTPProxy, URI: rec.URL + "/q", RequestParameters: map[string]string{"integration.request.querystring.q": "route.request.body.v"}})
	call(t, query, message(`{"v":"1&admin=1#x\r\n"}`))
	if got, _, _ := strings.Cut(rec.got(), "\n"); got != "POST /q?q=1%26admin%3D1%23x%0D%0A" {
		t.Errorf("the backend got %s", got)
	}
}

func TestCertificatesOfBackendsAreVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the failed TLS handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	in := compile(t, newBackends(t, Config{}), apigw.Integration{Type: apigw.HTTPProxy, URI: server.URL})
	if got := call(t, in, message("x")); !strings.Contains(got, "certificate") {
		t.Errorf("a backend with a certificate of nobody: %s", got)
	}
	trusting := compile(t, newBackends(t, Config{HTTP: server.Client()}), apigw.Integration{Type: apigw.HTTPProxy, URI: server.URL})
	if got := call(t, trusting, message("x")); !strings.HasPrefix(got, "404") {
		t.Errorf("with a client that knows it: %s", got)
	}
}

func TestBackendURLsThatAreRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"":                             "must begin with http:// or https://",
		"example.com/x":                "must begin with http:// or https://",
		"file:///etc/passwd":           "must begin with http:// or https://",
		"gopher://example.com":         "must begin with http:// or https://",
		"http://":                      "names no host",
		"http:///path":                 "names no host",
		"http://:80/":                  "names no host",
		"http://user:pass@example.com": "user name or password",
		"http://example.com/#x":        "has a fragment",
		"http://example.com/{a":        "is not closed",
		"http://example.com/{}":        "is not a name",
		"http://example.com/{a b}":     "is not a name",
		"http://example.com/{proxy+}":  "is not a name",
		"http://example.com/{a}":       "there is no RequestParameters[integration.request.path.a]",
		"http://{a}.example.com/":      "is no URL",
		"http://example.com/a b\x00":   "is no URL",
		"http://example.com/%zz":       "is no URL",
		"http://example.com/?a=%zz":    "query of",
	} {
		_, err := parseTarget(uri, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", uri, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pass@") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	if _, err := parseTarget("http://example.com/x", []string{"id"}); err == nil || !strings.Contains(err.Error(), "no {id}") {
		t.Errorf("a path parameter without a place: %v", err)
	}
	if _, err := parseTarget("HTTPS://Example.com", nil); err != nil {
		t.Error(err)
	}
}

// FuzzTarget holds that a path parameter never changes host, path above it or
// query.
func FuzzTarget(f *testing.F) {
	f.Add("http://example.com/a/{p}/b?c=d", "x/../y")
	f.Add("https://h/{p}", "?q#f\r\n")
	f.Add("http://h{p}/{p}", "@evil")
	f.Fuzz(func(t *testing.T, uri, value string) {
		target, err := parseTarget(uri, []string{"p"})
		if err != nil {
			return
		}
		harmless, err := target.url(map[string]string{"p": "x"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		hostile, err := target.url(map[string]string{"p": value}, nil)
		if err != nil {
			return
		}
		a, errA := url.Parse(harmless)
		b, errB := url.Parse(hostile)
		if errA != nil || errB != nil {
			t.Fatalf("%v, %v", errA, errB)
		}
		if a.Host != b.Host || a.RawQuery != b.RawQuery || b.Fragment != "" || strings.Count(a.EscapedPath(), "/") != strings.Count(b.EscapedPath(), "/") {
			t.Errorf("%q makes %q of %q", value, hostile, harmless)
		}
	})
}
