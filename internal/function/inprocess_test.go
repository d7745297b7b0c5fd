package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// handlerFunc is the plainest Handler.
type handlerFunc func(ctx context.Context, event []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

func inThisProcess(name string) stack.Function {
	return stack.Function{Name: name, Timeout: 10 * time.Second, MemoryMB: 256}
}

func (h *testHost) addHandler(spec stack.Function, handler Handler) {
	h.t.Helper()
	if err := h.AddHandler(spec, handler); err != nil {
		h.t.Fatal(err)
	}
}

type valueError struct{ Detail string }

func (e valueError) Error() string { return e.Detail }

// A handler in this process looks to its caller as it does behind a sandbox: the
// same code runs in both, and what comes back is compared.
func TestInProcessIsAsBehindASandbox(t *testing.T) {
	oddly := func(o order) error { return &oddError{o.Text} }
	tests := []struct {
		name, behaviour, event string
		handler                any
	}{
		{"a response", "echo", `{"a": [1, 2]}`, func(event json.RawMessage) (json.RawMessage, error) { return event, nil }},
		{"an error of a pointer's type", "error", `{"text":"no <luck>"}`, oddly},
		{"an event that does not fit", "error", `{"text":5}`, oddly},
		{"a panic", "panic", `{}`, func() error { panic("out of cheese") }},
		{"a response that is too large", "large", `{"bytes":6291557}`, func(o order) (string, error) { return strings.Repeat("x", o.Bytes-2), nil }},
		{"the largest response", "large", `{"bytes":6291556}`, func(o order) (string, error) { return strings.Repeat("x", o.Bytes-2), nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHost(t, nil, acting("there", tt.behaviour, nil))
			h.addHandler(inThisProcess("here"), NewHandler(tt.handler))
			there, failedThere := h.Invoke(t.Context(), "there", []byte(tt.event))
			here, failedHere := h.Invoke(t.Context(), "here", []byte(tt.event))
			if !bytes.Equal(there, here) {
				t.Errorf("behind a sandbox %.100s, in this process %.100s", there, here)
			}
			a, b := asError(failedThere), asError(failedHere)
			if a.Type != b.Type || a.Message != b.Message || !sameKeys(t, a.Payload, b.Payload) {
				t.Errorf("behind a sandbox %s: %.200s, in this process %s: %.200s", a.Type, a.Payload, b.Type, b.Payload)
			}
		})
	}
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Message: fmt.Sprint(err)}
}

// sameKeys reports whether two payloads are equal but for the stack trace, which
// both have or neither.
func sameKeys(t *testing.T, a, b []byte) bool {
	t.Helper()
	strip := func(payload []byte) string {
		var members map[string]json.RawMessage
		if len(payload) > 0 {
			if err := json.Unmarshal(payload, &members); err != nil {
				t.Fatal(err)
			}
		}
		if trace, ok := members["stackTrace"]; ok {
			members["stackTrace"] = json.RawMessage(fmt.Sprint(len(trace) > 2))
		}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return strip(a) == strip(b)
}

func TestErrorsInProcess(t *testing.T) {
	h := newTestHost(t, nil)
	failing := map[string]func() error{
		"errorString": func() error { return errors.New("plain") },
		"valueError":  func() error { return valueError{"by value"} },
		"Mine.Own": func() error {
			return messages.InvokeResponse_Error{Type: "Mine.Own", Message: "chosen"}
		},
		"Runtime.Unknown":    func() error { return struct{ error }{errors.New("of no name")} },
		"TypeAssertionError": func() error { return any("text").(error) },
		typeExit:             func() error { runtime.Goexit(); return nil },
		typeTooLarge:         func() error { return errors.New(strings.Repeat("e", maxResponse)) },
	}
	for typ, fail := range failing {
		name := strings.ReplaceAll(typ, ".", "-")
		h.addHandler(inThisProcess(name), handlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, fail() }))
		e := h.invokeError(name, "{}")
		if e.Type != typ || !errors.Is(e, apigw.ErrFunction) || !json.Valid(e.Payload) {
			t.Errorf("%s came as %s: %.100s", typ, e.Type, e.Payload)
		}
	}
	if got := h.Functions(); got[0].How != "in process" || got[0].State != Ready || got[0].Errors != 1 || got[0].Busy != 0 {
		t.Errorf("the status is %+v", got[0])
	}
}

// The stack trace of a panic names the handler's place, in aws-lambda-go's form.
func TestPanicInProcess(t *testing.T) {
	h := newTestHost(t, nil)
	h.addHandler(inThisProcess("f"), NewHandler(func() error { panic(&oddError{"lost"}) }))
	e := h.invokeError("f", "{}")
	var body struct {
		StackTrace []struct {
			Path, Label string
			Line        int
		}
	}
	if err := json.Unmarshal(e.Payload, &body); err != nil {
		t.Fatal(err)
	}
	if e.Type != "oddError" || e.Message != "lost" || len(body.StackTrace) < 3 || len(body.StackTrace) > maxFrames {
		t.Fatalf("got %s", e.Payload)
	}
	top, own := body.StackTrace[0], body.StackTrace[1]
	if top.Label != "gopanic" || own.Path != "internal/function/inprocess_test.go" && !strings.HasSuffix(own.Path, "/internal/function/inprocess_test.go") ||
		!strings.HasPrefix(own.Label, "TestPanicInProcess") || own.Line == 0 {
		t.Errorf("the trace begins with %+v, %+v", top, own)
	}
}

// Unmodified handlers find what aws-lambda-go puts into their context.
func TestContextInProcess(t *testing.T) {
	h := newTestHost(t, nil)
	type found struct{ ID, ARN, Custom, Trace string }
	h.addHandler(inThisProcess("f"), NewHandler(func(ctx context.Context) (found, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		trace, _ := ctx.Value(traceKey).(string)
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 10*time.Second {
			return found{}, errors.New("the deadline is wrong")
		}
		return found{lc.AwsRequestID, lc.InvokedFunctionArn, lc.ClientContext.Custom["tenant"], trace}, nil
	}))
	response, err := h.InvokeCall(t.Context(), "f", Call{RequestID: "r-1", Event: []byte("{}"), ClientContext: []byte(`{"custom":{"tenant":"blue"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got found
	if err := json.Unmarshal(response, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "r-1" || got.ARN != "arn:aws:lambda:eu-west-1:111122223333:function:f" || got.Custom != "blue" || !strings.HasPrefix(got.Trace, "Root=1-") {
		t.Errorf("the handler found %+v", got)
	}
	if _, err := h.InvokeCall(t.Context(), "f", Call{ClientContext: []byte("[]")}); !strings.Contains(fmt.Sprint(err), "failed to unmarshal client context json") {
		t.Errorf("with a wrong client context: %v", err)
	}
	e := h.await(func(e telemetry.Event) bool { return e.Kind == telemetry.Invoked && e.RequestID == "r-1" })
	if e.Function != "f" || e.Bytes != 2 || e.Failed || e.Text != "" || e.Duration <= 0 {
		t.Errorf("the feed has %+v", e)
	}
}

// newInProcess makes a function without a host around it, so that its time can
// be faked.
func newInProcess(spec stack.Function, handler Handler) (*function, *telemetry.Feed) {
	feed := telemetry.NewFeed()
	host := &Host{config: Config{Feed: feed}, limits: defaultLimits(), log: slog.New(slog.DiscardHandler), functions: make(map[string]*function)}
	if err := host.AddHandler(spec, handler); err != nil {
		panic(err)
	}
	return host.functions[spec.Name], feed
}

func (p *inProcess) hasBegun(inv *invocation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !inv.begun.IsZero()
}

// begun hands in an event.
func begun(f *function, event string) *invocation {
	inv := newInvocation(Call{Event: []byte(event)})
	f.begin(inv)
	return inv
}

// Past the time limit the caller has its error, and the handler keeps its place
// of concurrency until it returns.
func TestTimeLimitInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := inThisProcess("f")
		spec.Timeout, spec.MaxConcurrency = 3*time.Second, 1
		deaf := handlerFunc(func(ctx context.Context, event []byte) ([]byte, error) {
			time.Sleep(10 * time.Second)
			return event, ctx.Err()
		})
		f, _ := newInProcess(spec, deaf)
		start := time.Now()
		first, second := begun(f, "1"), begun(f, "2")
		<-first.done
		e := asError(first.err)
		if took := time.Since(start); took != 3*time.Second || e.Type != typeTimeout || !strings.HasSuffix(e.Message, first.id+" Task timed out after 3.00 seconds") {
			t.Errorf("after %v: %v", took, first.err)
		}
		if f.local.busy() != 1 || f.local.hasBegun(second) {
			t.Error("the handler's place was given away while it runs")
		}
		<-second.done
		if waited := second.begun.Sub(start); waited != 10*time.Second {
			t.Errorf("the second event began after %v", waited)
		}
		time.Sleep(10 * time.Second)
		if f.local.busy() != 0 || f.invocations.Load() != 2 {
			t.Errorf("%d handlers run, %d invocations ended", f.local.busy(), f.invocations.Load())
		}
	})
}

// A handler that heeds its context returns at the moment of the deadline: the
// error is the time limit's, not its own.
func TestTimeLimitWinsInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newInProcess(inThisProcess("f"), handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		for range 100 {
			inv := begun(f, "{}")
			<-inv.done
			if e := asError(inv.err); e.Type != typeTimeout {
				t.Fatalf("got %v", inv.err)
			}
		}
	})
}

func TestConcurrencyInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := inThisProcess("f")
		spec.MaxConcurrency = 2
		most, now := 0, 0
		var mu sync.Mutex
		f, _ := newInProcess(spec, handlerFunc(func(context.Context, []byte) ([]byte, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return []byte("1"), nil
		}))
		f.local.waiting = 3
		var all []*invocation
		for range 6 {
			all = append(all, begun(f, "{}"))
		}
		synctest.Wait()
		if !errors.Is(all[5].err, apigw.ErrThrottled) {
			t.Errorf("the one too many got %v", all[5].err)
		}
		if _, err := f.giveUp(all[4], context.Canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up gets %v", err)
		}
		for i, inv := range all[:4] {
			<-inv.done
			if inv.err != nil {
				t.Errorf("event %d: %v", i, inv.err)
			}
		}
		if most != 2 || f.local.hasBegun(all[4]) {
			t.Errorf("%d handlers ran at one time; the one given up began: %v", most, f.local.hasBegun(all[4]))
		}
	})
}

// Close ends the contexts, waits for who returns, and leaves behind who does not.
func TestCloseInProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, heeds := range []bool{true, false} {
			release := make(chan struct{})
			spec := inThisProcess("f")
			spec.MaxConcurrency = 1
			f, _ := newInProcess(spec, handlerFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
				select {
				case <-ctx.Done():
				case <-release:
				}
				if !heeds {
					<-release
				}
				return []byte("done"), nil
			}))
			running, waiting := begun(f, "{}"), begun(f, "{}")
			synctest.Wait()
			start := time.Now()
			f.host.closeHandlers()
			<-running.done
			<-waiting.done
			switch took := time.Since(start); {
			case heeds && (took != 0 || running.err != nil || string(running.response) != "done"):
				t.Errorf("a handler that heeds its context: %v, %v", took, running.err)
			case !heeds && (took != f.host.limits.stop || asError(running.err).Type != typeClosed):
				t.Errorf("one that does not: %v, %v", took, running.err)
			}
			if asError(waiting.err).Type != typeClosed {
				t.Errorf("who waited got %v", waiting.err)
			}
			if late := begun(f, "{}"); asError(late.err).Type != typeClosed {
				t.Errorf("who came later got %v", late.err)
			}
			close(release)
			synctest.Wait()
			if f.local.busy() != 0 {
				t.Error("a handler has not returned")
			}
		}
	})
}

// Each caller gets its own event's response, however many there are at one time,
// although aws-lambda-go's own handlers share their buffers.
func TestResponsesAreNotShared(t *testing.T) {
	echo := func(event json.RawMessage) (json.RawMessage, error) { return event, nil }
	h := newTestHost(t, nil)
	h.addHandler(inThisProcess("ours"), NewHandler(echo))
	h.addHandler(inThisProcess("theirs"), lambda.NewHandler(echo))
	if got := h.functions["theirs"].local.most; got != 1 {
		t.Errorf("a handler of aws-lambda-go gets %d events at one time", got)
	}
	if NewHandler(lambda.NewHandler(echo)).(lambda.Handler) == nil || !sharesResponses(NewHandler(lambda.NewHandler(echo))) {
		t.Error("a ready-made handler was hidden")
	}
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := range 60 {
				for _, name := range []string{"ours", "theirs"} {
					want := fmt.Sprintf(`{"worker":%d,"turn":%d,"pad":%q}`, worker, i, strings.Repeat("x", i))
					if got, err := h.Invoke(t.Context(), name, []byte(want)); err != nil || string(got) != want {
						t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// A handler may use the bytes that it has returned again.
func TestAResponseIsTheCallers(t *testing.T) {
	buffer := make([]byte, 1)
	h := newTestHost(t, nil)
	h.addHandler(inThisProcess("f"), handlerFunc(func(_ context.Context, event []byte) ([]byte, error) {
		copy(buffer, event)
		return buffer, nil
	}))
	first, err := h.Invoke(t.Context(), "f", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if second := h.invoke("f", "2"); string(first) != "1" || second != "2" {
		t.Errorf("the responses are %s and %s", first, second)
	}
}

// A stack trace shows as many calls as aws-lambda-go's.
func TestDeepPanicInProcess(t *testing.T) {
	h := newTestHost(t, nil, acting("there", "sink", nil))
	h.addHandler(inThisProcess("here"), NewHandler(func() error { return sink(100) }))
	for _, name := range []string{"there", "here"} {
		if n := strings.Count(string(h.invokeError(name, "{}").Payload), `"path"`); n != maxFrames {
			t.Errorf("%s: the trace has %d calls", name, n)
		}
	}
}

func TestAddHandlerRefuses(t *testing.T) {
	h := newTestHost(t, nil)
	good := handlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil })
	h.addHandler(inThisProcess("f"), good)
	for want, err := range map[string]error{
		"the handler of function g is nil":  h.AddHandler(inThisProcess("g"), nil),
		"a function has no name":            h.AddHandler(stack.Function{}, good),
		`there are two functions named "f"`: h.AddHandler(inThisProcess("f"), good),
		"contains control characters":       h.AddHandler(stack.Function{Name: "a\nb"}, good),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// Build has nothing to do with it.
	if err := h.Build(t.Context(), func(r BuildResult) { t.Errorf("built %s", r.Function) }); err != nil {
		t.Error(err)
	}
	if e := h.invokeError("f", strings.Repeat("x", maxPayload+1)); e.Type != typeEventSize {
		t.Error(e)
	}
}

// BenchmarkInProcess is BenchmarkInvoke without a sandbox.
func BenchmarkInProcess(b *testing.B) {
	event := bytes.Repeat([]byte("12345678"), 64)
	for name, handler := range map[string]Handler{
		"plain":  handlerFunc(func(_ context.Context, event []byte) ([]byte, error) { return event, nil }),
		"lambda": NewHandler(func(event json.RawMessage) (json.RawMessage, error) { return event, nil }),
	} {
		if name == "lambda" {
			event, _ = json.Marshal(string(event))
		}
		b.Run(name, func(b *testing.B) {
			h := newTestHost(b, nil)
			h.addHandler(inThisProcess("echo"), handler)
			measure(b, func() {
				var all sync.WaitGroup
				for i := range 64 {
					all.Go(func() {
						for range share(b.N, 64, i) {
							if _, err := h.Invoke(b.Context(), "echo", event); err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
			})
		})
	}
}
