package vtl

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep blocks, expressions and texts with references in them
// may nest in a template.
const maxNesting = 64

type parser struct {
	source string
	at     int
	// nesting counts the blocks and expressions that are open.
	nesting int
	// within is set when the source is a text in quotes within a template.
	within *enclosing
}

// enclosing says where in a template the source of a parser stands.
type enclosing struct {
	template string
	// base is the offset of the source; pinned says that the source was
	// rewritten, so that everything in it stands at base.
	base   int
	pinned bool
}

// mark turns an offset in the source into a place in the template.
func (p *parser) mark(offset int) at {
	switch {
	case p.within == nil:
		return at(offset)
	case p.within.pinned:
		return at(p.within.base)
	}
	return at(p.within.base + offset)
}

// root returns the text that places count in.
func (p *parser) root() string {
	if p.within == nil {
		return p.source
	}
	return p.within.template
}

// fault is an error at an offset of the source.
func (p *parser) fault(offset int, format string, args ...any) error {
	return p.faultAt(p.mark(offset), format, args...)
}

// faultAt is an error at a place in the template.
func (p *parser) faultAt(place at, format string, args ...any) error {
	e := locate(p.root(), int(place))
	e.What = fmt.Sprintf(format, args...)
	return e
}

// locate finds the line and column of an offset.
func locate(source string, offset int) *Error {
	before := source[:min(offset, len(source))]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[lineStart:]) + 1,
	}
}

func (p *parser) peek() byte {
	if p.at < len(p.source) {
		return p.source[p.at]
	}
	return 0
}

func (p *parser) has(prefix string) bool { return strings.HasPrefix(p.source[p.at:], prefix) }

func (p *parser) take(prefix string) bool {
	if !p.has(prefix) {
		return false
	}
	p.at += len(prefix)
	return true
}

func (p *parser) space() {
	for p.at < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.at]) >= 0 {
		p.at++
	}
}

// restOfLine passes blanks and the newline after them, if there is one: what
// Velocity takes along with #end, #else and the parenthesis that closes a
// directive.
func (p *parser) restOfLine() {
	i := p.at
	for i < len(p.source) && (p.source[i] == ' ' || p.source[i] == '\t') {
		i++
	}
	switch rest := p.source[i:]; {
	case strings.HasPrefix(rest, "\r\n"):
		p.at = i + 2
	case strings.HasPrefix(rest, "\n"), strings.HasPrefix(rest, "\r"):
		p.at = i + 1
	}
}

// enter counts a level of nesting; leave must follow.
func (p *parser) enter(offset int) error {
	if p.nesting++; p.nesting > maxNesting {
		return p.fault(offset, "the template nests deeper than %d levels here", maxNesting)
	}
	return nil
}

func (p *parser) leave() { p.nesting-- }

// template reads the whole source.
func (p *parser) template() (block, error) {
	body, stopped, err := p.block()
	if err != nil {
		return nil, err
	}
	if stopped.name != "" {
		return nil, p.fault(stopped.at, "#%s without #if or #foreach before it; take it away, or write \\#%s for the text", stopped.name, stopped.name)
	}
	return body, nil
}

// terminator is the #end, #else or #elseif that ended a block.
type terminator struct {
	name string
	at   int
}

// block reads up to #end, #else or #elseif, which it passes, or to the end of
// the source, for which the terminator is empty.
func (p *parser) block() (block, terminator, error) {
	b := builder{parser: p}
	for p.at < len(p.source) {
		switch p.peek() {
		case '$':
			if err := p.dollar(&b, 0); err != nil {
				return nil, terminator{}, err
			}
		case '\\':
			if err := p.backslashes(&b); err != nil {
				return nil, terminator{}, err
			}
		case '#':
			stopped, err := p.hash(&b)
			if err != nil || stopped.name != "" {
				return b.done(), stopped, err
			}
		default:
			p.plain(&b)
		}
	}
	return b.done(), terminator{}, nil
}

// plain passes text up to the next character that may mean something. Blanks
// in front of #set belong to it and disappear, but only where nothing else
// stands in front of them in the same run of text: so Velocity reads it.
func (p *parser) plain(b *builder) {
	from := p.at
	end := strings.IndexAny(p.source[from:], "$#\\")
	if end < 0 {
		p.at = len(p.source)
	} else {
		p.at += end
	}
	written := p.source[from:p.at]
	if p.atSet() && strings.Trim(written, " \t") == "" {
		return
	}
	b.text(written)
}

// atSet reports whether #set( begins here.
func (p *parser) atSet() bool {
	rest := p.source[p.at:]
	for _, opening := range []string{"#set", "#{set}"} {
		if after, ok := strings.CutPrefix(rest, opening); ok && strings.HasPrefix(strings.TrimLeft(after, " "), "(") {
			return true
		}
	}
	return false
}

// backslashes reads a run of backslashes. In front of a reference or a
// directive each two write one, and a single one makes what follows text;
// anywhere else, and in front of a #set that is not made text, they stand for
// themselves.
func (p *parser) backslashes(b *builder) error {
	from := p.at
	for p.peek() == '\\' {
		p.at++
	}
	count := p.at - from
	switch {
	case p.peek() == '$' && p.beginsReference():
		return p.dollar(b, count)
	case p.peek() == '#' && p.beginsDirective() != "" && !(p.atSet() && count%2 == 0):
		b.text(strings.Repeat(`\`, count/2))
		if count%2 == 1 {
			b.text(p.beginsDirective())
			p.at += len(p.beginsDirective())
		}
	default:
		b.text(p.source[from:p.at])
	}
	return nil
}

// beginsDirective returns #word or #{word}, if it is one that Velocity knows.
func (p *parser) beginsDirective() string {
	name, size := p.directiveName()
	switch name {
	case "set", "if", "elseif", "else", "end", "foreach", "break", "stop", "define", "macro", "parse", "include", "evaluate", "literal":
		return p.source[p.at : p.at+size]
	}
	return ""
}

// directiveName returns the word after the # that is here, which may stand in
// braces, and the length of all of it. The word is empty when there is none.
func (p *parser) directiveName() (name string, size int) {
	rest := p.source[p.at+1:]
	braced := strings.HasPrefix(rest, "{")
	if braced {
		rest = rest[1:]
	}
	end := 0
	for end < len(rest) && isDirectiveLetter(rest[end], end == 0) {
		end++
	}
	switch {
	case end == 0:
		return "", 0
	case !braced:
		return rest[:end], end + 1
	case strings.HasPrefix(rest[end:], "}"):
		return rest[:end], end + 3
	}
	return "", 0
}

func isDirectiveLetter(c byte, first bool) bool {
	return isLetter(c) || c == '_' || c == '@' || !first && isDigit(c)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// builder collects nodes and joins neighbouring texts.
type builder struct {
	parser  *parser
	nodes   block
	pending strings.Builder
	// began is where the text that is pending stands.
	began at
}

func (b *builder) text(s string) {
	if b.pending.Len() == 0 {
		b.began = b.parser.mark(b.parser.at)
	}
	b.pending.WriteString(s)
}

func (b *builder) node(n node) {
	b.flush()
	b.nodes = append(b.nodes, n)
}

func (b *builder) flush() {
	if b.pending.Len() > 0 {
		b.nodes = append(b.nodes, text{b.began, b.pending.String()})
		b.pending.Reset()
	}
}

func (b *builder) done() block {
	b.flush()
	return b.nodes
}
