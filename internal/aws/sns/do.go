package sns

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TargetPrefix is not used: SNS has the query protocol only, in the newest SDKs
// too.
func (s *Service) TargetPrefix() string { return "AmazonSNS" }

// QueryVersion is the version that query calls name.
func (s *Service) QueryVersion() string { return apiVersion }

const apiVersion = "2010-03-31"

// Do runs one call of the API, as awswire.Service wants it.
func (s *Service) Do(ctx context.Context, call *awswire.Call) (any, error) {
	done, err := s.begin()
	if err != nil {
		return nil, apiError(err)
	}
	defer done()
	run, ok := operations[call.Operation]
	if !ok || call.Protocol != awswire.Query {
		return nil, coded("InvalidAction", 400, "Gatepost's SNS has no operation %s.", clip(call.Operation))
	}
	out, err := run(ctx, s, call)
	if err != nil {
		return nil, apiError(err)
	}
	return out, nil
}

// operation decodes a call, runs it and encodes the answer.
type operation func(ctx context.Context, s *Service, call *awswire.Call) (any, error)

var operations = map[string]operation{
	"AddPermission":             operate(addPermission),
	"ConfirmSubscription":       operate(confirmSubscription),
	"CreateTopic":               operate(createTopic),
	"DeleteTopic":               operate(deleteTopic),
	"GetSubscriptionAttributes": operate(getSubscriptionAttributes),
	"GetTopicAttributes":        operate(getTopicAttributes),
	"ListSubscriptions":         operate(listSubscriptions),
	"ListSubscriptionsByTopic":  operate(listSubscriptionsByTopic),
	"ListTagsForResource":       operate(listTagsForResource),
	"ListTopics":                operate(listTopics),
	"Publish":                   operate(publish),
	"PublishBatch":              operate(publishBatch),
	"RemovePermission":          operate(removePermission),
	"SetSubscriptionAttributes": operate(setSubscriptionAttributes),
	"SetTopicAttributes":        operate(setTopicAttributes),
	"Subscribe":                 operate(subscribe),
	"TagResource":               operate(tagResource),
	"Unsubscribe":               operate(unsubscribe),
	"UntagResource":             operate(untagResource),
}

// caller is what an operation knows of its call beside the input.
type caller struct {
	*Service
	region, account string
	// signed says that the call carries a signature.
	signed bool
}

// operate makes an operation of a function over typed input and output; nil
// output is an operation without a result.
func operate[In, Out any](run func(context.Context, *caller, *In) (*Out, error)) operation {
	return func(ctx context.Context, s *Service, call *awswire.Call) (any, error) {
		region, err := s.region(call)
		if err != nil {
			return nil, err
		}
		in := new(In)
		if err := awswire.DecodeQuery(call.Form, in); err != nil {
			return nil, err
		}
		out, err := run(ctx, &caller{s, region, call.Account(s.config.Account), call.AccessKeyID != ""}, in)
		if err != nil {
			return nil, err
		}
		if out == nil {
			return answer(call.Operation, nil, call.RequestID), nil
		}
		return answer(call.Operation, out, call.RequestID), nil
	}
}

// none is the output of operations that have no result, empty that of those
// whose result has nothing in it.
type (
	none  struct{}
	empty struct{}
)

// topicOf finds the topic of an ARN; it must be in the call's region. A call
// without a signature, such as a link in a message, has none.
func (c *caller) topicOf(parameter, arn string) (*topic, error) {
	at, err := parseTopicARN(parameter, arn)
	if err != nil {
		return nil, err
	}
	if c.signed && at.Region != c.region {
		return nil, invalidParameter("%s", parameter)
	}
	return c.lookup(at)
}

func (c *caller) subscriptionOf(arn string) (*subscription, error) {
	at, id, err := parseSubscriptionARN(arn)
	if err != nil {
		return nil, err
	}
	return c.bySubscription(at, id)
}
