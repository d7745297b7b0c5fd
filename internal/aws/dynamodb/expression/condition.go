package expression

import (
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// The names of the kinds of conditions, as requests and errors have them.
const (
	ConditionExpression = "ConditionExpression"
	FilterExpression    = "FilterExpression"
)

// Condition is a parsed condition or filter expression. A nil Condition holds
// for every item. It may be used by several goroutines at once.
type Condition struct{ root *node }

// ParseCondition parses a condition; kind is its name in errors. The error is
// an *Error.
func ParseCondition(kind, source string, b *Bindings) (*Condition, error) {
	root, err := parseCondition(source, b)
	if err != nil {
		return nil, errorf("Invalid %s: %v", kind, err)
	}
	return &Condition{root}, nil
}

func parseCondition(source string, b *Bindings) (*node, error) {
	p := newParser(source, conditionGrammar)
	root := p.condition(p.expression(powerLowest))
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	if p.redundant {
		return nil, errorf("The expression has redundant parentheses;")
	}
	for _, check := range []func(*node) error{checkFunctionName, checkUse, checkReserved} {
		if err := root.firstError(check); err != nil {
			return nil, err
		}
	}
	if root.op == opSize {
		return nil, misused(root)
	}
	if err := checkOperatorCount(p); err != nil {
		return nil, err
	}
	return root, checkConditions(root, b)
}

// Matches reports whether the condition holds for the item; an item that does
// not exist is a nil Map.
func (c *Condition) Matches(item attribute.Map) bool {
	return c == nil || c.root.holds(item)
}

// Paths returns the document paths that the condition names.
func (c *Condition) Paths() []Path {
	var paths []Path
	if c == nil {
		return nil
	}
	c.root.each(func(n *node) {
		if n.op == opPath {
			paths = append(paths, n.path)
		}
	})
	return paths
}

// holds is the truth of a condition for an item.
func (n *node) holds(item attribute.Map) bool {
	switch n.op {
	case opAnd:
		return n.args[0].holds(item) && n.args[1].holds(item)
	case opOr:
		return n.args[0].holds(item) || n.args[1].holds(item)
	case opNot:
		return !n.args[0].holds(item)
	}
	v := n.args[0].operand(item)
	switch n.op {
	case opAttributeExists:
		return v != nil
	case opAttributeNotExists:
		return v == nil
	case opIn:
		return n.holdsIn(v, item)
	case opBetween:
		return ordered(n.args[1].operand(item), v, opLessEqual) && ordered(v, n.args[2].operand(item), opLessEqual)
	}
	return n.holdsPair(v, n.args[1].operand(item))
}

// holdsPair is the truth of an operator of two operands, either of which may
// be absent.
func (n *node) holdsPair(a, b attribute.Value) bool {
	switch n.op {
	case opEqual:
		return attribute.Equal(a, b)
	case opNotEqual:
		return !attribute.Equal(a, b)
	case opBeginsWith:
		return attribute.HasPrefix(a, b)
	case opContains:
		return attribute.Contains(a, b)
	case opAttributeType:
		name, _ := b.(attribute.String)
		return a != nil && a.Type() == attribute.Type(name)
	}
	return ordered(a, b, n.op)
}

func (n *node) holdsIn(v attribute.Value, item attribute.Map) bool {
	for _, arg := range n.args[1:] {
		if attribute.Equal(v, arg.operand(item)) {
			return true
		}
	}
	return false
}

// ordered compares two scalars of one type; it is false for all others.
func ordered(a, b attribute.Value, o op) bool {
	order, ok := attribute.Compare(a, b)
	switch o {
	case opLess:
		return ok && order < 0
	case opLessEqual:
		return ok && order <= 0
	case opGreater:
		return ok && order > 0
	}
	return ok && order >= 0
}

// operand is the value of an operand for an item, or nil when there is none.
func (n *node) operand(item attribute.Map) attribute.Value {
	switch n.op {
	case opPath:
		return n.path.lookup(item)
	case opValue:
		return n.value
	case opSize:
		if size := sizeOf(n.args[0].operand(item)); size >= 0 {
			return attribute.NumberOf(int64(size))
		}
	}
	return nil
}

// sizeOf is the function size: characters of a string, bytes of a binary,
// members of a collection; -1 for what has no size.
func sizeOf(v attribute.Value) int {
	switch v := v.(type) {
	case attribute.String:
		return utf8.RuneCountInString(string(v))
	case attribute.Binary:
		return len(v)
	case attribute.Map:
		return len(v)
	case attribute.List:
		return len(v)
	case attribute.StringSet:
		return len(v)
	case attribute.NumberSet:
		return len(v)
	case attribute.BinarySet:
		return len(v)
	}
	return -1
}
