package gatepost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/stack"
)

// checkpointBucket keeps how far the mappings of streams have come.
const checkpointBucket = "eventsource-checkpoints"

// pollSources starts the event source mappings. They end before the functions.
func (h *house) pollSources() error {
	ctx := h.tasks.begin(&h.polling)
	checkpoints, err := h.bus.EnsureBucket(ctx, checkpointBucket, 0)
	if err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	h.sources = eventsource.Config{
		Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, Invoker: h.newBatches(), Queues: h.queueSource(), Streams: h.streams,
		Checkpoints: checkpoints, Destination: recordDestination{recordQueues{h.queueSender()}, recordTopics{h.topics}}, Feed: h.feed, Log: h.cfg.Log,
	}
	for _, m := range h.stack().Mappings {
		h.startMapping(m, h.stack())
	}
	h.startSchedules()
	return nil
}

// startMapping starts a mapping of a stack, in place of the one that it was:
// that ends its batches first.
func (h *house) startMapping(m stack.EventSourceMapping, in *stack.Stack) {
	mapping, err := eventsource.New(m, in, h.sources)
	if err != nil { // as when the tables are elsewhere
		h.cfg.Log.Error("a mapping does not run", "error", err)
		return
	}
	h.tasks.start(mappingTask(m), mapping.Run)
}

func mappingTask(m stack.EventSourceMapping) string {
	return "mapping " + m.SourceARN + " " + m.Function
}

// recordDestination sends records of failures to queues and topics.
type recordDestination struct {
	queues recordQueues
	topics recordTopics
}

// Deliver sends a text to the queue or topic of an ARN.
func (d recordDestination) Deliver(ctx context.Context, arn string, text []byte) error {
	m := lambda.Message{Body: string(text)}
	var err error
	if strings.HasPrefix(arn, "arn:aws:sns:") {
		err = d.topics.Deliver(ctx, arn, m)
	} else {
		err = d.queues.Deliver(ctx, arn, m)
	}
	if errors.Is(err, lambda.ErrRejected) {
		return errors.Join(eventsource.ErrRejected, err)
	}
	return err
}

// Hide hides messages that a mapping has received.
func (q queueSource) Hide(ctx context.Context, arn string, handles []string, d time.Duration) error {
	var errs []error
	for _, handle := range handles {
		errs = append(errs, q.ChangeVisibility(ctx, arn, handle, d))
	}
	return errors.Join(errs...)
}
