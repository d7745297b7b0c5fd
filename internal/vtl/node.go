package vtl

import "github.com/gatepost-dev/gatepost/internal/jsonpath"

// The tree of a template. Every node that can fail knows where it stands, as
// an offset in the source.

// block is a sequence of nodes.
type block []node

// node is a part of a template that writes to the output.
type node interface{}

type (
	// text is written as it stands.
	text struct {
		at
		content string
	}

	// setNode is #set($target = value).
	setNode struct {
		at
		target *reference
		value  expression
	}

	// ifNode is #if, its #elseif branches and its #else.
	ifNode struct {
		branches  []branch
		otherwise block
	}

	// foreachNode is #foreach($name in list).
	foreachNode struct {
		at
		name string
		list expression
		body block
	}

	breakNode struct{}
	stopNode  struct{}
)

// branch is one condition of an #if and what it guards.
type branch struct {
	condition expression
	body      block
}

// expression is a part of a template that has a value.
type expression interface{ place() int }

// at is where an expression stands in the source.
type at int

func (a at) place() int { return int(a) }

type (
	// reference is $name and the members, calls and indexes after it.
	reference struct {
		at
		name  string
		parts []part
		// source is the reference as it was written.
		source string
		// quiet is $!name, which writes nothing when the name is unknown.
		quiet bool
	}

	// literal is a text without references, a number, true or false.
	literal struct {
		at
		value value
	}

	// interpolated is a text in double quotes with references or directives.
	interpolated struct {
		at
		body block
	}

	// listLiteral is [a, b].
	listLiteral struct {
		at
		items []expression
	}

	// mapLiteral is {"k": v}.
	mapLiteral struct {
		at
		keys, values []expression
	}

	// rangeLiteral is [from..to].
	rangeLiteral struct {
		at
		from, to expression
	}

	// notExpression is !x.
	notExpression struct {
		at
		operand expression
	}

	// binary is left operator right; operators are written as symbols.
	binary struct {
		at
		operator    string
		left, right expression
	}
)

// part is a step of a reference: .name, .name(arguments) or [index].
type part struct {
	at        at
	kind      partKind
	name      string
	arguments []expression
	// path is the argument of $input.path and $input.json, where the template
	// says it.
	path *jsonpath.Path
}

type partKind uint8

const (
	property partKind = iota
	call
	index
)
