package gatepost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
)

// checkpointBucket keeps how far the mappings of streams have come.
const checkpointBucket = "eventsource-checkpoints"

// pollSources starts the event source mappings. They end before the functions.
func (h *house) pollSources() error {
	ctx, stop := context.WithCancel(context.Background())
	h.stopPolling = stop
	checkpoints, err := h.bus.EnsureBucket(ctx, checkpointBucket, 0)
	if err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	cfg := eventsource.Config{
		Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, Invoker: h.newBatches(), Queues: h.queueSource(), Streams: h.streams,
		Checkpoints: checkpoints, Destination: recordDestination{recordQueues{h.queueSender()}, recordTopics{h.topics}}, Feed: h.feed, Log: h.cfg.Log,
	}
	for _, m := range h.cfg.Stack.Mappings {
		mapping, err := eventsource.New(m, h.cfg.Stack, cfg)
		if err != nil { // as when the tables are elsewhere
			h.cfg.Log.Error("a mapping does not run", "error", err)
			continue
		}
		h.polling.Go(func() { mapping.Run(ctx) })
	}
	h.startSchedules(ctx)
	return nil
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
