package expression

import (
	"slices"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

var (
	errNoAttribute = errorf("The provided expression refers to an attribute that does not exist in the item")
	errOperandType = errorf("An operand in the update expression has an incorrect data type")
	errPath        = errorf("The document path provided in the update expression is invalid for update")
)

// Apply returns the item as the update leaves it; item itself stays as it is.
// All operands are read from item before anything changes. The errors are
// *Error and *attribute.ValueError.
func (u *Update) Apply(item attribute.Map) (attribute.Map, error) {
	operands := make([]attribute.Value, len(u.actions))
	for i, a := range u.actions {
		if a.operand == nil {
			continue
		}
		v, err := a.operand.evaluate(item)
		if err != nil {
			return nil, err
		}
		operands[i] = v
	}
	e := editor{before: item, mismatch: u.mismatch}
	var out attribute.Value = item.Clone()
	for i, a := range u.actions {
		var err error
		if out, err = e.apply(out, a, operands[i]); err != nil {
			return nil, err
		}
	}
	if e.removed {
		out = compact(out)
	}
	return out.(attribute.Map), nil
}

// evaluate is the value of an operand of an update; it is never nil without an
// error.
func (n *node) evaluate(item attribute.Map) (attribute.Value, error) {
	switch n.op {
	case opPath:
		if v := n.path.lookup(item); v != nil {
			return v, nil
		}
		return nil, errNoAttribute
	case opValue:
		return n.value, nil
	case opIfNotExists:
		if v := n.args[0].path.lookup(item); v != nil {
			return v, nil
		}
		return n.args[1].evaluate(item)
	}
	a, err := n.args[0].evaluate(item)
	if err != nil {
		return nil, err
	}
	b, err := n.args[1].evaluate(item)
	if err != nil {
		return nil, err
	}
	return n.combine(a, b)
}

// combine is list_append, + and -.
func (n *node) combine(a, b attribute.Value) (attribute.Value, error) {
	if n.op == opListAppend {
		x, isList := a.(attribute.List)
		y, areLists := b.(attribute.List)
		if !isList || !areLists {
			return nil, errOperandType
		}
		return slices.Concat(x, y), nil
	}
	x, isNumber := a.(attribute.Number)
	y, areNumbers := b.(attribute.Number)
	if !isNumber || !areNumbers {
		return nil, errOperandType
	}
	if n.op == opMinus {
		return number(x.Sub(y))
	}
	return number(x.Add(y))
}

// number keeps an error's zero number out of a Value.
func number(n attribute.Number, err error) (attribute.Value, error) {
	if err != nil {
		return nil, err
	}
	return n, nil
}

// editor changes a copy of an item.
type editor struct {
	// before is the item as it was: paths must lead somewhere in it.
	before attribute.Map
	// removed is true once an element of a list was replaced by nil. Such
	// holes stay until all is done, so that indexes mean what they meant.
	removed bool
	// mismatch is Update.mismatch.
	mismatch error
}

func (e *editor) apply(out attribute.Value, a action, operand attribute.Value) (attribute.Value, error) {
	path := a.target.path
	last := path[len(path)-1]
	switch path[:len(path)-1].lookup(e.before).(type) {
	case attribute.Map:
		if last.IsIndex {
			return nil, errPath
		}
	case attribute.List:
		if !last.IsIndex {
			return nil, errPath
		}
	default:
		return nil, errPath
	}
	return e.edit(out, path, func(old attribute.Value) (attribute.Value, error) { return e.change(a.clause, old, operand) })
}

// change is the new value of an attribute; nil removes it.
func (e *editor) change(c clause, old, operand attribute.Value) (attribute.Value, error) {
	switch c {
	case clauseAdd:
		return e.add(old, operand)
	case clauseDelete:
		return e.subtract(old, operand)
	}
	return operand, nil // nil for clauseRemove
}

// add adds numbers, unites sets, and joins lists, which only the older form of
// updates can ask for.
func (e *editor) add(old, operand attribute.Value) (attribute.Value, error) {
	if old == nil {
		return operand, nil
	}
	x, isNumber := old.(attribute.Number)
	y, areNumbers := operand.(attribute.Number)
	if isNumber && areNumbers {
		return number(x.Add(y))
	}
	list, isList := old.(attribute.List)
	tail, areLists := operand.(attribute.List)
	if isList && areLists {
		return slices.Concat(list, tail), nil
	}
	set, ok := attribute.Union(old, operand)
	if !ok {
		return nil, e.mismatch
	}
	return set, nil
}

func (e *editor) subtract(old, operand attribute.Value) (attribute.Value, error) {
	if old == nil {
		return nil, nil
	}
	set, ok := attribute.Difference(old, operand)
	if !ok {
		return nil, e.mismatch
	}
	return set, nil
}

// edit changes what the path leads to inside v, and returns v.
func (e *editor) edit(v attribute.Value, path Path, change func(attribute.Value) (attribute.Value, error)) (attribute.Value, error) {
	if len(path) == 0 {
		return change(v)
	}
	child, err := e.edit(path[0].of(v), path[1:], change)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case attribute.Map:
		return setField(v, path[0].Name, child), nil
	case attribute.List:
		return e.setElement(v, path[0].Index, child), nil
	}
	return nil, errPath
}

func setField(m attribute.Map, name string, v attribute.Value) attribute.Value {
	if v == nil {
		m.Delete(name)
	} else {
		m.Set(name, v)
	}
	return m
}

func (e *editor) setElement(list attribute.List, i int, v attribute.Value) attribute.Value {
	switch {
	case i < len(list):
		e.removed = e.removed || v == nil
		list[i] = v
	case v != nil:
		list = append(list, v)
	}
	return list
}

// compact closes the holes in all lists.
func compact(v attribute.Value) attribute.Value {
	switch v := v.(type) {
	case attribute.Map:
		for i := range v {
			v[i].Value = compact(v[i].Value)
		}
		return v
	case attribute.List:
		v = slices.DeleteFunc(v, func(member attribute.Value) bool { return member == nil })
		for i := range v {
			v[i] = compact(v[i])
		}
		return v
	}
	return v
}
