package sns

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReset: topics, subscriptions, what waits and what was published are gone,
// over a restart too, and what is made anew works.
func TestReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, dir, func(c *Config) { c.Retries = &RetryPolicy{NoDelay: 0, MinDelay: 100, Min: time.Hour, Max: time.Hour} })
	var refuse atomic.Bool
	refuse.Store(true)
	f.failing(func(delivery) error {
		if refuse.Load() {
			return context.DeadlineExceeded
		}
		return nil
	})
	plain, fifo := f.create(t, "plain", nil), f.create(t, "line.fifo", nil)
	f.join(t, plain, queueA, nil)
	f.join(t, fifo, queueB+".fifo", nil)
	publish := func() {
		t.Helper()
		f.say(t, plain, "one", "two")
		if _, err := f.Publish(t.Context(), fifo, Message{Body: "once", GroupID: "a", DeduplicationID: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	if f.Len() != 2 {
		t.Errorf("%d topics, want 2", f.Len())
	}
	if err := f.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuse.Store(false)
	if f.Len() != 0 {
		t.Errorf("%d topics after the reset", f.Len())
	}
	queues, err := f.bus.Queues(t.Context())
	if err != nil || len(queues) != 0 {
		t.Errorf("%d queues of subscriptions are left, %v", len(queues), err)
	}

	plain, fifo = f.create(t, "plain", nil), f.create(t, "line.fifo", nil)
	f.join(t, plain, queueA, nil)
	f.join(t, fifo, queueB+".fifo", nil)
	publish()
	if got := bodies(t, f.await(t, queueA, 2)); len(got) != 2 {
		t.Errorf("%v came", got)
	}
	f.await(t, queueB+".fifo", 1) // the deduplication id is not known any more
	if err := f.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.stop()
	if again := start(t, dir); again.Len() != 0 {
		t.Errorf("%d topics after a restart", again.Len())
	}
}

// TestResetWaitsForDeliveries that have begun, but not longer than it may.
func TestResetWaitsForDeliveries(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	begun, release := make(chan struct{}, 2), make(chan struct{})
	var ended atomic.Int32
	f.failing(func(delivery) error {
		begun <- struct{}{}
		<-release
		ended.Add(1)
		return nil
	})
	topic := f.create(t, "plain", nil)
	f.join(t, topic, queueA, nil)
	f.say(t, topic, "one")
	<-begun
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := f.Reset(short); err != nil || f.Len() != 0 {
		t.Fatalf("%d topics, %v", f.Len(), err)
	}

	topic = f.create(t, "plain", nil)
	f.join(t, topic, queueB, nil)
	var all sync.WaitGroup
	all.Go(func() {
		if err := f.Reset(t.Context()); err != nil || ended.Load() == 0 {
			t.Errorf("%d deliveries had ended, %v", ended.Load(), err)
		}
	})
	close(release)
	all.Wait()
}
