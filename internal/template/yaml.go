package template

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads a template that is YAML. Scalars keep the text that the file
// has, so that dates, account numbers and versions stay what they are.
func parseYAML(file string, data []byte) (*node, []repeatedKey, error) {
	r := &yamlReader{builder: builder{file: file}, open: make(map[*yaml.Node]bool)}
	if marks(data) > maxMarks {
		return nil, nil, &Error{File: file, Text: fmt.Sprintf("the template is too large: it has more than %d lines, commas and brackets", maxMarks)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF), err == nil && len(document.Content) == 0:
		return nil, nil, &Error{File: file, Text: "the template is empty"}
	case err != nil:
		return nil, nil, r.syntaxError(err, data)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, nil, r.errorf(second.Line, second.Column, "the file holds several YAML documents; a template is one")
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, r.syntaxError(err, data)
	}
	root, err := r.value(document.Content[0])
	return root, r.repeated, err
}

// maxMarks bounds what the YAML library is given, which builds its own tree of
// everything, at 20 times the size of the text, before ours can count.
const maxMarks = 2 * maxNodes

// marks counts the characters of which each value needs at least one.
func marks(data []byte) int {
	n := 0
	for _, mark := range []string{"\n", "\r", ",", "[", "{"} {
		n += bytes.Count(data, []byte(mark))
	}
	return n
}

type yamlReader struct {
	builder
	// open holds the anchored values that are being built, to catch an alias
	// within the very value that it repeats.
	open map[*yaml.Node]bool
}

// syntaxError gives an error of the YAML library the form of ours.
func (r *yamlReader) syntaxError(err error, data []byte) error {
	line, text := splitSyntaxError(err)
	if found := failingLine(data, text); found > 0 {
		line = found
	}
	hint := ""
	if indentsWithTab(data, line) {
		hint = "; YAML indents with spaces, and this line has a tab"
	}
	return r.errorf(line, 1, "this is not valid YAML: %s%s", text, hint)
}

// splitSyntaxError takes "yaml: line 3: text" apart.
func splitSyntaxError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			return n, message
		}
	}
	return 1, text
}

// failingLine finds the line at which data stops being YAML: the last one of
// the shortest beginning that fails with the same message. The library itself
// often names the line where the surrounding map begins. 0 means not found.
func failingLine(data []byte, text string) int {
	const most = 256 << 10
	if len(data) > most {
		return 0
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	offset, ends := 0, make([]int, len(lines))
	for i, l := range lines {
		offset += len(l)
		ends[i] = offset
	}
	first := sort.Search(len(lines), func(i int) bool {
		var document yaml.Node
		err := yaml.Unmarshal(data[:ends[i]], &document)
		if err == nil {
			return false
		}
		_, message := splitSyntaxError(err)
		return message == text
	})
	return (first + 1) % (len(lines) + 1)
}

// indentsWithTab reports whether a tab stands before the first letter of a line.
func indentsWithTab(data []byte, line int) bool {
	for n := 1; n < line; n++ {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	text, _, _ := bytes.Cut(data, []byte("\n"))
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	return bytes.IndexByte(indent, '\t') >= 0
}

func (r *yamlReader) value(y *yaml.Node) (*node, error) {
	if y.Kind == yaml.AliasNode {
		return r.alias(y)
	}
	if y.Anchor != "" {
		r.open[y] = true
		defer delete(r.open, y)
	}
	if name, ok := shortTag(y); ok {
		return r.call(name, y)
	}
	switch y.Kind {
	case yaml.SequenceNode:
		return r.list(y)
	case yaml.MappingNode:
		return r.object(y)
	default:
		return r.scalar(y)
	}
}

// alias builds the value again that the alias repeats, so that each node has
// one parent; the limits on nodes and depth bound what that may cost.
func (r *yamlReader) alias(y *yaml.Node) (*node, error) {
	if r.open[y.Alias] {
		return nil, r.errorf(y.Line, y.Column, "the alias *%s stands within the value that it repeats", y.Value)
	}
	return r.value(y.Alias)
}

// shortTag returns the intrinsic that a tag such as !Sub or !GetAtt means.
func shortTag(y *yaml.Node) (name string, ok bool) {
	tag, ok := strings.CutPrefix(y.Tag, "!")
	if !ok || tag == "" || strings.HasPrefix(tag, "!") {
		return "", false
	}
	if tag == "Ref" || tag == "Condition" {
		return tag, true
	}
	return "Fn::" + tag, true
}

// call builds the long form of a tagged value: !Ref X is {Ref: X}.
func (r *yamlReader) call(name string, y *yaml.Node) (*node, error) {
	n, err := r.newNode(kindObject, y.Line, y.Column)
	if err != nil {
		return nil, err
	}
	untagged := *y
	untagged.Tag, untagged.Anchor = "", ""
	untagged.Style &^= yaml.TaggedStyle
	return n, r.setField(n, name, y.Line, y.Column, func() (*node, error) { return r.value(&untagged) })
}

func (r *yamlReader) scalar(y *yaml.Node) (*node, error) {
	n, err := r.newNode(kindString, y.Line, y.Column)
	if err != nil {
		return nil, err
	}
	n.text = y.Value
	switch y.ShortTag() {
	case "!!int", "!!float":
		n.kind = kindNumber
	case "!!bool":
		n.kind = kindBool
	case "!!null":
		n.kind = kindNull
	}
	return n, nil
}

func (r *yamlReader) list(y *yaml.Node) (*node, error) {
	n, err := r.newNode(kindList, y.Line, y.Column)
	if err != nil {
		return nil, err
	}
	for _, item := range y.Content {
		if err := r.addItem(n, func() (*node, error) { return r.value(item) }); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (r *yamlReader) object(y *yaml.Node) (*node, error) {
	n, err := r.newNode(kindObject, y.Line, y.Column)
	if err != nil {
		return nil, err
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if err := r.entry(n, key, value); err != nil {
			return nil, err
		}
	}
	for _, source := range merges {
		if err := r.merge(n, source); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (r *yamlReader) entry(n *node, key, value *yaml.Node) error {
	name := key
	if key.Kind == yaml.AliasNode {
		name = key.Alias
	}
	if name.Kind != yaml.ScalarNode || name.ShortTag() == "!!null" {
		return r.errorf(key.Line, key.Column, "a key must be plain text, not a list, a map or nothing")
	}
	return r.setField(n, name.Value, key.Line, key.Column, func() (*node, error) { return r.value(value) })
}

// merge adds the fields of "<<: *anchor", or of a list of such, that the map
// does not have itself; of several sources the first wins.
func (r *yamlReader) merge(n *node, source *yaml.Node) error {
	merged, err := r.value(source)
	if err != nil {
		return err
	}
	sources := []*node{merged}
	if merged.kind == kindList {
		sources = merged.items
	}
	for _, s := range sources {
		if s.kind != kindObject {
			return r.errorf(source.Line, source.Column, "the merge key << takes a map or a list of maps, and this is %s", s.kind)
		}
		for _, f := range s.fields {
			if n.addField(f) {
				f.value.parent, f.value.step = n, "."+f.name
			}
		}
	}
	return nil
}
