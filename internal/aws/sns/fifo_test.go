package sns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

const queueF = "arn:aws:sqs:eu-west-1:123456789012:a.fifo"

func inGroup(body, group, id string) Message {
	return Message{Body: body, GroupID: group, DeduplicationID: id}
}

func (f *fixture) send(t testing.TB, topic string, messages ...Message) {
	t.Helper()
	for _, m := range messages {
		if _, err := f.Publish(t.Context(), topic, m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFIFODocument(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t.fifo", map[string]string{"ContentBasedDeduplication": "true"})
	f.join(t, topic, queueF, nil)
	f.join(t, topic, queueA, nil)
	out, err := f.client.Publish(t.Context(), &awssns.PublishInput{TopicArn: &topic, Message: aws.String("Test"), MessageGroupId: aws.String("g")})
	if err != nil || len(*out.SequenceNumber) != 20 {
		t.Fatalf("Publish: %+v, %v", out, err)
	}
	ordered, standard := f.await(t, queueF, 1)[0].queue, f.await(t, queueA, 1)[0].queue
	d := document(t, ordered.Body)
	if ordered.GroupID != "g" || ordered.DeduplicationID != "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25" {
		t.Errorf("message %+v", ordered)
	}
	if standard.GroupID != "" || standard.DeduplicationID != "" {
		t.Errorf("a standard queue's message has %+v", standard)
	}
	if d["SequenceNumber"] != *out.SequenceNumber || d["Signature"] != nil || d["SignatureVersion"] != nil {
		t.Errorf("document %v", d)
	}
	if at := strings.Index(ordered.Body, `"SequenceNumber"`); at < strings.Index(ordered.Body, `"MessageId"`) || at > strings.Index(ordered.Body, `"TopicArn"`) {
		t.Errorf("the sequence number stands elsewhere: %s", ordered.Body)
	}
}

func TestFIFODeduplication(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t.fifo", nil)
	f.join(t, topic, queueF, nil)
	publish := func(body, group, id string) *awssns.PublishOutput {
		t.Helper()
		out, err := f.client.Publish(t.Context(), &awssns.PublishInput{TopicArn: &topic, Message: &body, MessageGroupId: &group, MessageDeduplicationId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, again, other := publish("a", "g", "1"), publish("b", "h", "1"), publish("c", "g", "2")
	if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber || *other.SequenceNumber <= *first.SequenceNumber {
		t.Errorf("published %v, %v, %v", first, again, other)
	}
	entry := func(id, dedup string) types.PublishBatchRequestEntry {
		return types.PublishBatchRequestEntry{Id: &id, Message: &id, MessageGroupId: aws.String("g"), MessageDeduplicationId: &dedup}
	}
	out, err := f.client.PublishBatch(t.Context(), &awssns.PublishBatchInput{TopicArn: &topic,
		PublishBatchRequestEntries: []types.PublishBatchRequestEntry{entry("d", "3"), entry("e", "1"), entry("f", "3"), entry("g", "4")}})
	if err != nil || len(out.Successful) != 4 || *out.Successful[1].MessageId != *first.MessageId || *out.Successful[2].MessageId != *out.Successful[0].MessageId {
		t.Errorf("batch %+v, %v", out, err)
	}
	if got := bodies(t, f.await(t, queueF, 4)); !slices.Equal(got, []string{"a", "c", "d", "g"}) {
		t.Errorf("delivered %q", got)
	}

	wide := f.create(t, "wide.fifo", map[string]string{"FifoThroughputScope": "MessageGroup"})
	f.join(t, wide, queueB, nil)
	f.send(t, wide, inGroup("a", "g", "1"), inGroup("b", "h", "1"), inGroup("c", "g", "1"))
	if got := bodies(t, f.await(t, queueB, 2)); !slices.Contains(got, "a") || !slices.Contains(got, "b") {
		t.Errorf("delivered %q", got)
	}
}

// TestFIFOOrder: a message that fails holds up its own group, and no other.
func TestFIFOOrder(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	var mu sync.Mutex
	blocked := true
	f.failing(func(d delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if blocked && d.queue.GroupID == "slow" {
			return errors.New("unreachable")
		}
		return nil
	})
	f.config.Retries.MaxDelay = 1_000_000 // the fixture's own copy
	topic := f.create(t, "t.fifo", nil)
	f.join(t, topic, queueF, nil)
	var want []string
	for i := range 40 {
		f.send(t, topic, inGroup(fmt.Sprint("s", i), "slow", fmt.Sprint("s", i)), inGroup(fmt.Sprint("q", i), "quick", fmt.Sprint("q", i)))
		want = append(want, fmt.Sprint("q", i))
	}
	if got := bodies(t, f.await(t, queueF, 40)); !slices.Equal(got, want) {
		t.Errorf("the other group got %q", got)
	}
	mu.Lock()
	blocked = false
	mu.Unlock()
	var late []string
	for i := range 40 {
		late = append(late, fmt.Sprint("s", i))
	}
	if got := bodies(t, f.await(t, queueF, 80)[40:]); !slices.Equal(got, late) {
		t.Errorf("the group that was held up got %q", got)
	}
}

func TestFIFODeadLetter(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	f.failing(func(d delivery) error {
		if d.to == queueF && document(t, d.queue.Body)["Message"] == "bad" { // ids may have these letters, too
			return errors.New("unreachable")
		}
		return nil
	})
	topic := f.create(t, "t.fifo", nil)
	f.join(t, topic, queueF, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `.fifo"}`})
	f.send(t, topic, inGroup("1", "g", "1"), inGroup("bad", "g", "2"), inGroup("3", "g", "3"))
	if got := bodies(t, f.await(t, queueF, 2)); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("delivered %q", got)
	}
	if got := f.await(t, dlq+".fifo", 1)[0].queue; got.GroupID != "g" || got.DeduplicationID != "2" {
		t.Errorf("dead letter %+v", got)
	}
}

// TestUnsubscribedIsLeftAlone: a message that is tried again and again is given
// up with its subscription.
func TestUnsubscribedIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := start(t, "", func(c *Config) { c.Retries = &RetryPolicy{MaxDelay: 1_000_000, Max: time.Millisecond} })
	fail, count := counting(queueF, 1_000_000, errors.New("unreachable"))
	f.failing(fail)
	topic := f.create(t, "t.fifo", nil)
	arn := f.join(t, topic, queueF, nil)
	f.send(t, topic, inGroup("x", "g", "1"))
	deadline := time.After(patience)
	steady := func(d time.Duration) bool {
		before := count()
		select {
		case <-time.After(d):
		case <-deadline:
			t.Fatalf("after %d attempts", before)
		}
		return before > 0 && count() == before
	}
	for count() < 3 {
		steady(time.Millisecond)
	}
	if _, err := f.client.Unsubscribe(t.Context(), &awssns.UnsubscribeInput{SubscriptionArn: &arn}); err != nil {
		t.Fatal(err)
	}
	for !steady(200 * time.Millisecond) {
	}
}

func TestSequenceNumbersGrow(t *testing.T) {
	var t1 topic
	first := t1.nextSequence()
	t1.last += uint64(time.Hour) // the clock was set back by an hour
	second, third := t1.nextSequence(), t1.nextSequence()
	if len(first) != 20 || first >= second || second >= third {
		t.Errorf("%s, %s, %s", first, second, third)
	}
}
