package gatepost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// openLambda opens the Lambda API. It is closed before the functions, whose end
// would count as their failure.
func (h *house) openLambda(ctx context.Context) (err error) {
	h.lambda, err = lambda.New(ctx, lambda.Config{
		Functions: invocable{h}, Logs: invocable{h}, Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account,
		Queues: recordQueues{h.queueSender()}, Topics: recordTopics{h.topics}, Feed: h.feed, Log: h.cfg.Log,
		EventConfigs: eventConfigs(h.cfg.Stack.Functions), Retries: h.cfg.AsyncRetries,
	})
	if err != nil {
		return fmt.Errorf("open the Lambda API: %w", err)
	}
	h.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), lastMoment)
		defer cancel()
		return h.lambda.Close(ctx)
	})
	h.endpoint.RegisterREST(h.lambda)
	return nil
}

// eventConfigs are the settings of the functions that have some.
func eventConfigs(functions []stack.Function) (all []lambda.EventInvokeConfig) {
	for _, f := range functions {
		if a := f.Async; a != nil {
			all = append(all, lambda.EventInvokeConfig{
				Function: f.Name, MaximumRetryAttempts: a.Retries, MaximumEventAge: a.MaxAge,
				OnSuccess: a.OnSuccess, OnFailure: a.OnFailure, DeadLetter: a.DeadLetterARN,
			})
		}
	}
	return all
}

// invocable makes the functions of a house lambda.Functions, and its feed
// lambda.Logs.
type invocable struct{ house *house }

// List joins what the template declares with the state of the host.
func (i invocable) List() []lambda.Function {
	failures := make(map[string]string)
	for _, st := range i.house.functions.Functions() {
		if st.State == function.Failed { // else an earlier program runs on
			failures[st.Name] = st.Failure
		}
	}
	var out []lambda.Function
	for _, f := range i.house.stack().Functions {
		out = append(out, lambda.Function{
			Name: f.Name, ARN: f.ARN, Runtime: f.Runtime, Handler: f.Handler, Failure: failures[f.Name],
			Timeout: cmp.Or(f.Timeout, 3*time.Second), MemoryMB: cmp.Or(f.MemoryMB, 128),
		})
	}
	return out
}

// Invoke runs a function.
func (i invocable) Invoke(ctx context.Context, name string, in lambda.Invocation) ([]byte, error) {
	return i.house.functions.InvokeCall(ctx, name, function.Call{RequestID: in.RequestID, Event: in.Event, ClientContext: in.ClientContext})
}

// Trace finds in the feed what an invocation wrote.
func (i invocable) Trace(requestID string) []telemetry.Event {
	return i.house.feed.Logs(telemetry.Query{RequestID: requestID})
}

// recordQueues and recordTopics make queues and topics the destinations of
// asynchronous invocations.
type (
	recordQueues struct{ queueSender }
	recordTopics struct{ *sns.Service }
)

// Deliver sends a record or a dead letter to a queue.
func (q recordQueues) Deliver(ctx context.Context, arn string, m lambda.Message) error {
	attributes := make(map[string]sqs.MessageAttribute, len(m.Attributes))
	for name, a := range m.Attributes {
		attributes[name] = sqs.MessageAttribute{DataType: a.DataType, StringValue: &a.Value}
	}
	return refusal(q.Send(ctx, arn, sqs.Outgoing{Body: m.Body, Attributes: attributes, Sender: "lambda.amazonaws.com"}))
}

// Deliver publishes a record or a dead letter to a topic.
func (t recordTopics) Deliver(ctx context.Context, arn string, m lambda.Message) error {
	attributes := make(map[string]sns.Attribute, len(m.Attributes))
	for name, a := range m.Attributes {
		attributes[name] = sns.Attribute{DataType: a.DataType, StringValue: a.Value}
	}
	_, err := t.Publish(ctx, arn, sns.Message{Body: m.Body, Attributes: attributes})
	return refusal(err)
}

// refusal marks the errors that another attempt would not change.
func refusal(err error) error {
	refused, api := errors.AsType[*awswire.Error](err)
	if errors.Is(err, sqs.ErrNoQueue) || api && refused.Status < 500 && refused.Status != 429 {
		return errors.Join(lambda.ErrRejected, err)
	}
	return err
}
