package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is what a node is.
type kind uint8

const (
	kindString kind = iota
	kindNumber
	kindBool
	kindNull
	kindList
	kindObject
	// kindAbsent is what AWS::NoValue resolves to: as if nothing stood there.
	kindAbsent
)

// String names the kind as messages do.
func (k kind) String() string {
	switch k {
	case kindNumber:
		return "a number"
	case kindBool:
		return "true or false"
	case kindNull:
		return "empty (null)"
	case kindList:
		return "a list"
	case kindObject:
		return "a map"
	case kindAbsent:
		return "AWS::NoValue"
	default:
		return "text"
	}
}

// node is one value of a template with its place. Trees are built once, by the
// readers of YAML and JSON, and are read-only afterwards; short tags are in
// their long form already.
type node struct {
	kind kind
	// text is a scalar as the file writes it, without quotes.
	text string
	// items are a list's values, fields a map's, in the file's order.
	items  []*node
	fields []field
	// index finds a field in a large map.
	index map[string]int
	// line and column are where the value begins; both count from 1.
	line, column int
	// parent and step lead to the root: step is ".Key" or "[3]", or empty for
	// a node that stands in for its parent.
	parent *node
	step   string
}

// field is one entry of a map.
type field struct {
	name string
	// line and column are the name's.
	line, column int
	value        *node
}

// indexFrom is the number of fields from which a map is indexed.
const indexFrom = 12

// field returns the value with this name, or nil. It may be called on nil and
// on nodes that are no maps.
func (n *node) field(name string) *node {
	if n == nil || n.kind != kindObject {
		return nil
	}
	if i := n.position(name); i >= 0 {
		return n.fields[i].value
	}
	return nil
}

// position is where the field with this name stands among fields, or -1.
func (n *node) position(name string) int {
	if n.index == nil {
		return slices.IndexFunc(n.fields, func(f field) bool { return f.name == name })
	}
	if i, found := n.index[name]; found {
		return i
	}
	return -1
}

// names returns the names of a map's fields.
func (n *node) names() []string {
	names := make([]string, len(n.fields))
	for i, f := range n.fields {
		names[i] = f.name
	}
	return names
}

// addField appends a field and reports whether the name is new.
func (n *node) addField(f field) bool {
	if n.position(f.name) >= 0 {
		return false
	}
	if n.index != nil {
		n.index[f.name] = len(n.fields)
	}
	n.fields = append(n.fields, f)
	if n.index == nil && len(n.fields) >= indexFrom {
		n.index = make(map[string]int, 2*len(n.fields))
		for i, f := range n.fields {
			n.index[f.name] = i
		}
	}
	return true
}

// intrinsic returns the function's name and argument when the node is a call
// such as {"Ref": "Queue"} or {"Fn::Sub": "..."}. {"Condition": "Name"} is one
// only inside conditions, so it is not one here.
func (n *node) intrinsic() (name string, argument *node, ok bool) {
	if n == nil || n.kind != kindObject || len(n.fields) != 1 {
		return "", nil, false
	}
	f := n.fields[0]
	if f.name == "Ref" || strings.HasPrefix(f.name, "Fn::") {
		return f.name, f.value, true
	}
	return "", nil, false
}

// isScalar reports whether the node has text that can be used as a string.
func (n *node) isScalar() bool {
	return n.kind == kindString || n.kind == kindNumber || n.kind == kindBool
}

// path is the way from the root, as messages give it.
func (n *node) path() string {
	var steps []string
	for at := n; at != nil; at = at.parent {
		if at.step != "" {
			steps = append(steps, at.step)
		}
	}
	slices.Reverse(steps)
	return joinSteps(steps)
}

// joinSteps writes a path without the word Properties, and no further than the
// property that an intrinsic belongs to.
func joinSteps(steps []string) string {
	const longest = 200
	var path strings.Builder
	for depth, step := range steps {
		if depth == 2 && step == ".Properties" {
			continue
		}
		if step == ".Ref" || strings.HasPrefix(step, ".Fn::") {
			break
		}
		path.WriteString(strings.ToValidUTF8(step[:min(len(step), longest)], ""))
	}
	return strings.TrimPrefix(path.String(), ".")
}

// The makers below build the nodes that have no text of their own in the file:
// what SAM resources expand to. They take place and path from a node that is
// in the file.

func madeText(from *node, text string) *node {
	return &node{kind: kindString, text: text, line: from.line, column: from.column, parent: from}
}

func madeList(from *node, items ...*node) *node {
	return &node{kind: kindList, items: items, line: from.line, column: from.column, parent: from}
}

// madeObject returns an empty map; with adds to it.
func madeObject(from *node) *node {
	return &node{kind: kindObject, line: from.line, column: from.column, parent: from}
}

// with adds a field unless the value is nil, and returns the node.
func (n *node) with(name string, value *node) *node {
	if value != nil {
		n.addField(field{name: name, line: value.line, column: value.column, value: value})
	}
	return n
}

func madeRef(from *node, logicalID string) *node {
	return madeObject(from).with("Ref", madeText(from, logicalID))
}

func madeJoin(from *node, parts ...*node) *node {
	return madeObject(from).with("Fn::Join", madeList(from, madeText(from, ""), madeList(from, parts...)))
}

// limits bound what a template may be, so that a hostile one ends in an error
// and not in the end of memory. AWS itself takes 1 MB and 500 resources.
const (
	maxFileBytes = 10 << 20
	maxNodes     = 100_000
	maxDepth     = 100
	maxResources = 2000
)

// builder makes nodes and counts them.
type builder struct {
	file  string
	nodes int
	// steps lead to the value that is being read, for messages.
	steps []string
	// repeated are the keys that were given again, at most maxRepeated.
	repeated []repeatedKey
}

// repeatedKey is a key that a map has twice.
type repeatedKey struct {
	path        string
	first, line int
}

func (k repeatedKey) text() string {
	return k.path + " is given twice, in line " + strconv.Itoa(k.first) + " and here; the last one counts, as on AWS"
}

// maxRepeated is how many repeated keys of one template are told.
const maxRepeated = 20

// newNode returns a node, or the error that the template is too large or too
// deep.
func (b *builder) newNode(k kind, line, column int) (*node, error) {
	b.nodes++
	if b.nodes > maxNodes {
		return nil, b.errorf(line, column, "the template has more than %d values, counting those that aliases repeat; split it, or repeat less", maxNodes)
	}
	if len(b.steps) > maxDepth {
		return nil, b.errorf(line, column, "the template is nested more than %d levels deep", maxDepth)
	}
	return &node{kind: k, line: line, column: column}, nil
}

// addItem appends what read returns to a list.
func (b *builder) addItem(list *node, read func() (*node, error)) error {
	step := "[" + strconv.Itoa(len(list.items)) + "]"
	b.steps = append(b.steps, step)
	item, err := read()
	b.steps = b.steps[:len(b.steps)-1]
	if err != nil {
		return err
	}
	item.parent, item.step = list, step
	list.items = append(list.items, item)
	return nil
}

// setField adds what read returns to a map. A second field of one name takes
// the place of the first, as the readers of YAML and JSON on AWS's side have it.
func (b *builder) setField(object *node, name string, line, column int, read func() (*node, error)) error {
	b.steps = append(b.steps, "."+name)
	defer func() { b.steps = b.steps[:len(b.steps)-1] }()
	value, err := read()
	if err != nil {
		return err
	}
	value.parent, value.step = object, "."+name
	f := field{name: name, line: line, column: column, value: value}
	if object.addField(f) {
		return nil
	}
	at := object.position(name)
	if len(b.repeated) < maxRepeated {
		b.repeated = append(b.repeated, repeatedKey{path: joinSteps(b.steps), first: object.fields[at].line, line: line})
	}
	object.fields[at] = f
	return nil
}

func (b *builder) errorf(line, column int, format string, args ...any) *Error {
	return &Error{File: b.file, Line: line, Column: column, Path: joinSteps(b.steps), Text: fmt.Sprintf(format, args...)}
}
