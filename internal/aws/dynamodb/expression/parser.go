package expression

import (
	"slices"
	"strconv"
	"strings"
)

// power is how tightly an operator binds its operands.
type power int

const (
	powerLowest power = iota
	powerOr
	powerAnd
	powerNot
	powerCompare
	powerSum
	powerOperand // only what needs no operator
)

// parser builds trees by the powers of the operators (Pratt's method). After
// the first error it stands still: every method returns quickly and err stays.
type parser struct {
	grammar
	source string
	tokens []token
	at     int
	// redundant is true once doubled parentheses were seen.
	redundant bool
	operators int
	err       error
}

// grammar is what sets one kind of expression apart from another.
type grammar struct {
	functions map[string]function
	keywords  []string
	// arithmetic admits + and -.
	arithmetic bool
}

var (
	conditionGrammar = grammar{functions: conditionFunctions, keywords: []string{"AND", "OR", "NOT", "BETWEEN", "IN"}}
	updateGrammar    = grammar{functions: updateFunctions, keywords: []string{"SET", "REMOVE", "ADD", "DELETE"}, arithmetic: true}
	projectGrammar   = grammar{}
)

// longestKeyword is the length of BETWEEN.
const longestKeyword = 7

// reserves reports whether text is a keyword of the grammar, in any case.
func (g *grammar) reserves(text string) bool {
	return len(text) <= longestKeyword && slices.ContainsFunc(g.keywords, func(k string) bool { return strings.EqualFold(k, text) })
}

func newParser(source string, g grammar) *parser {
	p := &parser{grammar: g, source: source}
	switch {
	case source == "":
		p.err = errorf("The expression can not be empty;")
	case len(source) > MaxLength:
		p.err = errorf("Expression size has exceeded the maximum allowed size; expression size: %d", len(source))
	default:
		p.tokens = lex(source)
		return p
	}
	p.tokens = []token{{kind: tokenEnd}}
	return p
}

func (p *parser) token() token { return p.tokens[p.at] }

// advance passes over the current token and returns it.
func (p *parser) advance() token {
	t := p.token()
	if t.kind != tokenEnd && p.err == nil {
		p.at++
	}
	return t
}

// unexpected fails at the current token. AWS shows it with its neighbours.
func (p *parser) unexpected() *node {
	if p.err != nil {
		return &node{op: opUnknown}
	}
	t := p.token()
	text := t.text
	if t.kind == tokenEnd {
		text = "<EOF>"
	}
	from, to := p.tokens[max(p.at-1, 0)], p.tokens[min(p.at+1, len(p.tokens)-1)]
	if to.kind == tokenEnd {
		to = t
	}
	if t.kind == tokenEnd {
		to = from
	}
	p.err = errorf(`Syntax error; token: "%s", near: "%s"`, text, p.source[from.start:to.end])
	return &node{op: opUnknown}
}

// accept passes over a symbol, if it stands here.
func (p *parser) accept(symbol string) bool {
	t := p.token()
	if p.err == nil && t.kind == tokenSymbol && t.text == symbol {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(symbol string) {
	if !p.accept(symbol) {
		p.unexpected()
	}
}

// isKeyword reports whether the current token is the keyword, in any case.
func (p *parser) isKeyword(word string) bool {
	t := p.token()
	return t.kind == tokenWord && strings.EqualFold(t.text, word)
}

// end fails unless the whole source was read.
func (p *parser) end() {
	if p.token().kind != tokenEnd {
		p.unexpected()
	}
}

// operand returns n, or fails when n cannot be an operand.
func (p *parser) operand(n *node) *node {
	if p.err == nil && !n.isOperand() {
		return p.unexpected()
	}
	return n
}

// condition returns n, or fails when n is no condition: the source has ended
// or goes on where a comparator should stand.
func (p *parser) condition(n *node) *node {
	if p.err == nil && !n.isCondition() {
		return p.unexpected()
	}
	return n
}

// expression reads operators that bind at least as tightly as least, and what
// they work on.
func (p *parser) expression(least power) *node {
	left := p.prefix()
	for p.err == nil {
		binds, parse := p.infix()
		if parse == nil || binds < least {
			break
		}
		p.operators++
		left = parse(left)
	}
	return left
}

// prefix reads an operand, a parenthesised expression or NOT.
func (p *parser) prefix() *node {
	t := p.token()
	switch {
	case p.err != nil:
	case t.kind == tokenValue:
		return &node{op: opValue, name: p.advance().text}
	case t.kind == tokenName:
		return p.pathTail(p.pathHead())
	case p.isKeyword("NOT") && !p.arithmetic:
		p.operators++
		p.advance()
		return &node{op: opNot, name: "NOT", args: []*node{p.condition(p.expression(powerNot))}}
	case t.kind == tokenWord && !p.reserves(t.text):
		if next := p.tokens[p.at+1]; next.text == "(" {
			return p.call()
		}
		return p.pathTail(p.pathHead())
	case p.accept("("):
		return p.group()
	}
	return p.unexpected()
}

func (p *parser) group() *node {
	n := p.expression(powerLowest)
	p.expect(")")
	p.redundant = p.redundant || n.grouped
	n.grouped = true
	if n.op == opPath && !p.arithmetic {
		steps := len(n.path)
		p.pathTail(n)
		n.grouped = len(n.path) == steps
	}
	return n
}

func (p *parser) call() *node {
	p.operators++
	n := &node{op: opUnknown, name: p.advance().text}
	if f, ok := p.functions[n.name]; ok {
		n.op = f.op
	}
	p.expect("(")
	n.args = p.list()
	return n
}

// list reads operands with commas between them, up to the parenthesis.
func (p *parser) list() []*node {
	var args []*node
	for {
		args = append(args, p.operand(p.expression(powerOperand)))
		if !p.accept(",") {
			p.expect(")")
			return args
		}
	}
}

// infix returns what the operator at the current token does with its left
// operand, and how tightly it binds; nil when there is no operator.
func (p *parser) infix() (binds power, parse func(left *node) *node) {
	t := p.token()
	if t.kind == tokenWord && !p.arithmetic {
		switch strings.ToUpper(t.text) {
		case "AND":
			return powerAnd, p.logical(opAnd, powerAnd)
		case "OR":
			return powerOr, p.logical(opOr, powerOr)
		case "BETWEEN":
			return powerCompare, p.between
		case "IN":
			return powerCompare, p.in
		}
	}
	if comparator, ok := comparators[t.text]; ok {
		return powerCompare, p.binary(comparator, powerCompare)
	}
	if p.arithmetic && t.text == "+" {
		return powerSum, p.binary(opPlus, powerSum)
	}
	if p.arithmetic && t.text == "-" {
		return powerSum, p.binary(opMinus, powerSum)
	}
	return 0, nil
}

var comparators = map[string]op{
	"=": opEqual, "<>": opNotEqual, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual,
}

// logical parses AND and OR. A left side that is no condition is an error at
// the operator.
func (p *parser) logical(o op, binds power) func(*node) *node {
	return func(left *node) *node {
		p.condition(left)
		name := strings.ToUpper(p.advance().text)
		return &node{op: o, name: name, args: []*node{left, p.condition(p.expression(binds + 1))}}
	}
}

// binary parses comparators, + and -, which do not chain.
func (p *parser) binary(o op, binds power) func(*node) *node {
	return func(left *node) *node {
		p.operand(left)
		name := p.advance().text
		return &node{op: o, name: name, args: []*node{left, p.operand(p.expression(binds + 1))}}
	}
}

func (p *parser) between(left *node) *node {
	p.operand(left)
	p.advance()
	low := p.operand(p.expression(powerCompare + 1))
	if !p.isKeyword("AND") {
		return p.unexpected()
	}
	p.advance()
	return &node{op: opBetween, name: "BETWEEN", args: []*node{left, low, p.operand(p.expression(powerCompare + 1))}}
}

func (p *parser) in(left *node) *node {
	p.operand(left)
	p.advance()
	p.expect("(")
	return &node{op: opIn, name: "IN", args: append([]*node{left}, p.list()...)}
}

// path reads a document path.
func (p *parser) path() *node {
	return p.pathTail(p.pathHead())
}

func (p *parser) pathHead() *node {
	return &node{op: opPath, path: Path{p.step()}}
}

// step reads a name or the placeholder of one.
func (p *parser) step() Step {
	t := p.token()
	if t.kind == tokenName || t.kind == tokenWord && !p.reserves(t.text) {
		p.advance()
		return Step{Name: t.text}
	}
	p.unexpected()
	return Step{Name: "_"}
}

// pathTail reads the .name and [index] steps behind a path's head.
func (p *parser) pathTail(n *node) *node {
	for p.err == nil {
		switch {
		case p.accept("."):
			n.path = append(n.path, p.step())
		case p.accept("["):
			n.path = append(n.path, p.index())
			p.expect("]")
		default:
			return n
		}
	}
	return n
}

func (p *parser) index() Step {
	t := p.token()
	if t.kind != tokenNumber {
		p.unexpected()
		return Step{IsIndex: true}
	}
	i, err := strconv.ParseInt(t.text, 10, 32)
	if err != nil {
		p.fail(errorf("List index is not within the allowable range; index: [%s]", t.text))
	}
	p.advance()
	return Step{Index: int(i), IsIndex: true}
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
