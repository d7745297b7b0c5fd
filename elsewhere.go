package gatepost

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/gatepost-dev/gatepost/internal/aws/elsewhere"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
)

// openElsewhere reads which services somebody else runs, and makes there what
// the stack declares, unless it is AWS.
func (h *house) openElsewhere(ctx context.Context) error {
	h.elsewhere = make(map[string]elsewhere.Target)
	for _, service := range slices.Sorted(maps.Keys(h.cfg.Endpoints)) {
		target, err := elsewhere.ParseTarget(service+"="+h.cfg.Endpoints[service], h.cfg.Stack.Region)
		if err != nil {
			return err
		}
		if target.Credentials, err = h.credentialsFor(ctx, target); err != nil {
			return err
		}
		h.elsewhere[service] = target
	}
	return errors.Join(h.makeTablesElsewhere(ctx), h.makeQueuesElsewhere(ctx), h.makeStreamsElsewhere(ctx))
}

func (h *house) makeTablesElsewhere(ctx context.Context) error {
	target, ok := h.elsewhere["dynamodb"]
	if !ok || target.IsAWS() {
		return nil
	}
	for _, t := range h.cfg.Stack.Tables {
		if err := target.CreateTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) makeQueuesElsewhere(ctx context.Context) error {
	target, ok := h.elsewhere["sqs"]
	if !ok || target.IsAWS() {
		return nil
	}
	for _, q := range deadLettersFirst(h.cfg.Stack.Queues) {
		if err := target.CreateQueue(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) makeStreamsElsewhere(ctx context.Context) error {
	target, ok := h.elsewhere["kinesis"]
	if !ok || target.IsAWS() {
		return nil
	}
	for _, d := range h.cfg.Stack.Streams {
		if err := target.CreateStream(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// credentialsFor is what calls to a target are signed with: for AWS what the
// SDKs find (environment, profile, role of the machine), for others what stands
// in the environment, or else those that Gatepost gives out, which emulators do
// not check.
func (h *house) credentialsFor(ctx context.Context, t elsewhere.Target) (func(context.Context) (awswire.Credentials, error), error) {
	if t.IsAWS() {
		chain, err := config.LoadDefaultConfig(ctx, config.WithRegion(t.Region))
		if err != nil {
			return nil, fmt.Errorf("find credentials for %s: %w", t.URL.Host, err)
		}
		return func(ctx context.Context) (awswire.Credentials, error) {
			c, err := chain.Credentials.Retrieve(ctx)
			return awswire.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
		}, nil
	}
	found := awswire.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	if found.AccessKeyID == "" || found.SecretAccessKey == "" {
		found = h.secrets.Credentials
	}
	return func(context.Context) (awswire.Credentials, error) { return found, nil }, nil
}

// awsHandler answers AWS calls: those of services that are elsewhere by
// forwarding them.
func (h *house) awsHandler() http.Handler {
	here := h.calls.before(h.topics.Links(h.endpoint))
	if len(h.elsewhere) == 0 {
		return here
	}
	return &elsewhere.Gate{Check: h.endpoint.Check, Targets: h.elsewhere, Next: here, Log: h.cfg.Log}
}

func (h *house) isElsewhere(service string) bool {
	_, ok := h.elsewhere[service]
	return ok
}

// queueSender is what topics and destinations send to queues with.
type queueSender interface {
	// Send returns when the message is safe. A queue that is not there is
	// sqs.ErrNoQueue.
	Send(ctx context.Context, arn string, m sqs.Outgoing) error
}

func (h *house) queueSender() queueSender {
	if target, ok := h.elsewhere["sqs"]; ok {
		return elsewhereSender{elsewhere.NewQueues(target)}
	}
	return h.queues
}

// elsewhereSender sends to the queues of an SQS that somebody else runs.
type elsewhereSender struct{ *elsewhere.Queues }

// Send sends a message.
func (s elsewhereSender) Send(ctx context.Context, arn string, m sqs.Outgoing) error {
	attributes := make(map[string]elsewhere.Attribute, len(m.Attributes))
	for name, a := range m.Attributes {
		attributes[name] = elsewhere.Attribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	err := s.Queues.Send(ctx, arn, elsewhere.Outgoing{Body: m.Body, Attributes: attributes, GroupID: m.GroupID, DeduplicationID: m.DeduplicationID})
	if reported, ok := errors.AsType[*awswire.Error](err); ok && strings.Contains(reported.Code, "QueueDoesNotExist") {
		return errors.Join(sqs.ErrNoQueue, err)
	}
	return err
}

// queueSource is where the mappings read: the queues here, or those elsewhere.
func (h *house) queueSource() eventsource.Queue {
	if target, ok := h.elsewhere["sqs"]; ok {
		return elsewhereSource{elsewhere.NewQueues(target)}
	}
	return queueSource{h.queues}
}
