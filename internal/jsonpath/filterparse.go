package jsonpath

import (
	"regexp"
	"strings"
)

// filter reads (condition) after the question mark.
func (c *compiler) filter() (step, error) {
	c.space()
	if c.peek() != '(' {
		return nil, c.fault("expected ( after the question mark")
	}
	t, err := c.group()
	if err != nil {
		return nil, err
	}
	return filterStep{t}, nil
}

// group reads a condition in the parentheses that open here.
func (c *compiler) group() (test, error) {
	if c.filters++; c.filters > maxFilters {
		return nil, c.fault("filters and parentheses nest deeper than %d", maxFilters)
	}
	opened := c.at
	c.at++
	t, err := c.or()
	if err != nil {
		return nil, err
	}
	c.space()
	if !c.take(")") {
		if c.at >= len(c.text) {
			c.at = opened
			return nil, c.fault("the parenthesis that opens here is not closed")
		}
		return nil, c.fault("expected && or || or ) here")
	}
	c.filters--
	return t, nil
}

func (c *compiler) or() (test, error) {
	var tests anyOf
	for {
		t, err := c.and()
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
		c.space()
		if !c.take("||") {
			return tests, nil
		}
	}
}

func (c *compiler) and() (test, error) {
	var tests allOf
	for {
		t, err := c.condition()
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
		c.space()
		if !c.take("&&") {
			return tests, nil
		}
	}
}

// condition reads !condition, (condition), a path or a comparison.
func (c *compiler) condition() (test, error) {
	c.space()
	negated := false
	for c.peek() == '!' {
		c.at++
		c.space()
		negated = !negated
	}
	var t test
	var err error
	if c.peek() == '(' {
		t, err = c.group()
	} else {
		t, err = c.comparison()
	}
	if err == nil && negated {
		t = negate{t}
	}
	return t, err
}

// operators are in the order in which they are tried: the longer ones first.
var operators = []string{"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">", "nin", "in", "contains", "size", "empty"}

func (c *compiler) comparison() (test, error) {
	left, err := c.operand()
	if err != nil {
		return nil, err
	}
	c.space()
	operator := c.operator()
	if operator == "" {
		if left.path == nil {
			return nil, c.fault("expected an operator after the value; known are %s", strings.Join(operators[2:], " "))
		}
		return exists{left.path}, nil
	}
	c.space()
	at := c.at
	right, err := c.operand()
	if err != nil {
		return nil, err
	}
	if (operator == "=~") != (right.pattern != nil) || left.pattern != nil {
		c.at = at
		return nil, c.fault("a regular expression /.../ stands on the right of =~ and nowhere else")
	}
	return comparison{operator, left, right}, nil
}

func (c *compiler) operator() string {
	for _, op := range operators {
		if !c.has(op) {
			continue
		}
		if isLetter(op[0]) && c.at+len(op) < len(c.text) && isLetter(c.text[c.at+len(op)]) {
			continue
		}
		c.at += len(op)
		if op == "===" || op == "!==" {
			return op[:2]
		}
		return op
	}
	return ""
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func (c *compiler) operand() (operand, error) {
	c.space()
	switch b := c.peek(); {
	case b == '@' || b == '$':
		p, err := c.path()
		return operand{path: p}, err
	case b == '/':
		return c.pattern()
	default:
		v, err := c.literal()
		return operand{literal: v}, err
	}
}

// literal reads a text in quotes, a number, true, false, null, or a list of
// those.
func (c *compiler) literal() (Value, error) {
	switch b := c.peek(); {
	case b == '\'' || b == '"':
		s, err := c.quoted()
		return StringOf(s), err
	case b == '[':
		return c.list()
	}
	from := c.at
	for c.at < len(c.text) && (isLetter(c.text[c.at]) || strings.IndexByte("+-.0123456789", c.text[c.at]) >= 0) {
		c.at++
	}
	v, err := Parse([]byte(c.text[from:c.at]))
	if err != nil {
		c.at = from
		return Value{}, c.fault("expected a path, a text in quotes, a number, true, false, null, a list or /regular expression/ here")
	}
	return v, nil
}

func (c *compiler) list() (Value, error) {
	c.at++
	var items []Value
	c.space()
	for !c.take("]") {
		if len(items) > 0 && !c.take(",") {
			return Value{}, c.fault("expected a comma or ] in the list")
		}
		c.space()
		if c.peek() == '[' {
			return Value{}, c.fault("a list within a list is not supported")
		}
		item, err := c.literal()
		if err != nil {
			return Value{}, err
		}
		items = append(items, item)
		c.space()
	}
	return ArrayOf(items...), nil
}

// pattern reads /expression/ with the flags i, s and m after it. It must match
// the whole text, as Jayway wants it. Expressions are RE2's, whose time is
// bounded: look-around and back-references are errors.
func (c *compiler) pattern() (operand, error) {
	opened := c.at
	c.at++
	from := c.at
	for c.at < len(c.text) && c.text[c.at] != '/' {
		if c.text[c.at] == '\\' {
			c.at++
		}
		c.at++
	}
	if c.at >= len(c.text) {
		c.at = opened
		return operand{}, c.fault("the regular expression that opens here is not closed")
	}
	source := strings.ReplaceAll(c.text[from:c.at], `\/`, `/`)
	c.at++
	flags := c.flags()
	re, err := regexp.Compile(flags + `\A(?:` + source + `)\z`)
	if err != nil {
		c.at = opened
		return operand{}, c.fault("this is no regular expression: %v", err)
	}
	return operand{pattern: re}, nil
}

func (c *compiler) flags() string {
	from := c.at
	for c.at < len(c.text) && strings.IndexByte("ism", c.text[c.at]) >= 0 {
		c.at++
	}
	if from == c.at {
		return ""
	}
	return "(?" + c.text[from:c.at] + ")"
}
