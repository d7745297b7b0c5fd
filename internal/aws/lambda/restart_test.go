package lambda

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/crashtest"
)

// TestKilled: an invocation whose acceptance was told outlives kill -9 and runs
// after the next start, those that were running at that moment, too.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	accepted := crashtest.Kill(t, dir, 300)

	f := start(t, dir, nil)
	await(t, "run of every accepted invocation", func() bool {
		seen := make(map[string]bool)
		for _, c := range f.functions.calls() {
			seen[string(c.Event)] = true
		}
		for _, event := range accepted {
			if !seen[event] {
				return false
			}
		}
		return true
	})
}

// acceptUntilKilled accepts invocations and says which; its function never ends.
func acceptUntilKilled(dir string) error {
	b, err := bus.Open(bus.Config{Dir: dir, Log: quiet()})
	if err != nil {
		return err
	}
	stuck := someFunctions()
	stuck.run = func(ctx context.Context, _ call) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s, err := New(context.Background(), Config{Functions: stuck, Bus: b, Region: region, Account: account, Log: quiet()})
	if err != nil {
		return err
	}
	s.Start()
	for n := 0; ; n++ {
		event := fmt.Sprintf(`{"n":%d}`, n)
		if err := s.InvokeAsync(context.Background(), "echo", []byte(event)); err != nil {
			return err
		}
		fmt.Println(event)
	}
}

// TestRestart: what waits for a retry waits on after a restart, with its counts;
// a running attempt that Close cuts off is none.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun := make(chan struct{}, 10)
	one := 1
	var failedOnce atomic.Bool
	settings := func(c *Config, fs *functions) {
		c.Retries = []time.Duration{300 * time.Millisecond}
		c.EventConfigs = []EventInvokeConfig{{Function: "echo", MaximumRetryAttempts: &one, OnFailure: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
		fs.run = func(ctx context.Context, c call) ([]byte, error) {
			// A second attempt in the first life, where the machine is slow, does not
			// come to its end there.
			if string(c.Event) == `"fails"` && !failedOnce.Swap(true) {
				return nil, boom
			}
			begun <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	f := start(t, dir, settings)
	for _, event := range []string{`"fails"`, `"runs"`} {
		if err := f.InvokeAsync(t.Context(), "echo", []byte(event)); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	ids := make(map[string]string) // of the events
	await(t, "beginning of both", func() bool {
		for _, c := range f.functions.calls() {
			ids[string(c.Event)] = c.RequestID
		}
		return len(ids) == 2
	})
	f.stop()

	f = start(t, dir, func(c *Config, fs *functions) {
		settings(c, fs)
		fs.run = func(_ context.Context, c call) ([]byte, error) {
			if string(c.Event) == `"fails"` {
				return nil, boom
			}
			return []byte("1"), nil
		}
	})
	await(t, "record of the failure", func() bool { return len(f.queues.messages()) == 1 })
	await(t, "end of the other", func() bool { return len(f.functions.calls()) >= 2 })
	for _, c := range f.functions.calls() {
		if c.RequestID != ids[string(c.Event)] {
			t.Errorf("an attempt at %s has the request id %s, the first had %s", c.Event, c.RequestID, ids[string(c.Event)])
		}
	}
	record := parsed(t, []byte(f.queues.messages()[0].Body))
	if got := record["requestContext"].(map[string]any); got["approximateInvokeCount"] != 2.0 || got["condition"] != "RetriesExhausted" {
		t.Errorf("record %v", got)
	}
}

// TestEmptyQueuesGo: a bus does not fill with the queues of functions that once
// were invoked.
func TestEmptyQueuesGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, dir, nil)
	if err := f.InvokeAsync(t.Context(), "echo", nil); err != nil {
		t.Fatal(err)
	}
	await(t, "call", func() bool { return len(f.functions.calls()) == 1 })
	q := f.Service.queues["echo"].(*bus.WorkQueue)
	await(t, "end of it", func() bool {
		counts, err := q.Counts(context.Background())
		return err == nil && counts == bus.Counts{}
	})
	f.stop()
	f = start(t, dir, nil)
	left, err := f.bus.Queues(t.Context())
	if err != nil || len(left) != 0 {
		t.Errorf("queues %v, %v", left, err)
	}
}
