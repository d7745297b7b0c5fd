package sns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/crashtest"
)

// TestRestart: topics, subscriptions with what waits for them, and the memory of
// what was published are there after a restart.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := prepare(t, dir) // delivers nothing
	topic := f.create(t, "t", map[string]string{"DisplayName": "kept"})
	fifo := f.create(t, "t.fifo", nil)
	gone := f.create(t, "gone", nil)
	sub := f.join(t, topic, queueA, map[string]string{"FilterPolicy": `{"a":["x"]}`})
	f.join(t, topic, queueB, nil)
	f.join(t, gone, worker1, nil)
	f.join(t, fifo, queueF, nil)
	f.say(t, topic, "one", "two")
	f.send(t, fifo, inGroup("1", "g", "1"), inGroup("2", "g", "2"), inGroup("3", "g", "3"))
	before, err := f.client.GetSubscriptionAttributes(t.Context(), &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
	if err != nil {
		t.Fatal(err)
	}
	// A process that is killed while it deletes a topic leaves its subscription.
	at, _ := parseTopicARN("TopicArn", gone)
	if err := f.records.Delete(t.Context(), at.key()); err != nil {
		t.Fatal(err)
	}
	f.stop()

	f = start(t, dir)
	got := bodies(t, f.await(t, queueB, 2))
	slices.Sort(got)
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("delivered %q", got)
	}
	if got := bodies(t, f.await(t, queueF, 3)); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("delivered in order %q", got)
	}
	after, err := f.client.GetSubscriptionAttributes(t.Context(), &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
	if err != nil || fmt.Sprint(after.Attributes) != fmt.Sprint(before.Attributes) {
		t.Errorf("attributes %v, %v, were %v", after, err, before)
	}
	if out, err := f.client.GetTopicAttributes(t.Context(), &awssns.GetTopicAttributesInput{TopicArn: &topic}); err != nil || out.Attributes["DisplayName"] != "kept" {
		t.Errorf("topic %v, %v", out, err)
	}
	if queues, err := f.bus.Queues(t.Context()); err != nil || len(queues) != 3 {
		t.Errorf("%d queues (%v), want three", len(queues), err)
	}
	// What was delivered long ago is still a duplicate.
	f.send(t, fifo, inGroup("again", "g", "2"), inGroup("4", "g", "4"))
	if got := bodies(t, f.await(t, queueF, 4)); got[3] != "4" {
		t.Errorf("after the restart %q", got)
	}
}

// TestAttemptCutShortIsNoFailure: what is on its way when the service closes is
// given back and delivered at the next start, and the attempt does not count.
func TestAttemptCutShortIsNoFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begun := make(chan struct{}, 1)
	f := start(t, dir, func(c *Config) {
		c.Retries = new(RetryPolicy) // the first failure is the last
		c.Functions = blocking{begun}
	})
	topic := f.create(t, "t", nil)
	f.join(t, topic, worker1, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	f.say(t, topic, "x")
	<-begun
	f.stop()
	f = start(t, dir, func(c *Config) { c.Retries = new(RetryPolicy) })
	f.await(t, worker1, 1)
	if len(f.to(dlq)) != 0 {
		t.Error("it is a dead letter, too")
	}
}

// blocking is a function that runs until it is stopped.
type blocking struct{ begun chan struct{} }

func (b blocking) InvokeFunction(ctx context.Context, _ string, _ []byte) error {
	select {
	case b.begun <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestWaitsOutliveTheProcess: the counts of failed attempts and the wait before
// the next one are stored with the message.
func TestWaitsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := func(c *Config) {
		c.Retries = &RetryPolicy{NoDelay: 1, MinDelay: 1, Min: 2 * time.Second}
	}
	f := start(t, dir, policy)
	fail, count := counting(queueA, 1000, errors.New("unreachable"))
	f.failing(fail)
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueA, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`})
	f.say(t, topic, "x")
	// The second attempt is over once a copy waits for its time.
	queue := f.topics[address{region, account, "t"}].subscriptions[0].queue
	deadline := time.After(patience)
	for delayed := 0; delayed == 0; {
		counts, err := queue.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		delayed = counts.Delayed
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("nothing waits for another attempt")
		}
	}
	f.stop()
	tries := count()

	f = start(t, dir, policy)
	fail, count = counting(queueA, 1000, errors.New("unreachable"))
	f.failing(fail)
	f.await(t, dlq, 1)
	if tries != 2 || count() != 1 {
		t.Errorf("%d attempts before and %d after the restart, want 2 and 1", tries, count())
	}
}

// TestKilled: what was acknowledged before kill -9 is delivered afterwards.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := crashtest.Kill(t, dir, 600)
	// What was published, and what was delivered before the kill.
	owed := make(map[string]bool)
	for _, line := range said {
		if what, body, _ := strings.Cut(line, " "); what == "published" {
			owed[body] = true
		}
	}
	for _, line := range said {
		if what, body, _ := strings.Cut(line, " "); what == "delivered" {
			delete(owed, body)
		}
	}

	f := start(t, dir, func(c *Config) { c.ackWait = 2 * time.Second })
	deadline := time.After(2 * patience)
	for {
		missing := len(owed)
		var ordered []string
		for _, arn := range []string{queueA, queueF} {
			for _, body := range bodies(t, f.to(arn)) {
				if owed[body] {
					missing--
					delete(owed, body)
				}
				if arn == queueF {
					ordered = append(ordered, body)
				}
			}
		}
		// Of a FIFO topic's group none overtakes another.
		if !slices.IsSorted(ordered) {
			t.Fatalf("delivered in order: %q", ordered)
		}
		if missing <= 0 || len(owed) == 0 {
			return
		}
		select {
		case <-f.changed:
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%d messages are lost, among them %v", len(owed), owed)
		}
	}
}

// publishUntilKilled publishes to a standard and a FIFO topic, and says what was
// acknowledged and what was delivered. Deliveries fail now and then.
func publishUntilKilled(dir string) error {
	b, err := bus.Open(bus.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	s, err := New(Config{Bus: b, Region: region, Account: account, Queues: shaky{}, Log: slog.New(slog.DiscardHandler), ackWait: 2 * time.Second})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for name, endpoint := range map[string]string{"t": queueA, "t.fifo": queueF} {
		spec := TopicSpec{Name: name}
		if endpoint == queueF {
			spec.Attributes = map[string]string{"FifoTopic": "true"}
		}
		if err := s.EnsureTopic(ctx, spec); err != nil {
			return err
		}
		at := address{region, account, name}
		r, err := newSubscriptionRecord(at, "sqs", endpoint, map[string]string{"RawMessageDelivery": "false"})
		if err != nil {
			return err
		}
		if _, err := s.storeSubscription(ctx, r); err != nil {
			return err
		}
	}
	s.Start()
	for n := 0; ; n++ {
		for name, group := range map[string]string{"t": "", "t.fifo": "g"} {
			m := Message{Body: fmt.Sprintf("%s-%08d", name, n), GroupID: group}
			if group != "" {
				m.DeduplicationID = m.Body
			}
			if _, err := s.Publish(ctx, address{region, account, name}.arn(), m); err != nil {
				return err
			}
			fmt.Println("published", m.Body)
		}
	}
}

// shaky takes two of three messages.
type shaky struct{}

func (shaky) SendToQueue(_ context.Context, _ string, m QueueMessage) error {
	_, rest, _ := strings.Cut(m.Body, `"Message" : "`)
	body, _, _ := strings.Cut(rest, `"`)
	if strings.HasSuffix(body, "3") || strings.HasSuffix(body, "6") {
		return errors.New("unreachable")
	}
	fmt.Println("delivered", body)
	return nil
}
