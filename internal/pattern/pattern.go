// Package pattern owns event patterns: what a record must look like to reach a
// function, in the language of Lambda's FilterCriteria, which is EventBridge's
// ("Filter rule syntax" in the Lambda developer guide).
//
// SNS has filter policies of the same family. They differ in what they allow,
// in their bounds and in every word of their errors, which SNS's clients know,
// so they are read in package sns. What a value is compared with, the matchers, is
// the same, and stands here.
package pattern

import (
	"fmt"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// MaxLength is how long a pattern may be, in bytes (the API reference of
// Lambda's type Filter).
const MaxLength = 4096

// Pattern is a compiled pattern. It never changes, so that any number of
// goroutines may use it.
type Pattern struct {
	root *object
	// text is the pattern as it was written.
	text string
}

// object is what a pattern says of an object: all the fields must match, and of
// each group of alternatives one.
type object struct {
	fields       []field
	alternatives [][]*object
}

// field is what a pattern says of one field: either nested or values is set.
type field struct {
	name   string
	nested *object
	values *values
}

// values is a list in a pattern: one of the matchers must match, or, with
// absent, the field must not be there.
type values struct {
	matchers []Matcher
	absent   bool
}

// Parse reads a pattern: a JSON object whose fields are lists of values and
// operators, or objects of the same kind. An error begins with the place, as in
// "body.size[0]: ...", where there is one.
func Parse(text string) (*Pattern, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("the pattern has %d bytes, and may have %d", len(text), MaxLength)
	}
	document, err := jsonpath.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the pattern is not JSON: %w", err)
	}
	if document.Kind() != jsonpath.Object {
		return nil, fmt.Errorf("the pattern must be an object, not %s", kindOf(document))
	}
	root, err := parseObject(document, "")
	if err != nil {
		return nil, err
	}
	return &Pattern{root, text}, nil
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Fields returns the names of the fields at the top of the pattern, those in
// alternatives included, in the order of their first appearance.
func (p *Pattern) Fields() []string { return p.root.names(nil) }

func (o *object) names(all []string) []string {
	for _, f := range o.fields {
		if !slices.Contains(all, f.name) {
			all = append(all, f.name)
		}
	}
	for _, group := range o.alternatives {
		for _, branch := range group {
			all = branch.names(all)
		}
	}
	return all
}

// Matches reports whether a record is as the pattern says. A field that is a
// list in the record matches when one of its elements does. An absent field
// matches {"exists": false} and nothing else.
func (p *Pattern) Matches(record jsonpath.Value) bool { return p.root.matches(record) }

func (o *object) matches(v jsonpath.Value) bool {
	if v.Kind() == jsonpath.Array {
		// One element must match as a whole: conditions on two of its fields are
		// about the same element.
		for i := range v.Len() {
			if o.matches(v.Index(i)) {
				return true
			}
		}
		return false
	}
	if v.Kind() != jsonpath.Object {
		return false
	}
	for _, f := range o.fields {
		if !f.matches(v) {
			return false
		}
	}
	for _, group := range o.alternatives {
		if !slices.ContainsFunc(group, func(branch *object) bool { return branch.matches(v) }) {
			return false
		}
	}
	return true
}

// empty stands in for an object that is not there, whose fields are all absent.
var empty = jsonpath.ObjectOf()

func (f *field) matches(parent jsonpath.Value) bool {
	v, present := parent.Get(f.name)
	if f.nested != nil {
		if !present {
			v = empty
		}
		return f.nested.matches(v)
	}
	if !present || isEmptyArray(v) {
		return f.values.absent
	}
	return f.values.match(v)
}

func isEmptyArray(v jsonpath.Value) bool { return v.Kind() == jsonpath.Array && v.Len() == 0 }

func (l *values) match(v jsonpath.Value) bool {
	switch v.Kind() {
	case jsonpath.Object:
		return false
	case jsonpath.Array:
		for i := range v.Len() {
			if l.match(v.Index(i)) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(l.matchers, func(m Matcher) bool { return m(v) })
}
