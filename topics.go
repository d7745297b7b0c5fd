package gatepost

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/function"
)

// openTopics makes the topics and their subscriptions; they deliver once
// everything is open.
func (h *house) openTopics(ctx context.Context) (err error) {
	h.topics, err = sns.New(sns.Config{
		Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, URLBase: "http://" + h.aws.Addr().String(),
		Queues: queueEnds{h.queues}, Functions: functionEnds{h.functions}, Feed: h.feed, Log: h.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("open the topics: %w", err)
	}
	h.onClose(h.topics.Close)
	for _, t := range h.cfg.Stack.Topics {
		if err := h.topics.EnsureTopic(ctx, sns.TopicSpec{Name: t.Name, ARN: t.ARN, Attributes: t.Attributes}); err != nil {
			return fmt.Errorf("make the topic %s: %w", t.Name, err)
		}
	}
	specs := make([]sns.SubscriptionSpec, len(h.cfg.Stack.Subscriptions))
	for i, s := range h.cfg.Stack.Subscriptions {
		specs[i] = sns.SubscriptionSpec{TopicARN: s.TopicARN, Protocol: s.Protocol, Endpoint: s.Endpoint, Attributes: s.Attributes}
	}
	if err := h.topics.EnsureSubscriptions(ctx, specs); err != nil {
		return fmt.Errorf("subscribe to the topics: %w", err)
	}
	h.endpoint.Register(h.topics)
	return nil
}

// queueEnds makes the SQS service the end of subscriptions.
type queueEnds struct{ *sqs.Service }

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

// functionEnds makes the function host the end of subscriptions.
type functionEnds struct{ host *function.Host }

// InvokeFunction runs the function of an ARN, with or without a qualifier.
func (f functionEnds) InvokeFunction(ctx context.Context, arn string, event []byte) error {
	name := arn
	if parts := strings.Split(arn, ":"); len(parts) >= 7 {
		name = parts[6]
	}
	_, err := f.host.Invoke(ctx, name, event)
	failed, ran := errors.AsType[*function.Error](err)
	switch {
	case ran && failed.Type == unknownFunction:
		return errors.Join(sns.ErrNoEndpoint, err)
	case ran && strings.HasPrefix(failed.Type, hostsOwn):
		return err // it is not built, or the host closes: tried again
	case ran, errors.Is(err, apigw.ErrThrottled):
		return errors.Join(sns.ErrFunctionFailed, err)
	}
	return err
}

// The error types of the function host itself: the function did not run.
const (
	hostsOwn        = "Gatepost."
	unknownFunction = hostsOwn + "UnknownFunction"
)
