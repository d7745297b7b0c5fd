package sqs

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Message is a received message, with everything that a Lambda event needs.
type Message struct {
	MessageID     string
	ReceiptHandle string
	Body          string
	// MD5OfBody is in hexadecimal, like MD5OfMessageAttributes, which is empty
	// without attributes.
	MD5OfBody string
	// Attributes are the system attributes, among them always SenderId,
	// SentTimestamp, ApproximateReceiveCount and
	// ApproximateFirstReceiveTimestamp; times are milliseconds since the epoch.
	Attributes             map[string]string
	MessageAttributes      map[string]MessageAttribute
	MD5OfMessageAttributes string
}

// MessageAttribute is one typed attribute that the sender gave a message.
type MessageAttribute struct {
	// DataType is "String", "Number" or "Binary", or one of these with a label
	// of the sender's: "Number.int".
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
	// The lists are reserved by SQS and must be empty.
	StringListValues []string `json:",omitempty" query:"StringListValue,flat"`
	BinaryListValues [][]byte `json:",omitempty" query:"BinaryListValue,flat"`
}

func (a *MessageAttribute) isBinary() bool { return strings.HasPrefix(a.DataType, "Binary") }

func (a *MessageAttribute) value() []byte {
	if a.isBinary() {
		return a.BinaryValue
	}
	if a.StringValue == nil {
		return nil
	}
	return []byte(*a.StringValue)
}

// envelope is a message as it is stored: a line of JSON with these fields, and
// then the body, byte for byte.
type envelope struct {
	ID string `json:"id"`
	// Sent is in milliseconds since the epoch. A move keeps it.
	Sent       int64                       `json:"sent"`
	Sender     string                      `json:"sender"`
	Attributes map[string]MessageAttribute `json:"attributes,omitempty"`
	// Trace is the AWSTraceHeader.
	Trace string `json:"trace,omitempty"`
	// Group is the MessageGroupId, of a fair queue, too; Dedup the
	// MessageDeduplicationId of a FIFO queue's message.
	Group string `json:"group,omitempty"`
	Dedup string `json:"dedup,omitempty"`
	// Moved says that the message was in another queue before.
	Moved bool `json:"moved,omitempty"`
	// Source is the ARN of the queue that a dead letter came from.
	Source string `json:"source,omitempty"`

	body string
	// delay holds a standard queue's message back.
	delay time.Duration
}

func (e *envelope) seal() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // ends with the newline
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic("sqs: envelope cannot be encoded: " + err.Error())
	}
	b.WriteString(e.body)
	return b.Bytes()
}

func openEnvelope(data []byte) (*envelope, error) {
	head, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return nil, errors.New("read stored message: it has no envelope")
	}
	e := &envelope{body: string(body)}
	if err := json.Unmarshal(head, e); err != nil {
		return nil, fmt.Errorf("read stored message: %w", err)
	}
	return e, nil
}

// message is the envelope as it is received for the count-th time, for the first
// time at first.
func (e *envelope) message(handle string, count int, first time.Time) Message {
	system := map[string]string{
		"SenderId":                         e.Sender,
		"SentTimestamp":                    strconv.FormatInt(e.Sent, 10),
		"ApproximateReceiveCount":          strconv.Itoa(count),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(first.UnixMilli(), 10),
	}
	for name, text := range map[string]string{"AWSTraceHeader": e.Trace, "MessageGroupId": e.Group,
		"MessageDeduplicationId": e.Dedup, "DeadLetterQueueSourceArn": e.Source} {
		if text != "" {
			system[name] = text
		}
	}
	return Message{
		MessageID: e.ID, ReceiptHandle: handle, Body: e.body, MD5OfBody: md5Hex([]byte(e.body)),
		Attributes: system, MessageAttributes: e.Attributes, MD5OfMessageAttributes: md5OfAttributes(e.Attributes),
	}
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// md5OfAttributes is the digest that SDKs check ("Calculating the MD5 message
// digest for message attributes", SQS developer guide): of each attribute, by
// name, its name, type and value with their lengths, and a byte for the kind of
// value. No attributes have none.
func md5OfAttributes(attributes map[string]MessageAttribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	field := func(text []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		field([]byte(name))
		field([]byte(a.DataType))
		kind := byte(1)
		if a.isBinary() {
			kind = 2
		}
		b = append(b, kind)
		field(a.value())
	}
	return md5Hex(b)
}
