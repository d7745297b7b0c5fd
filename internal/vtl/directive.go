package vtl

import "strings"

// refused are the directives that API Gateway's templates have no use for, and
// what to write instead.
var refused = map[string]string{
	"macro":    "#macro is not supported; write the text where it is needed",
	"define":   "#define is not supported; #set a variable to a text in double quotes",
	"parse":    "#parse is not supported: there are no other templates to include; write the text here",
	"include":  "#include is not supported: there are no files to include; write the text here",
	"evaluate": "#evaluate is not supported; write the template itself here",
	"literal":  "#literal is not supported; write #[[ the text ]]#",
}

// hash reads what begins with the # that is here. A terminator that is not
// empty ends the block.
func (p *parser) hash(b *builder) (terminator, error) {
	from := p.at
	switch {
	case p.take("##"):
		p.lineComment()
		return terminator{}, nil
	case p.take("#*"):
		return terminator{}, p.comment(from)
	case p.take("#[["):
		return terminator{}, p.unparsed(b, from)
	}
	name, size := p.directiveName()
	if why := refused[name]; why != "" {
		return terminator{}, p.fault(from, "%s", why)
	}
	if strings.HasPrefix(name, "@") {
		return terminator{}, p.fault(from, "#%s calls a macro, and macros are not supported; write \\\\#%s for the text", name, name)
	}
	switch name {
	case "":
		b.text("#")
		p.at++
		return terminator{}, nil
	case "end", "else", "elseif":
		p.at += size
		if name != "elseif" {
			p.restOfLine()
		}
		return terminator{name, from}, nil
	}
	n, err := p.directive(b, name, size)
	if n != nil && err == nil {
		b.node(n)
	}
	return terminator{}, err
}

// directive reads #name, whose length is size; the node is nil for a word that
// is no directive, which is text.
func (p *parser) directive(b *builder, name string, size int) (node, error) {
	from := p.at
	switch name {
	case "set":
		if !p.atSet() {
			break
		}
		p.at += size
		return p.set(from)
	case "if":
		p.at += size
		return p.ifDirective(from)
	case "foreach":
		p.at += size
		return p.foreach(from)
	case "break":
		p.at += size
		return breakNode{}, nil
	case "stop":
		p.at += size
		return stopNode{}, nil
	}
	b.text(p.source[from : from+size])
	p.at += size
	return nil, p.unknownArguments(b)
}

// unknownArguments passes (arguments) after a word that is no directive:
// Velocity writes them as they stand, references included.
func (p *parser) unknownArguments(b *builder) error {
	from := p.at
	p.space()
	if p.peek() != '(' {
		p.at = from
		return nil
	}
	p.at++
	for {
		p.space()
		p.take(",")
		p.space()
		if p.take(")") {
			p.restOfLine()
			b.text(p.source[from:p.at])
			return nil
		}
		if name, size := p.word(); name != "" {
			p.at += size
			continue
		}
		if _, err := p.parameter(); err != nil {
			return err
		}
	}
}

// word returns the word that is here, if it is one and not true or false.
func (p *parser) word() (name string, size int) {
	end := p.at
	for end < len(p.source) && isDirectiveLetter(p.source[end], end == p.at) {
		end++
	}
	name = p.source[p.at:end]
	if name == "true" || name == "false" {
		return "", 0
	}
	return name, len(name)
}

// lineComment passes a comment and the newline that ends it.
func (p *parser) lineComment() {
	end := strings.IndexAny(p.source[p.at:], "\r\n")
	if end < 0 {
		p.at = len(p.source)
		return
	}
	p.at += end
	p.restOfLine()
}

func (p *parser) comment(from int) error {
	end := strings.Index(p.source[p.at:], "*#")
	if end < 0 {
		return p.fault(from, "the comment that opens here is not closed; write *# at its end")
	}
	p.at += end + len("*#")
	return nil
}

// unparsed reads #[[ text ]]#.
func (p *parser) unparsed(b *builder, from int) error {
	end := strings.Index(p.source[p.at:], "]]#")
	if end < 0 {
		return p.fault(from, "the text that opens here is not closed; write ]]# at its end")
	}
	b.text(p.source[p.at : p.at+end])
	p.at += end + len("]]#")
	return nil
}

// open passes blanks and the parenthesis after a directive's name.
func (p *parser) open(name string) error {
	p.space()
	if !p.take("(") {
		return p.fault(p.at, "#%s needs its arguments in parentheses", name)
	}
	p.space()
	return nil
}

// close passes the parenthesis that closes a directive, and its line.
func (p *parser) close(opened int, name string) error {
	p.space()
	if !p.take(")") {
		return p.expected(opened, name, "an operator or )")
	}
	p.restOfLine()
	return nil
}

// expected is the error for something else than what should stand here.
func (p *parser) expected(opened int, name, what string) error {
	if p.at >= len(p.source) {
		return p.fault(opened, "the %s that opens here is not closed", name)
	}
	return p.fault(p.at, "expected %s here; %s", what, p.hint())
}

// hint explains what users of other languages write in Velocity.
func (p *parser) hint() string {
	switch {
	case p.peek() == '-' && p.at+1 < len(p.source) && isDigit(p.source[p.at+1]):
		return "for a subtraction write a blank after the minus"
	case p.has("="):
		return "two values are compared with =="
	case p.has("?"):
		return "there is no ?: operator; use #if and #else"
	case isLetter(p.peek()):
		name, _ := p.word()
		if name == "null" || name == "" {
			return "there is no null; what is missing equals \"\""
		}
		return "a text needs quotes, a variable a $"
	}
	return "what is here cannot be read"
}

// set reads (target = value).
func (p *parser) set(from int) (node, error) {
	if err := p.open("set"); err != nil {
		return nil, err
	}
	if p.peek() != '$' {
		return nil, p.fault(p.at, "#set needs a variable: #set($name = value)")
	}
	target, err := p.reference()
	if err != nil {
		return nil, err
	}
	if len(target.parts) > 0 && target.parts[len(target.parts)-1].kind == call {
		return nil, p.faultAt(target.at, "#set cannot assign to a method's result")
	}
	p.space()
	if p.has("==") || !p.take("=") {
		return nil, p.fault(p.at, "expected = after the variable of #set")
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	return setNode{p.mark(from), target, value}, p.close(from, "#set")
}

// ifDirective reads (condition), what it guards, and its other branches.
func (p *parser) ifDirective(from int) (node, error) {
	if err := p.enter(from); err != nil {
		return nil, err
	}
	defer p.leave()
	var n ifNode
	stopped := terminator{"elseif", from}
	for stopped.name == "elseif" {
		br, next, err := p.branch(stopped.at)
		if err != nil {
			return nil, err
		}
		n.branches = append(n.branches, br)
		stopped = next
	}
	if stopped.name == "else" {
		otherwise, next, err := p.block()
		if err != nil {
			return nil, err
		}
		if next.name == "else" || next.name == "elseif" {
			return nil, p.fault(next.at, "#%s after #else; an #if has one #else, at its end", next.name)
		}
		n.otherwise, stopped = otherwise, next
	}
	return n, p.ended(stopped, from, "if")
}

func (p *parser) branch(from int) (branch, terminator, error) {
	if err := p.open("if"); err != nil {
		return branch{}, terminator{}, err
	}
	condition, err := p.expression()
	if err != nil {
		return branch{}, terminator{}, err
	}
	if err := p.close(from, "#if"); err != nil {
		return branch{}, terminator{}, err
	}
	body, stopped, err := p.block()
	return branch{condition, body}, stopped, err
}

// ended checks that #end closed the directive.
func (p *parser) ended(stopped terminator, from int, name string) error {
	switch stopped.name {
	case "end":
		return nil
	case "":
		return p.fault(from, "the #%s that opens here is not closed; write #end", name)
	}
	return p.fault(stopped.at, "#%s belongs to an #if; #%s has none", stopped.name, name)
}

// foreach reads ($name in list) and the body.
func (p *parser) foreach(from int) (node, error) {
	if err := p.enter(from); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.open("foreach"); err != nil {
		return nil, err
	}
	name, err := p.variable("#foreach($item in $list)")
	if err != nil {
		return nil, err
	}
	p.space()
	if word, size := p.word(); word == "in" {
		p.at += size
	} else {
		return nil, p.fault(p.at, "expected in here: #foreach($%s in $list)", name)
	}
	list, err := p.parameter()
	if err != nil {
		return nil, err
	}
	if err := p.close(from, "#foreach"); err != nil {
		return nil, err
	}
	body, stopped, err := p.block()
	if err != nil {
		return nil, err
	}
	return foreachNode{p.mark(from), name, list, body}, p.ended(stopped, from, "foreach")
}

// variable reads a reference that is only a name.
func (p *parser) variable(form string) (string, error) {
	if p.peek() != '$' {
		return "", p.fault(p.at, "expected a variable here: %s", form)
	}
	r, err := p.reference()
	if err != nil {
		return "", err
	}
	if len(r.parts) > 0 {
		return "", p.faultAt(r.at, "expected a variable without members here: %s", form)
	}
	return r.name, nil
}
