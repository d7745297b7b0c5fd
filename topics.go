package gatepost

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/stack"
)

// openTopics makes the topics and their subscriptions; they deliver once
// everything is open.
func (h *house) openTopics(ctx context.Context) (err error) {
	h.topics, err = sns.New(sns.Config{
		Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, URLBase: "http://" + h.aws.Addr().String(),
		Queues: queueEnds{h.queueSender()}, Functions: functionEnds{h}, SigningKey: h.dir.SigningKey, Feed: h.feed, Log: h.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("open the topics: %w", err)
	}
	h.onClose(h.topics.Close)
	if err := h.declareTopics(ctx); err != nil {
		return err
	}
	h.endpoint.Register(h.topics)
	return nil
}

// declareTopics makes what the stack declares.
func (h *house) declareTopics(ctx context.Context) error {
	for _, t := range h.stack().Topics {
		if err := h.topics.EnsureTopic(ctx, sns.TopicSpec{Name: t.Name, ARN: t.ARN, Attributes: t.Attributes, Tags: t.Tags}); err != nil {
			return fmt.Errorf("make the topic %s: %w", t.Name, err)
		}
	}
	if err := h.topics.EnsureSubscriptions(ctx, subscriptionSpecs(h.stack())); err != nil {
		return fmt.Errorf("subscribe to the topics: %w", err)
	}
	return nil
}

// declaredTopics are topics that are made again when they have been emptied.
type declaredTopics struct {
	*sns.Service
	house *house
}

// Reset empties the topics. Deliveries that have begun get a moment to end.
func (t declaredTopics) Reset(ctx context.Context) error {
	ending, cancel := context.WithTimeout(ctx, endingWithin)
	defer cancel()
	return errors.Join(t.Service.Reset(ending), t.house.declareTopics(ctx))
}

func subscriptionSpecs(of *stack.Stack) []sns.SubscriptionSpec {
	specs := make([]sns.SubscriptionSpec, len(of.Subscriptions))
	for i, s := range of.Subscriptions {
		specs[i] = sns.SubscriptionSpec{TopicARN: s.TopicARN, Protocol: s.Protocol, Endpoint: s.Endpoint, Attributes: s.Attributes}
	}
	return specs
}

// queueEnds makes queues the ends of subscriptions.
type queueEnds struct{ queueSender }

// SendToQueue stores a topic's message in a queue.
func (q queueEnds) SendToQueue(ctx context.Context, arn string, m sns.QueueMessage) error {
	attributes := make(map[string]sqs.MessageAttribute, len(m.Attributes))
	for name, a := range m.Attributes {
		to := sqs.MessageAttribute{DataType: a.DataType}
		if a.IsBinary() {
			to.BinaryValue = a.BinaryValue
		} else {
			to.StringValue = &a.StringValue
		}
		attributes[name] = to
	}
	err := q.Send(ctx, arn, sqs.Outgoing{
		Body: m.Body, Attributes: attributes, GroupID: m.GroupID, DeduplicationID: m.DeduplicationID, Sender: "sns.amazonaws.com",
	})
	if errors.Is(err, sqs.ErrNoQueue) {
		return errors.Join(sns.ErrNoEndpoint, err)
	}
	return err
}

// functionEnds makes the queue of asynchronous invocations the end of
// subscriptions: what becomes of a function's failure is Lambda's affair.
type functionEnds struct{ house *house }

// InvokeFunction accepts an asynchronous invocation of the function of an ARN.
func (f functionEnds) InvokeFunction(ctx context.Context, arn string, event []byte) error {
	err := f.house.lambda.InvokeAsync(ctx, arn, event)
	if errors.Is(err, lambda.ErrNoFunction) {
		return errors.Join(sns.ErrNoEndpoint, err)
	}
	return err
}
