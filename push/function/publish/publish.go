// Package publish is the Lambda function behind the queue: it posts every
// message to every connection of the roster.
//
// Environment: TABLE_NAME and CALLBACK_URL (required), PARALLELISM (default
// 32), POST_TIMEOUT (default 3s), ROSTER_SHARDS (default 4). The event source
// mapping must have ReportBatchItemFailures.
package publish

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.SQSEvent, events.SQSEventResponse], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	publisher := &push.Publisher{
		Roster:      function.Roster(cfg, env),
		Parallelism: env.Integer("PARALLELISM", push.DefaultParallelism, 1, 1000),
		Log:         function.Log(),
	}
	callback := env.URL("CALLBACK_URL", "the callback address of the API's stage, such as https://abcdefghij.execute-api.eu-west-1.amazonaws.com/main")
	timeout := env.Duration("POST_TIMEOUT", push.DefaultPostTimeout, 10*time.Millisecond, time.Minute)
	if len(env.Problems()) > 0 {
		return nil, nil
	}
	poster, err := push.PosterForEndpoint(cfg, callback, push.PosterOptions{Parallelism: publisher.Parallelism, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	publisher.Poster = poster
	return New(publisher, function.Log()).Handle, nil
}

// Handler publishes the messages of a queue to everyone.
type Handler struct {
	publisher  *push.Publisher
	log        *slog.Logger
	unfinished unfinished
}

// New returns the function's handler.
func New(publisher *push.Publisher, log *slog.Logger) *Handler {
	return &Handler{publisher: publisher, log: log}
}

// Handle posts the body of every record, byte for byte, to every connection,
// in the order of the batch, and reports the records that did not reach every
// live one. SQS hands those out again, and after maxReceiveCount moves them to
// the dead-letter queue. A message that no attempt can deliver, one above
// 128 KB, is reported every time, and so ends there too.
//
// A record that comes back to the same sandbox is posted only to the
// connections that did not get it; in another sandbox nothing is known of it,
// and it is posted to everyone again. Clients that mind must know a message by
// an id in it.
func (h *Handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	log := function.WithRequest(ctx, h.log)
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, report := range h.publish(ctx, event.Records) {
		id := event.Records[i].MessageId
		logReport(log.With("messageId", id), &report)
		if report.Complete() {
			continue
		}
		h.unfinished.put(id, &report)
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	return response, nil
}

// publish posts the records and returns a report for each: the new ones in one
// batch, and beside it each that has been here before to those who missed it.
func (h *Handler) publish(ctx context.Context, records []events.SQSMessage) []push.Report {
	reports := make([]push.Report, len(records))
	var fresh []int
	var bodies [][]byte
	var wg sync.WaitGroup
	for i, record := range records {
		body := []byte(record.Body)
		if missed, known := h.unfinished.take(record.MessageId); known {
			wg.Go(func() { reports[i], _ = h.publisher.Publish(ctx, push.Only(missed...), body) })
			continue
		}
		fresh, bodies = append(fresh, i), append(bodies, body)
	}
	for n, report := range h.publisher.PublishBatch(ctx, push.Everyone, bodies) {
		reports[fresh[n]] = report
	}
	wg.Wait()
	return reports
}

// logReport writes one line: what was reached, and the first reason for what
// was not.
func logReport(log *slog.Logger, r *push.Report) {
	log = log.With("sent", r.Sent, "gone", r.Gone, "failed", len(r.Failed), "remaining", len(r.Remaining))
	switch {
	case r.Complete():
		log.Info("published")
	case r.Err != nil:
		log.Error("not published", "error", r.Err)
	default:
		first := r.Failed[0]
		log.Error("not published to every connection", "connectionId", first.ConnectionID, "error", first.Err)
	}
}
