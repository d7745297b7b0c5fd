package expression

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// The checks of a parsed expression run one after the other over the whole
// tree, in the order in which AWS reports their errors.

func checkOperatorCount(p *parser) error {
	if p.operators > MaxOperators {
		return errorf("The expression contains too many operators; operator count: %d", p.operators)
	}
	return nil
}

// firstError returns the first error that check finds in the tree.
func (n *node) firstError(check func(*node) error) error {
	var first error
	n.each(func(n *node) {
		if first == nil {
			first = check(n)
		}
	})
	return first
}

func checkFunctionName(n *node) error {
	if n.op == opUnknown {
		return errorf("Invalid function name; function: %s", n.name)
	}
	return nil
}

func checkReserved(n *node) error {
	for _, step := range n.path {
		if !step.IsIndex && isReserved(step.Name) {
			return errorf("Attribute name is a reserved keyword; reserved keyword: %s", step.Name)
		}
	}
	return nil
}

// bindNames and bindValues put names and values in the place of placeholders.
func bindNames(b *Bindings) func(*node) error {
	return func(n *node) error { return b.resolve(n.path) }
}

func bindValues(b *Bindings) func(*node) error {
	return func(n *node) (err error) {
		if n.op == opValue {
			n.value, err = b.value(n.name)
		}
		return err
	}
}

// bindBoth binds in the order of the source.
func bindBoth(b *Bindings) func(*node) error {
	names, values := bindNames(b), bindValues(b)
	return func(n *node) error {
		if err := names(n); err != nil {
			return err
		}
		return values(n)
	}
}

func checkArity(functions map[string]function) func(*node) error {
	return func(n *node) error {
		if n.isFunction() && len(n.args) != functions[n.name].arity {
			return errorf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args))
		}
		return nil
	}
}

// checkUse refuses a function of a truth value where an operand is needed, and
// size where a truth value is.
func checkUse(n *node) error {
	for _, arg := range n.args {
		logical := n.op == opAnd || n.op == opOr || n.op == opNot
		if arg.isFunction() && (arg.op == opSize) == logical {
			return misused(arg)
		}
	}
	return nil
}

func misused(n *node) error {
	return errorf("The function is not allowed to be used this way in an expression; function: %s", n.name)
}

// checkConditions binds and checks each comparison by itself: all errors of
// one come before those of the next.
func checkConditions(n *node, b *Bindings) error {
	if n.op == opAnd || n.op == opOr || n.op == opNot {
		for _, arg := range n.args {
			if err := checkConditions(arg, b); err != nil {
				return err
			}
		}
		return nil
	}
	for _, check := range []func(*node) error{bindBoth(b), checkArity(conditionFunctions), checkDistinct} {
		if err := n.firstError(check); err != nil {
			return err
		}
	}
	return checkTypes(n)
}

// checkTypes checks arguments before what they are arguments of.
func checkTypes(n *node) error {
	for _, arg := range n.args {
		if err := checkTypes(arg); err != nil {
			return err
		}
	}
	return checkType(n)
}

// checkDistinct refuses to compare a path with itself.
func checkDistinct(n *node) error {
	if len(n.args) != 2 || n.args[0].op != opPath || n.args[1].op != opPath {
		return nil
	}
	if p := n.args[0].path; slices.Equal(p, n.args[1].path) {
		return errorf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", n.name, p)
	}
	return nil
}

func checkType(n *node) error {
	switch n.op {
	case opAttributeExists, opAttributeNotExists:
		if n.args[0].op != opPath {
			return errorf("Operator or function requires a document path; operator or function: %s", n.name)
		}
	case opBeginsWith:
		return checkArguments(n, attribute.S, attribute.B)
	case opAttributeType:
		return checkTypeName(n)
	case opSize:
		return checkArguments(n, attribute.S, attribute.B, attribute.SS, attribute.NS, attribute.BS, attribute.L, attribute.M)
	case opLess, opLessEqual, opGreater, opGreaterEqual:
		return checkArguments(n, attribute.S, attribute.N, attribute.B)
	case opBetween:
		return checkBounds(n.args[1], n.args[2])
	case opIn:
		if len(n.args)-1 > MaxOperands {
			return errorf("The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1)
		}
	}
	return nil
}

// checkArguments refuses arguments whose type is known and not among allowed.
func checkArguments(n *node, allowed ...attribute.Type) error {
	for _, arg := range n.args {
		if t := arg.typ(); t != "" && !slices.Contains(allowed, t) {
			return wrongType(n, string(t))
		}
	}
	return nil
}

func wrongType(n *node, t string) error {
	return errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.name, t)
}

func checkTypeName(n *node) error {
	name, ok := n.args[1].value.(attribute.String)
	if !ok {
		t := string(n.args[1].typ())
		if t == "" {
			t = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
		}
		return wrongType(n, t)
	}
	switch attribute.Type(name) {
	case attribute.S, attribute.N, attribute.B, attribute.BOOL, attribute.NULL,
		attribute.M, attribute.L, attribute.SS, attribute.NS, attribute.BS:
		return nil
	}
	return errorf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", string(name))
}

// checkBounds compares the bounds of BETWEEN where both are given as values.
func checkBounds(low, high *node) error {
	if low.value == nil || high.value == nil {
		return nil
	}
	operands := fmt.Sprintf("lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", describe(low.value), describe(high.value))
	if low.value.Type() != high.value.Type() {
		return errorf("The BETWEEN operator requires same data type for lower and upper bounds; %s", operands)
	}
	if order, ok := attribute.Compare(low.value, high.value); ok && order > 0 {
		return errorf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; %s", operands)
	}
	return nil
}

// describe writes a value as AWS's messages do: {S:text}.
func describe(v attribute.Value) string {
	text := strings.TrimSuffix(strings.TrimPrefix(string(attribute.AppendJSON(nil, v)), "{"), "}")
	switch v := v.(type) {
	case attribute.String:
		text = "S:" + string(v)
	case attribute.Number:
		text = "N:" + v.String()
	case attribute.Binary:
		text = "B:" + base64.StdEncoding.EncodeToString([]byte(v))
	}
	return "{" + text + "}"
}
