package envfile

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// forAll is the key under which SAM takes variables of all functions.
const forAll = "Parameters"

// parseJSON reads {"FUNCTION": {"NAME": "value"}, "Parameters": {"NAME":
// "value"}}. As with SAM, numbers and truth values count as text, and null as
// an empty one.
func parseJSON(text string) ([]Setting, error) {
	d := &document{text: text, decoder: json.NewDecoder(strings.NewReader(text))}
	d.decoder.UseNumber()
	if err := d.object("the file", func(function string, _ int) error {
		return d.variables(function)
	}); err != nil {
		return nil, err
	}
	if _, err := d.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong(d.line(), "something follows the closing brace of the JSON document")
	}
	return d.settings, nil
}

// document is a JSON document that is being read.
type document struct {
	text     string
	decoder  *json.Decoder
	settings []Setting
}

// line is where the decoder stands, behind what it read last.
func (d *document) line() int { return lineAt(d.text, int(d.decoder.InputOffset())) }

// token reads one token. The error has the place of the mistake.
func (d *document) token() (json.Token, error) {
	token, err := d.decoder.Token()
	if err == nil {
		return token, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, wrong(lineAt(d.text, int(syntax.Offset)), "this is not JSON: %v", syntax)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, wrong(lineAt(d.text, len(strings.TrimRight(d.text, " \t\r\n"))), "the JSON document ends too early: a brace is not closed")
	}
	return nil, wrong(d.line(), "this is not JSON: %v", err)
}

// object reads an object and hands each key with its line to entry, which reads
// the value.
func (d *document) object(what string, entry func(key string, line int) error) error {
	open, err := d.token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return wrong(d.line(), `%s must be an object; the form is {"FUNCTION": {"NAME": "value"}}, with "Parameters" in the place of FUNCTION for all functions`, what)
	}
	for d.decoder.More() {
		key, err := d.token()
		if err != nil {
			return err
		}
		if err := entry(key.(string), d.line()); err != nil {
			return err
		}
	}
	_, err = d.token()
	return err
}

// variables reads the variables of a function.
func (d *document) variables(function string) error {
	what := `"` + clip(function) + `"`
	if function == forAll {
		function = ""
	}
	return d.object(what, func(name string, line int) error {
		value, err := d.token()
		if err != nil {
			return err
		}
		text, ok := asText(value)
		if !ok {
			return wrong(line, "the variable %q of %s must be text, a number, true, false or null", clip(name), what)
		}
		d.settings = append(d.settings, Setting{Function: function, Name: name, Value: text, Line: line})
		return nil
	})
}

func asText(value json.Token) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
