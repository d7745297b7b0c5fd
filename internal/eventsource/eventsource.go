// Package eventsource owns event source mappings: each takes messages out of a
// queue, or records out of a stream, and hands them to a function in batches.
//
// A queue's messages are deleted once the function has dealt with them; what it
// fails becomes visible again, and ends in the dead-letter queue when it was
// received too often. A stream's records stay where they are: the mapping keeps
// how far it has come, shard by shard, and what fails holds up what follows
// until it succeeds, is tried too often or is too old.
package eventsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// Invoker runs a function with an event. apigw.ErrThrottled means that it had no
// place for the event; any other error means that the function failed or could
// not run.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// Destination takes the records of what a stream's mapping has given up. An
// error that is ErrRejected means that another attempt would not help.
type Destination interface {
	// Deliver sends a text to the queue or topic of an ARN, and returns when it
	// is safe there.
	Deliver(ctx context.Context, arn string, text []byte) error
}

// ErrRejected is the error of a Destination that will never take a record.
var ErrRejected = errors.New("the destination refuses the record")

// Config is what all mappings share.
type Config struct {
	// Region and Account are those of the functions.
	Region, Account string
	Invoker         Invoker
	// Queues has the queues; it may be nil without mappings of queues.
	Queues Queue
	// Streams returns the streams of a service, such as "dynamodb", or nil when
	// nothing here has any. It may be nil without mappings of streams.
	Streams func(service string) Stream
	// Checkpoints keeps how far the mappings of streams have come.
	Checkpoints Checkpoints
	// Destination takes what they give up.
	Destination Destination
	// Feed gets an event for each batch; it may be nil.
	Feed *telemetry.Feed
	// Log may be nil, for none.
	Log *slog.Logger
}

// Mapping feeds one source to one function.
type Mapping interface {
	// Run works until ctx ends, then waits for the batches that are with the
	// function: an invocation that has begun is never cut off by Run itself. It
	// may be called once.
	Run(ctx context.Context)
}

// New makes the mapping that a stack declares. It does nothing before Run.
func New(declared stack.EventSourceMapping, s *stack.Stack, cfg Config) (Mapping, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	filter, err := newFilter(declared.Filters)
	if err != nil {
		return nil, fmt.Errorf("event source mapping %s: %w", declared.LogicalID, err)
	}
	base := base{declared: declared, cfg: cfg, filter: filter}
	if f := s.Function(declared.Function); f != nil {
		base.function = *f
	}
	if declared.Stream == nil {
		return newQueueMapping(base, s.QueueByARN(declared.SourceARN)), nil
	}
	service := serviceOf(declared.SourceARN)
	var streams Stream
	if cfg.Streams != nil {
		streams = cfg.Streams(service)
	}
	if streams == nil {
		return nil, fmt.Errorf("event source mapping %s: there are no streams of %s here", declared.LogicalID, service)
	}
	return &streamMapping{base: base, stream: streams, kind: kinds[service]}, nil
}

// base is what mappings of queues and of streams have in common.
type base struct {
	declared stack.EventSourceMapping
	function stack.Function
	cfg      Config
	filter   filter
}

// serviceOf is the service of an ARN, such as "sqs".
func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}

// maxEvent is the largest payload of one invocation, in bytes. A batch that is
// larger is handed over in parts.
const maxEvent = 6 << 20

// The pause after a failed read of a source grows from pauseMin to pauseMax.
const (
	pauseMin = 50 * time.Millisecond
	pauseMax = 5 * time.Second
)

// rest waits for a jittered pause and returns the next, longer one.
func rest(ctx context.Context, pause, most time.Duration) time.Duration {
	t := time.NewTimer(pause/2 + rand.N(pause/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return min(2*pause, most)
}

// invoke runs the function once, to its end even when ctx ends.
func (b *base) invoke(ctx context.Context, event []byte) ([]byte, error) {
	return b.cfg.Invoker.Invoke(context.WithoutCancel(ctx), b.declared.Function, event)
}

// report tells the feed how a batch went.
func (b *base) report(of, done int, what string, started time.Time, err error) {
	e := telemetry.Event{
		Kind: telemetry.Delivered, Source: b.declared.SourceARN, Function: b.declared.Function,
		Duration: time.Since(started), Text: fmt.Sprintf("%d of %d %s done", done, of, what),
	}
	if err != nil {
		e.Text += ": " + err.Error()
	}
	e.Failed = err != nil || done < of
	b.cfg.Feed.Record(e)
}
