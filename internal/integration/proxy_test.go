package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

var proxyIntegration = apigw.Integration{Type: apigw.AWSProxy, Function: "f"}

func TestProxyAnswerIsReadStrictly(t *testing.T) {
	conformance.Covers(t, "integration.unknown-keys", "integration.malformed-output", "integration.base64-output", "integration.status-ignored", "integration.empty-body-frame")
	for _, tt := range []struct{ name, out, want string }{
		{"a body", `{"statusCode":200,"body":"hi"}`, "200 hi"},
		{"no body", `{"statusCode":200}`, "200"},
		{"a body of null", `{"statusCode":200,"body":null}`, "200"},
		{"an empty body", `{"statusCode":200,"body":""}`, "200 "},
		{"escapes", `{"statusCode":200,"body":"{\"a\":\"\u00e9\\n\"}"}`, `200 {"a":"é\n"}`},
		{"a failure's status", `{"statusCode":500,"body":"broken"}`, "500 broken"},
		{"status in quotes", `{"statusCode":"201","body":"x"}`, "201 x"},
		{"white space around", " \n{\"statusCode\":200}\n ", "200"},
		{"headers", `{"statusCode":200,"headers":{"X-A":"1","X-N":5,"X-B":true,"X-Null":null}}`, "200 X-A=1 X-N=5 X-B=true"},
		{"multi-value headers", `{"statusCode":200,"headers":{"x-a":"single"},"multiValueHeaders":{"X-A":["1","2"],"X-Null":null}}`, "200 X-A=1 X-A=2 x-a=single"},
		{"nulls", `{"statusCode":200,"headers":null,"multiValueHeaders":null,"isBase64Encoded":null}`, "200"},
		{"base64 stays as it is", `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, "200 base64 aGk="},
		{"the last of a doubled key", `{"statusCode":200,"statusCode":202}`, "202"},
		{"null", `null`, "~another kind: null"},
		{"nothing", ``, "~not a proxy answer"},
		{"a string", `"ok"`, "~another kind: string"},
		{"a number", `7`, "~another kind: number"},
		{"an array", `[{"statusCode":200}]`, "~another kind: array"},
		{"no JSON", `ok`, "~not a proxy answer"},
		{"something behind it", `{"statusCode":200} x`, "~not a proxy answer"},
		{"an unknown key", `{"statusCode":200,"ConnectionId":"x"}`, `~the key "ConnectionId" is not known`},
		{"an unknown key of null", `{"statusCode":200,"Data":null}`, `~the key "Data" is not known`},
		{"a key in the wrong case", `{"StatusCode":200}`, `~the key "StatusCode" is not known`},
		{"no status", `{"body":"x"}`, "~statusCode is missing"},
		{"a status of null", `{"statusCode":null}`, "~statusCode is missing"},
		{"a small status", `{"statusCode":99}`, "~from 100 to 599"},
		{"a large status", `{"statusCode":600}`, "~from 100 to 599"},
		{"a status with a fraction", `{"statusCode":200.5}`, "~from 100 to 599"},
		{"a status that is no number", `{"statusCode":true}`, "~statusCode is true"},
		{"a body that is an object", `{"statusCode":200,"body":{"a":1}}`, "~body is of the kind object"},
		{"a body that is a number", `{"statusCode":200,"body":5}`, "~body is of the kind number"},
		{"headers that are a list", `{"statusCode":200,"headers":["x"]}`, "~headers is of the kind array"},
		{"a header that is an object", `{"statusCode":200,"headers":{"x":{}}}`, `~header "x" is of the kind object`},
		{"multi-value headers that are text", `{"statusCode":200,"multiValueHeaders":"x"}`, "~multiValueHeaders is of the kind string"},
		{"a multi-value header that is text", `{"statusCode":200,"multiValueHeaders":{"x":"y"}}`, `~header "x" is of the kind string`},
		{"a base64 flag that is text", `{"statusCode":200,"isBase64Encoded":"true"}`, "~isBase64Encoded is of the kind string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := compile(t, newBackends(t, Config{Invoker: answers(tt.out)}), proxyIntegration)
			out, err := in.Call(t.Context(), message(`{}`))
			if strings.HasPrefix(tt.want, "~") {
				if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want[1:]) {
					t.Fatalf("%s: %v, %v; want ErrMalformed with %q", tt.out, out, err, tt.want[1:])
				}
				return
			}
			if err != nil || show(out) != tt.want {
				t.Errorf("%s: %v; want %s", call(t, in, message(`{}`)), err, tt.want)
			}
		})
	}
}

func TestNothingIsASuccessWhereNobodyWaits(t *testing.T) {
	conformance.Covers(t, "integration.null-success", "handshake.connect-malformed-502")
	for _, out := range []string{"null", "", " \n", " null "} {
		in := compile(t, newBackends(t, Config{Invoker: answers(out)}), proxyIntegration)
		disconnect := &Request{Kind: apigw.EventDisconnect, Context: requestContext(apigw.EventDisconnect, apigw.RouteDisconnect)}
		for name, req := range map[string]*Request{"a one-way route": oneWay(""), "$disconnect": disconnect} {
			if got := call(t, in, req); got != "200" {
				t.Errorf("%q on %s: %s, want 200", out, name, got)
			}
		}
		hasty := connect(nil)
		hasty.OneWay = true // a $connect never is
		for name, req := range map[string]*Request{"a two-way route": message(""), "$connect": hasty} {
			if _, err := in.Call(t.Context(), req); !errors.Is(err, ErrMalformed) {
				t.Errorf("%q on %s: %v, want ErrMalformed", out, name, err)
			}
		}
	}
	in := compile(t, newBackends(t, Config{Invoker: answers(`"text"`)}), proxyIntegration)
	if _, err := in.Call(t.Context(), oneWay("")); !errors.Is(err, ErrMalformed) {
		t.Errorf("a string on a one-way route: %v, want ErrMalformed", err)
	}
}

func TestProxyFunctionsGetTheEvent(t *testing.T) {
	f := answers(`{"statusCode":200}`)
	in := compile(t, newBackends(t, Config{Invoker: f}), apigw.Integration{Type: apigw.AWSProxy, Function: "f",
		// None of these is for a proxy.
		RequestTemplates: map[string]string{"$default": "#broken("}, RequestParameters: map[string]string{"x": "y"}, ContentHandling: "CONVERT_TO_BINARY", PassthroughBehavior: never})
	conformance.Covers(t, "mapping.content-proxy")
	call(t, in, message("aGk="))
	if got := f.got(); len(got) != 1 || got[0] != `f {"body":"event"}` {
		t.Errorf("the function got %q", got)
	}
	if !in.TakesEvent() {
		t.Error("TakesEvent is false for AWS_PROXY")
	}
}

func TestProxyErrorsPassThrough(t *testing.T) {
	conformance.Covers(t, "integration.function-throttled", "integration.not-allowed")
	for _, want := range []error{apigw.ErrThrottled, apigw.ErrFunction, errors.New("no such function")} {
		in := compile(t, newBackends(t, Config{Invoker: fails(fmt.Errorf("invoke: %w", want))}), proxyIntegration)
		if _, err := in.Call(t.Context(), oneWay("")); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestTheTimeLimitEndsTheCallAndNotTheFunction(t *testing.T) {
	conformance.Covers(t, "integration.timeout-function-goes-on")
	for name, in := range map[string]apigw.Integration{
		"of the integration": {Type: apigw.AWSProxy, Function: "f", Timeout: 50 * time.Millisecond},
		"of the gateway":     {Type: apigw.AWSProxy, Function: "f"},
		"of AWS":             {Type: apigw.AWSService, Function: "f", Timeout: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			release, done := make(chan struct{}), make(chan struct{})
			f := &invoker{run: func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
				go func() { // the function itself, which the host leaves running
					<-release
					close(done)
				}()
				<-ctx.Done()
				return nil, fmt.Errorf("invoke: %w", ctx.Err())
			}}
			limits := apigw.DefaultLimits()
			limits.IntegrationTimeout = time.Millisecond
			_, err := compile(t, newBackends(t, Config{Invoker: f, Limits: limits}), in).Call(t.Context(), message("{}"))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want context.DeadlineExceeded", err)
			}
			close(release)
			select {
			case <-done:
			case <-time.After(patience):
				t.Error("the function was not left running")
			}
		})
	}
}

// starter is an Invoker that need not be waited for.
type starter struct{ *invoker }

func (s starter) InvokeThen(ctx context.Context, function string, event []byte, then func([]byte, error)) {
	go func() { then(s.Invoke(ctx, function, event)) }()
}

// waiter waits for InvokeThen: nobody waits for it.
type waiter struct{ starter }

func (waiter) Invoke(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.New("Invoke was called")
}

// CallThen tells what Call returns, and does not wait for it.
func TestCallThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, f := range map[string]*invoker{
			"an answer":          answers(`{"statusCode":201,"body":"hi"}`),
			"a malformed answer": answers(`{"status":201}`),
			"nothing":            answers(``),
			"an error":           fails(fmt.Errorf("invoke: %w", apigw.ErrThrottled)),
			"too late":           {run: func(ctx context.Context, _ string, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }},
		} {
			want, wantErr := compile(t, newBackends(t, Config{Invoker: f}), proxyIntegration).Call(t.Context(), oneWay(""))
			for _, invoker := range []Invoker{f, waiter{starter{f}}} {
				in := compile(t, newBackends(t, Config{Invoker: invoker}), proxyIntegration)
				started, told := time.Now(), make(chan bool, 1)
				in.CallThen(t.Context(), oneWay(""), func(got *Response, err error) {
					if !reflect.DeepEqual(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
						t.Errorf("%s: %+v, %v; Call says %+v, %v", name, got, err, want, wantErr)
					}
					told <- true
				})
				if took := time.Since(started); took != 0 {
					t.Errorf("%s: CallThen waited %v", name, took)
				}
				<-told
			}
		}
	})
}

func TestTheTimeLimitIsExact(t *testing.T) {
	for limit, in := range map[time.Duration]apigw.Integration{
		29 * time.Second: proxyIntegration,
		7 * time.Second:  {Type: apigw.AWSProxy, Function: "f", Timeout: 7 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &invoker{run: func(ctx context.Context, _ string, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }}
			started := time.Now()
			_, err := compile(t, newBackends(t, Config{Invoker: f}), in).Call(t.Context(), message("{}"))
			if took := time.Since(started); !errors.Is(err, context.DeadlineExceeded) || took != limit {
				t.Errorf("%v after %v, want the end after %v", err, took, limit)
			}
		})
	}
}

func TestTimeLimits(t *testing.T) {
	conformance.Covers(t, "integration.timeout-range")
	b := newBackends(t, Config{Invoker: answers("")})
	for ms, ok := range map[int]bool{0: true, 1: false, 49: false, 50: true, 29_000: true, 29_001: false, -5: false} {
		in := proxyIntegration
		in.Timeout = time.Duration(ms) * time.Millisecond
		out, err := b.Compile(&in)
		if (err == nil) != ok {
			t.Errorf("%d ms: %v", ms, err)
		}
		if !ok && !strings.Contains(err.Error(), "choose 50 to 29000") {
			t.Errorf("%d ms: %v", ms, err)
		}
		if ms == 0 && out.timeout != 29*time.Second {
			t.Errorf("without a limit of its own an integration has %v, want 29s", out.timeout)
		}
	}
}

func TestHeaderGetTakesTheLastOfAnyCase(t *testing.T) {
	h := Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}, {Name: "X-B", Value: "3"}}
	if h.Get("X-a") != "2" || h.Get("x-b") != "3" || h.Get("X-C") != "" || fmt.Sprint(h.Values("x-A")) != "[1 2]" {
		t.Errorf("%q %q %q %q", h.Get("X-a"), h.Get("x-b"), h.Get("X-C"), h.Values("x-A"))
	}
}

// FuzzProxyOutput holds that whatever a function answers is either malformed or
// has a status that HTTP has, and that encoding/json, where it takes the
// answer, reads the same.
func FuzzProxyOutput(f *testing.F) {
	for _, seed := range []string{`{"statusCode":200,"body":"x"}`, `{"statusCode":"404","headers":{"a":1},"multiValueHeaders":{"a":["b",2]}}`, `null`, `{"statusCode":1e2}`, `{"body":"\ud800","statusCode":200}`, `{"statusCode":200,"isBase64Encoded":true,"body":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		r, err := parseProxyOutput(out)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || r != nil {
				t.Fatalf("%v with %v", r, err)
			}
			return
		}
		if r.Status < 100 || r.Status > 599 {
			t.Errorf("status %d", r.Status)
		}
		if !utf8.Valid(r.Body) {
			t.Errorf("the body %q is no UTF-8", r.Body)
		}
		var wire struct{ Body *string }
		if json.Unmarshal(out, &wire) != nil {
			t.Fatalf("taken, though encoding/json does not: %q", out)
		}
		if wire.Body != nil && strings.Count(string(out), "ody") == 1 && *wire.Body != string(r.Body) {
			t.Errorf("body %q, encoding/json reads %q", r.Body, *wire.Body)
		}
	})
}

func BenchmarkProxyCall(b *testing.B) {
	for name, out := range map[string]string{
		"status":  `{"statusCode":200}`,
		"body":    `{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{\"action\":\"echo\",\"data\":\"` + strings.Repeat("x", 100) + `\"}"}`,
		"body4KB": `{"statusCode":200,"body":"` + strings.Repeat(`{\"k\":\"v\"}`, 400) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			answer := []byte(out)
			f := benchInvoker{answer}
			in := compile(b, newBackends(b, Config{Invoker: f}), proxyIntegration)
			req := message("{}")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Call(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type benchInvoker struct{ answer []byte }

func (i benchInvoker) Invoke(context.Context, string, []byte) ([]byte, error) { return i.answer, nil }
