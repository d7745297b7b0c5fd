package vtl

import (
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// beginsReference reports whether the $ that is here begins a reference:
// $name, $!name, ${name or $!{name.
func (p *parser) beginsReference() bool {
	i := p.at + 1
	for _, opening := range "!{" {
		if i < len(p.source) && p.source[i] == byte(opening) {
			i++
		}
	}
	return i < len(p.source) && (isLetter(p.source[i]) || p.source[i] == '_')
}

// dollar reads a reference behind that many backslashes; a $ that begins none
// is text. Each two backslashes write one, an odd one makes the reference
// text.
func (p *parser) dollar(b *builder, backslashes int) error {
	if !p.beginsReference() {
		b.text("$")
		p.at++
		return nil
	}
	from := p.at
	r, err := p.reference()
	if err != nil {
		return err
	}
	b.text(strings.Repeat(`\`, backslashes/2))
	if backslashes%2 == 1 {
		b.text(p.source[from:p.at])
		return nil
	}
	b.node(r)
	return nil
}

// reference reads the reference that begins here.
func (p *parser) reference() (*reference, error) {
	from := p.at
	if !p.beginsReference() {
		return nil, p.fault(from, "a variable's name begins with a letter: $name")
	}
	p.at++
	r := &reference{at: p.mark(from), quiet: p.take("!")}
	braced := p.take("{")
	r.name = p.identifier()
	if err := p.parts(r); err != nil {
		return nil, err
	}
	if braced && !p.take("}") {
		return nil, p.fault(from, "the brace of ${%s is not closed; write }", r.name)
	}
	r.source = p.source[from:p.at]
	return r, p.checkCall(r)
}

func (p *parser) identifier() string {
	from := p.at
	for p.at < len(p.source) && isNameByte(p.source[p.at]) {
		p.at++
	}
	return p.source[from:p.at]
}

func isNameByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' || c == '-' }

// parts reads .name, .name(arguments) and [index] after a reference's name.
func (p *parser) parts(r *reference) error {
	for {
		from := p.at
		switch {
		case p.peek() == '[':
			i, err := p.index()
			if err != nil {
				return err
			}
			r.parts = append(r.parts, part{at: p.mark(from), kind: index, arguments: []expression{i}})
		case p.peek() == '.' && p.at+1 < len(p.source) && isLetter(p.source[p.at+1]):
			p.at++
			member, err := p.member()
			if err != nil {
				return err
			}
			r.parts = append(r.parts, member)
		default:
			return nil
		}
	}
}

// member reads a name, and the arguments if it is a call.
func (p *parser) member() (part, error) {
	m := part{at: p.mark(p.at), name: p.identifier()}
	if p.peek() != '(' {
		return m, nil
	}
	m.kind = call
	opened := p.at
	p.at++
	if p.space(); p.take(")") {
		return m, nil
	}
	for {
		argument, err := p.parameter()
		if err != nil {
			return m, err
		}
		m.arguments = append(m.arguments, argument)
		p.space()
		switch {
		case p.take(")"):
			return m, nil
		case p.take(","):
		case p.at >= len(p.source):
			return m, p.fault(opened, "the parenthesis of %s( is not closed", m.name)
		default:
			return m, p.fault(p.at, "expected a comma or ) here; an argument cannot be calculated: #set a variable first")
		}
	}
}

// index reads [index].
func (p *parser) index() (expression, error) {
	opened := p.at
	p.at++
	p.space()
	if c := p.peek(); c != '$' && c != '"' && c != '\'' && c != '-' && !isDigit(c) && !p.has("true") && !p.has("false") {
		return nil, p.fault(p.at, "expected a number, a text in quotes or a variable in the brackets; write ${name}[ for text after a variable")
	}
	i, err := p.parameter()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take("]") {
		return nil, p.fault(opened, "the bracket that opens here is not closed; write ${name}[ for text after a variable")
	}
	return i, nil
}

// methods of the objects that API Gateway gives to templates. What it does not
// have would quietly write nothing, so it is refused here.
var methods = map[string][]string{
	"input": {"body", "json", "path", "params"},
	"util":  {"escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "base64Decode"},
}

// checkCall refuses a call of a method that $input or $util has not, and
// compiles the path that it gets.
func (p *parser) checkCall(r *reference) error {
	known := methods[r.name]
	if known == nil || len(r.parts) == 0 || r.parts[0].kind != call {
		return nil
	}
	first := &r.parts[0]
	switch {
	case first.name == "body" && r.name == "input":
		return p.faultAt(first.at, "$input.body is no method; write it without parentheses")
	case !slices.Contains(known, first.name):
		return p.faultAt(first.at, "API Gateway has no $%s.%s(); it has %s", r.name, first.name, strings.Join(known, ", "))
	case first.name == "params" && len(first.arguments) == 0:
		return nil
	case len(first.arguments) != 1:
		return p.faultAt(first.at, "$%s.%s takes one argument", r.name, first.name)
	case r.name == "input" && first.name != "params":
		return p.compilePath(first)
	}
	return nil
}

func (p *parser) compilePath(call *part) error {
	argument, ok := call.arguments[0].(literal)
	if !ok {
		return nil
	}
	written, ok := argument.value.(string)
	if !ok {
		return p.faultAt(argument.at, "$input.%s takes a JSONPath in quotes", call.name)
	}
	path, err := jsonpath.Compile(written)
	if err != nil {
		return p.faultAt(argument.at, "%v", err)
	}
	call.path = path
	return nil
}
