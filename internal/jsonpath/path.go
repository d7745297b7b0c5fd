package jsonpath

import (
	"errors"
	"fmt"
	"strings"
)

// MaxPath is the length of the longest path that Compile takes, in bytes.
const MaxPath = 8192

// MaxSteps is how many values Select may look at before it gives up: enough
// for every path over a message of 128 KB that does not multiply scans.
const MaxSteps = 500_000

// ErrSteps is SelectWithin's answer to a path that looks at too many values.
var ErrSteps = errors.New("the JSONPath looks at too many values; use fewer \"..\" and \"*\"")

// Path is a compiled path. It never changes, so that any number of goroutines
// may use it.
type Path struct {
	source string
	steps  []step
	// ends is the function at the end, such as length(), or empty.
	ends string
	// relative says that the path begins with @, the value that a filter tests.
	relative bool
	plain    bool
}

// Compile reads a path in Jayway's dialect:
//
//	$  $.a.b  $['a b']  $["a"]['b']  $.a[0]  $.a[-1]  $.a-b
//	$.*  $.a[*]  $..name  $.a[1:3]  $.a[:2]  $.a[-2:]  $.a[0,2]  $['a','b']
//	$.a[?(@.b == 'x' && !(@.n < 3))]  $.a.length()  $.a.size()  $.a.keys()
//
// A path without "$" at its front gets "$." as Jayway gives it. Filters know
// == != < <= > >= =~ in nin contains size empty, && || ! and parentheses.
// Everything that is not known is an error, which names the character,
// counted from 1.
func Compile(expr string) (*Path, error) {
	source := strings.TrimSpace(expr)
	if source == "" {
		return nil, errors.New("the JSONPath is empty; $ is the whole document")
	}
	if len(source) > MaxPath {
		return nil, fmt.Errorf("the JSONPath has %d bytes; %d are allowed", len(source), MaxPath)
	}
	c := compiler{text: source}
	if source[0] != '$' && source[0] != '@' {
		c.text = "$." + source
		c.shift = 2
	}
	p, err := c.path()
	if err == nil && c.at < len(c.text) {
		err = c.fault("expected . or [ here")
	}
	if err != nil {
		return nil, fmt.Errorf("JSONPath %q: %w", expr, err)
	}
	p.source = source
	return p, nil
}

// String returns the path as it was written.
func (p *Path) String() string { return p.source }

// Definite reports whether the path leads to one place: it has no wildcard,
// scan, filter, slice or list of indexes.
func (p *Path) Definite() bool {
	for i, s := range p.steps {
		if !s.definite(i == len(p.steps)-1) {
			return false
		}
	}
	return true
}

// step is one part of a path: it leads from a value to others.
type step interface {
	// definite reports whether the step leads to one value at most. Several
	// names at the end of a path are definite: they make one object.
	definite(last bool) bool
}

type (
	// nameStep is .a and ['a'], or ['a','b'].
	nameStep struct{ names []string }
	// indexStep is [0] and [-1], or [0,2].
	indexStep struct{ indexes []int }
	// sliceStep is [from:to], either of which may be missing.
	sliceStep struct {
		from, to       int
		hasFrom, hasTo bool
	}
	wildcardStep struct{}
	// scanStep is .. and applies the step it holds at every depth.
	scanStep struct{ target step }
	// filterStep is [?(...)].
	filterStep struct{ test test }
)

func (s nameStep) definite(last bool) bool { return len(s.names) == 1 || last }
func (s indexStep) definite(bool) bool     { return len(s.indexes) == 1 }
func (sliceStep) definite(bool) bool       { return false }
func (wildcardStep) definite(bool) bool    { return false }
func (scanStep) definite(bool) bool        { return false }
func (filterStep) definite(bool) bool      { return false }

// isPlain reports whether the path is only single names and indexes from the
// front, which SelectBytes can follow without a tree.
func isPlain(steps []step) bool {
	for _, s := range steps {
		switch s := s.(type) {
		case nameStep:
			if len(s.names) != 1 {
				return false
			}
		case indexStep:
			if len(s.indexes) != 1 || s.indexes[0] < 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Segment is a step of a path of plain names and indexes: a member's name, or
// an element's index, which counts from the end when it is negative.
type Segment struct {
	Name    string
	Index   int
	IsIndex bool
}

// Segments returns the steps of a path that has only single names and indexes;
// ok is false for any other. A caller that keeps a document in a form of its
// own can follow them itself.
func (p *Path) Segments() (segments []Segment, ok bool) {
	if p.ends != "" || p.relative {
		return nil, false
	}
	segments = make([]Segment, 0, len(p.steps))
	for _, s := range p.steps {
		switch s := s.(type) {
		case nameStep:
			if len(s.names) != 1 {
				return nil, false
			}
			segments = append(segments, Segment{Name: s.names[0]})
		case indexStep:
			if len(s.indexes) != 1 {
				return nil, false
			}
			segments = append(segments, Segment{Index: s.indexes[0], IsIndex: true})
		default:
			return nil, false
		}
	}
	return segments, true
}
