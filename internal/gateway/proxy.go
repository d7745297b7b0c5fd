package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// proxyOutput is what an AWS_PROXY function answered.
type proxyOutput struct {
	status  int
	headers map[string]string
	body    string
}

// header returns a header's value, its name compared without case.
func (p *proxyOutput) header(name string) string {
	for k, v := range p.headers {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// proxyJSON is the wire form. Unknown keys are refused, as API Gateway refuses
// them.
type proxyJSON struct {
	StatusCode        json.RawMessage              `json:"statusCode"`
	Headers           map[string]json.RawMessage   `json:"headers"`
	MultiValueHeaders map[string][]json.RawMessage `json:"multiValueHeaders"`
	Body              *string                      `json:"body"`
	IsBase64Encoded   bool                         `json:"isBase64Encoded"`
}

// parseProxyOutput reads a function's answer strictly: an object with none but
// the keys statusCode, headers, multiValueHeaders, body and isBase64Encoded,
// and a status code of 100 to 599.
func parseProxyOutput(out []byte) (*proxyOutput, error) {
	var wire proxyJSON
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&wire); err != nil {
		return nil, fmt.Errorf("not a proxy answer {statusCode, headers, body}: %w", err)
	}
	if dec.More() {
		return nil, errors.New("not a proxy answer: something follows the JSON object")
	}
	status, err := statusCode(wire.StatusCode)
	if err != nil {
		return nil, err
	}
	p := &proxyOutput{status: status, headers: make(map[string]string, len(wire.Headers))}
	for name, values := range wire.MultiValueHeaders {
		if len(values) > 0 {
			p.headers[name] = plain(values[len(values)-1])
		}
	}
	for name, value := range wire.Headers {
		p.headers[name] = plain(value)
	}
	if wire.Body != nil {
		p.body = *wire.Body
	}
	return p, nil
}

// statusCode accepts a number or a number in quotes.
func statusCode(raw json.RawMessage) (int, error) {
	code, err := strconv.Atoi(plain(raw))
	if err != nil || code < 100 || code > 599 {
		return 0, fmt.Errorf("not a proxy answer: statusCode is %s, not a number from 100 to 599", clip(raw))
	}
	return code, nil
}

// plain is a JSON scalar as text, without quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func clip(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "missing"
	case len(raw) > 64:
		return string(raw[:64]) + "…"
	}
	return string(raw)
}

// isNothing reports whether a function returned nothing at all, which a
// one-way route accepts.
func isNothing(out []byte) bool {
	out = bytes.TrimSpace(out)
	return len(out) == 0 || string(out) == "null"
}
