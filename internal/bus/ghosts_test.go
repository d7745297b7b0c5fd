package bus

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TestGhosts: what a consumer has done with and the stream still has, after a
// process was killed in between, is neither counted nor kept; what was not
// acknowledged stays.
func TestGhosts(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	q, err := b.EnsureQueue(t.Context(), QueueConfig{Name: "work", AckWait: time.Second, MaxMessageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"ghost", "another", "message"} {
		if err := q.Publish(t.Context(), Message{Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	// A consumer that begins behind the first two is done with them.
	cfg := consumerConfig(q.Config())
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, 3
	if err := b.js.DeleteConsumer(t.Context(), "work", consumer); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.CreateConsumer(t.Context(), "work", cfg); err != nil {
		t.Fatal(err)
	}
	b.Close()

	if b, err = Open(Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queues, err := b.Queues(t.Context())
	if err != nil || len(queues) != 1 {
		t.Fatalf("%d queues, %v", len(queues), err)
	}
	q = queues[0]
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
}
