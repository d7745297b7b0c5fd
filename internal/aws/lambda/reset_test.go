package lambda

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestReset: invocations that run are cut off and tell nobody, those that wait for
// a place, a retry or a destination are gone, and what comes later runs.
func TestReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := 0
	settings := func(c *Config, fs *functions) {
		c.Retries = []time.Duration{time.Hour}
		c.EventConfigs = []EventInvokeConfig{{Function: "other_1-a", MaximumRetryAttempts: &none, OnFailure: "arn:aws:sqs:" + region + ":" + account + ":failed"}}
		fs.run = func(ctx context.Context, c call) ([]byte, error) {
			if string(c.Event) == `"new"` {
				return []byte("null"), nil
			}
			if c.function == "echo" {
				return nil, boom // waits an hour for its retry
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	f := start(t, dir, settings)
	for n := range 10 {
		for _, function := range []string{"echo", "other_1-a"} {
			if err := f.InvokeAsync(t.Context(), function, fmt.Appendf(nil, "%d", n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	await(t, "first attempt of all", func() bool { return len(f.functions.calls()) >= 10+DefaultConcurrency })
	dropped, err := f.Reset(t.Context())
	if err != nil || dropped != 20 {
		t.Fatalf("Reset dropped %d, %v; want 20", dropped, err)
	}
	before := len(f.functions.calls())
	if dropped, err := f.Reset(t.Context()); err != nil || dropped != 0 {
		t.Errorf("the second Reset dropped %d, %v", dropped, err)
	}
	if err := f.InvokeAsync(t.Context(), "echo", []byte(`"new"`)); err != nil {
		t.Fatal(err)
	}
	await(t, "run after the reset", func() bool { return len(f.functions.calls()) == before+1 })
	f.stop()

	again := start(t, dir, settings)
	if dropped, err := again.Reset(t.Context()); err != nil || dropped != 0 {
		t.Errorf("after a restart %d invocations were there, %v", dropped, err)
	}
	if got := append(f.queues.messages(), again.queues.messages()...); len(got) != 0 {
		t.Errorf("destinations were told %v", got)
	}
}

// TestResetUnderLoad: no invocation that was accepted after a Reset is lost, and
// nothing hangs.
func TestResetUnderLoad(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	var ran atomic.Int64
	f.functions.run = func(context.Context, call) ([]byte, error) { ran.Add(1); return nil, nil }
	stop, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for stop.Err() == nil {
			f.InvokeAsync(stop, "echo", []byte("1")) // a Reset may refuse or drop it
		}
	}()
	for range 20 {
		n := ran.Load()
		if _, err := f.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "run between two resets", func() bool { return ran.Load() > n })
	}
	cancel()
	<-ended
}

// TestResetAndTheEnd: neither Pause nor Close is undone by a Reset.
func TestResetAndTheEnd(t *testing.T) {
	t.Parallel()
	f := start(t, "", nil)
	f.Pause(t.Context())
	if _, err := f.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.InvokeAsync(t.Context(), "echo", []byte("1")); err != nil {
		t.Fatal(err)
	}
	f.stop()
	if n := len(f.functions.calls()); n != 0 {
		t.Errorf("%d invocations ran after Pause", n)
	}
	if _, err := f.Reset(t.Context()); err == nil {
		t.Error("Reset after Close succeeded")
	}
}
