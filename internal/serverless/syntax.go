package serverless

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// A text is a list of parts: what stands as it is, and variables.
type part struct {
	text     string
	variable *variable
}

// variable is one ${...}: sources that are asked one after the other.
type variable struct {
	// written is the variable as the file has it, for messages.
	written string
	sources []source
}

// source is one of the sources of a variable: kind(params):address, or a
// literal, or a variable of its own, as old files have it.
type source struct {
	kind    string
	params  [][]part
	address []part
	literal *template.Value
	nested  *variable
}

// maxNesting is how deep variables may stand in each other.
const maxNesting = 20

// parser reads the variables of one text.
type parser struct {
	text string
	at   int
}

// parseText takes a text apart. A ${...} that does not begin with the name of a
// source and a colon or a bracket is not a variable: it is left to Fn::Sub, as
// ${AWS::Region} and ${Queue.Arn} are. "\${" stands for "${".
func parseText(text string) ([]part, error) {
	p := &parser{text: text}
	parts, err := p.parts("", 0)
	if err != nil {
		return nil, err
	}
	return parts, nil
}

// parts reads up to one of the bytes in end, which it leaves, or to the end of
// the text.
func (p *parser) parts(end string, depth int) ([]part, error) {
	var parts []part
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch {
		case strings.HasPrefix(rest, `\${`):
			plain.WriteString("${")
			p.at += len(`\${`)
		case strings.HasPrefix(rest, "${") && isVariable(rest):
			v, err := p.variable(depth + 1)
			if err != nil {
				return nil, err
			}
			flush()
			parts = append(parts, part{variable: v})
		case end != "" && strings.IndexByte(end, rest[0]) >= 0:
			flush()
			return parts, nil
		default:
			plain.WriteByte(rest[0])
			p.at++
		}
	}
	flush()
	return parts, nil
}

// isVariable reports whether text, which begins with "${", is a variable.
func isVariable(text string) bool {
	kind, rest := sourceKind(text[len("${"):])
	return kind != "" && (strings.HasPrefix(rest, "(") || strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::"))
}

// maxKind is how long the name of a source may be.
const maxKind = 64

// sourceKind cuts the name of a source off, which begins with a small letter.
func sourceKind(text string) (kind, rest string) {
	i := 0
	for i < len(text) && i < maxKind && (isLetter(text[i]) || i > 0 && (isDigit(text[i]) || text[i] == '.' || text[i] == '-')) {
		i++
	}
	if i == 0 || text[0] < 'a' {
		return "", text
	}
	return text[:i], text[i:]
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// variable reads a ${...}.
func (p *parser) variable(depth int) (*variable, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("variables stand in each other more than %d deep", maxNesting)
	}
	start := p.at
	p.at += len("${")
	v := &variable{}
	for {
		s, err := p.source(depth)
		if err != nil {
			return nil, err
		}
		v.sources = append(v.sources, s)
		p.space()
		switch {
		case p.at >= len(p.text):
			return nil, errors.New("the variable " + template.Quote(p.text[start:]) + " is not closed with }")
		case p.text[p.at] == ',':
			p.at++
		case p.text[p.at] == '}':
			p.at++
			v.written = p.text[start:p.at]
			return v, nil
		default:
			return nil, fmt.Errorf("the variable %s has %s where a comma or } must stand", template.Quote(p.text[start:]), template.Quote(p.text[p.at:p.at+1]))
		}
	}
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// source reads one source of a variable.
func (p *parser) source(depth int) (source, error) {
	p.space()
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, "${") && isVariable(rest) {
		nested, err := p.variable(depth + 1)
		return source{nested: nested}, err
	}
	if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		text, err := p.quoted()
		return source{literal: template.Scalar(template.Place{}, template.String, text)}, err
	}
	kind, after := sourceKind(rest)
	switch {
	case kind != "" && strings.HasPrefix(after, "("):
		p.at += len(kind) + 1
		return p.call(source{kind: kind}, depth)
	case kind != "" && strings.HasPrefix(after, ":"):
		p.at += len(kind)
		return p.addressed(source{kind: kind}, depth)
	}
	return p.literal()
}

// literal reads a number, true, false or null.
func (p *parser) literal() (source, error) {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != ',' && p.text[p.at] != '}' {
		p.at++
	}
	text := strings.TrimSpace(p.text[start:p.at])
	kind := template.String
	switch {
	case text == "true" || text == "false":
		kind = template.Bool
	case text == "null":
		kind, text = template.Null, ""
	case isNumber(text):
		kind = template.Number
	default:
		return source{}, fmt.Errorf("%s is not a source of a variable: it must be one such as self:custom.x, a text in quotes, a number, true, false or null", template.Quote(text))
	}
	return source{literal: template.Scalar(template.Place{}, kind, text)}, nil
}

func isNumber(text string) bool {
	digits := 0
	for i := range len(text) {
		switch c := text[i]; {
		case isDigit(c):
			digits++
		case c == '.' || c == '-' && i == 0:
		default:
			return false
		}
	}
	return digits > 0
}

// quoted reads a text in single or double quotes.
func (p *parser) quoted() (string, error) {
	quote, start := p.text[p.at], p.at
	var out strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return out.String(), nil
		case c == '\\' && quote == '"' && p.at+1 < len(p.text) && strings.IndexByte(`"\/`, p.text[p.at+1]) >= 0:
			p.at++
			out.WriteByte(p.text[p.at])
		default:
			out.WriteByte(c)
		}
	}
	return "", errors.New("the quote before " + template.Quote(p.text[start+1:]) + " is not closed")
}

// call reads the parameters of a source up to the bracket that closes them, then
// its address.
func (p *parser) call(s source, depth int) (source, error) {
	for {
		p.space()
		param, err := p.argument(",)", depth)
		if err != nil {
			return s, err
		}
		s.params = append(s.params, param)
		p.space()
		if p.at >= len(p.text) {
			return s, errors.New("the bracket of " + s.kind + "( is not closed")
		}
		closing := p.text[p.at] == ')'
		p.at++
		if closing {
			return p.addressed(s, depth)
		}
	}
}

// addressed reads the address of a source, if it has one.
func (p *parser) addressed(s source, depth int) (source, error) {
	p.space()
	if p.at >= len(p.text) || p.text[p.at] != ':' {
		return s, nil
	}
	p.at++
	p.space()
	var err error
	s.address, err = p.argument(",}", depth)
	return s, err
}

// argument reads a parameter or an address, which may stand in quotes.
func (p *parser) argument(end string, depth int) ([]part, error) {
	if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
		text, err := p.quoted()
		return []part{{text: text}}, err
	}
	parts, err := p.parts(end, depth)
	if n := len(parts); n > 0 && parts[n-1].variable == nil {
		parts[n-1].text = strings.TrimRight(parts[n-1].text, " \t\r\n")
	}
	return parts, err
}
