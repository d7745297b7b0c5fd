package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFilters is how deep filters, and parentheses within them, may nest.
const maxFilters = 16

type compiler struct {
	text string
	at   int
	// shift is the number of characters in front that the user did not write.
	shift int
	// filters is how many filters and parentheses are open; within one, a
	// name ends at an operator too.
	filters int
}

func (c *compiler) fault(format string, args ...any) error {
	place := max(1, utf8.RuneCountInString(c.text[:min(c.at, len(c.text))])+1-c.shift)
	return fmt.Errorf("character %d: %s", place, fmt.Sprintf(format, args...))
}

func (c *compiler) peek() byte {
	if c.at < len(c.text) {
		return c.text[c.at]
	}
	return 0
}

func (c *compiler) has(prefix string) bool { return strings.HasPrefix(c.text[c.at:], prefix) }

// take passes the prefix, if it is here.
func (c *compiler) take(prefix string) bool {
	if !c.has(prefix) {
		return false
	}
	c.at += len(prefix)
	return true
}

func (c *compiler) space() {
	for c.at < len(c.text) && strings.IndexByte(" \t\r\n", c.text[c.at]) >= 0 {
		c.at++
	}
}

// path reads from the $ or @ that is here to where no further step begins.
func (c *compiler) path() (*Path, error) {
	p := &Path{relative: c.peek() == '@'}
	c.at++
	for p.ends == "" {
		next, err := c.step(p)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		p.steps = append(p.steps, next)
	}
	p.plain = p.ends == "" && !p.relative && isPlain(p.steps)
	return p, nil
}

// step reads the next step, or the function at the end; nil means that the
// path ends here.
func (c *compiler) step(p *Path) (step, error) {
	switch {
	case c.take(".."):
		target, err := c.scanTarget()
		if err != nil {
			return nil, err
		}
		return scanStep{target}, nil
	case c.take("."):
		if c.peek() == '[' {
			return c.bracket()
		}
		return c.name(p)
	case c.peek() == '[':
		return c.bracket()
	}
	return nil, nil
}

func (c *compiler) scanTarget() (step, error) {
	if c.peek() == '.' {
		return nil, c.fault("there are more than two dots in a row")
	}
	if c.peek() == '[' {
		return c.bracket()
	}
	p := &Path{}
	target, err := c.name(p)
	if err == nil && p.ends != "" {
		return nil, c.fault("%s() after .. is not supported; write a name or * after ..", p.ends)
	}
	return target, err
}

// name reads a name after a dot, a wildcard, or the function that ends p.
func (c *compiler) name(p *Path) (step, error) {
	if c.take("*") {
		return wildcardStep{}, nil
	}
	from := c.at
	for c.at < len(c.text) && !c.endsName(c.text[c.at]) {
		c.at++
	}
	name := c.text[from:c.at]
	if name == "" {
		return nil, c.nameMissing()
	}
	if c.peek() == '(' {
		return nil, c.function(p, name)
	}
	if c.filters == 0 && c.at < len(c.text) && c.peek() != '.' && c.peek() != '[' {
		return nil, c.fault("a name with a blank must stand in brackets: ['%s...']", name)
	}
	return nameStep{[]string{name}}, nil
}

func (c *compiler) nameMissing() error {
	if c.at >= len(c.text) {
		return c.fault("the path ends with a dot; a name should follow it")
	}
	return c.fault("a name should stand after the dot, not %q", c.text[c.at])
}

func (c *compiler) endsName(b byte) bool {
	if strings.IndexByte(".[( \t\r\n", b) >= 0 {
		return true
	}
	return c.filters > 0 && strings.IndexByte(")]=!<>&|,~", b) >= 0
}

func (c *compiler) function(p *Path, name string) error {
	switch name {
	case "length", "size", "keys":
	default:
		return c.fault("the function %s() is not supported; length(), size() and keys() are", name)
	}
	if !c.take("()") {
		return c.fault("%s takes no arguments: write %s()", name, name)
	}
	if c.peek() == '.' || c.peek() == '[' {
		return c.fault("%s() must be the end of the path", name)
	}
	p.ends = name
	return nil
}

// bracket reads what stands in the brackets that open here.
func (c *compiler) bracket() (step, error) {
	opened := c.at
	c.at++
	c.space()
	var s step
	var err error
	switch b := c.peek(); {
	case b == '\'' || b == '"':
		s, err = c.names()
	case b == '*':
		c.at++
		s = wildcardStep{}
	case b == '?':
		c.at++
		s, err = c.filter()
	case b == '-' || b == ':' || '0' <= b && b <= '9':
		s, err = c.indexes()
	default:
		return nil, c.fault("expected a name in quotes, a number, *, or ?( in the brackets")
	}
	if err != nil {
		return nil, err
	}
	c.space()
	if !c.take("]") {
		if c.at >= len(c.text) {
			c.at = opened
			return nil, c.fault("the bracket that opens here is not closed")
		}
		return nil, c.fault("expected ] here")
	}
	return s, nil
}

func (c *compiler) names() (step, error) {
	var s nameStep
	for {
		name, err := c.quoted()
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, name)
		c.space()
		if !c.take(",") {
			return s, nil
		}
		c.space()
		if b := c.peek(); b != '\'' && b != '"' {
			return nil, c.fault("expected another name in quotes after the comma")
		}
	}
}

// quoted reads text in the single or double quotes that open here. A backslash
// takes the next character as it is, or is one of JSON's escapes.
func (c *compiler) quoted() (string, error) {
	opened, quote := c.at, c.peek()
	var b strings.Builder
	for c.at++; c.at < len(c.text); c.at++ {
		switch ch := c.text[c.at]; {
		case ch == quote:
			c.at++
			return b.String(), nil
		case ch == '\\' && c.at+1 < len(c.text):
			c.escape(&b)
		default:
			b.WriteByte(ch)
		}
	}
	c.at = opened
	return "", c.fault("the quote that opens here is not closed")
}

func (c *compiler) escape(b *strings.Builder) {
	rest := c.text[c.at:]
	if rest[1] == 'u' && escapeSize(rest) == 6 {
		r, size := unescape(withoutBadHalf(rest))
		b.WriteRune(r)
		c.at += size - 1
		return
	}
	c.at++
	if long := longForm(rest[1]); long != 0 {
		b.WriteByte(long)
		return
	}
	b.WriteByte(rest[1])
}

// withoutBadHalf cuts what follows the first escape if it is not a whole one.
func withoutBadHalf(s string) string {
	if len(s) >= 12 && escapeSize(s[6:]) == 6 {
		return s
	}
	return s[:6]
}

// indexes reads 0, -1, 0,2 or a slice.
func (c *compiler) indexes() (step, error) {
	var list []int
	for {
		c.space()
		if c.peek() == ':' && len(list) == 0 {
			return c.slice(sliceStep{})
		}
		n, err := c.integer()
		if err != nil {
			return nil, err
		}
		c.space()
		if c.peek() == ':' && len(list) == 0 {
			return c.slice(sliceStep{from: n, hasFrom: true})
		}
		list = append(list, n)
		if !c.take(",") {
			return indexStep{list}, nil
		}
	}
}

func (c *compiler) slice(s sliceStep) (step, error) {
	c.at++
	c.space()
	if c.peek() == ']' && s.hasFrom {
		return s, nil
	}
	to, err := c.integer()
	if err != nil {
		return nil, err
	}
	s.to, s.hasTo = to, true
	c.space()
	if c.peek() == ':' {
		return nil, c.fault("a slice has a start and an end, no step")
	}
	return s, nil
}

func (c *compiler) integer() (int, error) {
	from := c.at
	c.take("-")
	for c.at < len(c.text) && '0' <= c.text[c.at] && c.text[c.at] <= '9' {
		c.at++
	}
	n, err := strconv.ParseInt(c.text[from:c.at], 10, 32)
	if err != nil {
		c.at = from
		return 0, c.fault("expected a whole number here")
	}
	return int(n), nil
}
