package function

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// A puppet is a function whose process only tells the address of its Runtime
// API. The test speaks for it.
type puppet struct {
	t       *testing.T
	host    *testHost
	address string
	results chan result
}

type result struct {
	response []byte
	err      error
}

func newPuppet(t *testing.T, change func(*Host)) *puppet {
	t.Helper()
	return newPuppetOf(t, acting("f", "puppet", nil), change)
}

func newPuppetOf(t *testing.T, f stack.Function, change func(*Host)) *puppet {
	t.Helper()
	h := newTestHost(t, change, f)
	p := &puppet{t: t, host: h, results: make(chan result, 1)}
	p.invoke(`{"n":1}`)
	p.address = h.awaitLine().Text
	return p
}

// invoke sends an event without waiting for its outcome.
func (p *puppet) invoke(event string) {
	go func() {
		response, err := p.host.Invoke(context.Background(), "f", []byte(event))
		p.results <- result{response, err}
	}()
}

func (p *puppet) result() result {
	p.t.Helper()
	select {
	case r := <-p.results:
		return r
	case <-time.After(20 * time.Second):
		p.t.Fatal("the invocation did not end within 20 s")
		return result{}
	}
}

// line is one connection of the puppet.
type line struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (p *puppet) dial() *line {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &line{p.t, conn, bufio.NewReader(conn)}
}

func (l *line) send(format string, args ...any) {
	l.t.Helper()
	if _, err := fmt.Fprintf(l.conn, strings.ReplaceAll(format, "\n", "\r\n"), args...); err != nil {
		l.t.Fatal(err)
	}
}

// receive reads an answer.
func (l *line) receive() (*http.Response, string) {
	l.t.Helper()
	res, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res, string(body)
}

const askLine = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\nHost: x\n\n"

// next asks for an event and returns its id.
func (l *line) next() string {
	l.t.Helper()
	l.send(askLine)
	res, _ := l.receive()
	if res.StatusCode != 200 {
		l.t.Fatalf("next: %s", res.Status)
	}
	return res.Header.Get("Lambda-Runtime-Aws-Request-Id")
}

// expect reads an answer of a status with a text in its body.
func (l *line) expect(status int, text string) {
	l.t.Helper()
	res, body := l.receive()
	if res.StatusCode != status || !strings.Contains(body, text) {
		l.t.Errorf("got %s %q, want %d %q", res.Status, body, status, text)
	}
}

// ended expects the end of the connection.
func (l *line) ended() {
	l.t.Helper()
	if b, err := l.in.ReadByte(); err == nil {
		l.t.Errorf("got %q, want the end of the connection", b)
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		l.t.Error("the connection stays open")
	}
}

func TestNextAnswer(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	l.send(askLine)
	res, body := l.receive()
	if body != `{"n":1}` || res.Header.Get("Content-Type") != "application/json" || res.ContentLength != 7 {
		t.Errorf("%v %q", res.Header, body)
	}
	for _, name := range []string{"Aws-Request-Id", "Deadline-Ms", "Invoked-Function-Arn", "Trace-Id"} {
		if res.Header.Get("Lambda-Runtime-"+name) == "" {
			t.Errorf("no Lambda-Runtime-%s", name)
		}
	}
}

func TestResponses(t *testing.T) {
	const path = "POST /2018-06-01/runtime/invocation/%s/"
	tests := []struct {
		name, request string // %s is the request id
		response, err string
	}{
		{"length", path + "response HTTP/1.1\nContent-Length: 4\n\n\"ok\"", `"ok"`, ""},
		{"empty", path + "response HTTP/1.1\nContent-Length: 0\n\n", "", ""},
		{"no length", path + "response HTTP/1.1\n\n", "", ""},
		{"query", path + "response?x=1 HTTP/1.1\nContent-Length: 2\n\n42", "42", ""},
		{"chunks", path + "response HTTP/1.1\nTransfer-Encoding: chunked\n\n2\n\"o\n2;ext=1\nk\"\n0\n\n", `"ok"`, ""},
		{"odd case", path + "response HTTP/1.1\ncOnTeNt-LENGTH:4 \n\n\"ok\"", `"ok"`, ""},
		{"trailers", path + "response HTTP/1.1\nTransfer-Encoding: chunked\nTrailer: Lambda-Runtime-Function-Error-Type\n\n3\nabc\n0\n" +
			"Lambda-Runtime-Function-Error-Type: Stream.Broken\n" +
			"Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJoYWxmIn0=\n\n", "", "function f: Stream.Broken: half"},
		{"error", path + "error HTTP/1.1\nContent-Length: 37\n\n" + `{"errorMessage":"m","errorType":"T"} `, "", "function f: T: m"},
		{"error by header", path + "error HTTP/1.1\nLambda-Runtime-Function-Error-Type: H\nContent-Length: 2\n\n{}", "", "function f: H: "},
		{"error in words", path + "error HTTP/1.1\nContent-Length: 4\n\noops", "", "function f: Runtime.Unknown: oops"},
		{"long X-Ray cause", path + "error HTTP/1.1\nLambda-Runtime-Function-XRay-Error-Cause: " +
			strings.Repeat("x", 1<<20) + "\nContent-Length: 4\n\noops", "", "function f: Runtime.Unknown: oops"},
	}
	p := newPuppet(t, nil)
	l := p.dial()
	for i, tt := range tests {
		if i > 0 {
			p.invoke("{}")
		}
		id := l.next()
		l.send(tt.request, id)
		l.expect(202, `{"status":"OK"}`)
		r := p.result()
		if r.err == nil && (tt.err != "" || string(r.response) != tt.response) || r.err != nil && r.err.Error() != tt.err {
			t.Errorf("%s: got %q, %v", tt.name, r.response, r.err)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, request string // %s is the request id
		status        int
		text          string
		closes        bool
	}{
		{"wrong id", "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\nContent-Length: 2\n\n42", 400, "InvalidRequestID", false},
		{"wrong id of an error", "POST /2018-06-01/runtime/invocation//error HTTP/1.1\nContent-Length: 2\n\n42", 400, "InvalidRequestID", false},
		{"late init error", "POST /2018-06-01/runtime/init/error HTTP/1.1\nContent-Length: 2\n\n{}", 403, "InvalidStateTransition", false},
		{"unknown path", "GET /2018-06-01/runtime/other HTTP/1.1\n\n", 404, "NotFound", false},
		{"unknown version", "GET /2021-01-01/runtime/invocation/next HTTP/1.1\n\n", 404, "NotFound", false},
		{"wrong method", "PUT /2018-06-01/runtime/invocation/%s/response HTTP/1.1\n\n", 405, "MethodNotAllowed", false},
		{"no HTTP", "hello\n", 400, "is not a request line", true},
		{"HTTP/2", "GET / HTTP/2.0\n\n", 400, "is not HTTP/1.1", true},
		{"bad header", "GET / HTTP/1.1\nA B: c\n\n", 400, "is not a header line", true},
		{"bad length", "POST / HTTP/1.1\nContent-Length: -1\n\n", 400, "is not a content length", true},
		{"two lengths", "POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\n", 400, "is not a content length", true},
		{"length and chunks", "POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", 400, "either Content-Length", true},
		{"gzip", "POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n", 400, "is not supported", true},
		{"bad chunk", "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nxyz\n", 400, "is not the size of a chunk", true},
		{"chunk without end", "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n1\nabc\n", 400, "a chunk does not end", true},
		{"long line", "GET /" + strings.Repeat("x", readBuffer) + " HTTP/1.1\n\n", 431, "longer than", true},
		{"long header", "GET / HTTP/1.1\nX: " + strings.Repeat("x", readBuffer) + "\n\n", 431, "longer than", true},
		{"long head", "GET / HTTP/1.1\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\n", 20) + "\n", 431, "longer than", true},
		{"endless cause", "GET / HTTP/1.1\nLambda-Runtime-Function-Xray-Error-Cause: " + strings.Repeat("x", 2<<20), 431, "longer than", true},
		{"endless causes", "GET / HTTP/1.1\n" + strings.Repeat("Lambda-Runtime-Function-Xray-Error-Cause: "+
			strings.Repeat("x", 1<<19)+"\n", 4) + "\n", 431, "longer than", true},
		{"endless body", "POST / HTTP/1.1\nContent-Length: 99999999999\n\n", 413, "Exceeded maximum", true},
		{"endless chunk", "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nfffffffff\n", 413, "Exceeded maximum", true},
	}
	p := newPuppet(t, nil)
	first := p.dial()
	id := first.next()
	for _, tt := range tests {
		l := p.dial()
		go io.WriteString(l.conn, strings.NewReplacer("%s", id, "\n", "\r\n").Replace(tt.request))
		res, body := l.receive()
		if res.StatusCode != tt.status || !strings.Contains(body, tt.text) {
			t.Errorf("%s: got %s %q", tt.name, res.Status, body)
		}
		if tt.closes {
			l.ended()
		} else if l.send("GET /x HTTP/1.1\n\n"); true {
			l.expect(404, "NotFound")
		}
	}
	first.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	first.expect(202, "OK")
	first.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n43", id)
	first.expect(403, "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed")
	first.send("POST /2018-06-01/runtime/invocation/%s/error HTTP/1.1\nContent-Length: 2\n\n{}", id)
	first.expect(403, "State transition from RuntimeResponseSentState to InvocationErrorResponse failed")
	p.invoke("{}")
	second := first.next()
	first.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n44", id)
	first.expect(400, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
	if r := p.result(); r.err != nil || string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
	first.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n45", second)
	first.expect(202, "OK")
	if r := p.result(); r.err != nil || string(r.response) != "45" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

// Whoever asks again before the answer gets the same event again.
func TestNextTwice(t *testing.T) {
	p := newPuppet(t, nil)
	first, second := p.dial(), p.dial()
	id := first.next()
	if again := second.next(); again != id {
		t.Errorf("the second question got %s, the first %s", again, id)
	}
	second.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	second.expect(202, "OK")
	if r := p.result(); string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

// A response may say that it is streamed, and nothing else.
func TestResponseModes(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	const head = "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nLambda-Runtime-Function-Response-Mode: "
	l.send(head+"Streaming\nTransfer-Encoding: chunked\n\n2\n42\n0\n\n", l.next())
	l.expect(202, "OK")
	if r := p.result(); string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
	p.invoke("{}")
	l.send(head+"buffered\nContent-Length: 2\n\n42", l.next())
	l.expect(400, "InvalidFunctionResponseMode")
	if r := p.result(); r.err == nil || !strings.Contains(r.err.Error(), "Runtime.InvalidResponseModeHeader") {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

// After the runtime has said that its init failed, it gets no event.
func TestNextAfterInitError(t *testing.T) {
	p := newPuppetOf(t, acting("f", "deaf puppet", nil), func(h *Host) { h.limits.stop = time.Hour })
	defer p.host.eachPool((*pool).killAll)
	l := p.dial()
	l.send("POST /2018-06-01/runtime/init/error HTTP/1.1\nContent-Length: 2\n\n{}")
	l.send(askLine)
	l.expect(202, "OK")
	l.expect(403, "InvalidStateTransition")
	l.send("POST /2018-06-01/runtime/init/error HTTP/1.1\nContent-Length: 2\n\n{}")
	l.expect(403, "InvalidStateTransition")
}

// A body that is cut off ends nothing: the answer may come once more.
func TestTruncatedBodies(t *testing.T) {
	p := newPuppet(t, nil)
	id := p.dial().next()
	for _, rest := range []string{
		"response HTTP/1.1\nContent-Length: 10\n\n42",
		"response HTTP/1.1\nTransfer-Encoding: chunked\n\n5\n42",
		"response HTTP/1.1\nTransfer-Encoding: chunked\n\n2\n42\n0\n",
		"response HTTP/1.1\nContent-Len",
	} {
		l := p.dial()
		l.send("POST /2018-06-01/runtime/invocation/" + id + "/" + rest)
		l.conn.(*net.TCPConn).CloseWrite()
		l.expect(400, "TruncatedHTTPRequest")
		l.ended()
	}
	l := p.dial()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	l.expect(202, "OK")
	if r := p.result(); string(r.response) != "42" {
		t.Errorf("got %q, %v", r.response, r.err)
	}
}

// A response without end fails the invocation without being read.
func TestEndlessResponse(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 99999999999\n\n", l.next())
	l.expect(413, "RequestEntityTooLarge")
	l.ended()
	if r := p.result(); r.err == nil || !strings.Contains(r.err.Error(), typeTooLarge) {
		t.Errorf("got %v", r.err)
	}
}

// curl asks before it sends a large body.
func TestExpectContinue(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	id := l.next()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\n", id)
	if res, _ := l.receive(); res.StatusCode != 100 {
		t.Errorf("got %s", res.Status)
	}
	l.send("42")
	l.expect(202, "OK")
	p.result()
}

// HTTP/1.0 and "Connection: close" take one request per connection, as curl in
// a shell script does.
func TestConnectionPerRequest(t *testing.T) {
	p := newPuppet(t, nil)
	for _, version := range []string{"HTTP/1.0\n\n", "HTTP/1.1\nConnection: close\n\n"} {
		l := p.dial()
		l.send("GET /2018-06-01/runtime/invocation/next " + version)
		res, _ := l.receive()
		l.conn.Close()
		l = p.dial()
		l.send("POST /2018-06-01/runtime/invocation/%s/response "+version, res.Header.Get("Lambda-Runtime-Aws-Request-Id"))
		l.expect(202, "OK")
		l.ended()
		p.result()
		p.invoke("{}")
	}
}

// A client that gives up asking and asks again gets the event.
func TestAskAgain(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	id := l.next()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	l.expect(202, "OK")
	p.result()
	l.send(askLine)
	pool := p.host.functions["f"].pool
	p.until(func() bool { return pool.count[idle] == 1 })
	l.conn.Close()
	p.until(func() bool { return pool.count[lingering] == 1 })
	// Two questions at once: the newer one is answered, the older never.
	old := p.dial()
	old.send(askLine)
	p.until(func() bool { return pool.count[idle] == 1 })
	fresh := p.dial()
	fresh.send(askLine)
	p.until(func() bool {
		return pool.idle[0].receiver.(*apiConn).net.RemoteAddr().String() == fresh.conn.LocalAddr().String()
	})
	p.invoke(`{"n":2}`)
	if _, body := fresh.receive(); body != `{"n":2}` {
		t.Errorf("got %q", body)
	}
	// A request before the answer to a question ends that connection only.
	old.send("GET /x HTTP/1.1\n\n")
	old.expect(404, "NotFound")
}

// until waits for a state of the pool.
func (p *puppet) until(reached func() bool) {
	p.t.Helper()
	pool := p.host.functions["f"].pool
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		pool.mu.Lock()
		ok := reached()
		pool.mu.Unlock()
		if ok {
			return
		}
	}
	p.t.Fatal("the pool did not reach the state within 10 s")
}

func TestManyConnections(t *testing.T) {
	p := newPuppet(t, nil)
	var lines []*line
	for range maxConns {
		l := p.dial()
		l.send("GET /x HTTP/1.1\n\n")
		l.expect(404, "NotFound")
		lines = append(lines, l)
	}
	p.dial().ended()
	lines[0].conn.Close()
	l := lines[1]
	l.send("GET /x HTTP/1.1\n\n")
	l.expect(404, "NotFound")
}

// An event larger than any socket buffer does not hold up the caller of a
// function that does not read.
func TestUnreadEvent(t *testing.T) {
	p := newPuppet(t, nil)
	l := p.dial()
	id := l.next()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	l.expect(202, "OK")
	p.result()
	l.send(askLine)
	p.until(func() bool { return p.host.functions["f"].pool.count[idle] == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := p.host.Invoke(ctx, "f", make([]byte, maxPayload)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Invoke returned after %v", took)
	}
	if err := p.host.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
