package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// member is one member of a JSON object, its name as it is written: package
// json would take "effect" for "Effect".
type member struct {
	name  string
	value json.RawMessage
}

// maxMembers bounds the members of one object.
const maxMembers = 256

// members reads a JSON object in order. A name that is there twice is an error:
// readers differ in which of the two they take.
func members(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var all []member
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: t.(string)} // More and no error: it is a name
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		if seen[m.name] || len(all) == maxMembers {
			return nil, fmt.Errorf("the member %q is there twice, or there are over %d", clip(m.name), maxMembers)
		}
		seen[m.name] = true
		all = append(all, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return all, nil
}

// oneOrMany returns the elements of a JSON array, or the value itself.
func oneOrMany(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && trimmed[0] == '[' && json.Unmarshal(raw, &list) == nil {
		return list
	}
	return []json.RawMessage{raw}
}

// text reads a JSON string.
func text(raw json.RawMessage) (string, error) {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '"' {
		return "", errors.New("it must be a text")
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// texts reads a string or a list of strings.
func texts(raw json.RawMessage) ([]string, error) {
	values := oneOrMany(raw)
	list := make([]string, len(values))
	for i, v := range values {
		s, err := text(v)
		if err != nil {
			return nil, errors.New("it must be a text or a list of texts")
		}
		list[i] = s
	}
	return list, nil
}

// clip keeps a hostile text from filling a log line.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
