package jsonpath

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// test is the condition of a filter.
type test interface {
	passes(s *selection, v Value) (bool, error)
}

type (
	anyOf  []test
	allOf  []test
	negate struct{ test test }
	// exists is a path by itself: @.a
	exists struct{ path *Path }
	// comparison is two operands with an operator between them.
	comparison struct {
		operator    string
		left, right operand
	}
)

// operand is a path, a literal or a regular expression.
type operand struct {
	path    *Path
	literal Value
	pattern *regexp.Regexp
}

func (tests anyOf) passes(s *selection, v Value) (bool, error) {
	for _, t := range tests {
		if passed, err := t.passes(s, v); passed || err != nil {
			return passed, err
		}
	}
	return false, nil
}

func (tests allOf) passes(s *selection, v Value) (bool, error) {
	for _, t := range tests {
		if passed, err := t.passes(s, v); !passed || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (n negate) passes(s *selection, v Value) (bool, error) {
	passed, err := n.test.passes(s, v)
	return !passed && err == nil, err
}

func (e exists) passes(s *selection, v Value) (bool, error) {
	_, ok, err := e.path.from(s, v)
	return ok, err
}

// from follows a path within a filter, out of the same budget of steps.
func (p *Path) from(s *selection, v Value) (Value, bool, error) {
	if !p.relative {
		v = s.root
	}
	return p.within(&selection{root: s.root, steps: s.steps}, v)
}

func (o operand) value(s *selection, v Value) (Value, bool, error) {
	if o.path == nil {
		return o.literal, true, nil
	}
	return o.path.from(s, v)
}

// passes compares. An operand that leads nowhere is equal to nothing.
func (c comparison) passes(s *selection, v Value) (bool, error) {
	left, okLeft, err := c.left.value(s, v)
	if err != nil {
		return false, err
	}
	right, okRight, err := c.right.value(s, v)
	if err != nil {
		return false, err
	}
	if !okLeft || !okRight {
		return c.operator == "!=" || c.operator == "nin", nil
	}
	// Comparing arrays and long texts costs; the budget pays for it.
	if *s.steps -= left.Len() + right.Len() + (len(left.text)+len(right.text))/256; *s.steps < 0 {
		return false, ErrSteps
	}
	return c.holds(left, right), nil
}

func (c comparison) holds(left, right Value) bool {
	switch c.operator {
	case "==":
		return equal(left, right, 0)
	case "!=":
		return !equal(left, right, 0)
	case "=~":
		return c.right.pattern != nil && left.kind == String && c.right.pattern.MatchString(left.text)
	case "in":
		return right.kind == Array && contains(right, left)
	case "nin":
		return right.kind == Array && !contains(right, left)
	case "contains":
		return left.kind == Array && contains(left, right) ||
			left.kind == String && right.kind == String && strings.Contains(left.text, right.text)
	case "size":
		return length(left) >= 0 && right.kind == Number && strconv.Itoa(length(left)) == right.text
	case "empty":
		return right.kind == Bool && length(left) >= 0 && (length(left) == 0) == right.Bool()
	}
	order, ok := compare(left, right)
	if !ok {
		return false
	}
	switch c.operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// length is the size of what has one, or -1.
func length(v Value) int {
	switch v.kind {
	case String:
		return len(v.text)
	case Array, Object:
		return v.Len()
	}
	return -1
}

func contains(list, item Value) bool {
	for i := range list.Len() {
		if equal(list.Index(i), item, 0) {
			return true
		}
	}
	return false
}

// maxEqual is how deep two documents are compared; what lies deeper differs.
const maxEqual = 16

// equal compares as Jayway does: a number and a text are equal when they read
// the same, numbers by their value, everything else by its own kind.
func equal(a, b Value, depth int) bool {
	if order, ok := compare(a, b); ok {
		return order == 0
	}
	if a.kind == Number && b.kind == String || a.kind == String && b.kind == Number {
		return a.text == b.text
	}
	if a.kind != b.kind || a.text != b.text || a.Len() != b.Len() || depth > maxEqual {
		return false
	}
	for i := range a.Len() {
		other := b.Index(i)
		if a.kind == Object {
			var ok bool
			if other, ok = b.Get(a.Key(i)); !ok {
				return false
			}
		}
		if !equal(a.Index(i), other, depth+1) {
			return false
		}
	}
	return true
}

// compare orders two numbers or two texts; ok is false for anything else.
func compare(a, b Value) (order int, ok bool) {
	switch {
	case a.kind == Number && b.kind == Number:
		return compareNumbers(a.text, b.text), true
	case a.kind == String && b.kind == String:
		return cmp.Compare(a.text, b.text), true
	}
	return 0, false
}

// compareNumbers is exact for whole numbers of 64 bits and has a float's
// precision for all others: an exact one could be made to cost without bound.
func compareNumbers(a, b string) int {
	i, errA := strconv.ParseInt(a, 10, 64)
	j, errB := strconv.ParseInt(b, 10, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(i, j)
	}
	// An error means that the number is out of range and f or g infinite.
	f, _ := strconv.ParseFloat(a, 64)
	g, _ := strconv.ParseFloat(b, 64)
	return cmp.Compare(f, g)
}
