package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The rules for what is sent (API reference, SendMessage; developer guide,
// "Amazon SQS message metadata").

// check checks a message against the attributes of its queue.
func (in *outgoing) check(s *settings) error {
	if in.MessageBody == "" {
		return missingParameter("MessageBody")
	}
	if !validText(in.MessageBody) {
		return invalidContents()
	}
	if in.DelaySeconds != nil && (*in.DelaySeconds < 0 || *in.DelaySeconds > 900) {
		return invalidParameter("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *in.DelaySeconds)
	}
	if err := in.checkOrder(s.FIFO); err != nil {
		return err
	}
	if err := in.checkAttributes(); err != nil {
		return err
	}
	if in.size() > s.MaxMessageSize {
		return invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", s.MaxMessageSize)
	}
	return nil
}

// checkOrder checks what FIFO queues want and standard ones refuse; those take a
// group, for fair queues.
func (in *outgoing) checkOrder(fifo *fifoSettings) error {
	if in.MessageGroupId != "" && !validToken(in.MessageGroupId) {
		return invalidParameter("Value %s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.", clip(in.MessageGroupId))
	}
	if in.MessageDeduplicationId != "" && !validToken(in.MessageDeduplicationId) {
		return invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.", clip(in.MessageDeduplicationId))
	}
	switch {
	case fifo == nil && in.MessageDeduplicationId != "":
		return invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.", clip(in.MessageDeduplicationId))
	case fifo == nil:
		return nil
	case in.MessageGroupId == "":
		return missingParameter("MessageGroupId")
	case in.MessageDeduplicationId == "" && !fifo.ContentBased:
		return invalidParameter("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case in.DelaySeconds != nil && *in.DelaySeconds != 0:
		return invalidParameter("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", *in.DelaySeconds)
	}
	return nil
}

// deduplicationID is the message's own, or the digest of its body.
func (in *outgoing) deduplicationID() string {
	if in.MessageDeduplicationId != "" {
		return in.MessageDeduplicationId
	}
	sum := sha256.Sum256([]byte(in.MessageBody))
	return hex.EncodeToString(sum[:])
}

// validToken allows 1 to 128 letters, digits and ASCII punctuation.
func validToken(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// size is what counts against the limits, in bytes.
func (in *outgoing) size() int {
	n := len(in.MessageBody)
	for name, a := range in.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.value())
	}
	return n
}

func (in *outgoing) checkAttributes() error {
	if len(in.MessageAttributes) > 10 {
		return invalidParameter("Number of message attributes [%d] exceeds the allowed maximum [10].", len(in.MessageAttributes))
	}
	for name, a := range in.MessageAttributes {
		if err := checkAttribute(name, &a); err != nil {
			return err
		}
	}
	for name, a := range in.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return invalidParameter("Message system attribute name '%s' is invalid.", clip(name))
		}
		if a.DataType != "String" || a.StringValue == nil || !validText(*a.StringValue) {
			return invalidParameter("The message system attribute 'AWSTraceHeader' must have a value of type String.")
		}
	}
	return nil
}

func checkAttribute(name string, a *MessageAttribute) error {
	if !validAttributeName(name) {
		return invalidParameter("The message attribute name '%s' is invalid. It can have 1 to 256 alphanumeric characters, underscores, hyphens and periods, must not begin or end with a period or have two in a row, and must not begin with AWS. or Amazon.", clip(name))
	}
	if len(a.StringListValues) > 0 || len(a.BinaryListValues) > 0 {
		return &awswire.Error{Code: "UnsupportedOperation", QueryCode: "AWS.SimpleQueueService.UnsupportedOperation",
			Message: "Message attribute list values in SendMessage operation are not supported."}
	}
	kind, _, _ := strings.Cut(a.DataType, ".")
	switch {
	case a.DataType == "":
		return invalidParameter("The message attribute '%s' must contain non-empty message attribute type.", name)
	case len(a.DataType) > 256 || kind != "String" && kind != "Number" && kind != "Binary":
		return invalidParameter("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case len(a.value()) == 0:
		return invalidParameter("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, kind)
	case a.StringValue != nil && a.BinaryValue != nil:
		return invalidParameter("The message attribute '%s' has more than one value.", name)
	case kind != "Binary" && !validText(*a.StringValue):
		return invalidContents()
	case kind == "Number" && !validNumber(*a.StringValue):
		return invalidParameter("Can't cast the value of message (user) attribute '%s' to a number.", name)
	}
	return nil
}

func validAttributeName(name string) bool {
	lower := strings.ToLower(name)
	fits := func(r rune) bool {
		return r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
	}
	return len(name) >= 1 && len(name) <= 256 &&
		!strings.ContainsFunc(lower, func(r rune) bool { return !fits(r) }) &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..") &&
		!strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}

// validNumber allows an optional sign, digits, a fraction and an exponent, up to
// 38 digits.
func validNumber(text string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, hasFraction := strings.Cut(unsigned(mantissa), ".")
	if hasExponent && (unsigned(exponent) == "" || !digits(unsigned(exponent))) || hasFraction && fraction == "" {
		return false
	}
	return digits(whole) && digits(fraction) && len(whole)+len(fraction) >= 1 && len(whole)+len(fraction) <= 38
}

func unsigned(text string) string {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		return text[1:]
	}
	return text
}

func digits(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

func invalidContents() *awswire.Error {
	return awswire.Errorf("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
}

// validText allows the characters that XML 1.0 can carry.
func validText(s string) bool {
	for i, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
		case r < 0x20 || r == 0xFFFE || r == 0xFFFF:
			return false
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return false
		}
	}
	return true
}
