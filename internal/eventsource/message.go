package eventsource

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// Message is one SQS message as a function gets it. The order of the fields is
// the order of the keys in Lambda's event.
type Message struct {
	MessageID     string
	ReceiptHandle string
	Body          string
	// Attributes are the system attributes; MessageGroupId is that of a FIFO
	// queue's messages.
	Attributes             map[string]string
	MessageAttributes      map[string]MessageAttribute
	MD5OfMessageAttributes string // "" is left out
	MD5OfBody              string
	// The mapping fills in what follows.
	EventSource    string
	EventSourceARN string
	AWSRegion      string
}

// MessageAttribute is a typed attribute. Binary values are base64 in JSON.
type MessageAttribute struct {
	StringValue *string
	BinaryValue []byte
	DataType    string
}

func (m *Message) group() string { return m.Attributes["MessageGroupId"] }

// attributeOrder is how Lambda orders the system attributes; others follow by
// name.
var attributeOrder = []string{
	"ApproximateReceiveCount", "AWSTraceHeader", "SentTimestamp", "SequenceNumber", "MessageGroupId",
	"SenderId", "MessageDeduplicationId", "ApproximateFirstReceiveTimestamp",
}

// sqsEvent is the event {"Records":[…]} of a batch.
func sqsEvent(batch []Message) []byte {
	b := []byte(`{"Records":[`)
	for i := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = batch[i].appendJSON(b)
	}
	return append(b, "]}"...)
}

// appendJSON appends the message as a record of the event.
func (m Message) appendJSON(b []byte) []byte {
	b = member(append(b, '{'), "messageId", m.MessageID)
	b = member(append(b, ','), "receiptHandle", m.ReceiptHandle)
	b = member(append(b, ','), "body", m.Body)
	b = append(b, `,"attributes":{`...)
	for i, name := range m.attributeNames() {
		if i > 0 {
			b = append(b, ',')
		}
		b = member(b, name, m.Attributes[name])
	}
	b = append(b, `},"messageAttributes":{`...)
	for i, name := range slices.Sorted(maps.Keys(m.MessageAttributes)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(jsonpath.AppendString(b, name), ':')
		b = m.MessageAttributes[name].appendJSON(b)
	}
	b = append(b, '}')
	if m.MD5OfMessageAttributes != "" {
		b = member(append(b, ','), "md5OfMessageAttributes", m.MD5OfMessageAttributes)
	}
	b = member(append(b, ','), "md5OfBody", m.MD5OfBody)
	b = member(append(b, ','), "eventSource", m.EventSource)
	b = member(append(b, ','), "eventSourceARN", m.EventSourceARN)
	b = member(append(b, ','), "awsRegion", m.AWSRegion)
	return append(b, '}')
}

func (m *Message) attributeNames() []string {
	var names []string
	for _, name := range attributeOrder {
		if _, ok := m.Attributes[name]; ok {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		if !slices.Contains(attributeOrder, name) {
			names = append(names, name)
		}
	}
	return names
}

func (a MessageAttribute) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if a.StringValue != nil {
		b = append(member(b, "stringValue", *a.StringValue), ',')
	}
	if a.BinaryValue != nil {
		b = append(b, `"binaryValue":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, a.BinaryValue), `",`...)
	}
	b = append(b, `"stringListValues":[],"binaryListValues":[],`...)
	return append(member(b, "dataType", a.DataType), '}')
}

// member appends "name":"text".
func member(b []byte, name, text string) []byte {
	b = append(jsonpath.AppendString(b, name), ':')
	return jsonpath.AppendString(b, text)
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

func batchSize(batch []Message) (size int) {
	for _, m := range batch {
		size += eventSize(m)
	}
	return size
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
