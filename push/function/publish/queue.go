package publish

import (
	"context"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// Main runs the function behind a queue. Its event source mapping must have
// ReportBatchItemFailures. It also reads LAST_ATTEMPT, the queue's
// maxReceiveCount: at that attempt it puts what it cannot deliver into
// DEAD_LETTER_QUEUE_URL by itself, with the reason, which the queue would do
// without one.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.SQSEvent, events.SQSEventResponse], error) {
	last := env.Integer("LAST_ATTEMPT", 0, 0, 1000)
	o, ok, err := options(ctx, env)
	if !ok {
		return nil, err
	}
	h := New(o)
	h.last = last
	return h.Handle, nil
}

// Handler publishes the messages of a queue.
type Handler struct {
	*publication
	last int
}

// New returns the handler of a queue's messages.
func New(o Options) *Handler { return &Handler{publication: newPublication(o)} }

// Handle posts the body of every record, byte for byte, to the audience that
// its message attributes name, and reports the records that did not reach
// every live connection of it. SQS hands those out again, and after
// maxReceiveCount moves them to its dead-letter queue. What no attempt can
// deliver, a message above 128 KB or for a target that does not exist, goes to
// Letters at once and is not reported.
//
// Records for the same audience are posted in the order of the batch. A record
// that comes back to the same sandbox is posted only to the connections that
// did not get it and are still in its audience; in another sandbox nothing is
// known of it, and it is posted to all of them again. Clients that mind must
// know a message by an id in it.
func (h *Handler) Handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	messages := make([]message, len(event.Records))
	for i, record := range event.Records {
		messages[i] = h.message(&record)
	}
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, o := range h.publish(ctx, messages) {
		if !o.settled() {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: messages[i].id})
		}
	}
	return response, nil
}

func (h *Handler) message(record *events.SQSMessage) message {
	attribute := func(name string) string {
		if v := record.MessageAttributes[name].StringValue; v != nil {
			return *v
		}
		return ""
	}
	attempt, err := strconv.Atoi(record.Attributes["ApproximateReceiveCount"])
	return message{
		id: record.MessageId, source: "queue", body: []byte(record.Body),
		audience: function.Audience{
			Target: attribute(function.TargetAttribute), Except: attribute(function.ExceptAttribute), Missed: attribute(function.MissedAttribute),
		},
		final: err == nil && h.last > 0 && attempt >= h.last,
	}
}
