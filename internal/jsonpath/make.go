package jsonpath

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// StringOf returns a JSON string.
func StringOf(s string) Value { return Value{kind: String, text: s} }

// BoolOf returns true or false.
func BoolOf(b bool) Value { return Value{kind: Bool, text: strconv.FormatBool(b)} }

// IntOf returns a whole number.
func IntOf(i int64) Value { return Value{kind: Number, text: strconv.FormatInt(i, 10)} }

// ParseNumber returns the number that text writes in JSON's grammar; ok is
// false for any other text.
func ParseNumber(text string) (number Value, ok bool) {
	s := scanner{text: text}
	if s.number() != nil || s.at != len(text) {
		return Value{}, false
	}
	return Value{kind: Number, text: text}, true
}

// ArrayOf returns an array of the values, which it copies.
func ArrayOf(values ...Value) Value {
	if len(values) == 0 {
		return Value{kind: Array}
	}
	return Value{kind: Array, children: &children{values: slices.Clone(values)}}
}

// Member is one name and value of an object.
type Member struct {
	Key   string
	Value Value
}

// ObjectOf returns an object with the members in that order. Of two with the
// same name the last one's value counts, at the first one's place.
func ObjectOf(members ...Member) Value {
	if len(members) == 0 {
		return Value{kind: Object}
	}
	c := &children{}
	for _, m := range members {
		c.set(m.Key, m.Value)
	}
	return Value{kind: Object, children: c}
}

// Of returns the JSON value of a Go value: nil, a bool, a string, an integer,
// a float (NaN and the infinities, which JSON has not, are null), a
// json.Number, a Value, or a slice or map of those. A map's members stand in
// the order of their names. It panics on any other type: what it gets is
// built by the program, never read from outside.
func Of(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case Value:
		return v
	case bool:
		return BoolOf(v)
	case string:
		return StringOf(v)
	case int:
		return IntOf(int64(v))
	case int32:
		return IntOf(int64(v))
	case int64:
		return IntOf(v)
	case float64:
		return floatOf(v)
	case json.Number:
		return numberOf(v)
	case []any:
		return arrayOf(v)
	case []string:
		return arrayOf(v)
	case []Value:
		return ArrayOf(v...)
	case map[string]any:
		return objectOf(v)
	case map[string]string:
		return objectOf(v)
	case map[string]Value:
		return objectOf(v)
	}
	panic(fmt.Sprintf("jsonpath.Of: a %T is no JSON value", v))
}

func floatOf(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: Number, text: strconv.FormatFloat(f, 'g', -1, 64)}
}

// numberOf takes a number's text only if it is one.
func numberOf(n json.Number) Value {
	if v, ok := ParseNumber(string(n)); ok {
		return v
	}
	panic(fmt.Sprintf("jsonpath.Of: %q is no JSON number", string(n)))
}

func arrayOf[T any](list []T) Value {
	values := make([]Value, len(list))
	for i, item := range list {
		values[i] = Of(item)
	}
	return ArrayOf(values...)
}

func objectOf[T any](m map[string]T) Value {
	members := make([]Member, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		members = append(members, Member{key, Of(m[key])})
	}
	return ObjectOf(members...)
}
