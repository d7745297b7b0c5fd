package eventsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Message is one SQS message as a function gets it. The order of the fields is
// the order of the keys in Lambda's event.
type Message struct {
	MessageID              string                      `json:"messageId"`
	ReceiptHandle          string                      `json:"receiptHandle"`
	Body                   string                      `json:"body"`
	Attributes             map[string]string           `json:"attributes"`
	MessageAttributes      map[string]MessageAttribute `json:"messageAttributes"`
	MD5OfMessageAttributes string                      `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody              string                      `json:"md5OfBody"`
	EventSource            string                      `json:"eventSource"`
	EventSourceARN         string                      `json:"eventSourceARN"`
	AWSRegion              string                      `json:"awsRegion"`
}

// MessageAttribute is a typed attribute. Binary values are base64 in JSON.
type MessageAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// sqsEvent is the event {"Records":[…]} of a batch.
func sqsEvent(batch []Message, arn, region string) []byte {
	records := make([]Message, len(batch))
	for i, m := range batch {
		m.EventSource, m.EventSourceARN, m.AWSRegion = "aws:sqs", arn, region
		if m.MessageAttributes == nil {
			m.MessageAttributes = map[string]MessageAttribute{}
		}
		records[i] = m
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Strings, maps of strings and byte slices always encode.
	if err := enc.Encode(struct{ Records []Message }{records}); err != nil {
		panic("eventsource: encode SQS event: " + err.Error())
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// splitBySize cuts a batch so that no part's event is over limit bytes. A
// message that is too large by itself is a part of its own.
func splitBySize(batch []Message, limit int) [][]Message {
	var parts [][]Message
	size := limit
	for _, m := range batch {
		n := eventSize(m)
		if size+n > limit {
			parts = append(parts, nil)
			size = 0
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], m)
		size += n
	}
	return parts
}

// eventSize is a bound for a message's bytes in the event: a body's characters
// take at most six bytes each when all must be escaped; most take one.
func eventSize(m Message) int {
	const overhead = 1024
	size := overhead + len(m.Body)
	for i := range len(m.Body) {
		if c := m.Body[i]; c < ' ' || c == '"' || c == '\\' {
			size += 5
		}
	}
	for name, a := range m.MessageAttributes {
		size += overhead/4 + 6*len(name) + 2*len(a.BinaryValue)
		if a.StringValue != nil {
			size += 6 * len(*a.StringValue)
		}
	}
	return size
}

// succeeded returns the messages of a batch that the answer of a function with
// ReportBatchItemFailures does not name. An answer that cannot be understood,
// or that names a message that is not in the batch, fails the whole batch
// ("Implementing partial batch responses" in the Lambda developer guide).
func succeeded(batch []Message, out []byte) ([]Message, error) {
	failed, err := itemFailures(out)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(batch))
	for _, m := range batch {
		known[m.MessageID] = true
	}
	named := make(map[string]bool, len(failed))
	for _, id := range failed {
		if !known[id] {
			return nil, fmt.Errorf("the whole batch failed: the function reported the message %q, which is not in the batch", id)
		}
		named[id] = true
	}
	var done []Message
	for _, m := range batch {
		if !named[m.MessageID] {
			done = append(done, m)
		}
	}
	return done, nil
}

func itemFailures(out []byte) (ids []string, err error) {
	out = bytes.TrimSpace(out)
	if len(out) == 0 || string(out) == "null" {
		return nil, nil
	}
	var answer struct {
		Failures []map[string]*string `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("the whole batch failed: the function's answer is not {\"batchItemFailures\":[…]}: %w", err)
	}
	for _, f := range answer.Failures {
		id := f["itemIdentifier"]
		if id == nil || *id == "" {
			return nil, errors.New("the whole batch failed: the function reported a failure without an itemIdentifier")
		}
		ids = append(ids, *id)
	}
	return ids, nil
}
