package vtl

import (
	"math/big"
	"strconv"
	"strings"
)

// levels are the binary operators from the loosest to the tightest.
var levels = [][]string{
	{"||", "or"},
	{"&&", "and"},
	{"==", "eq", "!=", "ne"},
	{"<=", "le", ">=", "ge", "<", "lt", ">", "gt"},
	{"+", "-"},
	{"*", "/", "%"},
}

// symbols of the operators that have words.
var symbols = map[string]string{
	"or": "||", "and": "&&", "eq": "==", "ne": "!=", "le": "<=", "ge": ">=", "lt": "<", "gt": ">",
}

// expression reads what stands in #set and #if.
func (p *parser) expression() (expression, error) {
	if err := p.enter(p.at); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.binary(0)
}

// binary reads operands with operators of that level or a tighter one. All
// operators take the left ones first.
func (p *parser) binary(level int) (expression, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for chain := 0; ; chain++ {
		p.space()
		from := p.at
		operator := p.operator(levels[level])
		if operator == "" {
			return left, nil
		}
		// A long chain is a deep tree when it is evaluated.
		if chain > 1000 {
			return nil, p.fault(from, "more than 1,000 operators in a row")
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = binary{p.mark(from), operator, left, right}
	}
}

// operator passes one of the operators and returns its symbol. A minus in
// front of a digit is the sign of a number, as in Velocity.
func (p *parser) operator(level []string) string {
	for _, op := range level {
		if !p.has(op) {
			continue
		}
		next := byte(0)
		if p.at+len(op) < len(p.source) {
			next = p.source[p.at+len(op)]
		}
		if isLetter(op[0]) && isNameByte(next) || op == "-" && (isDigit(next) || next == '.') {
			continue
		}
		p.at += len(op)
		if symbol := symbols[op]; symbol != "" {
			return symbol
		}
		return op
	}
	return ""
}

func (p *parser) unary() (expression, error) {
	p.space()
	from := p.at
	if p.peek() == '!' || p.has("not") && !isNameByte(byteAt(p.source, p.at+3)) {
		if !p.take("!") {
			p.at += len("not")
		}
		if err := p.enter(from); err != nil {
			return nil, err
		}
		defer p.leave()
		operand, err := p.unary()
		return notExpression{p.mark(from), operand}, err
	}
	if p.take("(") {
		inner, err := p.expression()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(")") {
			return nil, p.expected(from, "parenthesis", "an operator or )")
		}
		return inner, nil
	}
	return p.parameter()
}

func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// parameter reads a value that needs no calculation: what a method takes, what
// #foreach walks and what lists and maps hold.
func (p *parser) parameter() (expression, error) {
	p.space()
	from := p.at
	if err := p.enter(from); err != nil {
		return nil, err
	}
	defer p.leave()
	switch c := p.peek(); {
	case c == '$':
		return p.reference()
	case c == '"':
		return p.doubleQuoted()
	case c == '\'':
		content, err := p.quoted()
		return literal{p.mark(from), content}, err
	case c == '[':
		return p.list()
	case c == '{':
		return p.mapping()
	case isDigit(c), c == '-', c == '.':
		return p.number()
	}
	if name, size := p.trueOrFalse(); size > 0 {
		p.at += size
		return literal{p.mark(from), name == "true"}, nil
	}
	return nil, p.expected(from, "expression", "a value")
}

func (p *parser) trueOrFalse() (name string, size int) {
	for _, name := range []string{"true", "false"} {
		if p.has(name) && !isNameByte(byteAt(p.source, p.at+len(name))) {
			return name, len(name)
		}
	}
	return "", 0
}

// quoted reads a text in the quotes that open here; two of them in a row are
// one. A backslash means nothing.
func (p *parser) quoted() (string, error) {
	from, quote := p.at, p.source[p.at:p.at+1]
	i := from + 1
	for {
		end := strings.Index(p.source[i:], quote)
		if end < 0 {
			return "", p.fault(from, "the quote that opens here is not closed")
		}
		i += end + 1
		if !strings.HasPrefix(p.source[i:], quote) {
			break
		}
		i++
	}
	p.at = i
	return strings.ReplaceAll(p.source[from+1:i-1], quote+quote, quote), nil
}

// doubleQuoted reads a text whose references and directives count.
func (p *parser) doubleQuoted() (expression, error) {
	from := p.at
	content, err := p.quoted()
	if err != nil {
		return nil, err
	}
	rewritten := content != p.source[from+1:p.at-1]
	if strings.Contains(content, `\u`) {
		content, rewritten = unescapeUnicode(content), true
	}
	if !strings.ContainsAny(content, "$#") {
		return literal{p.mark(from), content}, nil
	}
	inner := parser{source: content, nesting: p.nesting}
	inner.within = &enclosing{p.root(), int(p.mark(from)), rewritten || p.within != nil && p.within.pinned}
	if !inner.within.pinned {
		inner.within.base++
	}
	body, err := inner.template()
	return interpolated{p.mark(from), body}, err
}

// unescapeUnicode replaces \uXXXX, which Velocity knows in double quotes.
func unescapeUnicode(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\u`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = after
		if len(s) >= 4 {
			if r, err := strconv.ParseUint(s[:4], 16, 16); err == nil {
				b.WriteRune(rune(r))
				s = s[4:]
				continue
			}
		}
		b.WriteString(`\u`)
	}
}

// number reads -1, 1.5, .5, 1. or 1e3.
func (p *parser) number() (expression, error) {
	from := p.at
	p.take("-")
	p.digits()
	whole := true
	if p.peek() == '.' && !p.has("..") {
		whole = false
		p.at++
		p.digits()
	}
	if e := p.at; p.peek()|0x20 == 'e' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if p.digits() == 0 {
			p.at = e
		} else {
			whole = false
		}
	}
	written := p.source[from:p.at]
	n, ok := numberFrom(written, whole)
	if !ok {
		p.at = from
		return nil, p.expected(from, "expression", "a value")
	}
	return literal{p.mark(from), n}, nil
}

func (p *parser) digits() int {
	from := p.at
	for isDigit(p.peek()) {
		p.at++
	}
	return p.at - from
}

// maxDigits is the length of the longest whole number in a template.
const maxDigits = 1000

func numberFrom(written string, whole bool) (value, bool) {
	if !whole {
		f, err := strconv.ParseFloat(written, 64)
		return doubleOf(f), err == nil
	}
	if i, err := strconv.ParseInt(written, 10, 64); err == nil {
		return intOf(i), true
	}
	if len(written) > maxDigits {
		return nil, false
	}
	i, ok := new(big.Int).SetString(written, 10)
	if !ok {
		return nil, false
	}
	return bigOf(i), true
}

// list reads [a, b] or [from..to].
func (p *parser) list() (expression, error) {
	from := p.at
	p.at++
	l := listLiteral{at: p.mark(from)}
	if p.space(); p.take("]") {
		return l, nil
	}
	for {
		item, err := p.parameter()
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, item)
		p.space()
		switch {
		case p.take("]"):
			return l, nil
		case len(l.items) == 1 && p.take(".."):
			return p.rangeTo(from, item)
		case !p.take(","):
			return nil, p.expected(from, "list", "a comma or ]")
		}
	}
}

func (p *parser) rangeTo(from int, first expression) (expression, error) {
	last, err := p.parameter()
	if err != nil {
		return nil, err
	}
	for _, end := range []expression{first, last} {
		if !isRangeEnd(end) {
			return nil, p.faultAt(at(end.place()), "a range needs whole numbers or variables: [1..3]")
		}
	}
	if p.space(); !p.take("]") {
		return nil, p.expected(from, "range", "]")
	}
	return rangeLiteral{p.mark(from), first, last}, nil
}

func isRangeEnd(e expression) bool {
	switch e := e.(type) {
	case *reference:
		return true
	case literal:
		n, ok := e.value.(number)
		return ok && n.kind == whole
	}
	return false
}

// mapping reads {"k": v, $x: y}.
func (p *parser) mapping() (expression, error) {
	from := p.at
	p.at++
	m := mapLiteral{at: p.mark(from)}
	if p.space(); p.take("}") {
		return m, nil
	}
	for {
		key, err := p.parameter()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(":") {
			return nil, p.expected(from, "map", "a colon")
		}
		member, err := p.parameter()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, key), append(m.values, member)
		p.space()
		switch {
		case p.take("}"):
			return m, nil
		case !p.take(","):
			return nil, p.expected(from, "map", "a comma or }")
		}
	}
}
