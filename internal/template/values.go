package template

import (
	"fmt"
	"strings"
)

// Values are what templates take from outside of themselves, where AWS would
// look it up: Parameter Store, the exports and outputs of other stacks, Secrets
// Manager. A nil *Values holds nothing. It is read-only once read and may be
// used by many goroutines.
type Values struct {
	// SSM holds parameters of Parameter Store by their names; the value of a
	// StringList is one text with commas.
	SSM map[string]string
	// Exports holds what other stacks export, by the exports' names.
	Exports map[string]string
	// Outputs holds the outputs of other stacks by stack, then by output.
	Outputs map[string]map[string]string
	// Secrets holds secrets of Secrets Manager by their names: text, or JSON as
	// text. They are never printed.
	Secrets map[string]string
}

// valueSections are the parts of a file of values.
var valueSections = []string{"ssm", "exports", "outputs", "secrets"}

// ReadValues reads a file of values, JSON or YAML, of at most 10 MB:
//
//	ssm: {/chat/table: connections}
//	exports: {network-Vpc: vpc-1}
//	outputs: {other-stack: {QueueUrl: "https://..."}}
//	secrets: {chat/db: {user: me, password: x}}
//
// All sections may be missing; another one is an error. A list becomes one text
// with commas, and a map under ssm or secrets JSON. Errors about the content are
// of type *Error.
func ReadValues(file string) (*Values, error) {
	data, err := readFile("values", file)
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, &Error{File: file, Text: fmt.Sprintf("the file is larger than %d MB", maxFileBytes>>20)}
	}
	root, _, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	r := &valueReader{file: file}
	values := r.read(root)
	return values, r.problems.err()
}

// SSMParameter returns the value of a parameter of Parameter Store; a version
// or label behind a colon is not looked at. It may be called on nil.
func (v *Values) SSMParameter(name string) (value string, found bool) {
	if v == nil {
		return "", false
	}
	if value, found = v.SSM[name]; found {
		return value, true
	}
	plain, _, versioned := strings.Cut(name, ":")
	value, found = v.SSM[plain]
	return value, found && versioned
}

// Export returns what another stack exports. It may be called on nil.
func (v *Values) Export(name string) (value string, found bool) {
	if v == nil {
		return "", false
	}
	value, found = v.Exports[name]
	return value, found
}

// Output returns the output of another stack. It may be called on nil.
func (v *Values) Output(stack, name string) (value string, found bool) {
	if v == nil {
		return "", false
	}
	value, found = v.Outputs[stack][name]
	return value, found
}

// Secret returns a secret of Secrets Manager. It may be called on nil.
func (v *Values) Secret(name string) (value string, found bool) {
	if v == nil {
		return "", false
	}
	value, found = v.Secrets[name]
	return value, found
}

// valueReader reads a file of values and collects what is wrong in it.
type valueReader struct {
	file     string
	problems problems
}

func (r *valueReader) problem(n *node, format string, args ...any) {
	r.problems.add(&Error{File: r.file, Line: n.line, Column: n.column, Path: n.path(), Text: fmt.Sprintf(format, args...)})
}

func (r *valueReader) read(root *node) *Values {
	values := &Values{Outputs: make(map[string]map[string]string)}
	for _, f := range r.fields(root) {
		switch f.name {
		case "ssm":
			values.SSM = r.texts(f.value)
		case "exports":
			values.Exports = r.texts(f.value)
		case "secrets":
			values.Secrets = r.texts(f.value)
		case "outputs":
			for _, other := range r.fields(f.value) {
				values.Outputs[other.name] = r.texts(other.value)
			}
		default:
			r.problem(f.value, "there is no section %s in a file of values; there are %s%s", quote(f.name), alternatives(valueSections), didYouMean(f.name, valueSections))
		}
	}
	return values
}

// fields returns the entries of a map; nothing at all is an empty one.
func (r *valueReader) fields(n *node) []field {
	switch n.kind {
	case kindObject:
		return n.fields
	case kindNull:
	default:
		r.problem(n, "this must be a map, not %s", n.kind)
	}
	return nil
}

func (r *valueReader) texts(n *node) map[string]string {
	all := make(map[string]string)
	for _, f := range r.fields(n) {
		all[f.name] = r.text(f.value)
	}
	return all
}

// text is the value as a template would get it.
func (r *valueReader) text(n *node) string {
	switch {
	case n.isScalar():
		return n.text
	case n.kind == kindList:
		var items []string
		for _, item := range n.items {
			items = append(items, r.text(item))
		}
		return strings.Join(items, ",")
	case n.kind == kindObject:
		return plainJSON(n)
	}
	r.problem(n, "the value is empty; write the text that it has")
	return ""
}

// plainJSON writes a value as JSON as it stands, without evaluating anything.
func plainJSON(n *node) string {
	switch n.kind {
	case kindObject:
		var parts []string
		for _, f := range n.fields {
			parts = append(parts, jsonString(f.name)+":"+plainJSON(f.value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case kindList:
		var parts []string
		for _, item := range n.items {
			parts = append(parts, plainJSON(item))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case kindNumber:
		return jsonNumber(n.text)
	case kindBool:
		return strings.ToLower(n.text)
	case kindString:
		return jsonString(n.text)
	}
	return "null"
}
