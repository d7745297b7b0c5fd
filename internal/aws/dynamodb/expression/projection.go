package expression

import (
	"cmp"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Projection picks parts of an item. A nil Projection picks all of it. It may
// be used by several goroutines at once.
type Projection struct {
	paths []Path
	root  *pick
}

// pick is the part to take of one value: all of it, or some members.
type pick struct {
	all     bool
	members []member // sorted: names, then indexes
}

type member struct {
	step Step
	pick *pick
}

// ParseProjection parses a ProjectionExpression. The error is an *Error.
func ParseProjection(source string, b *Bindings) (*Projection, error) {
	paths, err := parseProjection(source, b)
	if err != nil {
		return nil, errorf("Invalid ProjectionExpression: %v", err)
	}
	return newProjection(paths), nil
}

func parseProjection(source string, b *Bindings) ([]Path, error) {
	p := newParser(source, projectGrammar)
	list := &node{args: []*node{p.path()}}
	for p.accept(",") {
		list.args = append(list.args, p.path())
	}
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	for _, check := range []func(*node) error{checkReserved, bindNames(b)} {
		if err := list.firstError(check); err != nil {
			return nil, err
		}
	}
	var set pathSet
	for _, n := range list.args {
		set.add(n.path)
	}
	return set.paths, set.err()
}

// ProjectAttributes picks whole attributes by their names.
func ProjectAttributes(names ...string) *Projection {
	paths := make([]Path, len(names))
	for i, name := range names {
		paths[i] = Path{{Name: name}}
	}
	return newProjection(paths)
}

func newProjection(paths []Path) *Projection {
	root := &pick{}
	for _, path := range paths {
		at := root
		for _, step := range path {
			at = at.descend(step)
		}
		at.all = true
	}
	return &Projection{paths, root}
}

func (p *pick) descend(step Step) *pick {
	i, found := slices.BinarySearchFunc(p.members, step, func(m member, s Step) int { return compareSteps(m.step, s) })
	if !found {
		p.members = slices.Insert(p.members, i, member{step, &pick{}})
	}
	return p.members[i].pick
}

func compareSteps(a, b Step) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Name, b.Name))
}

// Paths returns the document paths of the projection.
func (p *Projection) Paths() []Path {
	if p == nil {
		return nil
	}
	return p.paths
}

// Apply returns the picked parts of the item, never nil. It shares them.
func (p *Projection) Apply(item attribute.Map) attribute.Map {
	if p == nil {
		return item
	}
	if picked, ok := p.root.of(item).(attribute.Map); ok {
		return picked
	}
	return attribute.Map{}
}

// of returns the picked part of a value, or nil when there is none. The
// elements picked of a list move together.
func (p *pick) of(v attribute.Value) attribute.Value {
	if p.all {
		return v
	}
	var fields attribute.Map
	var list attribute.List
	for _, m := range p.members {
		part := m.step.of(v)
		if part != nil {
			part = m.pick.of(part)
		}
		switch {
		case part == nil:
		case m.step.IsIndex:
			list = append(list, part)
		default:
			fields = append(fields, attribute.Field{Name: m.step.Name, Value: part})
		}
	}
	switch {
	case fields != nil:
		return fields
	case list != nil:
		return list
	}
	return nil
}
