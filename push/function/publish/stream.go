package publish

import (
	"context"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// StreamMain runs the function behind a data stream of Kinesis. Its event
// source mapping must have ReportBatchItemFailures, and should bound
// MaximumRetryAttempts. It also reads TARGET_FROM: everyone (the default), or
// partition-key, when the records' partition keys say whom they are for, in
// the words of the attribute Target.
func StreamMain() {
	function.Main(func(ctx context.Context, env *function.Environment) (function.Handler[events.KinesisEvent, events.KinesisEventResponse], error) {
		byKey := env.Choice("TARGET_FROM", "everyone", "partition-key") == "partition-key"
		o, ok, err := options(ctx, env)
		if !ok {
			return nil, err
		}
		return NewStream(o, byKey).Handle, nil
	})
}

// Stream publishes the records of a data stream.
type Stream struct {
	*publication
	byKey bool
}

// NewStream returns the handler of a data stream's records. With byKey their
// partition keys name the audience, without it they are for everyone.
func NewStream(o Options, byKey bool) *Stream { return &Stream{newPublication(o), byKey} }

// Handle posts the data of every record, byte for byte, and reports the first
// record that did not reach every live connection: the stream's order is kept,
// so Lambda hands out that one and all after it again. What no attempt can
// deliver goes to Letters and does not hold the stream up.
func (s *Stream) Handle(ctx context.Context, event events.KinesisEvent) (events.KinesisEventResponse, error) {
	messages := make([]message, len(event.Records))
	for i, record := range event.Records {
		messages[i] = message{id: record.Kinesis.SequenceNumber, source: "stream", body: record.Kinesis.Data}
		if s.byKey {
			messages[i].audience.Target = record.Kinesis.PartitionKey
		}
	}
	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if first := s.inOrder(ctx, messages); first >= 0 {
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: messages[first].id})
	}
	return response, nil
}

// inOrder publishes the messages of a shard and returns the index of the first
// that is not settled, or -1. What was posted of those after it is forgotten:
// they come again with it.
func (p *publication) inOrder(ctx context.Context, messages []message) int {
	for i, o := range p.publish(ctx, messages) {
		if !o.settled() {
			return i
		}
	}
	return -1
}
