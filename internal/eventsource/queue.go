package eventsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// Queue is what a mapping needs of SQS.
type Queue interface {
	// Receive returns up to max messages, waiting up to wait for the first. The
	// messages are hidden for the queue's visibility timeout. Of a FIFO queue
	// they come in order, and none of a message group while one of it is hidden.
	Receive(ctx context.Context, queueARN string, max int, wait time.Duration) ([]Message, error)
	// Delete removes messages by receipt handle.
	Delete(ctx context.Context, queueARN string, receiptHandles []string) error
}

// Hider is a Queue that can hide received messages for longer than it does by
// itself.
type Hider interface {
	// Hide hides received messages for d from now.
	Hide(ctx context.Context, queueARN string, receiptHandles []string, d time.Duration) error
}

// longPoll is how long one read of a source waits for something to come.
const longPoll = 20 * time.Second

// defaultSandboxes is how many events of a function run at once when its
// template says nothing.
const defaultSandboxes = 10

// extraVisibility is what Lambda adds to window and timeout where a queue's
// visibility timeout is shorter than these.
const extraVisibility = 30 * time.Second

// deleteWithin bounds the deletion of a batch that is done, also at shutdown.
const deleteWithin = 5 * time.Second

// The wait before a throttled invocation is tried again.
const (
	throttledMin = time.Second
	throttledMax = 30 * time.Second
)

// queueMapping feeds one queue to one function.
type queueMapping struct {
	base
	pollers *pollers
	fifo    bool
	// visibility is for how long a message is hidden; extend says that this is
	// longer than the queue's own visibility timeout.
	visibility time.Duration
	extend     bool
}

func newQueueMapping(b base, q *stack.Queue) *queueMapping {
	most := b.declared.MaxConcurrency
	if most == 0 {
		most = b.function.MaxConcurrency
	}
	if most == 0 {
		most = defaultSandboxes
	}
	m := &queueMapping{base: b, pollers: newPollers(most), fifo: strings.HasSuffix(b.declared.SourceARN, ".fifo")}
	if q != nil {
		m.visibility = q.VisibilityTimeout
	}
	if needed := b.declared.Window + b.function.Timeout; needed > m.visibility {
		m.visibility, m.extend = needed+extraVisibility, true
	}
	return m
}

// Run polls until ctx ends.
func (m *queueMapping) Run(ctx context.Context) {
	if m.declared.Disabled {
		return
	}
	var batches sync.WaitGroup
	defer batches.Wait()
	pause := pauseMin
	for m.pollers.take(ctx) {
		batch, until, err := m.gather(ctx)
		if ctx.Err() != nil && len(batch) == 0 {
			m.pollers.release()
			return
		}
		if err != nil {
			m.cfg.Log.Error("a queue cannot be read; trying again", "queue", m.declared.SourceARN, "pause", pause, "error", err)
			m.pollers.release()
			pause = rest(ctx, pause, pauseMax)
			continue
		}
		pause = pauseMin
		if len(batch) == 0 {
			m.pollers.resize(-1)
			m.pollers.release()
			continue
		}
		batches.Go(func() {
			defer m.pollers.release()
			m.deliver(ctx, batch, until)
		})
	}
}

// gather receives one batch: what is there at once, or, with a batching
// window, as much as comes within the window. until is when the first of its
// messages becomes visible again.
func (m *queueMapping) gather(ctx context.Context) (batch []Message, until time.Time, err error) {
	batch, err = m.receive(ctx, m.declared.BatchSize, longPoll)
	until = time.Now().Add(m.visibility)
	if err != nil || len(batch) == 0 || m.declared.Window <= 0 {
		return batch, until, err
	}
	end, size := time.Now().Add(m.declared.Window), batchSize(batch)
	for len(batch) < m.declared.BatchSize && size < maxEvent {
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			break
		}
		more, err := m.receive(ctx, m.declared.BatchSize-len(batch), left)
		if err != nil {
			break // what is here is delivered; the next receive reports the error
		}
		batch, size = append(batch, more...), size+batchSize(more)
	}
	return batch, until, nil
}

// receive receives messages and hides them for as long as they may take.
func (m *queueMapping) receive(ctx context.Context, most int, wait time.Duration) ([]Message, error) {
	got, err := m.cfg.Queues.Receive(ctx, m.declared.SourceARN, most, wait)
	if hider, can := m.cfg.Queues.(Hider); can && err == nil && m.extend && len(got) > 0 {
		if err := hider.Hide(context.WithoutCancel(ctx), m.declared.SourceARN, handlesOf(got), m.visibility); err != nil {
			m.cfg.Log.Warn("messages may come back while the function has them", "queue", m.declared.SourceARN, "error", err)
		}
	}
	return got, err
}

// deliver runs the function with a batch, in as many parts as its size needs,
// and deletes what the function dealt with. Once a message of a FIFO queue's
// group has failed, those behind it wait until it comes again.
func (m *queueMapping) deliver(ctx context.Context, batch []Message, until time.Time) {
	batch = m.sift(ctx, batch)
	failed := make(map[string]bool)
	for _, part := range splitBySize(batch, maxEvent) {
		if m.fifo {
			part = outside(part, failed)
		}
		if len(part) == 0 {
			continue
		}
		done := m.deliverPart(ctx, part, until)
		if m.fifo {
			noteFailed(failed, part, done)
		}
	}
}

// sift deletes the messages that the filters do not let through, as Lambda does,
// and returns the others.
func (m *queueMapping) sift(ctx context.Context, batch []Message) []Message {
	if len(m.filter) == 0 {
		return batch
	}
	var through, dropped []Message
	for _, msg := range batch {
		if m.filter.passes(m.complete(msg).appendJSON(nil), "body") {
			through = append(through, msg)
		} else {
			dropped = append(dropped, msg)
		}
	}
	if err := m.delete(context.WithoutCancel(ctx), dropped); err != nil {
		m.cfg.Log.Error("messages that no filter lets through come again", "queue", m.declared.SourceARN, "error", err)
	}
	return through
}

// complete adds what the event says of the source.
func (m *queueMapping) complete(msg Message) Message {
	msg.EventSource, msg.EventSourceARN, msg.AWSRegion = "aws:sqs", m.declared.SourceARN, m.cfg.Region
	return msg
}

// outside returns the messages that are of none of these groups.
func outside(part []Message, groups map[string]bool) (kept []Message) {
	for _, msg := range part {
		if !groups[msg.group()] {
			kept = append(kept, msg)
		}
	}
	return kept
}

// noteFailed adds the groups of the messages that are not done.
func noteFailed(groups map[string]bool, part, done []Message) {
	finished := make(map[string]bool, len(done))
	for _, msg := range done {
		finished[msg.MessageID] = true
	}
	for _, msg := range part {
		if !finished[msg.MessageID] {
			groups[msg.group()] = true
		}
	}
}

// deliverPart makes one invocation and returns the messages that it has dealt
// with.
func (m *queueMapping) deliverPart(ctx context.Context, part []Message, until time.Time) []Message {
	started := time.Now()
	records := make([]Message, len(part))
	for i, msg := range part {
		records[i] = m.complete(msg)
	}
	out, err := m.invokeUntil(ctx, sqsEvent(records), until)
	done := part
	if err == nil && m.declared.ReportItemFailures {
		done, err = succeeded(part, out)
	}
	if err != nil {
		done = nil
		m.pollers.resize(-1)
	}
	if deleteErr := m.delete(context.WithoutCancel(ctx), done); deleteErr != nil {
		err = errors.Join(err, deleteErr)
	}
	m.report(len(part), len(done), "messages", started, err)
	return done
}

// invokeUntil runs the function. One that is throttled is tried again with fewer
// batches at a time, for as long as the messages are hidden: so a crowd at the
// function costs no receive ("Understanding the backoff strategy for failed
// invocations" in the Lambda developer guide).
func (m *queueMapping) invokeUntil(ctx context.Context, event []byte, until time.Time) ([]byte, error) {
	wait := throttledMin
	for {
		out, err := m.invoke(ctx, event)
		if !errors.Is(err, apigw.ErrThrottled) || ctx.Err() != nil || !time.Now().Add(wait+m.function.Timeout).Before(until) {
			return out, err
		}
		m.pollers.resize(-1)
		wait = rest(ctx, wait, throttledMax)
	}
}

func (m *queueMapping) delete(ctx context.Context, done []Message) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, deleteWithin)
	defer cancel()
	if err := m.cfg.Queues.Delete(ctx, m.declared.SourceARN, handlesOf(done)); err != nil {
		return fmt.Errorf("delete %d messages: %w", len(done), err)
	}
	return nil
}

func handlesOf(messages []Message) []string {
	handles := make([]string, len(messages))
	for i, msg := range messages {
		handles[i] = msg.ReceiptHandle
	}
	return handles
}

// succeeded returns the messages of a batch that the answer of a function with
// ReportBatchItemFailures does not name.
func succeeded(batch []Message, out []byte) ([]Message, error) {
	failed, err := itemFailures(out)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(batch))
	for _, m := range batch {
		known[m.MessageID] = true
	}
	named := make(map[string]bool, len(failed))
	for _, id := range failed {
		if !known[id] {
			return nil, errUnknownItem(id)
		}
		named[id] = true
	}
	var done []Message
	for _, m := range batch {
		if !named[m.MessageID] {
			done = append(done, m)
		}
	}
	return done, nil
}
