package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxAnswer is the largest answer of an authorizer, in bytes ("Quotas for
// WebSocket APIs" in the API Gateway developer guide).
const MaxAnswer = 8 << 10

// Answer is what a Lambda authorizer of the type REQUEST returns ("Output from
// an API Gateway Lambda authorizer" in the developer guide).
type Answer struct {
	// PrincipalID names the client.
	PrincipalID string
	// Document says whether it is let in.
	Document *Document
	// Context are names and values in the order in which they came, numbers and
	// booleans as texts.
	Context [][2]string
	// UsageIdentifierKey is an API key, or empty.
	UsageIdentifierKey string
}

// ParseAnswer reads an authorizer's answer. It is an error when it is larger
// than MaxAnswer, is no JSON object, has no principalId or no policyDocument
// that Parse reads, or when a value of its context is an object or a list. Names
// are compared with case; those that are not known are passed over, and a
// context's value of null is left out.
func ParseAnswer(raw []byte) (*Answer, error) {
	if len(raw) > MaxAnswer {
		return nil, fmt.Errorf("the authorizer's answer has %d bytes; %d are allowed", len(raw), MaxAnswer)
	}
	list, err := members(raw)
	if err != nil {
		return nil, fmt.Errorf("the authorizer's answer: %w", err)
	}
	var a Answer
	for _, m := range list {
		switch m.name {
		case "principalId":
			a.PrincipalID, err = scalar(m.value)
		case "policyDocument":
			a.Document, err = Parse(m.value)
		case "context":
			a.Context, err = parseContext(m.value)
		case "usageIdentifierKey":
			a.UsageIdentifierKey, err = scalar(m.value)
		}
		if err != nil {
			return nil, fmt.Errorf("the authorizer's %s: %w", m.name, err)
		}
	}
	switch {
	case a.PrincipalID == "":
		return nil, errors.New("the authorizer's answer has no principalId")
	case a.Document == nil:
		return nil, errors.New("the authorizer's answer has no policyDocument")
	}
	return &a, nil
}

func parseContext(raw json.RawMessage) ([][2]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	list, err := members(raw)
	if err != nil {
		return nil, err
	}
	var out [][2]string
	for _, m := range list {
		value, err := scalar(m.value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", clip(m.name), err)
		}
		if !isNull(m.value) {
			out = append(out, [2]string{m.name, value})
		}
	}
	return out, nil
}

// scalar returns a text, a number or a boolean as a text, and null as none.
func scalar(raw json.RawMessage) (string, error) {
	s := strings.TrimSpace(string(raw))
	switch {
	case s == "" || s[0] == '{' || s[0] == '[':
		return "", errors.New("it must be a text, a number or a boolean")
	case s == "null":
		return "", nil
	case s[0] == '"':
		return text(raw)
	}
	return s, nil
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }
