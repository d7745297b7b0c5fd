package bus

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestGhosts: what the consumer has done with and the stream still has, after a
// process was killed in between, is neither counted nor kept; what was not
// acknowledged stays. The stream's files from before the acknowledgement stand for
// the kill.
func TestGhosts(t *testing.T) {
	dir, before := t.TempDir(), t.TempDir()
	inBus(t, dir, func(q *WorkQueue) {
		for _, text := range []string{"ghost", "another", "message"} {
			if err := q.Publish(t.Context(), Message{Data: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
	})
	messages := filepath.Join(dir, "jetstream", "$G", "streams", "work", "msgs")
	if err := os.CopyFS(before, os.DirFS(messages)); err != nil {
		t.Fatal(err)
	}
	inBus(t, dir, func(q *WorkQueue) {
		got, err := q.Fetch(t.Context(), 2, time.Second)
		if err != nil || len(got) != 2 {
			t.Fatalf("fetched %v, %v", got, err)
		}
		if err := q.Ack(t.Context(), got[0].Receipt, got[1].Receipt); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.RemoveAll(messages); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(messages, os.DirFS(before)); err != nil {
		t.Fatal(err)
	}
	inBus(t, dir, func(q *WorkQueue) {
		for range 2 {
			if got, err := q.Counts(t.Context()); err != nil || got != (Counts{Ready: 1}) {
				t.Errorf("the queue holds %+v, %v", got, err)
			}
		}
		got, err := q.Fetch(t.Context(), 10, time.Second)
		if err != nil || len(got) != 1 || string(got[0].Data) != "message" {
			t.Fatalf("fetched %v, %v", got, err)
		}
		if err := q.Ack(t.Context(), got[0].Receipt); err != nil {
			t.Fatal(err)
		}
		if got, err := q.Counts(t.Context()); err != nil || got != (Counts{}) || !q.unhaunted.Load() {
			t.Errorf("at the end the queue holds %+v, %v", got, err)
		}
	})
}

// inBus opens a bus with one queue, and closes it again.
func inBus(t *testing.T, dir string, do func(q *WorkQueue)) {
	t.Helper()
	b, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	q, err := b.EnsureQueue(t.Context(), QueueConfig{Name: "work", AckWait: time.Second, MaxMessageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	do(q)
}
