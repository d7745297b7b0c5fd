// Package jsonpath owns JSON documents as templates and selection expressions
// see them, with the order of keys and the text of numbers kept, and the paths
// that select from them in API Gateway's dialect, which is that of the Java
// library Jayway JsonPath. DESIGN.md says why it is not RFC 9535.
package jsonpath

import "slices"

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values. The zero Value is null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// String returns the kind's name as error messages use it.
func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is a JSON value. It never changes after it was made, so that any
// number of goroutines may read it. The zero Value is null.
type Value struct {
	kind Kind
	// text is a string's content, a number as written, or "true" or "false".
	text string
	// children is nil for scalars and for empty arrays and objects.
	children *children
}

// children are the elements of an array, or the members of an object.
type children struct {
	values []Value
	// keys stand beside values; an array has none.
	keys []string
	// places finds a key in an object of many members; small ones are searched.
	places map[string]int
}

// indexFrom is the number of members from which an object gets a map: below,
// a search of the keys is quicker than building one.
const indexFrom = 16

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is JSON's null.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool returns a boolean's truth; it is false for every other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.text == "true" }

// Str returns the content of a string, or a number as it was written; it is
// empty for every other kind.
func (v Value) Str() string {
	if v.kind == String || v.kind == Number {
		return v.text
	}
	return ""
}

// Len returns the number of an array's elements or an object's members; it is
// 0 for every other kind.
func (v Value) Len() int {
	if v.children == nil {
		return 0
	}
	return len(v.children.values)
}

// Index returns an array's element, or the value of an object's member in the
// order of the document. i must be in 0..Len()-1: like a slice, it panics
// otherwise.
func (v Value) Index(i int) Value { return v.children.values[i] }

// Key returns the name of an object's member i, in the order of the document.
// The value must be an object and i in 0..Len()-1.
func (v Value) Key(i int) string { return v.children.keys[i] }

// Keys returns the names of an object's members in the order of the document;
// it is nil for every other kind.
func (v Value) Keys() []string {
	if v.kind != Object || v.children == nil {
		return nil
	}
	return slices.Clone(v.children.keys)
}

// Get returns an object's member; ok is false when there is none of that name
// or the value is no object.
func (v Value) Get(key string) (member Value, ok bool) {
	if v.kind != Object || v.children == nil {
		return Value{}, false
	}
	i := v.children.place(key)
	if i < 0 {
		return Value{}, false
	}
	return v.children.values[i], true
}

// At follows names through nested objects: At("identity", "sourceIp").
func (v Value) At(keys ...string) (member Value, ok bool) {
	for _, key := range keys {
		if v, ok = v.Get(key); !ok {
			return Value{}, false
		}
	}
	return v, true
}

func (c *children) place(key string) int {
	if c.places != nil {
		if i, ok := c.places[key]; ok {
			return i
		}
		return -1
	}
	return slices.Index(c.keys, key)
}

// set adds a member. A name that is there already keeps its place and gets the
// new value, as in Java's LinkedHashMap.
func (c *children) set(key string, value Value) {
	if i := c.place(key); i >= 0 {
		c.values[i] = value
		return
	}
	c.keys = append(c.keys, key)
	c.values = append(c.values, value)
	if c.places != nil {
		c.places[key] = len(c.keys) - 1
	} else if len(c.keys) >= indexFrom {
		c.places = make(map[string]int, 2*indexFrom)
		for i, k := range c.keys {
			c.places[k] = i
		}
	}
}
