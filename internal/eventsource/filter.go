package eventsource

import (
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/pattern"
)

// filter is a mapping's FilterCriteria: a record passes when it matches one of
// the patterns, or when there are none.
type filter []*pattern.Pattern

func newFilter(patterns []string) (filter, error) {
	var f filter
	for i, text := range patterns {
		p, err := pattern.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("filter %d: %w", i+1, err)
		}
		f = append(f, p)
	}
	return f, nil
}

// passes reports whether a record passes. body names a member that is text: where
// that is a JSON object or list, patterns look into it, and else at the text
// itself; "" names none. That is how a pattern for JSON drops plain text and a
// pattern for plain text drops JSON ("Properly filtering Amazon SQS messages" in
// the Lambda developer guide).
func (f filter) passes(record []byte, body string) bool {
	if len(f) == 0 {
		return true
	}
	v, err := jsonpath.Parse(record)
	if err != nil {
		return false
	}
	if body != "" {
		v = opened(v, body)
	}
	for _, p := range f {
		if p.Matches(v) {
			return true
		}
	}
	return false
}

// opened replaces a member that has JSON as its text by what that says.
func opened(record jsonpath.Value, name string) jsonpath.Value {
	text, _ := record.Get(name)
	inner, err := jsonpath.Parse([]byte(text.Str()))
	if err != nil || inner.Kind() != jsonpath.Object && inner.Kind() != jsonpath.Array {
		return record
	}
	members := make([]jsonpath.Member, record.Len())
	for i := range members {
		members[i] = jsonpath.Member{Key: record.Key(i), Value: record.Index(i)}
		if members[i].Key == name {
			members[i].Value = inner
		}
	}
	return jsonpath.ObjectOf(members...)
}
