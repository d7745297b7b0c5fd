// Package attribute owns the values that a DynamoDB table holds: the ten types
// of attribute value, numbers of 38 digits, items, and their JSON, stored and
// ordered forms.
package attribute

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Type is the JSON name of an attribute value's type.
type Type string

// The types of attribute values.
const (
	S    Type = "S"
	N    Type = "N"
	B    Type = "B"
	BOOL Type = "BOOL"
	NULL Type = "NULL"
	M    Type = "M"
	L    Type = "L"
	SS   Type = "SS"
	NS   Type = "NS"
	BS   Type = "BS"
)

// Value is one attribute value: String, Number, Binary, Bool, Null, Map, List,
// StringSet, NumberSet or BinarySet. A nil Value is an absent attribute.
// Values are not changed once they are shared; Clone makes one's own.
type Value interface {
	// Type names the value's type.
	Type() Type
	// Size is the value's size in bytes, as DynamoDB counts it towards the
	// limits of items and pages.
	Size() int
}

type (
	// String is text in UTF-8.
	String string
	// Binary is bytes.
	Binary string
	// Bool is true or false.
	Bool bool
	// Null is the null value.
	Null struct{}
	// List is an ordered collection of values of any types.
	List []Value
	// StringSet is a set of distinct strings, never empty.
	StringSet []string
	// NumberSet is a set of distinct numbers, never empty.
	NumberSet []Number
	// BinarySet is a set of distinct byte strings, never empty.
	BinarySet []string
)

// Type returns S.
func (String) Type() Type { return S }

// Type returns N.
func (Number) Type() Type { return N }

// Type returns B.
func (Binary) Type() Type { return B }

// Type returns BOOL.
func (Bool) Type() Type { return BOOL }

// Type returns NULL.
func (Null) Type() Type { return NULL }

// Type returns L.
func (List) Type() Type { return L }

// Type returns M.
func (Map) Type() Type { return M }

// Type returns SS.
func (StringSet) Type() Type { return SS }

// Type returns NS.
func (NumberSet) Type() Type { return NS }

// Type returns BS.
func (BinarySet) Type() Type { return BS }

// containerSize is what DynamoDB adds for each map and list, beside one byte
// for each of their members.
const containerSize = 3

// Size is the number of bytes of the text.
func (v String) Size() int { return len(v) }

// Size is about a byte for two significant digits, and one more.
func (v Number) Size() int { return len(v.enc) }

// Size is the number of bytes.
func (v Binary) Size() int { return len(v) }

// Size is 1.
func (Bool) Size() int { return 1 }

// Size is 1.
func (Null) Size() int { return 1 }

// Size is the sum of the members' sizes and DynamoDB's overhead.
func (v List) Size() int {
	size := containerSize + len(v)
	for _, member := range v {
		size += member.Size()
	}
	return size
}

// Size is the sum of the members' names and sizes and DynamoDB's overhead.
func (v Map) Size() int { return containerSize + len(v) + v.ItemSize() }

// Size is the sum of the members' sizes.
func (v StringSet) Size() int { return textSize(v) }

// Size is the sum of the members' sizes.
func (v BinarySet) Size() int { return textSize(v) }

// Size is the sum of the members' sizes.
func (v NumberSet) Size() int {
	size := 0
	for _, n := range v {
		size += n.Size()
	}
	return size
}

func textSize(members []string) int {
	size := 0
	for _, s := range members {
		size += len(s)
	}
	return size
}

// Field is a named value of a Map.
type Field struct {
	Name  string
	Value Value
}

// Map holds named values, sorted by name, each name once. An item is a Map.
type Map []Field

// NewMap makes a Map of fields in any order; of two with one name the later
// stays. It takes the slice over.
func NewMap(fields []Field) Map {
	slices.SortStableFunc(fields, func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	out := fields[:0]
	for i, f := range fields {
		if i+1 == len(fields) || fields[i+1].Name != f.Name {
			out = append(out, f)
		}
	}
	return Map(out)
}

// Get returns the named value, or nil.
func (v Map) Get(name string) Value {
	if i, found := v.find(name); found {
		return v[i].Value
	}
	return nil
}

// Set puts or replaces the named value.
func (v *Map) Set(name string, value Value) {
	i, found := v.find(name)
	if found {
		(*v)[i].Value = value
		return
	}
	*v = slices.Insert(*v, i, Field{name, value})
}

// Delete removes the named value, if it is there.
func (v *Map) Delete(name string) {
	if i, found := v.find(name); found {
		*v = slices.Delete(*v, i, i+1)
	}
}

func (v Map) find(name string) (i int, found bool) {
	return slices.BinarySearchFunc(v, name, func(f Field, name string) int { return cmp.Compare(f.Name, name) })
}

// ItemSize is the map's size as an item, in bytes: names and values.
func (v Map) ItemSize() int {
	size := 0
	for _, f := range v {
		size += len(f.Name) + f.Value.Size()
	}
	return size
}

// Clone returns a copy whose maps and lists may be changed. Sets are shared:
// they are replaced, never changed.
func (v Map) Clone() Map {
	out := make(Map, len(v))
	for i, f := range v {
		out[i] = Field{f.Name, cloneValue(f.Value)}
	}
	return out
}

func cloneValue(v Value) Value {
	switch v := v.(type) {
	case Map:
		return v.Clone()
	case List:
		out := make(List, len(v))
		for i, member := range v {
			out[i] = cloneValue(member)
		}
		return out
	}
	return v
}

// CheckDepth returns a *ValueError when maps and lists are nested in the item
// deeper than MaxDepth.
func (v Map) CheckDepth() error {
	if depth(v) > MaxDepth+1 {
		return errDepth
	}
	return nil
}

func depth(v Value) int {
	deepest := 0
	switch v := v.(type) {
	case Map:
		for _, f := range v {
			deepest = max(deepest, depth(f.Value))
		}
	case List:
		for _, member := range v {
			deepest = max(deepest, depth(member))
		}
	default:
		return 0
	}
	return deepest + 1
}

// Equal reports whether two values have the same type and content; the order
// of a set's members does not count. Two absent values are not equal.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case nil:
		return false
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, Equal)
	case Map:
		b, ok := b.(Map)
		return ok && slices.EqualFunc(a, b, func(x, y Field) bool { return x.Name == y.Name && Equal(x.Value, y.Value) })
	case StringSet:
		b, ok := b.(StringSet)
		return ok && sameMembers(a, b)
	case NumberSet:
		b, ok := b.(NumberSet)
		return ok && sameMembers(a, b)
	case BinarySet:
		b, ok := b.(BinarySet)
		return ok && sameMembers(a, b)
	}
	switch b.(type) { // only scalars may be compared with ==
	case String, Number, Binary, Bool, Null:
		return a == b
	}
	return false
}

// Compare orders two values of the same scalar type S, N or B; ok is false for
// all others.
func Compare(a, b Value) (order int, ok bool) {
	switch a := a.(type) {
	case String:
		b, ok := b.(String)
		return cmp.Compare(a, b), ok
	case Binary:
		b, ok := b.(Binary)
		return cmp.Compare(a, b), ok
	case Number:
		b, ok := b.(Number)
		return a.Compare(b), ok
	}
	return 0, false
}

// ScalarKey returns bytes that order values of one type S, N or B as Compare
// does; ok is false for all other types.
func ScalarKey(v Value) (key string, ok bool) {
	switch v := v.(type) {
	case String:
		return string(v), true
	case Binary:
		return string(v), true
	case Number:
		return v.enc, true
	}
	return "", false
}

// ValueError tells what is wrong with a value, in AWS's words. The service
// answers it as a ValidationException.
type ValueError struct{ Message string }

// Error returns the message.
func (e *ValueError) Error() string { return e.Message }

func errorf(format string, args ...any) *ValueError {
	return &ValueError{fmt.Sprintf(format, args...)}
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
