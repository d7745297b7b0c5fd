package sns

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// MaxMessageSize is the largest message that SNS takes, in bytes: the body with
// its attributes' names, types and values. It is also the largest batch.
const MaxMessageSize = 256 << 10

// Message is what is published.
type Message struct {
	// Body is the message, or, with Structure "json", an object with a message
	// for each protocol and one called default.
	Body      string
	Structure string
	// Subject is up to 100 characters without control characters; nil for none.
	Subject    *string
	Attributes map[string]Attribute
	// GroupID and DeduplicationID are for FIFO topics; a standard topic passes
	// the group on to standard queues and has no deduplication.
	GroupID, DeduplicationID string
}

// Attribute is one typed attribute of a message. The value is in the field that
// the type asks for: BinaryValue for Binary, StringValue for all others.
type Attribute struct {
	// DataType is String, String.Array, Number, Binary, or one of these with a
	// label of the sender's: "Number.int".
	DataType    string `json:"type"`
	StringValue string `json:"string,omitempty"`
	BinaryValue []byte `json:"binary,omitempty"`
}

// IsBinary reports whether BinaryValue holds the value.
func (a Attribute) IsBinary() bool { return strings.HasPrefix(a.DataType, "Binary") }

func (a Attribute) size() int { return len(a.DataType) + len(a.StringValue) + len(a.BinaryValue) }

// size is what counts against MaxMessageSize.
func (m *Message) size() int {
	n := len(m.Body)
	for name, a := range m.Attributes {
		n += len(name) + a.size()
	}
	return n
}

// check checks a message against the rules of its topic (API reference,
// Publish).
func (m *Message) check(t *topicRecord) error {
	switch {
	case m.Body == "":
		return invalidParameter("Empty message")
	case !utf8.ValidString(m.Body):
		return invalidParameter("Message Reason: it is not UTF-8")
	case m.size() > MaxMessageSize:
		return invalidParameter("Message too long")
	case m.Subject != nil && !validSubject(*m.Subject):
		return invalidParameter("Subject")
	}
	for name, a := range m.Attributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
	}
	if _, err := m.bodies(); err != nil {
		return err
	}
	return m.checkOrder(t)
}

// checkOrder checks what FIFO topics want and standard ones refuse.
func (m *Message) checkOrder(t *topicRecord) error {
	if m.GroupID != "" && !validToken(m.GroupID) {
		return invalidParameter("MessageGroupId Reason: it can only include alphanumeric and punctuation characters, 1 to 128 in length")
	}
	if m.DeduplicationID != "" && !validToken(m.DeduplicationID) {
		return invalidParameter("MessageDeduplicationId Reason: it can only include alphanumeric and punctuation characters, 1 to 128 in length")
	}
	switch {
	case !t.Address.fifo() && m.DeduplicationID != "":
		return invalidParameter("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	case !t.Address.fifo():
		return nil
	case m.GroupID == "":
		return invalidParameter("The MessageGroupId parameter is required for FIFO topics")
	case m.DeduplicationID == "" && !t.contentDeduplication():
		return invalidParameter("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

// deduplicationID is the message's own, or the digest of its body.
func (m *Message) deduplicationID() string {
	if m.DeduplicationID != "" {
		return m.DeduplicationID
	}
	sum := sha256.Sum256([]byte(m.Body))
	return hex.EncodeToString(sum[:])
}

// validToken allows 1 to 128 printable ASCII characters without the space.
func validToken(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func validSubject(s string) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= 100 &&
		!strings.ContainsFunc(s, unicode.IsControl) && !strings.HasPrefix(s, " ")
}

// bodies are the messages by protocol of a message with structure, "" for the
// one that goes to all others.
func (m *Message) bodies() (map[string]string, error) {
	if m.Structure == "" {
		return map[string]string{"": m.Body}, nil
	}
	if m.Structure != "json" {
		return nil, invalidParameter("MessageStructure Reason: it can only be json")
	}
	document, err := jsonpath.Parse([]byte(m.Body))
	if err != nil || document.Kind() != jsonpath.Object {
		return nil, invalidParameter("Message Structure - JSON message body failed to parse")
	}
	fallback, ok := document.Get("default")
	if !ok || fallback.Kind() != jsonpath.String {
		return nil, invalidParameter("Message Structure - No default entry in JSON message body")
	}
	bodies := map[string]string{"": fallback.Str()}
	for protocol := range protocols {
		if v, ok := document.Get(protocol); ok && v.Kind() == jsonpath.String {
			bodies[protocol] = v.Str()
		}
	}
	return bodies, nil
}

// checkAttribute checks one attribute (developer guide, "Amazon SNS message
// attributes"; the texts are SNS's).
func checkAttribute(name string, a Attribute) error {
	if err := checkAttributeName(name); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(a.DataType, ".")
	field := kind
	switch kind {
	case "Number":
		field = "String"
	case "String", "Binary":
	default:
		return invalidValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	value, other := len(a.StringValue), len(a.BinaryValue)
	if kind == "Binary" {
		value, other = other, value
	}
	switch {
	case len(a.DataType) > 256:
		return invalidValue("The message attribute '%s' has a type of more than 256 bytes.", name)
	case other > 0:
		return invalidValue("The message attribute '%s' with type '%s' must use field '%s'.", name, a.DataType, field)
	case value == 0:
		return invalidValue("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
	case !utf8.ValidString(a.StringValue):
		return invalidValue("The message attribute '%s' has a value that is not UTF-8.", name)
	case kind == "Number" && !validNumber(a.StringValue):
		return invalidValue("Could not cast message attribute '%s' value to number.", name)
	}
	return nil
}

func checkAttributeName(name string) error {
	fits := func(r rune) bool {
		return r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	lower := strings.ToLower(name)
	switch i := strings.IndexFunc(name, func(r rune) bool { return !fits(r) }); {
	case name == "":
		return invalidValue("Message attribute name can not be empty.")
	case len(name) > 256:
		return invalidValue("Length of message attribute name must be less than 256 bytes.")
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(name[i:])
		return invalidValue("Invalid non-alphanumeric character '#x%X' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.", r)
	case strings.HasPrefix(name, "."):
		return invalidValue("Invalid message attribute name starting with character '.' was found.")
	case strings.HasSuffix(name, "."):
		return invalidValue("Invalid message attribute name ending with character '.' was found.")
	case strings.Contains(name, ".."):
		return invalidValue("Message attribute name can not have successive '.' character.")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return invalidValue("Message attribute name can not begin with the reserved prefixes AWS. and Amazon.")
	}
	return nil
}

// validNumber allows what JSON writes as a number, a plus sign, leading zeros
// and an empty side of the point, up to 38 digits.
func validNumber(text string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := len(strings.Trim(mantissa, "+-")) - strings.Count(mantissa, ".")
	if digits == 0 || digits > 38 || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("+-.eE0123456789", r) }) {
		return false
	}
	_, ok := jsonpath.ParseNumber(plainNumber(text))
	return ok
}

// wireAttribute is an attribute as the query protocol writes it.
type wireAttribute struct {
	DataType    *string
	StringValue *string
	BinaryValue []byte
}

// attributesFrom reads attributes; where names the parameter in the error about
// a type that is missing.
func attributesFrom(wire map[string]wireAttribute, where string) (map[string]Attribute, error) {
	if len(wire) == 0 {
		return nil, nil
	}
	attributes := make(map[string]Attribute, len(wire))
	for name, w := range wire {
		if w.DataType == nil {
			return nil, validationError("1 validation error detected: Value null at '%s.%s.member.dataType' failed to satisfy constraint: Member must not be null", where, clip(name))
		}
		a := Attribute{DataType: *w.DataType, BinaryValue: w.BinaryValue}
		if w.StringValue != nil {
			a.StringValue = *w.StringValue
		}
		attributes[name] = a
	}
	return attributes, nil
}

func validationError(format string, args ...any) *awswire.Error {
	return coded("ValidationError", 400, format, args...)
}

// envelope is a message as it waits in the queue of a subscription: a line of
// JSON with these fields, and then the body for that subscription's protocol,
// byte for byte.
type envelope struct {
	// Kind is "" for a notification, or confirmation.
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id"`
	// Published is in milliseconds since the epoch.
	Published  int64                `json:"published"`
	Subject    *string              `json:"subject,omitempty"`
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	Group      string               `json:"group,omitempty"`
	Dedup      string               `json:"dedup,omitempty"`
	// Sequence is the SequenceNumber of a FIFO topic's message.
	Sequence string `json:"sequence,omitempty"`
	// Signed is the topic's SignatureVersion at the time.
	Signed string `json:"signed,omitempty"`
	// Tries counts the failed attempts of former copies of this message, Faults
	// those of them that were the function's own.
	Tries  int `json:"tries,omitempty"`
	Faults int `json:"faults,omitempty"`
	// Dead says why the message waits to go to the dead-letter queue.
	Dead string `json:"dead,omitempty"`

	body string
}

// confirmation is the kind of the message that asks an HTTP end point to
// confirm its subscription.
const confirmation = "confirmation"

func (e *envelope) seal() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // ends with the newline
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		panic("sns: envelope cannot be encoded: " + err.Error())
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

// timestamp is the form that SNS gives times, in milliseconds.
func (e *envelope) timestamp() string {
	return time.UnixMilli(e.Published).UTC().Format("2006-01-02T15:04:05.000Z")
}
