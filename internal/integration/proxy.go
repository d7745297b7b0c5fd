package integration

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// parseProxyOutput reads the answer of a function behind AWS_PROXY strictly: an
// object with none but the keys statusCode, headers, multiValueHeaders, body
// and isBase64Encoded, of the right types, and a status code of 100 to 599,
// which may be in quotes. API Gateway refuses other keys (middyjs/middy issue
// 1219 shows it); for the types AWS says nothing on WebSocket APIs, and the
// rules of REST APIs are taken. null stands for a key that is not there. The
// error is ErrMalformed.
func parseProxyOutput(out []byte) (*Response, error) {
	doc, err := jsonpath.Parse(out)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if doc.Kind() != jsonpath.Object {
		return nil, malformed("the function returned a JSON value of another kind: %s", doc.Kind())
	}
	p := proxyParser{response: new(Response)}
	for i := range doc.Len() {
		if err := p.member(doc.Key(i), doc.Index(i)); err != nil {
			return nil, err
		}
	}
	if p.response.Status == 0 {
		return nil, malformed("statusCode is missing")
	}
	// Get takes the last one: a single-value header wins over a multi-value one.
	p.response.Header = append(p.multi, p.single...)
	return p.response, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
}

type proxyParser struct {
	response      *Response
	single, multi Header
}

func (p *proxyParser) member(key string, v jsonpath.Value) (err error) {
	switch key {
	case "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded":
		if v.IsNull() {
			return nil
		}
	default:
		return malformed("the key %q is not known", clip(key))
	}
	switch key {
	case "statusCode":
		p.response.Status, err = statusCode(v)
	case "headers":
		p.single, err = headerLines(v)
	case "multiValueHeaders":
		p.multi, err = multiHeaderLines(v)
	case "body":
		if v.Kind() != jsonpath.String {
			return malformed("body is of the kind %s; make a string of it (JSON.stringify, json.Marshal)", v.Kind())
		}
		p.response.Body = []byte(v.Str())
	case "isBase64Encoded":
		if v.Kind() != jsonpath.Bool {
			return malformed("isBase64Encoded is of the kind %s, not a boolean", v.Kind())
		}
		p.response.Base64 = v.Bool()
	}
	return err
}

// statusCode takes a number or a number in quotes.
func statusCode(v jsonpath.Value) (int, error) {
	code, err := strconv.Atoi(v.Str())
	if err != nil || code < 100 || code > 599 {
		return 0, malformed("statusCode is %s, not a number from 100 to 599", clip(string(v.JSON())))
	}
	return code, nil
}

func headerLines(v jsonpath.Value) (Header, error) {
	if v.Kind() != jsonpath.Object {
		return nil, malformed("headers is of the kind %s, not an object", v.Kind())
	}
	var lines Header
	for i := range v.Len() {
		if err := lines.add(v.Key(i), v.Index(i)); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func multiHeaderLines(v jsonpath.Value) (Header, error) {
	if v.Kind() != jsonpath.Object {
		return nil, malformed("multiValueHeaders is of the kind %s, not an object", v.Kind())
	}
	var lines Header
	for i := range v.Len() {
		values := v.Index(i)
		if values.Kind() != jsonpath.Array && !values.IsNull() {
			return nil, malformed("the multi-value header %q is of the kind %s, not an array", clip(v.Key(i)), values.Kind())
		}
		for j := range values.Len() {
			if err := lines.add(v.Key(i), values.Index(j)); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// add appends a header of a proxy answer. Numbers and booleans are written as
// text; null is no header.
func (h *Header) add(name string, v jsonpath.Value) error {
	switch v.Kind() {
	case jsonpath.Null:
	case jsonpath.Array, jsonpath.Object:
		return malformed("the header %q is of the kind %s, not a string", clip(name), v.Kind())
	default:
		*h = append(*h, apigw.Header{Name: name, Value: v.Text()})
	}
	return nil
}

// isNothing reports whether a function returned nothing at all, which a one-way
// route accepts.
func isNothing(out []byte) bool {
	out = bytes.TrimSpace(out)
	return len(out) == 0 || string(out) == "null"
}
