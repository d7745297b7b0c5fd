package sns

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// only returns the one subscription of a topic.
func (f *fixture) only(t testing.TB, arn string) *subscription {
	t.Helper()
	at, err := parseTopicARN("TopicArn", arn)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := f.lookup(at)
	if err != nil {
		t.Fatal(err)
	}
	all := f.subscriptionsOf(topic)
	if len(all) != 1 {
		t.Fatalf("%d subscriptions", len(all))
	}
	return all[0]
}

// TestWhatIsOutStaysHidden: a delivery that takes its time keeps its message,
// which is not counted as delivered once more.
func TestWhatIsOutStaysHidden(t *testing.T) {
	t.Parallel()
	f := prepare(t, "", func(c *Config) { c.ackWait = 3 * time.Second })
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, nil)
	f.say(t, topic, "x")
	sub := f.only(t, topic)
	got, err := sub.queue.Fetch(t.Context(), 1, patience)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	w := &worker{subscription: sub, out: make(map[uint64]bus.Receipt)}
	if !w.take(got[0]) || w.take(got[0]) {
		t.Error("a message that is out was taken twice")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.keep(ctx); close(ended) }()
	deadline := time.After(patience)
	for {
		lease, ok := sub.queue.Lease(got[0].Sequence)
		if !ok || lease.Count != 1 {
			t.Fatalf("lease %+v, %v", lease, ok)
		}
		if lease.Until.After(got[0].Until) {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("the message was not hidden for longer")
		}
	}
	stop()
	<-ended
	w.leave(got[0])
	if len(w.receipts()) != 0 {
		t.Error("it is still out")
	}
}

func TestPaceKeepsUnderTheThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pace
		begin := time.Now()
		for range 5 {
			if err := p.wait(t.Context(), &throttlePolicy{2}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("five deliveries at two a second took %v, want 2s", took)
		}
		if err := p.wait(t.Context(), nil); err != nil || time.Since(begin) != 2*time.Second {
			t.Errorf("without a throttle: %v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.wait(ctx, &throttlePolicy{1}); err == nil {
			t.Error("it waited for a context that has ended")
		}
	})
}

// TestPublisherWhoWasToldNothing: a process that ends between storing a FIFO
// topic's message and noting it has promised nothing; the publisher tries again,
// and the message is delivered once.
func TestPublisherWhoWasToldNothing(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t.fifo", nil)
	f.join(t, topic, queueF, nil)
	m := inGroup("x", "g", "1")
	f.send(t, topic, m)
	f.await(t, queueF, 1)
	record := f.only(t, topic).topic.record()
	if err := f.seen.Delete(t.Context(), seenKey(record, &m)); err != nil {
		t.Fatal(err)
	}
	f.send(t, topic, m, inGroup("y", "g", "2"))
	f.await(t, queueF, 2)
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, dir)
	s := serveHTTP(t, always)
	topic := f.create(t, "t", nil)
	f.join(t, topic, s.URL, nil)
	s.next(t)
	r := f.only(t, topic).state().subscriptionRecord
	r.Created = r.Created.Add(-tokenLife - time.Minute)
	if _, err := f.storeSubscription(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	_, err := f.client.ConfirmSubscription(t.Context(), &awssns.ConfirmSubscriptionInput{TopicArn: &topic, Token: &r.Token})
	wantError(t, err, "InvalidParameter", "Invalid token")
	f.stop()
	f = start(t, dir)
	if out, err := f.client.ListSubscriptions(t.Context(), &awssns.ListSubscriptionsInput{}); err != nil || len(out.Subscriptions) != 0 {
		t.Errorf("after a restart: %v, %v", out, err)
	}
}

// idle returns a worker for a new topic's one subscription; nothing else
// delivers for it.
func idle(t *testing.T, endpoint string, attributes map[string]string) (*fixture, *worker) {
	t.Helper()
	f := prepare(t, "")
	topic := f.create(t, "t", nil)
	f.join(t, topic, endpoint, attributes)
	return f, &worker{subscription: f.only(t, topic), out: make(map[uint64]bus.Receipt)}
}

// TestDeliveryCutShortByAKillCounts: or a message that kills the process would
// live for ever.
func TestDeliveryCutShortByAKillCounts(t *testing.T) {
	t.Parallel()
	_, w := idle(t, queueA, nil)
	data := (&envelope{ID: "1", Tries: 2}).seal()
	for count, want := range map[int]int{0: 2, 1: 2, 4: 5} {
		if e := w.read(bus.Delivery{Data: data, Lease: bus.Lease{Count: count}}); e.Tries != want {
			t.Errorf("delivered %d times: %d attempts, want %d", count, e.Tries, want)
		}
	}
}

// TestDeadLetterQueueThatTakesNothing: the message waits for it, and is not
// delivered meanwhile.
func TestDeadLetterQueueThatTakesNothing(t *testing.T) {
	t.Parallel()
	f, w := idle(t, queueA, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	fail, count := counting(queueA, 1000, ErrNoEndpoint)
	f.failing(func(d delivery) error {
		if d.to == dlq {
			return ErrNoEndpoint
		}
		return fail(d)
	})
	e := &envelope{ID: "1"}
	for range 3 {
		v, wait, err := w.try(t.Context(), e)
		if v != again || wait != buryAgain || err == nil {
			t.Fatalf("%v after %v: %v", v, wait, err)
		}
		var stored error
		if e, stored = openEnvelope(e.seal()); stored != nil {
			t.Fatal(stored)
		}
	}
	f.failing(fail)
	if v, _, _ := w.try(t.Context(), e); v != bury || count() != 1 || len(f.to(dlq)) != 1 {
		t.Errorf("%v, %d attempts, %d dead letters", v, count(), len(f.to(dlq)))
	}
}

func TestNobodyIsAskedToConfirmTwice(t *testing.T) {
	t.Parallel()
	_, w := idle(t, queueA, nil) // a queue's subscription needs no confirmation
	w.service.config.Queues = nil
	if err := w.send(t.Context(), &envelope{Kind: confirmation}); err != nil {
		t.Errorf("asked: %v", err)
	}
}

func TestConfirmationIsNoDeadLetter(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	s := serveHTTP(t, func(int) int { return 404 })
	topic := f.create(t, "t", nil)
	f.join(t, topic, s.URL, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	s.next(t)
	awaitEvent(t, f, func(e telemetry.Event) bool { return e.Failed && strings.HasPrefix(e.Text, "not asked to confirm") })
	if len(f.to(dlq)) != 0 {
		t.Error("it went to the dead-letter queue")
	}
}

// awaitEmpty waits until nothing is left of a subscription's messages.
func (f *fixture) awaitEmpty(t testing.TB, topic string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		counts, err := f.only(t, topic).queue.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if counts == (bus.Counts{}) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("messages are left: %+v", counts)
		}
	}
}

// TestNothingIsLeft: what was delivered after retries, given up or moved is gone
// from the store.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config) { c.ackWait = time.Minute }) // so that nothing comes back meanwhile
	fail, _ := counting(queueA, 2, errors.New("unreachable"))
	f.failing(func(d delivery) error {
		if strings.Contains(d.queue.Body, "hopeless") && d.to == queueA {
			return ErrNoEndpoint
		}
		return fail(d)
	})
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	f.say(t, topic, "one", "hopeless", "two")
	f.await(t, queueA, 2)
	f.await(t, dlq, 1)
	f.awaitEmpty(t, topic)
}
