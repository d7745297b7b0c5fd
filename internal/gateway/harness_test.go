package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/integration"
)

// within bounds every wait of these tests, generously.
const within = 20 * time.Second

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

// on sets what a function does.
func (f *functions) on(name string, run func(ctx context.Context, event []byte) ([]byte, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run[name] = run
}

func answer(out string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return []byte(out), nil }
}

// functionError is how the function host reports a function that failed.
type functionError struct{ payload string }

func (e *functionError) Error() string        { return "function failed: " + e.payload }
func (e *functionError) Unwrap() error        { return apigw.ErrFunction }
func (e *functionError) ErrorPayload() []byte { return []byte(e.payload) }

func fails(message string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) {
		return nil, &functionError{fmt.Sprintf(`{"errorMessage":%q,"errorType":"Error"}`, message)}
	}
}

// never answers before its time is over.
func never(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// system is a gateway on loopback.
type system struct {
	*functions
	gateway *Gateway
	hub     *conn.Hub
	url     string
	address string
	log     *lockedBuffer
}

// lockedBuffer is a log that tests read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func proxied(key string, twoWay bool) apigw.Route {
	name := strings.TrimPrefix(key, "$")
	return apigw.Route{Key: key, TwoWay: twoWay, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: name}}
}

// testAPI is an API with routes by the member action.
func testAPI(routes ...apigw.Route) *apigw.API {
	return &apigw.API{
		ID: "abcdefghij", Name: "test", RouteSelectionExpression: "$request.body.action",
		Stage: apigw.Stage{Name: "main", Variables: map[string]string{"k": "v"}}, Routes: routes,
	}
}

func newFunctions() *functions {
	return &functions{events: make(map[string][]string), run: make(map[string]func(context.Context, []byte) ([]byte, error))}
}

// config is a complete configuration of a test.
func (s *system) config(api *apigw.API, limits apigw.Limits) Config {
	return Config{
		API: api, Domain: "localhost:3001", Region: "eu-west-1", Account: "111122223333", Limits: limits, IDs: apigw.NewIDs(), Hub: s.hub,
		Backends: integration.New(integration.Config{Invoker: s.functions, Limits: limits}), Invoker: s.functions,
		HandOver: func(c net.Conn, read []byte) error {
			fmt.Fprintf(c, "plain:%s", read)
			return c.Close()
		},
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
}

func newSystem(t testing.TB, limits apigw.Limits, routes ...apigw.Route) *system {
	t.Helper()
	return startSystem(t, testAPI(routes...), limits, nil)
}

// startSystem serves an API until the test ends. change may change the
// configuration.
func startSystem(t testing.TB, api *apigw.API, limits apigw.Limits, change func(*Config)) *system {
	t.Helper()
	s := &system{functions: newFunctions(), hub: conn.NewHub(limits), log: new(lockedBuffer)}
	cfg := s.config(api, limits)
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.gateway, err = New(cfg); err != nil {
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
	sweeping, stop := context.WithCancel(context.Background())
	accepting.Go(func() { s.hub.Run(sweeping) })
	t.Cleanup(func() {
		ln.Close()
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := s.gateway.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		stop()
		accepting.Wait()
	})
	return s
}

func (s *system) dial(t testing.TB, query string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, s.url+query, opts)
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, resp, err
}

func (s *system) open(t testing.TB) *websocket.Conn {
	t.Helper()
	c, _, err := s.dial(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// id returns the id of the only connection.
func (s *system) id(t testing.TB) string {
	t.Helper()
	for c := range s.hub.All() {
		return c.ID().String()
	}
	t.Fatal("there is no connection")
	return ""
}

func say(t testing.TB, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// rawExchange sends bytes and returns what comes back until the end.
func (s *system) rawExchange(t testing.TB, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	io.WriteString(c, text)
	out, _ := io.ReadAll(c)
	return string(out)
}

// upgrade is a handshake with further header lines, each with its CRLF.
func upgrade(target, more string) string {
	if !strings.Contains(more, "Host:") {
		more = "Host: localhost:3001\r\n" + more
	}
	return "GET " + target + " HTTP/1.1\r\n" + more + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// shake sends a handshake and returns the answer; its body is read. An open
// connection is closed.
func (s *system) shake(t testing.TB, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(within))
	io.WriteString(c, request)
	return readAnswer(t, c)
}

func readAnswer(t testing.TB, c net.Conn) (*http.Response, string) {
	t.Helper()
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatalf("the answer ends after %q: %v", head, err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(io.LimitReader(c, resp.ContentLength))
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// decodeEvent reads the one event that a function got.
func (s *system) decodeEvent(t testing.TB, function string, into any) string {
	t.Helper()
	events := s.got(function)
	if len(events) != 1 {
		t.Fatalf("%s got %d events", function, len(events))
	}
	if err := json.Unmarshal([]byte(events[0]), into); err != nil {
		t.Fatal(err)
	}
	return events[0]
}

// connectionOf returns the connection that an event belongs to.
func connectionOf(t testing.TB, event string) apigw.ConnectionID {
	t.Helper()
	var e struct {
		RequestContext struct{ ConnectionID apigw.ConnectionID }
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Error(err)
	}
	return e.RequestContext.ConnectionID
}

// rawClient is a WebSocket client that shows every byte.
type rawClient struct {
	t testing.TB
	net.Conn
}

// rawOpen does a handshake that must succeed.
func (s *system) rawOpen(t testing.TB, request string) *rawClient {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(within))
	io.WriteString(c, request)
	if resp, body := readAnswer(t, c); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return &rawClient{t, c}
}

// frame sends a frame of fewer than 126 bytes, masked with zeros.
func (c *rawClient) frame(op byte, payload string) {
	c.t.Helper()
	if _, err := c.Write(append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) send(text string) { c.t.Helper(); c.frame(1, text) }

func (c *rawClient) close(code uint16, text string) {
	c.t.Helper()
	c.frame(8, string([]byte{byte(code >> 8), byte(code)})+text)
}

// read returns the next n bytes.
func (c *rawClient) read(n int) string {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}
