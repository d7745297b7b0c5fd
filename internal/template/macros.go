package template

import (
	"strings"
)

// The macros that Gatepost applies itself: AWS::LanguageExtensions with
// Fn::ForEach, and AWS::Include of files. Both change the tree before anything
// in it is evaluated, so that what they make has its place in a file.

// maxUnrolled bounds the values that all Fn::ForEach of a template make.
const maxUnrolled = maxNodes

const (
	includeMacro   = "AWS::Include"
	extensionMacro = "AWS::LanguageExtensions"
	loopPrefix     = "Fn::ForEach::"
)

// applyMacros includes files and unrolls loops below n.
func (l *loader) applyMacros(n *node, depth int) {
	if n.kind == kindList {
		for _, item := range n.items {
			l.applyMacros(item, depth)
		}
		return
	}
	if n.kind != kindObject {
		return
	}
	for i := 0; i < len(n.fields); i++ {
		f := n.fields[i]
		switch {
		case f.name == "Fn::Transform" && isInclude(f.value):
			l.replace(n, i, l.included(f.value, depth))
			i-- // what came in is looked at too
			depth++
		case strings.HasPrefix(f.name, loopPrefix):
			l.replace(n, i, l.unrolled(f))
			i--
		default:
			l.applyMacros(f.value, depth)
		}
		if l.problems.tooMany() {
			return
		}
	}
}

// includeAtTop applies an AWS::Include in Transform: its file adds sections, or
// entries to those that are there.
func (l *loader) includeAtTop(root *node) {
	transform := root.field("Transform")
	if transform == nil {
		return
	}
	macros := []*node{transform}
	if transform.kind == kindList {
		macros = transform.items
	}
	for _, m := range macros {
		if !isInclude(m) {
			continue
		}
		for _, f := range l.included(m, 0) {
			l.addSection(root, f)
		}
	}
}

// addSection merges a section into the template.
func (l *loader) addSection(root *node, f field) {
	own := root.field(f.name)
	if own == nil {
		f.value.parent, f.value.step = root, "."+f.name
		root.addField(f)
		return
	}
	if own.kind != kindObject || f.value.kind != kindObject {
		return // the template's own counts
	}
	for _, entry := range f.value.fields {
		l.files[entry.value] = l.files[f.value]
		entry.value.parent, entry.value.step = own, "."+entry.name
		own.addField(entry)
	}
}

// replace puts fields in the place of one.
func (l *loader) replace(n *node, i int, fields []field) {
	before, after := n.fields[:i:i], n.fields[i+1:]
	n.fields, n.index = nil, nil
	for _, f := range before {
		n.addField(f)
	}
	for _, f := range fields {
		f.value.parent, f.value.step = n, "."+f.name
		if !n.addField(f) {
			l.problem(f.value, "the map has %s already; what a macro makes needs a name of its own", quote(f.name))
		}
	}
	for _, f := range after {
		n.addField(f)
	}
}

func isInclude(n *node) bool {
	name := n.field("Name")
	return name != nil && name.text == includeMacro
}

// included reads the file of an AWS::Include.
func (l *loader) included(macro *node, depth int) []field {
	location := macro.field("Parameters").field("Location")
	switch {
	case location == nil:
		l.problem(macro, "AWS::Include needs Parameters with a Location, the path of a file")
		return nil
	case !location.isScalar(), strings.Contains(location.text, "://"), l.dir == "":
		l.noteTemplate(macro.line, "what AWS::Include would bring is left out: Gatepost includes files, and this is "+describe(location))
		return nil
	case depth >= maxNesting:
		l.problem(location, "files are included more than %d deep; does one include itself?", maxNesting)
		return nil
	}
	file := l.besideTemplate(location.text)
	if known := l.includes[file]; known >= maxNesting*maxNesting {
		l.problem(location, "the file %s is included more than %d times", quote(location.text), known)
		return nil
	}
	l.includes[file]++
	root, _, err := parseFile(file)
	if err != nil {
		l.problem(location, "the file cannot be included: %v", err)
		return nil
	}
	if root.kind != kindObject {
		l.problem(location, "the file %s must hold a map, not %s", quote(location.text), root.kind)
		return nil
	}
	l.addFile(root, file)
	for _, f := range root.fields {
		l.files[f.value] = file // each gets another parent
	}
	return root.fields
}

// unrolled is what an Fn::ForEach stands for: its body once for each item of a
// collection, with the item for ${Identifier} and &{Identifier}.
func (l *loader) unrolled(f field) []field {
	loop := f.value
	if loop.kind != kindList || len(loop.items) != 3 || !loop.items[0].isScalar() || loop.items[2].kind != kindObject {
		l.problem(loop, "Fn::ForEach takes a list of an identifier, a collection and a map")
		return nil
	}
	items, err := l.list(loop.items[1])
	if err != nil {
		l.problems.add(err)
		return nil
	}
	var made []field
	for _, item := range items {
		if !item.isScalar() {
			l.problem(loop.items[1], "each item of an Fn::ForEach must be text, not %s", item.kind)
			return made
		}
		copier := &loopCopier{loader: l, identifier: loop.items[0].text, value: item.text}
		body := copier.copy(loop.items[2], nil)
		if body == nil {
			l.problem(loop, "the loops of the template make more than %d values", maxUnrolled)
			return made
		}
		l.applyMacros(body, 0) // loops within are unrolled for each item
		made = append(made, body.fields...)
	}
	return made
}

// loopCopier copies the body of a loop for one item.
type loopCopier struct {
	loader            *loader
	identifier, value string
}

// copy returns nil when the loops have made too much.
func (c *loopCopier) copy(n, parent *node) *node {
	if c.loader.unrolledNodes++; c.loader.unrolledNodes > maxUnrolled {
		return nil
	}
	if name, argument, ok := n.intrinsic(); ok && name == "Ref" && argument.text == c.identifier {
		return &node{kind: kindString, text: c.value, line: n.line, column: n.column, parent: parent, step: n.step}
	}
	made := &node{kind: n.kind, text: c.filled(n.text, n.kind == kindString), line: n.line, column: n.column, parent: parent, step: n.step}
	for _, item := range n.items {
		copied := c.copy(item, made)
		if copied == nil {
			return nil
		}
		made.items = append(made.items, copied)
	}
	for _, f := range n.fields {
		copied := c.copy(f.value, made)
		if copied == nil {
			return nil
		}
		f.name, f.value = c.filled(f.name, true), copied
		copied.step = "." + f.name
		made.addField(f)
	}
	if file, found := c.loader.files[n]; found {
		c.loader.files[made] = file
	}
	return made
}

// filled puts the item into a text. &{Identifier} leaves out what is no letter or
// digit, for logical ids.
func (c *loopCopier) filled(text string, isText bool) string {
	if !isText || !strings.Contains(text, "{") {
		return text
	}
	plain := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, c.value)
	return strings.NewReplacer("${"+c.identifier+"}", c.value, "&{"+c.identifier+"}", plain).Replace(text)
}
