package vtl

import (
	"slices"
	"strconv"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// value is what an expression can be: nil for no result, a string, a bool, a
// number, *list, *dict, *entry, *loop, or one of the objects that API Gateway
// gives to templates.
type value any

// list is a Java list, array or set.
type list struct {
	items []value
	// document says that the list came out of a JSON document. Such a list
	// writes itself as JSON; one that a template made writes [a, b].
	document bool
}

// dict is a Java map that keeps the order of its keys.
type dict struct {
	keys   []string
	values map[string]value
}

// entry is one key and value of a dict.
type entry struct {
	key   string
	value value
}

func newDict(size int) *dict {
	return &dict{make([]string, 0, size), make(map[string]value, size)}
}

func (d *dict) set(key string, v value) {
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = v
}

func (d *dict) remove(key string) {
	if _, ok := d.values[key]; !ok {
		return
	}
	delete(d.values, key)
	i := slices.Index(d.keys, key)
	d.keys = slices.Delete(d.keys, i, i+1)
}

// fromJSON turns a document into values that a template may change. Every
// element costs a step.
func (e *execution) fromJSON(v jsonpath.Value) (value, error) {
	if err := e.spend(1 + len(v.Str())/textPerStep); err != nil {
		return nil, err
	}
	switch v.Kind() {
	case jsonpath.Null:
		return nil, nil
	case jsonpath.Bool:
		return v.Bool(), nil
	case jsonpath.Number:
		return numberOf(v.Str()), nil
	case jsonpath.String:
		return v.Str(), nil
	case jsonpath.Array:
		l := &list{make([]value, v.Len()), true}
		for i := range l.items {
			var err error
			if l.items[i], err = e.fromJSON(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	d := newDict(v.Len())
	for i := range v.Len() {
		member, err := e.fromJSON(v.Index(i))
		if err != nil {
			return nil, err
		}
		d.set(v.Key(i), member)
	}
	return d, nil
}

// toJSON is the other way; what JSON has not becomes text.
func (e *execution) toJSON(v value, depth int) (jsonpath.Value, error) {
	if err := e.descend(depth); err != nil {
		return jsonpath.Value{}, err
	}
	switch v := v.(type) {
	case nil:
		return jsonpath.Value{}, nil
	case bool:
		return jsonpath.BoolOf(v), nil
	case number:
		return v.json(), e.spend(len(v.written) / textPerStep)
	case *list:
		return e.listToJSON(v, depth)
	case *dict:
		members := make([]jsonpath.Member, 0, len(v.keys))
		for _, key := range v.keys {
			member, err := e.toJSON(v.values[key], depth+1)
			if err != nil {
				return jsonpath.Value{}, err
			}
			members = append(members, jsonpath.Member{Key: key, Value: member})
		}
		return jsonpath.ObjectOf(members...), nil
	}
	s, err := e.textOf(v)
	return jsonpath.StringOf(s), err
}

func (e *execution) listToJSON(l *list, depth int) (jsonpath.Value, error) {
	items := make([]jsonpath.Value, len(l.items))
	for i, item := range l.items {
		var err error
		if items[i], err = e.toJSON(item, depth+1); err != nil {
			return jsonpath.Value{}, err
		}
	}
	return jsonpath.ArrayOf(items...), nil
}

// textOf is the value as it is written: Java's toString, with nothing for no
// value.
func (e *execution) textOf(v value) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, e.spend(1)
	case bool:
		return strconv.FormatBool(v), e.spend(1)
	case number:
		s := v.String()
		return s, e.spend(1 + len(s)/textPerStep)
	}
	b, err := e.appendText(nil, v, 0)
	return string(b), err
}

// appendText writes a value within a list or a map, where nothing is "null".
func (e *execution) appendText(b []byte, v value, depth int) ([]byte, error) {
	if err := e.descend(depth); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case *list:
		if v.document {
			return e.appendJSON(b, v, depth)
		}
		return e.appendList(b, v, depth)
	case *dict:
		return e.appendDict(b, v, depth)
	case *entry:
		return e.appendMember(b, v.key, v.value, depth)
	case *loop, *inputObject, *utilObject:
		return b, nil
	}
	s, err := e.textOf(v)
	if err != nil {
		return nil, err
	}
	return e.grow(b, s)
}

func (e *execution) appendJSON(b []byte, v value, depth int) ([]byte, error) {
	j, err := e.toJSON(v, depth)
	if err != nil {
		return nil, err
	}
	written, err := e.jsonText(j)
	if err != nil {
		return nil, err
	}
	return e.grow(b, written)
}

// jsonText writes a document, after a look at how long that would be: one
// small document may hold a large one many times.
func (e *execution) jsonText(v jsonpath.Value) (string, error) {
	size := 0
	if err := e.weigh(v, &size); err != nil {
		return "", err
	}
	written := string(v.JSON())
	return written, e.checkText(len(written))
}

func (e *execution) weigh(v jsonpath.Value, size *int) error {
	length := len(v.Str()) + 1
	for i := range v.Len() {
		if v.Kind() == jsonpath.Object {
			length += len(v.Key(i))
		}
		if err := e.weigh(v.Index(i), size); err != nil {
			return err
		}
	}
	*size += length
	if err := e.checkText(*size); err != nil {
		return err
	}
	return e.spend(1 + length/textPerStep)
}

func (e *execution) appendList(b []byte, l *list, depth int) ([]byte, error) {
	b = append(b, '[')
	for i, item := range l.items {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = e.appendText(b, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func (e *execution) appendDict(b []byte, d *dict, depth int) ([]byte, error) {
	b = append(b, '{')
	for i, key := range d.keys {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = e.appendMember(b, key, d.values[key], depth); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (e *execution) appendMember(b []byte, key string, v value, depth int) ([]byte, error) {
	b, err := e.grow(b, key)
	if err != nil {
		return nil, err
	}
	return e.appendText(append(b, '='), v, depth+1)
}

// grow appends a text and pays for it.
func (e *execution) grow(b []byte, s string) ([]byte, error) {
	if err := e.checkText(len(b) + len(s)); err != nil {
		return nil, err
	}
	return append(b, s...), e.spend(len(s) / textPerStep)
}

// equal compares as Velocity's == does: numbers by value, values of one type
// with Java's equals, everything else as text.
func (e *execution) equal(a, b value, depth int) (bool, error) {
	if err := e.descend(depth); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case number:
		if b, ok := b.(number); ok {
			order, comparable := compareNumbers(a, b)
			return comparable && order == 0, nil
		}
	case *list:
		if b, ok := b.(*list); ok {
			return e.equalLists(a, b, depth)
		}
	case *dict:
		if b, ok := b.(*dict); ok {
			return e.equalDicts(a, b, depth)
		}
	}
	if b == nil {
		return false, nil
	}
	left, err := e.textOf(a)
	if err != nil {
		return false, err
	}
	right, err := e.textOf(b)
	return left == right, err
}

func (e *execution) equalLists(a, b *list, depth int) (bool, error) {
	if len(a.items) != len(b.items) {
		return false, nil
	}
	for i := range a.items {
		if same, err := e.same(a.items[i], b.items[i], depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (e *execution) equalDicts(a, b *dict, depth int) (bool, error) {
	if len(a.keys) != len(b.keys) {
		return false, nil
	}
	for _, key := range a.keys {
		other, ok := b.values[key]
		if !ok {
			return false, nil
		}
		if same, err := e.same(a.values[key], other, depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// same is Java's equals: values of different types are never equal.
func (e *execution) same(a, b value, depth int) (bool, error) {
	if kindOf(a) != kindOf(b) {
		return false, nil
	}
	return e.equal(a, b, depth)
}

// kindOf names the Java type of a value in messages, and tells types apart.
func kindOf(v value) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	case number:
		if v.kind == double {
			return "a double"
		}
		return "a whole number"
	case *list:
		return "a list"
	case *dict:
		return "a map"
	case *entry:
		return "a map's entry"
	}
	return "an object"
}
