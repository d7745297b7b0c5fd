package function

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// outcome is what an invocation's caller gets.
type outcome struct {
	response []byte
	err      error
}

// begin starts an invocation; what then is called with comes from the channel,
// and the test fails when it is called twice.
func (h *testHost) begin(ctx context.Context, function, event string) <-chan outcome {
	outcomes := make(chan outcome, 2)
	h.InvokeThen(ctx, function, []byte(event), func(response []byte, err error) { outcomes <- outcome{response, err} })
	h.t.Cleanup(func() {
		if len(outcomes) > 0 {
			h.t.Errorf("the outcome of %s was told twice, or nobody took it: %v", function, <-outcomes)
		}
	})
	return outcomes
}

func (h *testHost) take(outcomes <-chan outcome) outcome {
	h.t.Helper()
	select {
	case o := <-outcomes:
		return o
	case <-time.After(20 * time.Second):
		h.t.Fatal("the outcome was not told within 20 s")
		return outcome{}
	}
}

// InvokeThen tells what Invoke returns, however the function ends.
func TestInvokeThen(t *testing.T) {
	slow := acting("slow", "sleep", nil)
	slow.Timeout = 100 * time.Millisecond
	off := acting("off", "echo", nil)
	off.Throttled = true
	h := newTestHost(t, nil, acting("echo", "echo", nil), acting("large", "large", nil), acting("error", "error", nil),
		acting("die", "die", nil), acting("exit", "exit", nil), slow, off)
	h.addHandler(inThisProcess("own"), NewHandler(func(o order) (string, error) { return o.Text, nil }))
	h.addHandler(inThisProcess("panics"), NewHandler(func() error { panic("out of cheese") }))
	for _, tt := range []struct{ function, event, fails string }{
		{function: "echo", event: `{"a":1}`},
		{function: "echo", event: `"` + strings.Repeat("x", 100_000) + `"`},
		{function: "large", event: `{"bytes":1000000}`},
		{function: "large", event: `{"bytes":6291557}`, fails: "Response payload size exceeded"},
		{function: "error", event: `{"text":"no"}`, fails: "no"},
		{function: "die", event: `{}`, fails: "exit status 3"},
		{function: "exit", event: `{}`, fails: "exit status 1"},
		{function: "slow", event: `{"sleep":1000000000}`, fails: "Task timed out after 0.10 seconds"},
		{function: "off", event: `{}`, fails: "reserved concurrency is 0"},
		{function: "nobody", event: `{}`, fails: "no such function"},
		{function: "own", event: `{"text":"hi"}`},
		{function: "panics", event: `{}`, fails: "out of cheese"},
	} {
		want, wantErr := h.Invoke(t.Context(), tt.function, []byte(tt.event))
		got := h.take(h.begin(t.Context(), tt.function, tt.event))
		if !bytes.Equal(got.response, want) || (got.err == nil) != (wantErr == nil) || errors.Is(got.err, apigw.ErrFunction) != errors.Is(wantErr, apigw.ErrFunction) {
			t.Errorf("%s: %.60q, %v; Invoke says %.60q, %v", tt.function, got.response, got.err, want, wantErr)
		}
		if tt.fails == "" && got.err != nil || tt.fails != "" && (got.err == nil || !strings.Contains(got.err.Error(), tt.fails)) {
			t.Errorf("%s: %v, want %q", tt.function, got.err, tt.fails)
		}
	}
}

// The time limit's end is told while the pool holds its lock: who is told may
// invoke again all the same.
func TestInvokeThenInvokesAgain(t *testing.T) {
	f := acting("f", "sleep", nil)
	f.Timeout = 50 * time.Millisecond
	h := newTestHost(t, nil, f)
	again := make(chan outcome, 1)
	h.InvokeThen(t.Context(), "f", []byte(`{"sleep":1000000000}`), func([]byte, error) {
		h.InvokeThen(t.Context(), "f", []byte(`{}`), func(response []byte, err error) { again <- outcome{response, err} })
	})
	if got := h.take(again); got.err != nil {
		t.Error(got.err)
	}
}

// A caller whose context ends is told so at once, and once; the function goes on.
func TestInvokeThenContextEnds(t *testing.T) {
	h := newTestHost(t, func(h *Host) { h.config.MaxSandboxes = 1 }, acting("f", "sleep", nil))
	h.invoke("f", `{}`)
	h.awaitInvoked()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	runs, waits := h.begin(ctx, "f", `{"sleep":300000000}`), h.begin(ctx, "f", `{}`)
	for _, o := range []<-chan outcome{runs, waits} {
		if got := h.take(o); !errors.Is(got.err, context.DeadlineExceeded) || errors.Is(got.err, apigw.ErrFunction) && got.response == nil {
			t.Errorf("%q, %v", got.response, got.err)
		}
	}
	if e := h.awaitInvoked(); !e.Failed {
		t.Errorf("the one that waited: %+v", e)
	}
	if e := h.awaitInvoked(); e.Failed || e.Duration < 300*time.Millisecond {
		t.Errorf("the one that ran: %+v", e)
	}
	if got := h.take(h.begin(ctx, "f", `{}`)); !errors.Is(got.err, context.DeadlineExceeded) {
		t.Errorf("after the context's end: %v", got.err)
	}
}

// What comes while invocations are held waits for them, not its caller.
func TestInvokeThenWhileHeld(t *testing.T) {
	h := newTestHost(t, nil, acting("echo", "echo", nil))
	var held <-chan outcome
	h.Renew(t.Context(), Renewal{}, func() {
		held = h.begin(t.Context(), "echo", `"later"`)
		select {
		case o := <-held:
			t.Errorf("told %q, %v while all were held", o.response, o.err)
		case <-time.After(30 * time.Millisecond):
		}
	})
	if got := h.take(held); string(got.response) != `"later"` || got.err != nil {
		t.Errorf("%q, %v", got.response, got.err)
	}
}
