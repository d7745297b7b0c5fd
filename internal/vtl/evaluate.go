package vtl

import (
	"fmt"
	"strings"
)

// value evaluates an expression. Only calculations have no result, nil: a
// reference that leads nowhere is the empty text.
func (e *execution) value(x expression) (value, error) {
	if err := e.spend(1); err != nil {
		return nil, e.fault(at(x.place()), err)
	}
	switch x := x.(type) {
	case literal:
		return x.value, nil
	case *reference:
		return e.reference(x)
	case interpolated:
		return e.interpolate(x)
	case listLiteral:
		items, err := e.values(x.items)
		return &list{items: items}, err
	case mapLiteral:
		return e.mapping(x)
	case rangeLiteral:
		return e.rangeOf(x)
	case binary:
		return e.binary(x)
	}
	return e.truth(x)
}

func (e *execution) values(list []expression) ([]value, error) {
	values := make([]value, len(list))
	for i, x := range list {
		var err error
		if values[i], err = e.value(x); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// interpolate writes a text in double quotes. #break and #stop within it end
// only the text.
func (e *execution) interpolate(x interpolated) (value, error) {
	before := e.out
	e.out = nil
	err := e.run(x.body)
	written := string(e.out)
	e.out = before
	return written, e.fault(x.at, err)
}

func (e *execution) mapping(x mapLiteral) (value, error) {
	d := newDict(len(x.keys))
	for i := range x.keys {
		key, err := e.value(x.keys[i])
		if err != nil {
			return nil, err
		}
		name, err := e.textOf(key)
		if err != nil {
			return nil, err
		}
		v, err := e.value(x.values[i])
		if err != nil {
			return nil, err
		}
		d.set(name, v)
	}
	return d, nil
}

// rangeOf makes the list of a range, which may run down; without two numbers
// there is none.
func (e *execution) rangeOf(x rangeLiteral) (value, error) {
	ends, err := e.values([]expression{x.from, x.to})
	if err != nil {
		return nil, err
	}
	first, ok := ends[0].(number)
	last, ok2 := ends[1].(number)
	if !ok || !ok2 {
		return nil, nil
	}
	from, to, step := first.asInt(), last.asInt(), 1
	if from > to {
		step = -1
	}
	size := (to-from)*step + 1
	if err := e.spend(size); err != nil {
		return nil, e.fault(x.at, err)
	}
	l := &list{items: make([]value, size)}
	for i := range l.items {
		l.items[i] = intOf(int64(from + i*step))
	}
	return l, nil
}

// truth evaluates a condition. As in Velocity 1.7 a reference holds unless it
// is false, the empty text included; a literal holds only if it is true.
func (e *execution) truth(x expression) (bool, error) {
	if err := e.spend(1); err != nil {
		return false, err
	}
	switch x := x.(type) {
	case *reference:
		v, err := e.reference(x)
		b, isBool := v.(bool)
		return v != nil && (!isBool || b), err
	case literal:
		return x.value == true, nil
	case notExpression:
		holds, err := e.truth(x.operand)
		return !holds, err
	case binary:
		return e.test(x)
	}
	_, err := e.value(x)
	return false, err
}

// test is the truth of a comparison or of && and ||.
func (e *execution) test(x binary) (bool, error) {
	switch x.operator {
	case "&&", "||":
		holds, err := e.truth(x.left)
		if err != nil || holds == (x.operator == "||") {
			return holds, err
		}
		return e.truth(x.right)
	case "+", "-", "*", "/", "%":
		_, err := e.binary(x)
		return false, err
	}
	left, err := e.value(x.left)
	if err != nil {
		return false, err
	}
	right, err := e.value(x.right)
	if err != nil {
		return false, err
	}
	switch x.operator {
	case "==":
		return e.equal(left, right, 0)
	case "!=":
		same, err := e.equal(left, right, 0)
		return !same, err
	}
	return ordered(x.operator, left, right), nil
}

// ordered compares two numbers; in Velocity nothing else has an order.
func ordered(operator string, left, right value) bool {
	a, ok := left.(number)
	b, ok2 := right.(number)
	if !ok || !ok2 {
		return false
	}
	order, comparable := compareNumbers(a, b)
	switch operator {
	case "<":
		return comparable && order < 0
	case "<=":
		return comparable && order <= 0
	case ">":
		return comparable && order > 0
	}
	return comparable && order >= 0
}

// binary calculates, or tests. A sum with a text is a text; any other
// calculation without two numbers has no result.
func (e *execution) binary(x binary) (value, error) {
	switch x.operator {
	case "+", "-", "*", "/", "%":
	default:
		return e.test(x)
	}
	left, err := e.value(x.left)
	if err != nil {
		return nil, err
	}
	right, err := e.value(x.right)
	if err != nil {
		return nil, err
	}
	a, ok := left.(number)
	b, ok2 := right.(number)
	if ok && ok2 {
		return calculate(x.operator, a, b), e.spend(1 + (bits(a)+bits(b))/textPerStep)
	}
	if x.operator == "+" && (isText(left) || isText(right)) {
		joined, err := e.join(left, right)
		return joined, e.fault(x.at, err)
	}
	return nil, nil
}

// bits is what calculating with a number costs.
func bits(n number) int {
	if n.kind == huge {
		return n.huge.BitLen()
	}
	return 0
}

func isText(v value) bool {
	_, ok := v.(string)
	return ok
}

func (e *execution) join(left, right value) (value, error) {
	a, err := e.textOf(left)
	if err != nil {
		return nil, err
	}
	b, err := e.textOf(right)
	if err != nil {
		return nil, err
	}
	if err := e.checkText(len(a) + len(b)); err != nil {
		return nil, err
	}
	return a + b, e.spend((len(a) + len(b)) / textPerStep)
}

// reference is what a reference leads to. In API Gateway, unlike in plain
// Velocity, one that leads nowhere is the empty text: it writes nothing, it
// equals "", and it holds in #if. (Recorded from AWS in the snapshots of
// localstack's test_input_path_template_formatting, where a missing path is
// written as nothing and equals both $null and "". That it holds in #if is
// reported in github:dherault/serverless-offline#50.)
func (e *execution) reference(r *reference) (value, error) {
	v, err := e.follow(r.name, r.parts)
	if v == nil && err == nil {
		return "", nil
	}
	return v, e.fault(r.at, err)
}

// follow leads from a variable through its parts; nil where it leads nowhere.
func (e *execution) follow(name string, parts []part) (value, error) {
	v, err := e.variable(name)
	for i := 0; i < len(parts) && v != nil && err == nil; i++ {
		if err = e.spend(1); err == nil {
			v, err = e.part(v, parts[i])
		}
		err = e.fault(parts[i].at, err)
	}
	return v, err
}

func (e *execution) part(v value, p part) (value, error) {
	switch p.kind {
	case property:
		return e.property(v, p.name)
	case call:
		if in, ok := v.(*inputObject); ok && p.path != nil {
			return in.at(p.name, p.path)
		}
		arguments, err := e.values(p.arguments)
		if err != nil {
			return nil, err
		}
		return e.call(v, p.name, arguments)
	}
	i, err := e.value(p.arguments[0])
	if err != nil {
		return nil, err
	}
	return e.index(v, i)
}

// index is what v[i] leads to: an element, from the end if i is negative, or a
// member.
func (e *execution) index(v, i value) (value, error) {
	switch v := v.(type) {
	case *list:
		n, ok := i.(number)
		if !ok {
			return nil, nil
		}
		place, err := v.place(n.asInt())
		if err != nil {
			return nil, err
		}
		return v.items[place], nil
	case *dict:
		name, err := e.textOf(i)
		if err != nil {
			return nil, err
		}
		return v.values[name], nil
	}
	return nil, nil
}

// place checks an index, which counts from the end when it is negative.
func (l *list) place(i int) (int, error) {
	place := i
	if place < 0 {
		place += len(l.items)
	}
	if place < 0 || place >= len(l.items) {
		return 0, fmt.Errorf("the list has %d elements and no index %d; ask its size() first", len(l.items), i)
	}
	return place, nil
}

// property is what .name leads to, without a call.
func (e *execution) property(v value, name string) (value, error) {
	if name == "class" {
		return classOf(v), nil
	}
	switch v := v.(type) {
	case *dict:
		return v.values[name], nil
	case *entry:
		switch name {
		case "key":
			return v.key, nil
		case "value":
			return v.value, nil
		}
	case *loop:
		return v.property(name), nil
	case *inputObject:
		if name == "body" {
			return v.body(), nil
		}
	case *list, string:
		if name == "empty" {
			return e.call(v, "isEmpty", nil)
		}
	}
	return nil, nil
}

// classOf is $x.class of a scalar, whose name templates ask for to tell texts
// from numbers: $x.class.name. A map's member of that name comes first.
func classOf(v value) value {
	name := ""
	switch v := v.(type) {
	case *dict:
		return v.values["class"]
	case string:
		name = "java.lang.String"
	case bool:
		name = "java.lang.Boolean"
	case number:
		switch {
		case v.kind == double:
			name = "java.lang.Double"
		case v.kind == huge:
			name = "java.math.BigInteger"
		case v.whole != int64(int32(v.whole)):
			name = "java.lang.Long"
		default:
			name = "java.lang.Integer"
		}
	default:
		return nil
	}
	d := newDict(2)
	d.set("name", name)
	d.set("simpleName", name[strings.LastIndexByte(name, '.')+1:])
	return d
}

func (l *loop) property(name string) value {
	switch name {
	case "index":
		return intOf(int64(l.index))
	case "count":
		return intOf(int64(l.index + 1))
	case "hasNext":
		return l.index+1 < l.count
	case "first":
		return l.index == 0
	case "last":
		return l.index+1 == l.count
	case "parent":
		return l.parent
	}
	return nil
}
