package sns

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// The documents that SNS makes of a message (developer guide, "Amazon SNS
// message and JSON formats"; Lambda's is the one of its developer guide, "Using
// Lambda with Amazon SNS").

// field is one name and value of a document. Its text is JSON already.
type field struct{ name, text string }

func textField(name, value string) field { return field{name, quote(value)} }

func quote(s string) string { return string(jsonpath.AppendString(nil, s)) }

// write writes fields as SNS does: a line each, with spaces around the colons.
func write(fields []field) string {
	var b bytes.Buffer
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  " + quote(f.name) + " : " + f.text)
	}
	return "{" + b.String() + "\n}"
}

// unsubscribeURL ends the subscription when somebody visits it.
func (s *subscription) unsubscribeURL() string {
	v := s.state()
	return s.service.urlBase(v.Topic.Region) + "/?Action=Unsubscribe&SubscriptionArn=" + v.arn() + "&Version=" + apiVersion
}

// subscribeURL confirms the subscription when somebody visits it. It names the
// version, which SNS's own links leave out: the endpoint tells services by it.
func (s *subscription) subscribeURL() string {
	v := s.state()
	return s.service.urlBase(v.Topic.Region) + "/?Action=ConfirmSubscription&TopicArn=" + v.Topic.arn() + "&Token=" + v.Token + "&Version=" + apiVersion
}

// signature is the three fields about a message's signature. They are empty for
// those of FIFO topics, which are not signed.
type signature struct{ version, text, certificate string }

func (s *subscription) sign(e *envelope) (signature, error) {
	if e.Signed == "" {
		return signature{}, nil
	}
	identity, err := s.service.signer.ready()
	if err != nil {
		return signature{}, err
	}
	topicARN := s.state().Topic.arn()
	var fields []string
	if e.Kind == confirmation {
		fields = []string{"Message", s.confirmationText(), "MessageId", e.ID, "SubscribeURL", s.subscribeURL(), "Timestamp", e.timestamp(),
			"Token", s.state().Token, "TopicArn", topicARN, "Type", "SubscriptionConfirmation"}
	} else {
		fields = []string{"Message", e.body, "MessageId", e.ID}
		if e.Subject != nil {
			fields = append(fields, "Subject", *e.Subject)
		}
		fields = append(fields, "Timestamp", e.timestamp(), "TopicArn", topicARN, "Type", "Notification")
	}
	text, err := identity.sign(e.Signed, fields...)
	return signature{e.Signed, text, identity.certificateURL(s.service.urlBase(s.state().Topic.Region))}, err
}

func (s *subscription) confirmationText() string {
	return "You have chosen to subscribe to the topic " + s.state().Topic.arn() + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."
}

// confirmation is the document that asks an HTTP end point to confirm.
func (s *subscription) confirmation(e *envelope) (string, error) {
	sig, err := s.sign(e)
	return write([]field{
		textField("Type", "SubscriptionConfirmation"), textField("MessageId", e.ID), textField("Token", s.state().Token),
		textField("TopicArn", s.state().Topic.arn()), textField("Message", s.confirmationText()), textField("SubscribeURL", s.subscribeURL()),
		textField("Timestamp", e.timestamp()), textField("SignatureVersion", sig.version), textField("Signature", sig.text),
		textField("SigningCertURL", sig.certificate),
	}), err
}

// notification is the document around a message for queues and HTTP end points.
func (s *subscription) notification(e *envelope) (string, error) {
	sig, err := s.sign(e)
	fields := []field{textField("Type", "Notification"), textField("MessageId", e.ID)}
	if e.Sequence != "" {
		fields = append(fields, textField("SequenceNumber", e.Sequence))
	}
	fields = append(fields, textField("TopicArn", s.state().Topic.arn()))
	if e.Subject != nil {
		fields = append(fields, textField("Subject", *e.Subject))
	}
	fields = append(fields, textField("Message", e.body), textField("Timestamp", e.timestamp()))
	if sig.version != "" {
		fields = append(fields, textField("SignatureVersion", sig.version), textField("Signature", sig.text), textField("SigningCertURL", sig.certificate))
	}
	fields = append(fields, textField("UnsubscribeURL", s.unsubscribeURL()))
	if len(e.Attributes) > 0 {
		fields = append(fields, field{"MessageAttributes", attributeLines(e.Attributes)})
	}
	return write(fields), err
}

// attributeLines writes message attributes a line each.
func attributeLines(attributes map[string]Attribute) string {
	var b bytes.Buffer
	for i, name := range slices.Sorted(maps.Keys(attributes)) {
		if i > 0 {
			b.WriteByte(',')
		}
		a := attributes[name]
		b.WriteString("\n    " + quote(name) + ` : {"Type":` + quote(a.DataType) + `,"Value":` + quote(a.text()) + "}")
	}
	return "{" + b.String() + "\n  }"
}

// text is an attribute's value as text: base64 for a binary one.
func (a Attribute) text() string {
	if a.IsBinary() {
		return base64.StdEncoding.EncodeToString(a.BinaryValue)
	}
	return a.StringValue
}

// event is the Lambda event: one record.
type event struct {
	Records [1]eventRecord
}

type eventRecord struct {
	EventSource          string
	EventVersion         string
	EventSubscriptionArn string
	Sns                  eventMessage
}

type eventMessage struct {
	Type              string
	MessageId         string
	TopicArn          string
	Subject           *string
	Message           string
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertUrl    string
	UnsubscribeUrl    string
	MessageAttributes map[string]eventAttribute
}

type eventAttribute struct{ Type, Value string }

// lambdaEvent is the event for a function.
func (s *subscription) lambdaEvent(e *envelope) ([]byte, error) {
	sig, err := s.sign(e)
	if err != nil {
		return nil, err
	}
	attributes := make(map[string]eventAttribute, len(e.Attributes))
	for name, a := range e.Attributes {
		attributes[name] = eventAttribute{a.DataType, a.text()}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(event{[1]eventRecord{{"aws:sns", "1.0", s.state().arn(), eventMessage{
		Type: "Notification", MessageId: e.ID, TopicArn: s.state().Topic.arn(), Subject: e.Subject, Message: e.body, Timestamp: e.timestamp(),
		SignatureVersion: sig.version, Signature: sig.text, SigningCertUrl: sig.certificate, UnsubscribeUrl: s.unsubscribeURL(),
		MessageAttributes: attributes,
	}}}})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
