package apigw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Expression is a parsed selection expression ("WebSocket selection
// expressions" in the developer guide). It is read-only after ParseExpression
// and may be evaluated by many goroutines.
type Expression struct {
	source string
	parts  []expressionPart
}

// expressionPart is either literal text or a path into the message body.
type expressionPart struct {
	literal string
	path    []string
	isPath  bool
}

// ParseExpression reads a route selection expression: a variable, bare
// ("$request.body.action") or braced ("${request.body.action}"), several
// braced ones with text between them, or a constant; "\$" is a plain dollar.
// The error says what is wrong and at which character.
func ParseExpression(source string) (*Expression, error) {
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("the route selection expression is empty; the usual one is $request.body.action")
	}
	e := &Expression{source: source}
	if rest, ok := strings.CutPrefix(source, "$"); ok && !strings.HasPrefix(rest, "{") {
		return e, e.addVariable(rest, 1)
	}
	return e, e.parseTemplate()
}

// parseTemplate reads literal text with ${...} variables in it.
func (e *Expression) parseTemplate() error {
	var literal strings.Builder
	src := e.source
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '\\' && i+1 < len(src) && src[i+1] == '$':
			literal.WriteByte('$')
			i++
		case src[i] == '$' && i+1 < len(src) && src[i+1] == '{':
			end := strings.IndexByte(src[i:], '}')
			if end < 0 {
				return fmt.Errorf("selection expression %q: the brace opened at character %d is not closed", src, i+2)
			}
			e.addLiteral(literal.String())
			literal.Reset()
			if err := e.addVariable(src[i+2:i+end], i+2); err != nil {
				return err
			}
			i += end
		case src[i] == '$':
			return fmt.Errorf("selection expression %q: the dollar at character %d must begin a ${variable} or be written \\$", src, i+1)
		default:
			literal.WriteByte(src[i])
		}
	}
	e.addLiteral(literal.String())
	return nil
}

func (e *Expression) addLiteral(text string) {
	if text != "" {
		e.parts = append(e.parts, expressionPart{literal: text})
	}
}

func (e *Expression) addVariable(name string, at int) error {
	path, ok := strings.CutPrefix(name, "request.body.")
	if !ok {
		return fmt.Errorf("selection expression %q: %q at character %d is not a variable of WebSocket routes; use request.body.NAME", e.source, name, at+1)
	}
	steps := strings.Split(path, ".")
	for _, s := range steps {
		if s == "" || strings.ContainsAny(s, "${}[]()*@ '\"\\") {
			return fmt.Errorf("selection expression %q: %q is not a path into the message", e.source, path)
		}
	}
	e.parts = append(e.parts, expressionPart{path: steps, isPath: true})
	return nil
}

// String returns the source text.
func (e *Expression) String() string { return e.source }

// Evaluate returns the route key that a message body selects. ok is false when
// the body is not a JSON document, so that the expression cannot be evaluated
// and "$default" applies. A path that leads nowhere is the empty string, and
// values that are not strings are written as text.
func (e *Expression) Evaluate(body []byte) (key string, ok bool) {
	if !e.readsBody() {
		return e.join(nil), true
	}
	if !json.Valid(body) {
		return "", false
	}
	return e.join(body), true
}

func (e *Expression) readsBody() bool {
	for _, p := range e.parts {
		if p.isPath {
			return true
		}
	}
	return false
}

func (e *Expression) join(body []byte) string {
	if len(e.parts) == 1 {
		return e.parts[0].value(body)
	}
	var key strings.Builder
	for _, p := range e.parts {
		key.WriteString(p.value(body))
	}
	return key.String()
}

func (p expressionPart) value(body []byte) string {
	if !p.isPath {
		return p.literal
	}
	value := json.RawMessage(body)
	for _, step := range p.path {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return ""
		}
		next, found := object[step]
		if !found {
			return ""
		}
		value = next
	}
	return stringify(value)
}

// stringify writes a JSON value as a route key: strings without quotes, arrays
// as "[a, b]", null as nothing, everything else as it stands.
func stringify(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		var s string
		if json.Unmarshal(value, &s) != nil {
			return ""
		}
		return s
	case 'n':
		return ""
	case '[':
		var items []json.RawMessage
		if json.Unmarshal(value, &items) != nil {
			return ""
		}
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = stringify(item)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	default:
		return string(value)
	}
}
