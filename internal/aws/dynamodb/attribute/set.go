package attribute

import (
	"slices"
	"strings"
)

// smallSet is the number of members up to which a set is searched member by
// member; larger ones through a map.
const smallSet = 8

func sameMembers[E comparable](a, b []E) bool {
	return len(a) == len(b) && len(without(a, b)) == 0
}

// without returns the members of a that are not in b, in a's order.
func without[E comparable](a, b []E) []E {
	in := memberOf(b)
	var out []E
	for _, e := range a {
		if !in(e) {
			out = append(out, e)
		}
	}
	return out
}

// union returns a with the members of b that it lacks.
func union[E comparable](a, b []E) []E {
	return slices.Concat(a, without(b, a))
}

func memberOf[E comparable](set []E) func(E) bool {
	if len(set) <= smallSet {
		return func(e E) bool { return slices.Contains(set, e) }
	}
	m := make(map[E]struct{}, len(set))
	for _, e := range set {
		m[e] = struct{}{}
	}
	return func(e E) bool { _, ok := m[e]; return ok }
}

func hasDuplicates[E comparable](set []E) bool {
	if len(set) <= smallSet {
		for i, e := range set {
			if slices.Contains(set[:i], e) {
				return true
			}
		}
		return false
	}
	m := make(map[E]struct{}, len(set))
	for _, e := range set {
		m[e] = struct{}{}
	}
	return len(m) < len(set)
}

// Union returns the set that has the members of both; ok is false when they
// are not sets of one type.
func Union(a, b Value) (set Value, ok bool) {
	switch a := a.(type) {
	case StringSet:
		b, ok := b.(StringSet)
		return StringSet(union(a, b)), ok
	case NumberSet:
		b, ok := b.(NumberSet)
		return NumberSet(union(a, b)), ok
	case BinarySet:
		b, ok := b.(BinarySet)
		return BinarySet(union(a, b)), ok
	}
	return nil, false
}

// Difference returns the members of set a that are not in b, or nil when none
// are left; ok is false when they are not sets of one type.
func Difference(a, b Value) (set Value, ok bool) {
	switch a := a.(type) {
	case StringSet:
		b, ok := b.(StringSet)
		return orNil(StringSet(without(a, b))), ok
	case NumberSet:
		b, ok := b.(NumberSet)
		return orNil(NumberSet(without(a, b))), ok
	case BinarySet:
		b, ok := b.(BinarySet)
		return orNil(BinarySet(without(a, b))), ok
	}
	return nil, false
}

func orNil[Set interface {
	Value
	~[]E
}, E any](set Set) Value {
	if len(set) == 0 {
		return nil
	}
	return set
}

// Contains reports whether a string or binary has the substring, or a set or
// list has the member, that operand is.
func Contains(v, operand Value) bool {
	switch v := v.(type) {
	case String:
		s, ok := operand.(String)
		return ok && strings.Contains(string(v), string(s))
	case Binary:
		s, ok := operand.(Binary)
		return ok && strings.Contains(string(v), string(s))
	case StringSet:
		s, ok := operand.(String)
		return ok && slices.Contains(v, string(s))
	case BinarySet:
		s, ok := operand.(Binary)
		return ok && slices.Contains(v, string(s))
	case NumberSet:
		n, ok := operand.(Number)
		return ok && slices.Contains(v, n)
	case List:
		return slices.ContainsFunc(v, func(member Value) bool { return Equal(member, operand) })
	}
	return false
}

// HasPrefix reports whether a string begins with a string, or a binary with
// a binary.
func HasPrefix(v, prefix Value) bool {
	switch v := v.(type) {
	case String:
		p, ok := prefix.(String)
		return ok && strings.HasPrefix(string(v), string(p))
	case Binary:
		p, ok := prefix.(Binary)
		return ok && strings.HasPrefix(string(v), string(p))
	}
	return false
}
