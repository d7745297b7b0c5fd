package sqs

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/stack"
)

// model is a queue with a dead-letter queue as SQS describes them, with time
// standing still: what is hidden stays hidden until it is made visible.
type model struct {
	service *Service
	sender  *caller
	arn     string
	dlq     string
	limit   int
	next    int
	live    map[string]*modelMessage
	deleted []string // handles
	dead    map[string]bool
}

type modelMessage struct {
	hidden  bool
	count   int
	handles []string
}

// TestModel compares the service with the model over random histories.
func TestModel(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		m := &model{service: f.Service, sender: &caller{Service: f.Service, region: "eu-west-1", account: "123456789012"}, limit: rapid.IntRange(1, 4).Draw(t, "limit"),
			live: make(map[string]*modelMessage), dead: make(map[string]bool)}
		name := fmt.Sprint("model-", run)
		m.arn, m.dlq = "arn:aws:sqs:eu-west-1:123456789012:"+name, "arn:aws:sqs:eu-west-1:123456789012:"+name+"-dlq"
		for _, q := range []stack.Queue{{Name: name + "-dlq", VisibilityTimeout: time.Hour},
			{Name: name, VisibilityTimeout: time.Hour, Redrive: &stack.Redrive{DeadLetterARN: m.dlq, MaxReceiveCount: m.limit}}} {
			if err := f.EnsureQueue(q); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"send": m.send, "receive": m.receive, "change visibility": m.change, "delete": m.delete, "delete again": m.deleteAgain, "": m.check,
		})
		m.drain(t)
		for _, arn := range []string{m.arn, m.dlq} {
			q, _ := f.byARN(arn)
			f.Service.admin.Lock()
			f.Service.delete(t.Context(), q)
			f.Service.admin.Unlock()
		}
	})
}

func (m *model) queue() *queue { q, _ := m.service.byARN(m.arn); return q }

func (m *model) send(t *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(t, "messages")
	in := &sendMessageBatchInput{QueueUrl: "/123456789012/" + m.queue().record().Address.Name}
	for range n {
		body := fmt.Sprint(m.next)
		m.next++
		in.Entries = append(in.Entries, sendEntry{Id: body, MessageBody: body})
		m.live[body] = new(modelMessage)
	}
	if out, err := sendMessageBatch(t.Context(), m.sender, in); err != nil || len(out.Successful) != n {
		t.Fatal(out, err)
	}
}

// visible returns how many visible messages may still be received, and how many
// are due for the dead-letter queue.
func (m *model) visible() (sound, due int) {
	for _, message := range m.live {
		switch {
		case message.hidden:
		case message.count < m.limit:
			sound++
		default:
			due++
		}
	}
	return sound, due
}

func (m *model) receive(t *rapid.T) {
	most := rapid.IntRange(1, 10).Draw(t, "most")
	visibility := time.Duration(rapid.SampledFrom([]int{0, 60, 3600, 43200}).Draw(t, "visibility")) * time.Second
	sound, due := m.visible()
	got, err := m.queue().line.receive(t.Context(), receiving{most: most, visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > most || due == 0 && len(got) != min(most, sound) || due > 0 && sound > 0 && len(got) == 0 {
		t.Fatalf("received %d of %d visible (and %d due), asked for %d", len(got), sound, due, most)
	}
	for _, r := range got {
		message := m.live[r.Body]
		if message == nil || message.hidden || message.count == m.limit {
			t.Fatalf("received %s, which is %+v", r.Body, message)
		}
		message.count++
		message.hidden = visibility > 0
		message.handles = append(message.handles, r.ReceiptHandle)
		if count := r.Attributes["ApproximateReceiveCount"]; count != fmt.Sprint(message.count) {
			t.Fatalf("message %s has count %s, want %d", r.Body, count, message.count)
		}
	}
	m.bury(t)
}

// bury moves in the model what the service has moved.
func (m *model) bury(t *rapid.T) {
	q, _ := m.service.byARN(m.dlq)
	if counts, err := workOf(q).Counts(t.Context()); err != nil || counts.Ready == 0 {
		return // receiving nothing would take longer
	}
	dead, err := m.service.Receive(t.Context(), m.dlq, 100, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range dead {
		message := m.live[r.Body]
		if message == nil || message.hidden || message.count != m.limit {
			t.Fatalf("message %s went to the dead-letter queue, it is %+v", r.Body, message)
		}
		m.dead[r.Body] = true
		m.deleted = append(m.deleted, message.handles...)
		delete(m.live, r.Body)
	}
}

// pick returns a message that was received, or skips the step.
func (m *model) pick(t *rapid.T) (string, *modelMessage) {
	var bodies []string
	for _, body := range slices.Sorted(maps.Keys(m.live)) {
		if m.live[body].count > 0 {
			bodies = append(bodies, body)
		}
	}
	if len(bodies) == 0 {
		t.Skip("nothing was received")
	}
	body := rapid.SampledFrom(bodies).Draw(t, "message")
	return body, m.live[body]
}

func (m *model) change(t *rapid.T) {
	_, message := m.pick(t)
	// The longest, 43200, counts from the receive, which was a moment ago.
	seconds := rapid.SampledFrom([]int{0, 1800, 39600}).Draw(t, "seconds")
	handle := rapid.SampledFrom(message.handles).Draw(t, "handle")
	err := m.service.ChangeVisibility(t.Context(), m.arn, handle, time.Duration(seconds)*time.Second)
	if (err == nil) != message.hidden {
		t.Fatalf("changing a message that is %+v: %v", message, err)
	}
	message.hidden = message.hidden && seconds > 0
}

func (m *model) delete(t *rapid.T) {
	body, message := m.pick(t)
	handle := rapid.SampledFrom(message.handles).Draw(t, "handle")
	if err := m.service.Delete(t.Context(), m.arn, []string{handle}); err != nil {
		t.Fatal(err)
	}
	m.deleted = append(m.deleted, message.handles...)
	delete(m.live, body)
}

func (m *model) deleteAgain(t *rapid.T) {
	if len(m.deleted) == 0 {
		t.Skip("nothing was deleted")
	}
	handle := rapid.SampledFrom(m.deleted).Draw(t, "handle")
	if err := m.service.Delete(t.Context(), m.arn, []string{handle}); err != nil {
		t.Fatal(err)
	}
	if err := m.service.ChangeVisibility(t.Context(), m.arn, handle, time.Minute); err == nil {
		t.Fatal("the visibility of a deleted message was changed")
	}
}

func (m *model) check(t *rapid.T) {
	counts, err := workOf(m.queue()).Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sound, due := m.visible()
	if hidden := len(m.live) - sound - due; counts.Ready != sound+due || counts.Hidden != hidden {
		t.Fatalf("counts %+v, want %d ready, %d hidden", counts, sound+due, hidden)
	}
}

// drain makes everything visible, receives it all and finds nothing missing.
func (m *model) drain(t *rapid.T) {
	for _, message := range m.live {
		if message.hidden {
			if err := m.service.ChangeVisibility(t.Context(), m.arn, message.handles[0], 0); err != nil {
				t.Fatal(err)
			}
			message.hidden = false
		}
	}
	sound, due := m.visible()
	got, err := m.service.Receive(t.Context(), m.arn, 10_000, 0)
	if err != nil || len(got) != sound {
		t.Fatalf("drained %d, %v, want %d", len(got), err, sound)
	}
	dead := len(m.dead)
	m.bury(t)
	if len(m.dead)-dead != due {
		t.Fatalf("%d messages went to the dead-letter queue at last, want %d", len(m.dead)-dead, due)
	}
}
