package expression

import (
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// KeyOperator is what a key condition demands of an attribute.
type KeyOperator string

// The operators of key conditions.
const (
	KeyEqual        KeyOperator = "="
	KeyLess         KeyOperator = "<"
	KeyLessEqual    KeyOperator = "<="
	KeyGreater      KeyOperator = ">"
	KeyGreaterEqual KeyOperator = ">="
	KeyBetween      KeyOperator = "BETWEEN"
	KeyBeginsWith   KeyOperator = "begins_with"
)

// KeyTerm is one condition on one key attribute.
type KeyTerm struct {
	Attribute string
	Operator  KeyOperator
	// Values holds one value, two for KeyBetween.
	Values []attribute.Value
}

// ParseKeyCondition parses a KeyConditionExpression. The function that it
// returns makes the one or two terms of it, each on another attribute: AWS
// refuses what is no key condition only once it has parsed the other
// expressions of a request. The errors are *Error.
func ParseKeyCondition(source string, b *Bindings) (terms func() ([]KeyTerm, error), err error) {
	root, err := parseCondition(source, b)
	if err != nil {
		return nil, errorf("Invalid KeyConditionExpression: %v", err)
	}
	return root.terms, nil
}

func (n *node) terms() ([]KeyTerm, error) {
	var terms []KeyTerm
	if err := collectTerms(n, &terms); err != nil {
		return nil, err
	}
	if len(terms) > 2 {
		return nil, errorf("Conditions can be of length 1 or 2 only")
	}
	return terms, nil
}

func collectTerms(n *node, terms *[]KeyTerm) error {
	if n.op == opAnd {
		if err := collectTerms(n.args[0], terms); err != nil {
			return err
		}
		return collectTerms(n.args[1], terms)
	}
	term, err := keyTerm(n)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(*terms, func(t KeyTerm) bool { return t.Attribute == term.Attribute }) {
		return errorf("KeyConditionExpressions must only contain one condition per key")
	}
	*terms = append(*terms, term)
	return nil
}

// turned is the comparator for a comparison with its sides exchanged.
var turned = map[op]op{opEqual: opEqual, opLess: opGreater, opLessEqual: opGreaterEqual, opGreater: opLess, opGreaterEqual: opLessEqual}

func keyTerm(n *node) (KeyTerm, error) {
	if err := checkKeyOperator(n); err != nil {
		return KeyTerm{}, err
	}
	args, operator := n.args, n.op
	if args[0].op != opPath && args[1].op == opPath {
		args, operator = []*node{args[1], args[0]}, turned[operator]
	}
	if args[0].op != opPath {
		return KeyTerm{}, errorf("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	term := KeyTerm{Attribute: args[0].path[0].Name, Operator: keyOperators[operator]}
	for _, arg := range args[1:] {
		term.Values = append(term.Values, arg.value)
	}
	return term, nil
}

var keyOperators = map[op]KeyOperator{
	opEqual: KeyEqual, opLess: KeyLess, opLessEqual: KeyLessEqual, opGreater: KeyGreater, opGreaterEqual: KeyGreaterEqual,
	opBetween: KeyBetween, opBeginsWith: KeyBeginsWith,
}

// checkKeyOperator refuses what a key condition must not contain.
func checkKeyOperator(n *node) error {
	if _, ok := keyOperators[n.op]; !ok {
		name := n.name
		if !n.isFunction() {
			name = strings.ToUpper(name)
		}
		return errorf("Invalid operator used in KeyConditionExpression: %s", name)
	}
	if (n.op == opBetween || n.op == opBeginsWith) && n.args[0].op != opPath {
		return errorf("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", n.name)
	}
	paths := 0
	for _, arg := range n.args {
		if arg.isFunction() {
			return errorf("KeyConditionExpressions cannot contain nested operations")
		}
		if arg.op != opPath {
			continue
		}
		if paths++; paths > 1 {
			return errorf("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		}
		if len(arg.path) > 1 {
			return errorf("KeyConditionExpressions cannot have conditions on nested attributes")
		}
	}
	return nil
}
