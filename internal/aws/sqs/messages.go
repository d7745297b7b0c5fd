package sqs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// The operations on single messages; batch.go has those on batches.

// outgoing is a message to send.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]MessageAttribute
	MessageSystemAttributes map[string]MessageAttribute
	MessageDeduplicationId  string
	MessageGroupId          string
}

type sendMessageInput struct {
	QueueUrl                string
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute,flat,Name,Value"`
	MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute,flat,Name,Value"`
	MessageDeduplicationId  string
	MessageGroupId          string
}

type sendMessageOutput struct {
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	// SequenceNumber is of FIFO queues.
	SequenceNumber string `json:",omitempty"`
}

func sendMessage(ctx context.Context, c *caller, in *sendMessageInput) (*sendMessageOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &outgoing{in.MessageBody, in.DelaySeconds, in.MessageAttributes, in.MessageSystemAttributes,
		in.MessageDeduplicationId, in.MessageGroupId}
	settings := q.record().Settings
	if err := out.check(&settings); err != nil {
		return nil, err
	}
	result := q.line.send(ctx, []*envelope{out.envelope(c.sender, &settings)})[0]
	if result.err != nil {
		return nil, result.err
	}
	return out.answer(result), nil
}

// envelope makes a checked message ready for its queue. A message's own delay goes
// before the queue's; FIFO queues know only their own, and keep to it themselves.
func (in *outgoing) envelope(sender string, s *settings) *envelope {
	e := &envelope{ID: uuid.New(), Sent: time.Now().UnixMilli(), Sender: sender, Attributes: in.MessageAttributes,
		Group: in.MessageGroupId, body: in.MessageBody, delay: s.Delay}
	if trace, ok := in.MessageSystemAttributes["AWSTraceHeader"]; ok {
		e.Trace = *trace.StringValue
	}
	if s.FIFO != nil {
		e.Dedup = in.deduplicationID()
	}
	if in.DelaySeconds != nil {
		e.delay = time.Duration(*in.DelaySeconds) * time.Second
	}
	return e
}

// answer is what the sender of a message is told.
func (in *outgoing) answer(s sent) *sendMessageOutput {
	return &sendMessageOutput{s.id, md5Hex([]byte(in.MessageBody)), md5OfAttributes(in.MessageAttributes),
		md5OfAttributes(in.MessageSystemAttributes), s.sequence}
}

type receiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string `query:"AttributeName,flat"`
	MessageSystemAttributeNames []string `query:"MessageSystemAttributeName,flat"`
	MessageAttributeNames       []string `query:"MessageAttributeName,flat"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string
}

type receiveMessageOutput struct {
	Messages []receivedMessage `json:",omitempty" query:"Message,flat"`
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string           `json:",omitempty" query:"Attribute,flat,Name,Value"`
	MD5OfMessageAttributes string                      `json:",omitempty"`
	MessageAttributes      map[string]MessageAttribute `json:",omitempty" query:"MessageAttribute,flat,Name,Value"`
}

func receiveMessage(ctx context.Context, c *caller, in *receiveMessageInput) (*receiveMessageOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	receive, err := in.receiving(q.record().Settings)
	if err != nil {
		return nil, err
	}
	show, err := in.wanted()
	if err != nil {
		return nil, err
	}
	leave, err := c.wait(receive.wait)
	if err != nil {
		return nil, err
	}
	defer leave()
	messages, err := q.line.receive(ctx, receive)
	if err != nil {
		return nil, err
	}
	out := new(receiveMessageOutput)
	for _, m := range messages {
		out.Messages = append(out.Messages, show.message(m))
	}
	return out, nil
}

// receiving checks the input and fills in what the queue or SQS says.
func (in *receiveMessageInput) receiving(s settings) (r receiving, err error) {
	r = receiving{most: 1, wait: s.ReceiveWait, visibility: s.VisibilityTimeout, attempt: in.ReceiveRequestAttemptId}
	if n := in.MaxNumberOfMessages; n != nil {
		if r.most = *n; *n < 1 || *n > 10 {
			return r, invalidParameter("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", *n)
		}
	}
	if n := in.WaitTimeSeconds; n != nil {
		if r.wait = time.Duration(*n) * time.Second; *n < 0 || *n > 20 {
			return r, invalidParameter("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", *n)
		}
	}
	if n := in.VisibilityTimeout; n != nil {
		if r.visibility = time.Duration(*n) * time.Second; *n < 0 || *n > 43200 {
			return r, invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.", *n)
		}
	}
	switch {
	case r.attempt == "":
	case s.FIFO == nil:
		return r, invalidParameter("Value %s for parameter ReceiveRequestAttemptId is invalid. Reason: The request include parameter that is not valid for this queue type.", clip(r.attempt))
	case !validToken(r.attempt):
		return r, invalidParameter("Value %s for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.", clip(r.attempt))
	}
	return r, nil
}

// wait takes a place among those who may wait.
func (s *Service) wait(d time.Duration) (leave func(), err error) {
	if d == 0 {
		return func() {}, nil
	}
	select {
	case s.waits <- struct{}{}:
		return func() { <-s.waits }, nil
	default:
		return nil, bus.ErrBusy
	}
}

// shown says which attributes a receive returns.
type shown struct{ system, user []string }

var systemAttributes = []string{
	"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"AWSTraceHeader", "MessageGroupId", "DeadLetterQueueSourceArn",
	"SequenceNumber", "MessageDeduplicationId", // of FIFO queues
}

func (in *receiveMessageInput) wanted() (shown, error) {
	names := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	for _, name := range names {
		if name != "All" && !slices.Contains(systemAttributes, name) {
			return shown{}, unknownAttribute(name)
		}
	}
	return shown{names, in.MessageAttributeNames}, nil
}

// message leaves out what was not asked for. The digest covers what is left, as
// that is what the SDK can check.
func (s shown) message(m Message) receivedMessage {
	maps.DeleteFunc(m.Attributes, func(name, _ string) bool {
		return !slices.Contains(s.system, "All") && !slices.Contains(s.system, name)
	})
	maps.DeleteFunc(m.MessageAttributes, func(name string, _ MessageAttribute) bool { return !s.shows(name) })
	return receivedMessage{m.MessageID, m.ReceiptHandle, m.MD5OfBody, m.Body, m.Attributes,
		md5OfAttributes(m.MessageAttributes), m.MessageAttributes}
}

// shows: "All" and ".*" stand for every name, "foo.*" for those that begin with
// foo.
func (s shown) shows(name string) bool {
	return slices.ContainsFunc(s.user, func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, ".*")
		return pattern == "All" || pattern == name || wild && strings.HasPrefix(name, prefix)
	})
}

type deleteMessageInput struct {
	QueueUrl      string
	ReceiptHandle string
}

func deleteMessage(ctx context.Context, c *caller, in *deleteMessageInput) (*none, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.line.remove(ctx, []string{in.ReceiptHandle})[0]
}

type changeMessageVisibilityInput struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

func changeMessageVisibility(ctx context.Context, c *caller, in *changeMessageVisibilityInput) (*none, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.changeVisibilitySeconds(ctx, in.ReceiptHandle, in.VisibilityTimeout)
}

func (q *queue) changeVisibilitySeconds(ctx context.Context, handle string, n *int) error {
	if n == nil {
		return missingParameter("VisibilityTimeout")
	}
	if *n < 0 || *n > 43200 {
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", *n)
	}
	return q.changeVisibility(ctx, handle, time.Duration(*n)*time.Second)
}
