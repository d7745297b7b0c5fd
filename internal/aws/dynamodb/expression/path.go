package expression

import (
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Step is one step of a document path: an attribute's name, or an element of
// a list.
type Step struct {
	Name string
	// Index is the element's place when IsIndex is true.
	Index   int
	IsIndex bool
}

// Path is a document path, such as a.b[0].c. Its first step is a name.
type Path []Step

// String returns the path as AWS's messages show it: [a, b, [0], c].
func (p Path) String() string {
	steps := make([]string, len(p))
	for i, s := range p {
		steps[i] = s.Name
		if s.IsIndex {
			steps[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(steps, ", ") + "]"
}

// lookup returns the value at the path, or nil.
func (p Path) lookup(item attribute.Map) attribute.Value {
	var v attribute.Value = item
	for _, step := range p {
		v = step.of(v)
	}
	return v
}

// of returns what the step leads to, or nil.
func (s Step) of(v attribute.Value) attribute.Value {
	switch v := v.(type) {
	case attribute.Map:
		if !s.IsIndex {
			return v.Get(s.Name)
		}
	case attribute.List:
		if s.IsIndex && s.Index < len(v) {
			return v[s.Index]
		}
	}
	return nil
}

// pathSet finds paths that cannot stand beside each other in an update or
// a projection.
type pathSet struct {
	paths             []Path
	overlap, conflict error
}

// add takes a path in; the first problem of each sort is kept.
func (s *pathSet) add(p Path) {
	for _, other := range s.paths {
		if s.overlap != nil {
			break
		}
		s.compare(other, p)
	}
	s.paths = append(s.paths, p)
}

func (s *pathSet) compare(p, q Path) {
	for i := range min(len(p), len(q)) {
		if p[i].IsIndex != q[i].IsIndex {
			s.conflict = errorf("Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", p, q)
			return
		}
		if p[i] != q[i] {
			return
		}
	}
	s.overlap = errorf("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", p, q)
}

// err returns the first problem.
func (s *pathSet) err() error {
	if s.overlap != nil {
		return s.overlap
	}
	return s.conflict
}
