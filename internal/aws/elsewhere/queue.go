package elsewhere

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxBatch is the most messages that SQS gives, deletes or changes at a time.
const maxBatch = 10

// Queues reads the queues of an SQS that is elsewhere. Its methods may be called
// together.
type Queues struct {
	target Target
	mu     sync.Mutex
	urls   map[string]string // by ARN
}

// NewQueues returns the queues of a target; it asks nothing of it yet.
func NewQueues(t Target) *Queues { return &Queues{target: t, urls: make(map[string]string)} }

// Message is one message as SQS's ReceiveMessage gives it.
type Message struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string
	MD5OfMessageAttributes string
	MessageAttributes      map[string]Attribute
}

// Attribute is a typed attribute of a message.
type Attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// Receive returns up to most messages of the queue with this ARN, ten at a time
// as SQS has it, and waits up to wait, at most 20 s, for the first.
func (q *Queues) Receive(ctx context.Context, arn string, most int, wait time.Duration) ([]Message, error) {
	url, err := q.url(ctx, arn)
	if err != nil {
		return nil, err
	}
	var all []Message
	for len(all) < most {
		in := map[string]any{
			"QueueUrl": url, "MaxNumberOfMessages": min(most-len(all), maxBatch), "WaitTimeSeconds": int(min(wait, 20*time.Second) / time.Second),
			"AttributeNames": []string{"All"}, "MessageAttributeNames": []string{"All"},
		}
		var out struct{ Messages []Message }
		if err := q.target.Call(ctx, "AmazonSQS.ReceiveMessage", in, &out); err != nil {
			if len(all) > 0 {
				break // what is here is handed on; the next call reports it
			}
			return nil, err
		}
		all = append(all, out.Messages...)
		if len(out.Messages) < maxBatch {
			break
		}
		wait = 0
	}
	return all, nil
}

// Delete removes messages by receipt handle.
func (q *Queues) Delete(ctx context.Context, arn string, handles []string) error {
	url, err := q.url(ctx, arn)
	if err != nil {
		return err
	}
	for len(handles) > 0 {
		n := min(len(handles), maxBatch)
		var entries []map[string]string
		for i, h := range handles[:n] {
			entries = append(entries, map[string]string{"Id": fmt.Sprint(i), "ReceiptHandle": h})
		}
		var out struct {
			Failed []struct{ Code, Message string }
		}
		if err := q.target.Call(ctx, "AmazonSQS.DeleteMessageBatch", map[string]any{"QueueUrl": url, "Entries": entries}, &out); err != nil {
			return err
		}
		if len(out.Failed) > 0 {
			return fmt.Errorf("%d of %d messages were not deleted: %s: %s", len(out.Failed), n, out.Failed[0].Code, out.Failed[0].Message)
		}
		handles = handles[n:]
	}
	return nil
}

// url asks for a queue's URL, once.
func (q *Queues) url(ctx context.Context, arn string) (string, error) {
	q.mu.Lock()
	known := q.urls[arn]
	q.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var out struct {
		QueueURL string `json:"QueueUrl"`
	}
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	if err := q.target.Call(ctx, "AmazonSQS.GetQueueUrl", map[string]string{"QueueName": name}, &out); err != nil {
		return "", fmt.Errorf("find the queue %s at %s: %w", name, q.target.URL, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.urls[arn] = out.QueueURL
	return out.QueueURL, nil
}

// Outgoing is a message to be sent. GroupID and DeduplicationID are for FIFO
// queues.
type Outgoing struct {
	Body                     string
	Attributes               map[string]Attribute
	GroupID, DeduplicationID string
}

// Send stores a message in the queue with this ARN.
func (q *Queues) Send(ctx context.Context, arn string, m Outgoing) error {
	url, err := q.url(ctx, arn)
	if err != nil {
		return err
	}
	in := struct {
		QueueUrl, MessageBody                  string
		MessageAttributes                      map[string]Attribute `json:",omitempty"`
		MessageGroupId, MessageDeduplicationId string               `json:",omitempty"`
	}{url, m.Body, m.Attributes, m.GroupID, m.DeduplicationID}
	var out struct{}
	return q.target.Call(ctx, "AmazonSQS.SendMessage", in, &out)
}
