package gatepost

import (
	"context"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/elsewhere"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/console"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// queueSource makes the SQS service an eventsource.Queue.
type queueSource struct{ *sqs.Service }

// Receive turns SQS's messages into records of Lambda's event.
func (q queueSource) Receive(ctx context.Context, arn string, max int, wait time.Duration) ([]eventsource.Message, error) {
	received, err := q.Service.Receive(ctx, arn, max, wait)
	out := make([]eventsource.Message, len(received))
	for i, m := range received {
		out[i] = eventsource.Message{
			MessageID: m.MessageID, ReceiptHandle: m.ReceiptHandle, Body: m.Body, MD5OfBody: m.MD5OfBody,
			Attributes: m.Attributes, MD5OfMessageAttributes: m.MD5OfMessageAttributes,
			MessageAttributes: messageAttributes(m.MessageAttributes),
		}
	}
	return out, err
}

// elsewhereSource makes an SQS that somebody else runs an eventsource.Queue.
type elsewhereSource struct{ *elsewhere.Queues }

// Receive turns SQS's messages into records of Lambda's event.
func (q elsewhereSource) Receive(ctx context.Context, arn string, max int, wait time.Duration) ([]eventsource.Message, error) {
	received, err := q.Queues.Receive(ctx, arn, max, wait)
	out := make([]eventsource.Message, len(received))
	for i, m := range received {
		out[i] = eventsource.Message{
			MessageID: m.MessageID, ReceiptHandle: m.ReceiptHandle, Body: m.Body, MD5OfBody: m.MD5OfBody,
			Attributes: m.Attributes, MD5OfMessageAttributes: m.MD5OfMessageAttributes,
			MessageAttributes: make(map[string]eventsource.MessageAttribute, len(m.MessageAttributes)),
		}
		for name, a := range m.MessageAttributes {
			out[i].MessageAttributes[name] = eventsource.MessageAttribute{
				StringValue: a.StringValue, BinaryValue: a.BinaryValue, DataType: a.DataType,
			}
		}
	}
	return out, err
}

func messageAttributes(in map[string]sqs.MessageAttribute) map[string]eventsource.MessageAttribute {
	out := make(map[string]eventsource.MessageAttribute, len(in))
	for name, a := range in {
		out[name] = eventsource.MessageAttribute{
			StringValue: a.StringValue, BinaryValue: a.BinaryValue, DataType: a.DataType,
		}
	}
	return out
}

// Connections lists the live connections for the admin API.
func (h *house) Connections() []console.Connection {
	var out []console.Connection
	for _, a := range h.apis {
		for c := range a.hub.All() {
			out = append(out, console.Connection{API: a.declared.Name, ConnectionInfo: c.Info()})
		}
	}
	return out
}

// Functions lists the functions for the admin API.
func (h *house) Functions() []console.Function {
	var out []console.Function
	for _, f := range h.functions.Functions() {
		out = append(out, console.Function{
			Name: f.Name, State: string(f.State), Built: f.How, BuildTime: f.Build,
			Sandboxes: f.Sandboxes, Invocations: f.Invocations, Errors: f.Errors,
		})
	}
	return out
}

// Recent returns the latest events for the admin API.
func (h *house) Recent(n int) []telemetry.Event { return h.feed.Recent(n) }

// Logs returns the functions' logs for the admin API, Subscribe what comes.
func (h *house) Logs(q telemetry.Query) []telemetry.Event    { return h.feed.Logs(q) }
func (h *house) Subscribe() (<-chan telemetry.Event, func()) { return h.feed.Subscribe() }
