package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJSON reads a template that is valid JSON. It does not go through the
// YAML reader, because YAML stumbles over JSON that is fine: tabs before the
// first brace, escaped surrogate pairs, names of more than 1,024 characters.
func parseJSON(file string, data []byte) (*node, []repeatedKey, error) {
	r := &jsonReader{builder: builder{file: file}, data: data, line: 1, column: 1}
	r.decoder = json.NewDecoder(bytes.NewReader(data))
	r.decoder.UseNumber()
	root, err := r.value()
	return root, r.repeated, err
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

// jsonText writes a value as JSON, with the calls in it evaluated and what is
// AWS::NoValue left out.
func (e *evaluator) jsonText(n *node) (string, error) {
	w := &jsonWriter{evaluator: e, from: n}
	if err := w.value(n); err != nil {
		return "", err
	}
	return w.out.String(), nil
}

type jsonWriter struct {
	*evaluator
	// from is the value as a whole; depth counts how far in the writer is. A
	// mapping can hold a call that leads to itself.
	from  *node
	depth int
	out   strings.Builder
}

func (w *jsonWriter) value(n *node) error {
	v, err := w.resolve(n)
	if err != nil {
		return err
	}
	w.depth++
	defer func() { w.depth-- }()
	switch {
	case w.depth > maxDepth:
		return w.errorf(w.from, "the value is nested more than %d levels deep", maxDepth)
	case w.out.Len() > maxText:
		return w.errorf(w.from, "the value becomes longer than %d bytes", maxText)
	}
	switch v.kind {
	case kindObject:
		return w.object(v)
	case kindList:
		return w.list(v)
	case kindNumber:
		w.out.WriteString(jsonNumber(v.text))
	case kindBool:
		w.out.WriteString(strings.ToLower(v.text))
	case kindString:
		w.out.WriteString(jsonString(v.text))
	default:
		w.out.WriteString("null")
	}
	return nil
}

func (w *jsonWriter) object(n *node) error {
	w.out.WriteByte('{')
	first := true
	for _, f := range n.fields {
		absent, err := w.isAbsent(f.value)
		if err != nil {
			return err
		}
		if absent {
			continue
		}
		if !first {
			w.out.WriteByte(',')
		}
		first = false
		w.out.WriteString(jsonString(f.name))
		w.out.WriteByte(':')
		if err := w.value(f.value); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w *jsonWriter) list(n *node) error {
	items, err := w.evaluator.list(n)
	if err != nil {
		return err
	}
	w.out.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			w.out.WriteByte(',')
		}
		if err := w.value(item); err != nil {
			return err
		}
	}
	w.out.WriteByte(']')
	return nil
}

func (w *jsonWriter) isAbsent(n *node) (bool, error) {
	v, err := w.resolve(n)
	return err == nil && v.kind == kindAbsent, err
}

// jsonNumber writes a number of YAML, which may be 0x1F, 1_000 or .5, as JSON
// has it; what JSON has no number for, such as .inf, becomes text.
func jsonNumber(text string) string {
	if json.Valid([]byte(text)) {
		return text
	}
	plain := strings.ReplaceAll(text, "_", "")
	if n, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return jsonString(text)
}

// jsonString writes a JSON string. Bytes that are no UTF-8 become the
// replacement character.
func jsonString(text string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return `""` // a string can always be written
	}
	return strings.TrimSuffix(out.String(), "\n")
}
