package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// invoker is an Invoker of a Go function that remembers the events.
type invoker struct {
	run func(ctx context.Context, function string, event []byte) ([]byte, error)

	mu     sync.Mutex
	events []string
}

func (i *invoker) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	i.mu.Lock()
	i.events = append(i.events, function+" "+string(event))
	i.mu.Unlock()
	return i.run(ctx, function, event)
}

func (i *invoker) got() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.events...)
}

// answers returns an invoker whose functions always say the same.
func answers(out string) *invoker {
	return &invoker{run: func(context.Context, string, []byte) ([]byte, error) { return []byte(out), nil }}
}

// fails returns an invoker whose functions always fail.
func fails(err error) *invoker {
	return &invoker{run: func(context.Context, string, []byte) ([]byte, error) { return nil, err }}
}

// functionError is how the function host reports what a function threw.
type functionError struct{ payload string }

func (e *functionError) Error() string        { return "function f: " + e.payload }
func (e *functionError) Unwrap() error        { return apigw.ErrFunction }
func (e *functionError) ErrorPayload() []byte { return []byte(e.payload) }

func threw(message string) error {
	payload, _ := json.Marshal(map[string]string{"errorMessage": message, "errorType": "Error"})
	return fmt.Errorf("invoke: %w", &functionError{string(payload)})
}

// newBackends returns backends that are closed with the test.
func newBackends(t testing.TB, cfg Config) *Backends {
	t.Helper()
	if cfg.Credentials.AccessKeyID == "" {
		cfg.Credentials = awswire.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}
	}
	b := New(cfg)
	t.Cleanup(b.Close)
	return b
}

func compile(t testing.TB, b *Backends, in apigw.Integration) *Integration {
	t.Helper()
	out, err := b.Compile(&in)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return out
}

// message is a MESSAGE on a two-way route.
func message(body string) *Request {
	return &Request{Kind: apigw.EventMessage, Body: []byte(body), Event: []byte(`{"body":"event"}`), Context: requestContext(apigw.EventMessage, "say")}
}

// oneWay is a MESSAGE on a one-way route.
func oneWay(body string) *Request {
	r := message(body)
	r.OneWay = true
	return r
}

// connect is a handshake.
func connect(query map[string][]string, headers ...apigw.Header) *Request {
	return &Request{Kind: apigw.EventConnect, Headers: headers, Query: query, Context: requestContext(apigw.EventConnect, apigw.RouteConnect)}
}

func requestContext(kind apigw.EventType, route string) *apigw.RequestContext {
	id, err := apigw.ParseConnectionID("JC1dgf9yoAMCK-g=")
	if err != nil {
		panic(err)
	}
	c := &apigw.RequestContext{
		RouteKey: route, EventType: kind, ExtendedRequestID: "req1", RequestTime: "19/Feb/2024:07:11:42 +0000", MessageDirection: "IN",
		Stage: "main", ConnectedAt: 1708326702789, RequestTimeEpoch: 1708326702790, Identity: apigw.Identity{SourceIP: "203.0.113.7", UserAgent: "tester"},
		RequestID: "req1", DomainName: "localhost:3001", ConnectionID: id, APIID: "abcdefghij",
		Authorizer: []byte(`{"tenant":"x","principalId":"user-1","numKey":1,"boolKey":true}`),
	}
	if kind == apigw.EventMessage {
		c.MessageID = "msg1"
	}
	return c
}

// call calls an integration and shows what came back in one line.
func call(t testing.TB, in *Integration, req *Request) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := in.Call(ctx, req)
	if err != nil {
		return "error: " + err.Error()
	}
	return show(out)
}

func show(out *Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", out.Status)
	for _, line := range out.Header {
		fmt.Fprintf(&b, " %s=%s", line.Name, line.Value)
	}
	if out.Base64 {
		b.WriteString(" base64")
	}
	if out.Body == nil {
		return b.String()
	}
	fmt.Fprintf(&b, " %s", out.Body)
	return b.String()
}

// matches compares a shown result: exactly, or, after "~", as a part of it.
func matches(got, want string) bool {
	if part, ok := strings.CutPrefix(want, "~"); ok {
		return strings.Contains(got, part)
	}
	return got == want
}
