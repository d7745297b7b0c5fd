package sqs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// createFIFO makes a FIFO queue, with further attributes.
func (f *fixture) createFIFO(t testing.TB, name string, attributes map[string]string) string {
	t.Helper()
	all := map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}
	maps.Copy(all, attributes)
	return f.create(t, name, all)
}

// put sends messages, given as "group/body", to a FIFO queue.
func (f *fixture) put(t testing.TB, url string, messages ...string) (sent []*awssqs.SendMessageOutput) {
	t.Helper()
	for _, m := range messages {
		group, body, _ := strings.Cut(m, "/")
		out, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group})
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, out)
	}
	return sent
}

// wantInOrder checks bodies in the order in which they came.
func wantInOrder(t testing.TB, got []types.Message, bodies ...string) {
	t.Helper()
	var have []string
	for _, m := range got {
		have = append(have, *m.Body)
	}
	if !slices.Equal(have, bodies) {
		t.Fatalf("received %v, want %v", have, bodies)
	}
}

func TestFIFOOrderAndLocks(t *testing.T) {
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", nil)
	sent := f.put(t, url, "a/a1", "b/b1", "a/a2", "a/a3", "b/b2")
	if *sent[0].SequenceNumber >= *sent[2].SequenceNumber || len(*sent[0].SequenceNumber) != 20 {
		t.Errorf("sequence numbers %s, %s", *sent[0].SequenceNumber, *sent[2].SequenceNumber)
	}
	// As many of a group as there are, then of the next.
	got := f.receive(t, url, 0)
	wantInOrder(t, got, "a1", "a2", "a3", "b1", "b2")
	for name, want := range map[string]string{"MessageGroupId": "a", "SequenceNumber": *sent[0].SequenceNumber,
		"MessageDeduplicationId": "f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114", "ApproximateReceiveCount": "1"} {
		if got[0].Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, got[0].Attributes[name], want)
		}
	}
	f.wantCounts(t, url, 0, 5, 0)
	// Locked: also after a new message, and while one of several is left.
	f.put(t, url, "a/a4", "c/c1")
	wantInOrder(t, f.receive(t, url, 0), "c1")
	f.delete(t, url, got[0], got[2])
	wantInOrder(t, f.receive(t, url, 0))
	f.change(t, url, got[1], 600)
	wantInOrder(t, f.receive(t, url, 0))
	// The last one opens the group; it comes back before what is newer.
	f.change(t, url, got[1], 0)
	wantInOrder(t, f.receive(t, url, 0), "a2", "a4")
	// One message of two groups made visible: its group is open, the other's not.
	f.change(t, url, got[4], 0)
	wantInOrder(t, f.receive(t, url, 0))
	f.change(t, url, got[3], 0)
	wantInOrder(t, f.receive(t, url, 0), "b1", "b2")
}

func (f *fixture) change(t testing.TB, url string, m types.Message, seconds int32) {
	t.Helper()
	if _, err := f.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds}); err != nil {
		t.Fatal(err)
	}
}

// TestFIFOHandles: a handle is good until the visibility timeout is over, and
// for the latest receive only.
func TestFIFOHandles(t *testing.T) {
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", nil)
	f.put(t, url, "a/1")
	first := f.receive(t, url, 0)
	f.change(t, url, first[0], 0)
	remove := func(m types.Message) error {
		_, err := f.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		return err
	}
	if err := remove(first[0]); err == nil || !strings.Contains(err.Error(), "The receipt handle has expired") {
		t.Errorf("an expired handle: %v", err)
	}
	second := f.receive(t, url, 0)
	want(t, second, "1/2")
	if err := remove(first[0]); err == nil {
		t.Error("a handle of an earlier receive deleted the message")
	}
	f.delete(t, url, second[0], second[0])
	f.wantCounts(t, url, 0, 0, 0)
}

func TestFIFODeduplication(t *testing.T) {
	t.Parallel()
	for scope, again := range map[string]int{"queue": 0, "messageGroup": 1} {
		t.Run(scope, func(t *testing.T) {
			dir := t.TempDir()
			f := start(t, dir)
			url := f.createFIFO(t, "jobs.fifo", map[string]string{"DeduplicationScope": scope})
			first := f.put(t, url, "a/same")
			repeated := f.put(t, url, "a/same")
			if *repeated[0].MessageId != *first[0].MessageId || *repeated[0].SequenceNumber != *first[0].SequenceNumber {
				t.Errorf("sent again: %+v, was %+v", repeated[0], first[0])
			}
			f.put(t, url, "b/same") // another group
			f.wantCounts(t, url, 1+again, 0, 0)
			f.delete(t, url, f.receive(t, url, 0)...)
			f.put(t, url, "a/same") // also when it is deleted,
			f.stop()
			f = start(t, dir)
			url = f.server.URL + "/123456789012/jobs.fifo"
			f.put(t, url, "a/same") // also when it was, before a restart
			f.wantCounts(t, url, 0, 0, 0)
			// An id of its own goes before the content.
			if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("same"),
				MessageGroupId: aws.String("a"), MessageDeduplicationId: aws.String("other")}); err != nil {
				t.Fatal(err)
			}
			f.wantCounts(t, url, 1, 0, 0)
		})
	}
}

// TestMemoryForgetsInTime: after five minutes the same message is a new one.
func TestMemoryForgetsInTime(t *testing.T) {
	m := newMemory(false)
	m.add(&known{Dedup: "x", At: 1000})
	repeated := &known{Dedup: "x"}
	if last := 1000 + deduplication.Milliseconds() - 1; m.find(repeated, last) == nil || m.find(repeated, last+1) != nil {
		t.Error("not forgotten after five minutes to the millisecond")
	}
	m.add(&known{Group: "a", Dedup: "x", At: 1 << 40})
	m.rescope(true)
	if m.find(repeated, 1<<40) != nil || m.find(&known{Group: "a", Dedup: "x"}, 1<<40) == nil {
		t.Error("the new scope does not hold for what was sent before")
	}
}

func TestReceiveRequestAttemptId(t *testing.T) {
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", nil)
	f.put(t, url, "a/1", "a/2", "b/3")
	receive := func(attempt string) []types.Message {
		t.Helper()
		out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 2,
			ReceiveRequestAttemptId: &attempt, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Messages
	}
	first := receive("one")
	again := receive("one")
	want(t, again, "1/1", "2/1")
	if *again[0].ReceiptHandle != *first[0].ReceiptHandle {
		t.Error("the repeated receive has another handle")
	}
	wantInOrder(t, receive("two"), "3")
	f.delete(t, url, first[0])
	wantInOrder(t, receive("one")) // no longer the same
}

// TestFIFODelay: a FIFO queue's delay holds for what is in it, too.
func TestFIFODelay(t *testing.T) {
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", map[string]string{"DelaySeconds": "900"})
	f.put(t, url, "a/1")
	f.wantCounts(t, url, 0, 0, 1)
	wantInOrder(t, f.receive(t, url, 0))
	if _, err := f.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"DelaySeconds": "1"}}); err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, f.receive(t, url, 20), "1")
}

// TestFIFODeadLetters: what is received too often moves in order, with its group
// and its deduplication id, and what follows it comes in the same receive.
func TestFIFODeadLetters(t *testing.T) {
	f := start(t, "")
	dlq := f.createFIFO(t, "dead.fifo", nil)
	f.create(t, "plain", nil)
	const policy = `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:%s","maxReceiveCount":1}`
	_, err := f.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String("x.fifo"),
		Attributes: map[string]string{"FifoQueue": "true", "RedrivePolicy": fmt.Sprintf(policy, "plain")}})
	if err == nil || !strings.Contains(err.Error(), "same type of queue") {
		t.Errorf("a standard queue for the dead letters of a FIFO queue: %v", err)
	}
	url := f.createFIFO(t, "jobs.fifo", map[string]string{"RedrivePolicy": fmt.Sprintf(policy, "dead.fifo")})
	f.put(t, url, "a/1", "a/2", "b/3")
	f.put(t, dlq, "c/2") // its like was sent there before, which must not swallow it
	for _, m := range f.receive(t, url, 0) {
		f.change(t, url, m, 0)
	}
	f.put(t, url, "a/4")
	wantInOrder(t, f.receive(t, url, 0), "4")
	dead := f.receive(t, dlq, 0)
	wantInOrder(t, dead, "2", "1", "2", "3")
	if a := dead[1].Attributes; a["MessageGroupId"] != "a" || a["DeadLetterQueueSourceArn"] == "" || a["ApproximateReceiveCount"] != "1" {
		t.Errorf("dead letter has %v", a)
	}
	f.wantCounts(t, url, 0, 1, 0)
}

// TestFIFOLongPolls: receives that wait are woken one by one: by a message, by a
// group that opens, and by time.
func TestFIFOLongPolls(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
	bodies := make(chan string, 3)
	var receivers sync.WaitGroup
	for range 3 {
		receivers.Go(func() {
			out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, VisibilityTimeout: 1})
			if err != nil || len(out.Messages) != 1 {
				t.Errorf("receive: %v, %v", out, err)
				return
			}
			bodies <- *out.Messages[0].Body
		})
	}
	f.awaitWaits(t, 3)
	f.put(t, url, "a/1", "a/2") // the second after the first's second is over, as nobody deletes it
	f.put(t, url, "b/3")
	receivers.Wait()
	close(bodies)
	count := make(map[string]int)
	for body := range bodies {
		count[body]++
	}
	if count["1"] != 2 || count["3"] != 1 {
		t.Errorf("received %v, want 1 twice and 3 once", count)
	}
}

// TestFIFOReceiverLeaves: what a receiver who has left was to get comes to the
// next, and the receive is not counted.
func TestFIFOReceiverLeaves(t *testing.T) {
	f := start(t, "")
	url := f.createFIFO(t, "jobs.fifo", nil)
	arn := "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo"
	f.put(t, url, "a/1")
	q, _ := f.byARN(arn)
	l := q.line.(*fifo)
	got, err := l.find(receiving{most: 1, visibility: time.Hour}, new(waiter))
	if err != nil || len(got.live) != 1 {
		t.Fatal(got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.handOut(gone, got); err == nil {
		t.Error("messages were handed out to nobody")
	}
	want(t, f.receive(t, url, 0), "1/1")
}

// TestFIFORetention: what is too old is gone, in memory as in the store.
func TestFIFORetention(t *testing.T) {
	f := start(t, "")
	if err := f.EnsureQueue(stack.Queue{Name: "jobs.fifo", VisibilityTimeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs.fifo")
	l := q.line.(*fifo)
	if err := f.Send(t.Context(), "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo", Outgoing{Body: "old", GroupID: "a", DeduplicationID: "1"}); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.order.oldest.stored -= q.record().Settings.Retention.Milliseconds() + 1
	l.mu.Unlock()
	if counts, err := l.counts(t.Context()); err != nil || counts != (bus.Counts{}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
	if got, err := f.Receive(t.Context(), "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo", 1, 0); err != nil || len(got) != 0 {
		t.Errorf("received %v, %v", got, err)
	}
}

// TestFIFOTogether: many senders and receivers; each group's messages come in the
// order of their sequence numbers, each once.
func TestFIFOTogether(t *testing.T) {
	t.Parallel()
	f := start(t, t.TempDir())
	url := f.createFIFO(t, "jobs.fifo", nil)
	const senders, each, groups = 8, 50, 5
	var sending, receiving sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for n := range each {
				f.put(t, url, fmt.Sprintf("g%d/%d-%d", n%groups, sender, n))
			}
		})
	}
	var mu sync.Mutex
	seen, last := make(map[string]bool), make(map[string]string)
	arn := "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo"
	ctx, done := context.WithTimeout(t.Context(), 60*time.Second)
	defer done()
	for range 4 {
		receiving.Go(func() {
			for ctx.Err() == nil {
				got, err := f.Receive(ctx, arn, 3, 20*time.Second)
				if err != nil {
					return // all is done, or it takes too long
				}
				mu.Lock()
				var handles []string
				for _, m := range got {
					group, sequence := m.Attributes["MessageGroupId"], m.Attributes["SequenceNumber"]
					if seen[m.Body] || sequence <= last[group] {
						t.Errorf("group %s: %s (%s) after %s", group, m.Body, sequence, last[group])
					}
					seen[m.Body], last[group] = true, sequence
					handles = append(handles, m.ReceiptHandle)
				}
				if len(seen) == senders*each {
					done()
				}
				mu.Unlock()
				if err := f.Delete(context.WithoutCancel(ctx), arn, handles); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	receiving.Wait()
	if len(seen) != senders*each {
		t.Errorf("%d messages of %d", len(seen), senders*each)
	}
}
