package template

import (
	"fmt"
	"slices"

	"github.com/gatepost-dev/gatepost/stack"
)

// Kind is what a Value is.
type Kind = kind

// The kinds of values. Null is a value that is there and empty.
const (
	String = kindString
	Number = kindNumber
	Bool   = kindBool
	Null   = kindNull
	List   = kindList
	Object = kindObject
)

// Value is a piece of a configuration file with its place, for packages that
// make templates out of other formats: they read with ReadValue, and hand what
// they have made to LoadValue. Intrinsic functions are in their long form.
type Value struct {
	Kind Kind
	// Text is a scalar as the file writes it, without quotes.
	Text string
	// Items are a list's values, Entries a map's, in the file's order.
	Items   []*Value
	Entries []Entry
	Place   Place
	// Missing says why there is no value, and what to do; the other fields are
	// empty then. It becomes an error where the value is needed, and not before.
	Missing string
}

// Entry is one entry of a map; Place is that of its name.
type Entry struct {
	Name  string
	Place Place
	Value *Value
}

// Place is where a value stands, for messages. The zero value is nowhere.
type Place struct {
	at           *node
	file         string
	line, column int
}

// File returns the name of the file, as it was given to ReadValue, and Line the
// line, from 1.
func (p Place) File() string { return p.file }

// Line returns the line, from 1, or 0.
func (p Place) Line() int { return p.line }

// Path leads to the value in its file, as in "functions.hello.events[0]".
func (p Place) Path() string {
	if p.at == nil {
		return ""
	}
	return p.at.path()
}

// Errorf makes an error about the value at this place.
func (p Place) Errorf(format string, args ...any) *Error {
	return &Error{File: p.File(), Line: p.line, Column: p.column, Path: p.Path(), Text: fmt.Sprintf(format, args...)}
}

// Get returns the value with this name in a map, or nil. It may be called on
// nil and on values that are no maps. A large map is walked through, so it is
// not for loops over the names of one.
func (v *Value) Get(name string) *Value {
	if v == nil {
		return nil
	}
	for i := range v.Entries {
		if v.Entries[i].Name == name {
			return v.Entries[i].Value
		}
	}
	return nil
}

// IsScalar reports whether the value is text, a number or true or false.
func (v *Value) IsScalar() bool {
	return v != nil && v.Missing == "" && (v.Kind == String || v.Kind == Number || v.Kind == Bool)
}

// Quote puts what a file says into a message, clipped.
func Quote(s string) string { return quote(s) }

// DidYouMean returns " (did you mean X?)" for the candidate that is a slip of
// the finger away from name, or "".
func DidYouMean(name string, candidates []string) string { return didYouMean(name, candidates) }

// Join joins errors about files as Load does: in the order of the files, each
// once, at most 20 of them and a line that counts the others. It returns nil
// when there are none.
func Join(list []*Error) error {
	var p problems
	for _, err := range list {
		p.add(err)
	}
	return p.err()
}

// ReadValue reads a file of YAML or JSON that is in memory, with the limits that
// templates have: 10 MB, 100,000 values counting those that aliases repeat, 100
// levels. The notices tell of keys that are given twice.
func ReadValue(name string, data []byte) (*Value, []stack.Notice, error) {
	if len(data) > maxFileBytes {
		return nil, nil, &Error{File: name, Text: fmt.Sprintf("the file is larger than %d MB", maxFileBytes>>20)}
	}
	root, repeated, err := parse(name, data)
	if err != nil {
		return nil, nil, err
	}
	var notices []stack.Notice
	for _, k := range repeated {
		notices = append(notices, stack.Notice{File: name, Line: k.line, Text: k.text()})
	}
	return valueOf(name, root), notices, nil
}

func valueOf(file string, n *node) *Value {
	v := &Value{Kind: n.kind, Text: n.text, Place: Place{n, file, n.line, n.column}}
	for _, item := range n.items {
		v.Items = append(v.Items, valueOf(file, item))
	}
	for _, f := range n.fields {
		v.Entries = append(v.Entries, Entry{Name: f.name, Place: Place{f.value, file, f.line, f.column}, Value: valueOf(file, f.value)})
	}
	return v
}

// Made is a template that was made of another format.
type Made struct {
	// File is the file that it was made of.
	File string
	// Root is the template: a map with Resources and the other sections. Its
	// values keep the places of what they were made of.
	Root *Value
	// Generated are the logical ids that do not stand in the file; of those that
	// do nothing here no notice tells.
	Generated map[string]bool
	// Notices come before those of the template itself.
	Notices []stack.Notice
	// Files are further files that were read, or would have been had they been
	// there.
	Files []string
	// Folders are those in which a file that is written may make the template
	// another.
	Folders []string
}

// LoadValue is LoadBytes for a template that was made of another format.
func LoadValue(made Made, dir string, opts Options) (*stack.Stack, error) {
	d, err := made.document(dir, opts)
	if err != nil {
		return nil, err
	}
	return load(d)
}

// ResolveValue is Resolve for a template that was made of another format.
func ResolveValue(made Made, dir string, opts Options) ([]byte, error) {
	d, err := made.document(dir, opts)
	if err != nil {
		return nil, err
	}
	s, err := newSystem([]document{d})
	if err != nil {
		return nil, err
	}
	return s.loaders[0].resolved()
}

func (m Made) document(dir string, opts Options) (document, error) {
	opts, err := opts.withDefaults(dir)
	if err != nil {
		return document{}, err
	}
	nodes := &maker{builder: builder{file: m.File}, files: make(map[*node]string)}
	root, err := nodes.nodeOf(m.Root)
	return document{file: m.File, dir: dir, root: root, opts: opts, files: nodes.files, made: m.Generated, notices: m.Notices, others: m.Files, folders: m.Folders}, err
}

// maker builds the nodes of a template that was made of other files.
type maker struct {
	builder
	// files are those in which the values stand, by the roots of their trees.
	files map[*node]string
}

// missingCall is the name of a call that stands for a value which is not there;
// its argument is the sentence that says why.
const missingCall = "Fn::Gatepost::Missing"

// nodeOf builds the node of a value. Its path is that of the value's place.
func (b *maker) nodeOf(v *Value) (*node, error) {
	n, err := b.newNode(v.Kind, v.Place.line, v.Place.column)
	if err != nil {
		return nil, err
	}
	n.text, n.parent = v.Text, v.Place.at
	if at := v.Place.at; at != nil {
		for at.parent != nil {
			at = at.parent
		}
		b.files[at] = v.Place.file
	}
	if v.Missing != "" {
		n.kind, n.text = kindObject, ""
		return n.with(missingCall, madeText(n, v.Missing)), nil
	}
	for _, item := range v.Items {
		b.steps = append(b.steps, "[]")
		child, err := b.nodeOf(item)
		if err != nil {
			return nil, err
		}
		b.steps = b.steps[:len(b.steps)-1]
		n.items = append(n.items, child)
	}
	for _, e := range v.Entries {
		b.steps = append(b.steps, "."+e.Name)
		child, err := b.nodeOf(e.Value)
		if err != nil {
			return nil, err
		}
		b.steps = b.steps[:len(b.steps)-1]
		f := field{name: e.Name, line: e.Place.line, column: e.Place.column, value: child}
		if !n.addField(f) {
			n.fields[n.position(e.Name)] = f
		}
	}
	return n, nil
}

// Scalar returns text that stands at a place and is not written there.
func Scalar(at Place, kind Kind, text string) *Value {
	return &Value{Kind: kind, Text: text, Place: at}
}

// Map returns an empty map that stands at a place and is not written there.
func Map(at Place) *Value { return &Value{Kind: Object, Place: at} }

// Items returns a list that stands at a place and is not written there.
func ListOf(at Place, items ...*Value) *Value { return &Value{Kind: List, Items: items, Place: at} }

// With sets an entry of a map unless the value is nil, and returns the map.
func (v *Value) With(name string, value *Value) *Value {
	if value == nil {
		return v
	}
	e := Entry{Name: name, Place: value.Place, Value: value}
	if i := slices.IndexFunc(v.Entries, func(e Entry) bool { return e.Name == name }); i >= 0 {
		v.Entries[i] = e
		return v
	}
	v.Entries = append(v.Entries, e)
	return v
}
