package expression

import "github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"

// Before expressions, DynamoDB's calls had conditions and updates as maps.
// They become the same trees here.

// Comparison is a condition on one attribute in that older form.
type Comparison struct {
	Attribute string
	// Operator is EQ, NE, LE, LT, GE, GT, NOT_NULL, NULL, CONTAINS,
	// NOT_CONTAINS, BEGINS_WITH, IN or BETWEEN.
	Operator string
	Values   []attribute.Value
}

var comparisonOps = map[string]op{
	"EQ": opEqual, "NE": opNotEqual, "LE": opLessEqual, "LT": opLess, "GE": opGreaterEqual, "GT": opGreater,
	"NOT_NULL": opAttributeExists, "NULL": opAttributeNotExists, "CONTAINS": opContains, "NOT_CONTAINS": opContains,
	"BEGINS_WITH": opBeginsWith, "IN": opIn, "BETWEEN": opBetween,
}

// CompareAll returns the condition that all comparisons hold, or with either
// that one of them does; nil when there are none. Their operators must have
// been checked, and the numbers of their values.
func CompareAll(comparisons []Comparison, either bool) *Condition {
	join := opAnd
	if either {
		join = opOr
	}
	var root *node
	for _, c := range comparisons {
		n := c.node()
		if root != nil {
			n = &node{op: join, args: []*node{root, n}}
		}
		root = n
	}
	if root == nil {
		return nil
	}
	return &Condition{root}
}

func (c Comparison) node() *node {
	n := &node{op: comparisonOps[c.Operator], args: []*node{nameNode(c.Attribute)}}
	for _, v := range c.Values {
		n.args = append(n.args, &node{op: opValue, value: v})
	}
	if c.Operator == "NOT_CONTAINS" {
		return &node{op: opNot, args: []*node{n}}
	}
	return n
}

func nameNode(name string) *node { return &node{op: opPath, path: Path{{Name: name}}} }

// KeyTerm returns the comparison as a term of a key condition. Its Operator is
// empty when no key condition can have it.
func (c Comparison) KeyTerm() KeyTerm {
	return KeyTerm{c.Attribute, keyOperators[comparisonOps[c.Operator]], c.Values}
}

// Change is an update of one attribute in the older form.
type Change struct {
	Attribute string
	// Action is PUT, ADD or DELETE; Value is nil for a DELETE of all.
	Action string
	Value  attribute.Value
}

// ChangeAll returns the update that makes all changes.
func ChangeAll(changes []Change) *Update {
	u := &Update{mismatch: errorf("Type mismatch for attribute to update")}
	for _, c := range changes {
		a := action{target: nameNode(c.Attribute), operand: &node{op: opValue, value: c.Value}}
		switch {
		case c.Action == "ADD":
			a.clause = clauseAdd
		case c.Action != "DELETE":
			a.clause = clauseSet
		case c.Value != nil:
			a.clause = clauseDelete
		default:
			a.clause, a.operand = clauseRemove, nil
		}
		u.actions = append(u.actions, a)
		u.paths = append(u.paths, a.target.path)
	}
	return u
}
