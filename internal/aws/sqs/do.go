package sqs

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// xmlNamespace is that of query answers.
const xmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// TargetPrefix is the first part of X-Amz-Target in JSON calls.
func (s *Service) TargetPrefix() string { return "AmazonSQS" }

// QueryVersion is the version that query calls name.
func (s *Service) QueryVersion() string { return "2012-11-05" }

// Do runs one call of the API, as awswire.Service wants it. A receive whose
// caller leaves has received nothing.
func (s *Service) Do(ctx context.Context, call *awswire.Call) (any, error) {
	done, err := s.begin()
	if err != nil {
		return nil, wireError(call, err)
	}
	defer done()
	run, ok := operations[call.Operation]
	if !ok {
		return nil, wireError(call, unknownOperation(call))
	}
	out, err := run(ctx, s, call)
	if err != nil {
		return nil, wireError(call, err)
	}
	return out, nil
}

// operation decodes a call, runs it and encodes the answer.
type operation func(ctx context.Context, s *Service, call *awswire.Call) (any, error)

var operations = map[string]operation{
	"AddPermission":                operate(addPermission),
	"CancelMessageMoveTask":        operate(cancelMessageMoveTask),
	"ChangeMessageVisibility":      operate(changeMessageVisibility),
	"ChangeMessageVisibilityBatch": operate(changeMessageVisibilityBatch),
	"CreateQueue":                  operate(createQueue),
	"DeleteMessage":                operate(deleteMessage),
	"DeleteMessageBatch":           operate(deleteMessageBatch),
	"DeleteQueue":                  operate(deleteQueue),
	"GetQueueAttributes":           operate(getQueueAttributes),
	"GetQueueUrl":                  operate(getQueueURL),
	"ListDeadLetterSourceQueues":   operate(listDeadLetterSourceQueues),
	"ListMessageMoveTasks":         operate(listMessageMoveTasks),
	"ListQueueTags":                operate(listQueueTags),
	"ListQueues":                   operate(listQueues),
	"PurgeQueue":                   operate(purgeQueue),
	"ReceiveMessage":               operate(receiveMessage),
	"RemovePermission":             operate(removePermission),
	"SendMessage":                  operate(sendMessage),
	"SendMessageBatch":             operate(sendMessageBatch),
	"SetQueueAttributes":           operate(setQueueAttributes),
	"StartMessageMoveTask":         operate(startMessageMoveTask),
	"TagQueue":                     operate(tagQueue),
	"UntagQueue":                   operate(untagQueue),
}

// caller is what an operation knows of its call beside the input.
type caller struct {
	*Service
	region, account string
	urlBase         string
	// sender is what SenderId says of the messages sent.
	sender string
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
		if err := decode(call, in); err != nil {
			return nil, err
		}
		account := s.account(call)
		c := &caller{Service: s, region: region, account: account, urlBase: s.urlBase(call), sender: account}
		out, err := run(ctx, c, in)
		if err != nil {
			return nil, err
		}
		if call.Protocol == awswire.Query {
			return awswire.EncodeXML(call.Operation, xmlNamespace, out, call.RequestID), nil
		}
		if out == nil {
			return nil, nil
		}
		return out, nil
	}
}

// decode reads the input. Query calls may name the queue by the path that they
// are sent to.
func decode(call *awswire.Call, in any) error {
	if call.Protocol == awswire.JSON {
		return call.Decode(in)
	}
	if !call.Form.Has("QueueUrl") && len(call.Path) > 1 {
		call.Form.Set("QueueUrl", call.Path)
	}
	return awswire.DecodeQuery(call.Form, in)
}

// queue finds the queue of a URL.
func (c *caller) queue(queueURL string) (*queue, error) {
	if queueURL == "" {
		return nil, missingParameter("QueueUrl")
	}
	account, name, err := parseQueueURL(queueURL)
	if err != nil {
		return nil, err
	}
	if account == "" {
		account = c.account
	}
	q, ok := c.lookup(address{c.region, account, name})
	if !ok {
		return nil, errNoQueue()
	}
	return q, nil
}

func (c *caller) queueURL(at address) string {
	return c.urlBase + "/" + at.Account + "/" + at.Name
}
