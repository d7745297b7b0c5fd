// Package expression owns DynamoDB's expressions: it parses condition, filter,
// key condition, projection and update expressions into one kind of tree,
// checks them with AWS's messages, and applies them to items.
package expression

import (
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Limits of DynamoDB on one expression.
const (
	// MaxLength is in bytes.
	MaxLength = 4096
	// MaxOperators bounds operators and functions.
	MaxOperators = 300
	// MaxOperands bounds the list behind IN.
	MaxOperands = 100
)

// op is what a node of the tree does.
type op byte

const (
	opPath  op = iota // a document path
	opValue           // an expression attribute value
	opAnd
	opOr
	opNot
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opBetween
	opIn
	opPlus
	opMinus
	opAttributeExists
	opAttributeNotExists
	opAttributeType
	opBeginsWith
	opContains
	opSize
	opIfNotExists
	opListAppend
	opUnknown // a function with a name that is no function's
)

// node is an operator or operand with its arguments.
type node struct {
	op   op
	args []*node
	// name is how the source writes the operator, function or placeholder.
	name string
	// path is the path of an opPath, resolved once the tree is checked.
	path Path
	// value is the value of an opValue, likewise.
	value attribute.Value
	// grouped is true when parentheses stand around the node.
	grouped bool
}

// function describes a function: how many arguments it takes.
type function struct {
	op    op
	arity int
}

var conditionFunctions = map[string]function{
	"attribute_exists":     {opAttributeExists, 1},
	"attribute_not_exists": {opAttributeNotExists, 1},
	"attribute_type":       {opAttributeType, 2},
	"begins_with":          {opBeginsWith, 2},
	"contains":             {opContains, 2},
	"size":                 {opSize, 1},
}

var updateFunctions = map[string]function{
	"if_not_exists": {opIfNotExists, 2},
	"list_append":   {opListAppend, 2},
}

// isFunction is true for what is written name(arguments). Whether a function
// stands where it may is found after parsing, as on AWS.
func (n *node) isFunction() bool { return n.op >= opAttributeExists }

// isOperand is true for what a comparator or function may work on.
func (n *node) isOperand() bool { return n.op == opPath || n.op == opValue || n.isFunction() }

// isCondition is true for what AND, OR and NOT may work on.
func (n *node) isCondition() bool { return n.op >= opAnd && n.op <= opIn || n.isFunction() }

func (n *node) isArithmetic() bool { return n.op == opPlus || n.op == opMinus }

// typ is the type that a node has whatever the item holds, or "".
func (n *node) typ() attribute.Type {
	switch n.op {
	case opValue:
		if n.value != nil {
			return n.value.Type()
		}
	case opSize, opPlus, opMinus:
		return attribute.N
	case opListAppend:
		return attribute.L
	case opIfNotExists:
		if len(n.args) == 2 {
			return n.args[1].typ()
		}
	case opAttributeExists, opAttributeNotExists, opAttributeType, opBeginsWith, opContains:
		return attribute.BOOL
	}
	return ""
}

// each calls visit for the node and all below it, in the order of the source
// where operators stand between or before their arguments.
func (n *node) each(visit func(*node)) {
	visit(n)
	for _, arg := range n.args {
		arg.each(visit)
	}
}
