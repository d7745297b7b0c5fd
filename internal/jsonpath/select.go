package jsonpath

import "errors"

// Select returns what the path finds in v. A definite path finds one value; ok
// is false when there is none. Any other path finds an array of values in the
// order of the document, which may be empty; ok is false when the part in
// front of the first wildcard, scan, filter or slice leads nowhere. Several
// names at the end make an object of those that are there. A path that would
// look at more than MaxSteps values finds nothing; SelectWithin tells.
func (p *Path) Select(v Value) (found Value, ok bool) {
	steps := MaxSteps
	found, ok, err := p.SelectWithin(v, &steps)
	return found, ok && err == nil
}

// SelectWithin is Select for at most that many steps, a step being a look at
// one value; steps is less what it took. Its only error is ErrSteps.
func (p *Path) SelectWithin(v Value, steps *int) (found Value, ok bool, err error) {
	s := selection{root: v, steps: steps}
	return p.within(&s, v)
}

// errNowhere ends a selection whose definite part leads nowhere.
var errNowhere = errors.New("the path leads nowhere")

type selection struct {
	root  Value
	found []Value
	steps *int
}

// within follows the path from v; s has the root and the steps that are left.
func (p *Path) within(s *selection, v Value) (Value, bool, error) {
	err := s.follow(p.steps, v, true)
	if errors.Is(err, errNowhere) {
		return Value{}, false, nil
	}
	if err != nil {
		return Value{}, false, err
	}
	if !p.Definite() {
		return apply(p.ends, ArrayOf(s.found...))
	}
	if len(s.found) == 0 {
		return Value{}, false, nil
	}
	return apply(p.ends, s.found[0])
}

// apply calls the function at the end of a path.
func apply(function string, v Value) (Value, bool, error) {
	switch function {
	case "":
		return v, true, nil
	case "keys":
		if v.kind != Object {
			return Value{}, false, nil
		}
		return Of(v.Keys()), true, nil
	}
	if v.kind != Array && v.kind != Object {
		return Value{}, false, nil
	}
	return IntOf(int64(v.Len())), true, nil
}

func (s *selection) look() error {
	if *s.steps--; *s.steps < 0 {
		return ErrSteps
	}
	return nil
}

// follow applies the steps to v. definite says that everything before led to
// one place, so that a step which does not fit ends the selection.
func (s *selection) follow(steps []step, v Value, definite bool) error {
	if err := s.look(); err != nil {
		return err
	}
	if len(steps) == 0 {
		s.found = append(s.found, v)
		return nil
	}
	rest := steps[1:]
	switch step := steps[0].(type) {
	case nameStep:
		return s.names(step.names, rest, v, definite)
	case indexStep:
		return s.indexes(step.indexes, rest, v, definite)
	case sliceStep:
		return s.slice(step, rest, v, definite)
	case wildcardStep:
		return s.each(rest, v)
	case scanStep:
		return s.scan(step.target, rest, v)
	case filterStep:
		return s.filter(step.test, rest, v, definite)
	}
	return errNowhere
}

// mismatch is the outcome of a step that does not fit its value.
func mismatch(definite bool) error {
	if definite {
		return errNowhere
	}
	return nil
}

func (s *selection) names(names []string, rest []step, v Value, definite bool) error {
	if v.kind != Object {
		return mismatch(definite)
	}
	if len(names) == 1 {
		member, ok := v.Get(names[0])
		if !ok {
			return mismatch(definite)
		}
		return s.follow(rest, member, definite)
	}
	if len(rest) == 0 {
		return s.follow(nil, pick(v, names), definite)
	}
	for _, name := range names {
		if member, ok := v.Get(name); ok {
			if err := s.follow(rest, member, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// pick returns an object of those members that v has.
func pick(v Value, names []string) Value {
	var members []Member
	for _, name := range names {
		if member, ok := v.Get(name); ok {
			members = append(members, Member{name, member})
		}
	}
	return ObjectOf(members...)
}

func (s *selection) indexes(indexes []int, rest []step, v Value, definite bool) error {
	if v.kind != Array {
		return mismatch(definite)
	}
	for _, i := range indexes {
		if i < 0 {
			i += v.Len()
		}
		if i < 0 || i >= v.Len() {
			continue
		}
		if err := s.follow(rest, v.Index(i), definite && len(indexes) == 1); err != nil {
			return err
		}
	}
	return nil
}

// slice takes from..to-1. As with Jayway, a negative start or end counts from
// the end only where the other one is missing.
func (s *selection) slice(step sliceStep, rest []step, v Value, definite bool) error {
	if v.kind != Array {
		return mismatch(definite)
	}
	from, to := step.from, step.to
	if !step.hasTo {
		to = v.Len()
		if from < 0 {
			from += v.Len()
		}
	} else if !step.hasFrom && to < 0 {
		to += v.Len()
	}
	for i := max(from, 0); i < min(to, v.Len()); i++ {
		if err := s.follow(rest, v.Index(i), false); err != nil {
			return err
		}
	}
	return nil
}

// each follows the rest from every element or member; a scalar has none.
func (s *selection) each(rest []step, v Value) error {
	for i := range v.Len() {
		if err := s.follow(rest, v.Index(i), false); err != nil {
			return err
		}
	}
	return nil
}

// scan applies the target to v, where it fits, and then to everything in it.
func (s *selection) scan(target step, rest []step, v Value) error {
	if err := s.look(); err != nil {
		return err
	}
	if err := s.scanOne(target, rest, v); err != nil {
		return err
	}
	for i := range v.Len() {
		if child := v.Index(i); child.kind == Array || child.kind == Object {
			if err := s.scan(target, rest, child); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *selection) scanOne(target step, rest []step, v Value) error {
	switch target := target.(type) {
	case nameStep:
		if len(target.names) > 1 && len(rest) == 0 && pick(v, target.names).Len() < len(target.names) {
			return nil
		}
		return s.names(target.names, rest, v, false)
	case indexStep:
		return s.indexes(target.indexes, rest, v, false)
	case sliceStep:
		return s.slice(target, rest, v, false)
	case wildcardStep:
		return s.each(rest, v)
	case filterStep:
		if v.kind != Object {
			return nil
		}
		return s.filter(target.test, rest, v, false)
	}
	return nil
}

// filter keeps the elements of an array that pass the test, or an object that
// passes it itself.
func (s *selection) filter(test test, rest []step, v Value, definite bool) error {
	switch v.kind {
	case Object:
		return s.keep(test, rest, v)
	case Array:
		for i := range v.Len() {
			if err := s.keep(test, rest, v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return mismatch(definite)
}

func (s *selection) keep(test test, rest []step, v Value) error {
	if err := s.look(); err != nil {
		return err
	}
	passed, err := test.passes(s, v)
	if err != nil || !passed {
		return err
	}
	return s.follow(rest, v, false)
}
