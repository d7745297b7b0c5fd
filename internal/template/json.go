package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJSON reads a template that is valid JSON. It does not go through the
// YAML reader, because YAML stumbles over JSON that is fine: tabs before the
// first brace, escaped surrogate pairs, names of more than 1,024 characters.
func parseJSON(file string, data []byte) (*node, error) {
	r := &jsonReader{builder: builder{file: file}, data: data, line: 1, column: 1}
	r.decoder = json.NewDecoder(bytes.NewReader(data))
	r.decoder.UseNumber()
	return r.value()
}

// syntaxErrorJSON says where and why data is not JSON.
func syntaxErrorJSON(file string, data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	at := len(data)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = max(int(syntax.Offset)-1, 0)
	}
	r := &jsonReader{builder: builder{file: file}, data: data, line: 1, column: 1}
	line, column := r.advance(at)
	return r.errorf(line, column, "this is not valid JSON: %v", err)
}

type jsonReader struct {
	builder
	data    []byte
	decoder *json.Decoder
	// offset, line and column are the place of the last token.
	offset, line, column int
}

// advance moves the place forward to an offset and returns it. Moving instead
// of computing keeps a template in one long line from taking quadratic time.
func (r *jsonReader) advance(offset int) (line, column int) {
	for ; r.offset < offset && r.offset < len(r.data); r.offset++ {
		switch c := r.data[r.offset]; {
		case c == '\n':
			r.line, r.column = r.line+1, 1
		case utf8.RuneStart(c):
			r.column++
		}
	}
	return r.line, r.column
}

// next returns the next token and where it begins.
func (r *jsonReader) next() (token json.Token, line, column int, err error) {
	offset := int(r.decoder.InputOffset())
	for offset < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[offset]) >= 0 {
		offset++
	}
	line, column = r.advance(offset)
	token, err = r.decoder.Token()
	if err != nil {
		return nil, line, column, r.errorf(line, column, "this is not valid JSON: %v", err)
	}
	return token, line, column, nil
}

func (r *jsonReader) value() (*node, error) {
	token, line, column, err := r.next()
	if err != nil {
		return nil, err
	}
	n, err := r.newNode(kindString, line, column)
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		return n, r.container(n, token)
	case string:
		n.text = token
	case json.Number:
		n.kind, n.text = kindNumber, token.String()
	case bool:
		n.kind, n.text = kindBool, strconv.FormatBool(token)
	case nil:
		n.kind = kindNull
	}
	return n, nil
}

// container fills a list or a map up to its closing bracket.
func (r *jsonReader) container(n *node, open json.Delim) error {
	n.kind = kindList
	if open == '{' {
		n.kind = kindObject
	}
	for r.decoder.More() {
		if err := r.entry(n); err != nil {
			return err
		}
	}
	_, _, _, err := r.next()
	return err
}

func (r *jsonReader) entry(n *node) error {
	if n.kind == kindList {
		return r.addItem(n, r.value)
	}
	name, line, column, err := r.next()
	if err != nil {
		return err
	}
	return r.setField(n, name.(string), line, column, r.value)
}
