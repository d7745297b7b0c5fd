// Package eventsource owns event source mappings: it polls a queue, hands the
// messages to a function in batches, and deletes what the function has dealt
// with. What a function fails stays in the queue, becomes visible again, and
// ends in the dead-letter queue when it was received too often.
package eventsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// Invoker runs a function with an event. An error means that the function
// failed or could not run.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// Queue is what a mapping needs of SQS.
type Queue interface {
	// Receive returns up to max messages, waiting up to wait for the first. The
	// messages are hidden for the queue's visibility timeout.
	Receive(ctx context.Context, queueARN string, max int, wait time.Duration) ([]Message, error)
	// Delete removes messages by receipt handle.
	Delete(ctx context.Context, queueARN string, receiptHandles []string) error
}

// Lambda's own figures ("Using Lambda with Amazon SQS" in the Lambda developer
// guide).
const (
	// longPoll is how long one receive waits for messages.
	longPoll = 20 * time.Second
	// startingPollers is how many batches of a queue run at once at first.
	// Lambda then scales up; here the function's sandboxes are the bound.
	startingPollers = 5
	// maxEvent is the largest payload of one invocation, in bytes. A batch that
	// is larger is handed over in parts.
	maxEvent = 6 << 20
)

// The pause after a failed receive grows from pauseMin to pauseMax.
const (
	pauseMin = 50 * time.Millisecond
	pauseMax = 5 * time.Second
)

// deleteWithin bounds the deletion of a batch that is done, also at shutdown.
const deleteWithin = 5 * time.Second

// Mapping feeds one queue to one function.
type Mapping struct {
	declared stack.EventSourceMapping
	region   string
	queue    Queue
	invoker  Invoker
	feed     *telemetry.Feed
	log      *slog.Logger
}

// New returns a mapping that does nothing yet. feed may be nil.
func New(declared stack.EventSourceMapping, region string, q Queue, inv Invoker, feed *telemetry.Feed, log *slog.Logger) *Mapping {
	return &Mapping{declared: declared, region: region, queue: q, invoker: inv, feed: feed, log: log}
}

// Run polls until ctx ends, then waits for the batches that are with the
// function: an invocation that has begun is never cut off by Run itself.
func (m *Mapping) Run(ctx context.Context) {
	if m.declared.Disabled {
		return
	}
	pollers := startingPollers
	if m.declared.MaxConcurrency > 0 {
		pollers = m.declared.MaxConcurrency
	}
	slots := make(chan struct{}, pollers)
	var batches sync.WaitGroup
	defer batches.Wait()
	pause := pauseMin
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch, err := m.gather(ctx)
		if ctx.Err() != nil && len(batch) == 0 {
			return
		}
		if err != nil {
			m.log.Error("a queue cannot be read; trying again", "queue", m.declared.SourceARN, "pause", pause, "error", err)
			pause = m.rest(ctx, pause)
			<-slots
			continue
		}
		pause = pauseMin
		if len(batch) == 0 {
			<-slots
			continue
		}
		batches.Go(func() {
			defer func() { <-slots }()
			for _, part := range splitBySize(batch, maxEvent) {
				m.deliver(ctx, part)
			}
		})
	}
}

// rest waits for a jittered pause and returns the next, longer one.
func (m *Mapping) rest(ctx context.Context, pause time.Duration) time.Duration {
	t := time.NewTimer(pause/2 + rand.N(pause/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return min(2*pause, pauseMax)
}

// gather receives one batch: what is there at once, or, with a batching
// window, as much as comes within the window.
func (m *Mapping) gather(ctx context.Context) ([]Message, error) {
	batch, err := m.queue.Receive(ctx, m.declared.SourceARN, m.declared.BatchSize, longPoll)
	if err != nil || len(batch) == 0 || m.declared.Window <= 0 {
		return batch, err
	}
	end := time.Now().Add(m.declared.Window)
	for len(batch) < m.declared.BatchSize {
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			break
		}
		more, err := m.queue.Receive(ctx, m.declared.SourceARN, m.declared.BatchSize-len(batch), left)
		if err != nil {
			break // what is here is delivered; the next receive reports the error
		}
		batch = append(batch, more...)
	}
	return batch, nil
}

// deliver runs the function with a batch and deletes what it dealt with.
func (m *Mapping) deliver(ctx context.Context, batch []Message) {
	ctx = context.WithoutCancel(ctx)
	started := time.Now()
	out, err := m.invoker.Invoke(ctx, m.declared.Function, sqsEvent(batch, m.declared.SourceARN, m.region))
	done := batch
	if err == nil && m.declared.ReportItemFailures {
		done, err = succeeded(batch, out)
	}
	if err != nil {
		done = nil
	}
	if deleteErr := m.delete(ctx, done); deleteErr != nil {
		err = errors.Join(err, deleteErr)
	}
	m.report(batch, done, started, err)
}

func (m *Mapping) delete(ctx context.Context, done []Message) error {
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, deleteWithin)
	defer cancel()
	handles := make([]string, len(done))
	for i, msg := range done {
		handles[i] = msg.ReceiptHandle
	}
	if err := m.queue.Delete(ctx, m.declared.SourceARN, handles); err != nil {
		return fmt.Errorf("delete %d delivered messages: %w", len(handles), err)
	}
	return nil
}

func (m *Mapping) report(batch, done []Message, started time.Time, err error) {
	e := telemetry.Event{
		Kind: telemetry.Delivered, Source: m.declared.SourceARN, Function: m.declared.Function,
		Duration: time.Since(started), Text: fmt.Sprintf("%d of %d messages done", len(done), len(batch)),
	}
	if err != nil {
		e.Text += ": " + err.Error()
	}
	e.Failed = err != nil || len(done) < len(batch)
	m.feed.Record(e)
}
