package vtl

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// inputObject is $input: the body and the parameters.
type inputObject struct {
	execution *execution
	// text is the body as text, document the same parsed.
	text     string
	document jsonpath.Value
	parsed   bool
	// tree is the document as values that the template may change: what
	// $input.path returns are parts of it, and $input.json writes it with the
	// changes (qiita.com/makisyu/items/649f2c1945bde57c129f shows that on AWS).
	tree    value
	hasTree bool
	// changed says that a list or a map was changed since document was made.
	changed bool
}

// utilObject is $util.
type utilObject struct{}

// variable is what a name means: what the template set, or what API Gateway
// gives it.
func (e *execution) variable(name string) (value, error) {
	if v, ok := e.variables[name]; ok {
		return v, nil
	}
	switch name {
	case "input":
		return e.input, nil
	case "util":
		return &utilObject{}, nil
	case "context":
		v, err := e.fromJSON(e.data.Context)
		e.variables[name] = v
		return v, err
	case "stageVariables":
		d, err := e.dictOf(e.data.StageVariables)
		e.variables[name] = d
		return d, err
	}
	return nil, nil
}

// knows reports whether there is a variable of that name.
func (e *execution) knows(name string) bool {
	switch name {
	case "input", "util", "context", "stageVariables":
		return true
	}
	_, ok := e.variables[name]
	return ok
}

// dictOf makes a map of texts, in the order of their names.
func (e *execution) dictOf(m map[string]string) (*dict, error) {
	d := newDict(len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		d.set(key, m[key])
	}
	return d, e.spend(len(m))
}

// body is $input.body: the text as it came, and "{}" if there was none
// (recorded from AWS in the snapshots of localstack's
// test_input_body_formatting).
func (in *inputObject) body() string {
	if in.text == "" {
		if in.text = string(in.execution.data.Body); in.text == "" {
			in.text = "{}"
		}
	}
	return in.text
}

// call is $input.json(path), .path(path), .params() and .params(name).
func (in *inputObject) call(name string, arguments []value) (value, error) {
	if name == "params" {
		return in.params(arguments)
	}
	if len(arguments) != 1 || name != "json" && name != "path" {
		return nil, nil
	}
	written, err := in.execution.textOf(arguments[0])
	if err != nil {
		return nil, err
	}
	path, err := jsonpath.Compile(written)
	if err != nil {
		return nil, err
	}
	if err := in.execution.spend(len(written)); err != nil {
		return nil, err
	}
	return in.at(name, path)
}

// at is $input.json(path) or $input.path(path).
func (in *inputObject) at(name string, path *jsonpath.Path) (value, error) {
	if err := in.parse(); err != nil {
		return nil, err
	}
	if name == "json" {
		return in.json(path)
	}
	if segments, ok := path.Segments(); ok {
		return in.walk(segments)
	}
	found, ok, err := in.find(path)
	if !ok || err != nil {
		return nil, err
	}
	return in.execution.fromJSON(found)
}

// parse reads the body once. What is no JSON is one text, as Jayway's lenient
// parser has it, in which no path finds anything.
func (in *inputObject) parse() error {
	if in.parsed {
		return nil
	}
	in.parsed = true
	document, err := jsonpath.Parse([]byte(in.body()))
	if err != nil {
		document = jsonpath.StringOf(in.body())
	}
	in.document = document
	return in.execution.spend(len(in.text) / textPerStep)
}

// find looks into the document, with the changes that the template made.
func (in *inputObject) find(path *jsonpath.Path) (jsonpath.Value, bool, error) {
	if in.changed && in.hasTree {
		document, err := in.execution.toJSON(in.tree, 0)
		if err != nil {
			return jsonpath.Value{}, false, err
		}
		in.document = document
	}
	in.changed = false
	return path.SelectWithin(in.document, &in.execution.steps)
}

// json writes what the path finds as JSON. A path that leads nowhere is an
// empty text, quotes included (localstack's template_mapping.py, and its test
// test_apply_template_no_json_payload); a null is null.
func (in *inputObject) json(path *jsonpath.Path) (value, error) {
	found, ok, err := in.find(path)
	if err != nil {
		return nil, err
	}
	if !ok {
		return `""`, nil
	}
	written, err := in.execution.jsonText(found)
	return written, err
}

// walk follows names and indexes into the tree, so that what it returns is a
// part of it. A scalar needs no tree.
func (in *inputObject) walk(segments []jsonpath.Segment) (value, error) {
	if !in.hasTree {
		found, ok := walkDocument(in.document, segments)
		if !ok {
			return nil, nil
		}
		if found.Kind() != jsonpath.Array && found.Kind() != jsonpath.Object {
			return in.execution.fromJSON(found)
		}
		var err error
		if in.tree, err = in.execution.fromJSON(in.document); err != nil {
			return nil, err
		}
		in.hasTree = true
	}
	v := in.tree
	for _, s := range segments {
		switch holder := v.(type) {
		case *dict:
			v = nil
			if !s.IsIndex {
				v = holder.values[s.Name]
			}
		case *list:
			v = nil
			if i, err := holder.place(s.Index); s.IsIndex && err == nil {
				v = holder.items[i]
			}
		default:
			return nil, nil
		}
	}
	return v, in.execution.spend(len(segments))
}

func walkDocument(v jsonpath.Value, segments []jsonpath.Segment) (jsonpath.Value, bool) {
	for _, s := range segments {
		if !s.IsIndex {
			member, ok := v.Get(s.Name)
			if !ok {
				return member, false
			}
			v = member
			continue
		}
		i := s.Index
		if i < 0 {
			i += v.Len()
		}
		if v.Kind() != jsonpath.Array || i < 0 || i >= v.Len() {
			return v, false
		}
		v = v.Index(i)
	}
	return v, true
}

// params is $input.params(), a map of the three kinds, or the value of one
// name, looked for in the path, the query string and the headers in that order
// (developer guide, "Variables for data transformations"), and the empty text
// if there is none.
func (in *inputObject) params(arguments []value) (value, error) {
	kinds := []struct {
		name   string
		values map[string]string
	}{{"path", in.execution.data.Path}, {"querystring", in.execution.data.Query}, {"header", in.execution.data.Header}}
	if len(arguments) == 0 {
		all := newDict(len(kinds))
		for _, kind := range kinds {
			d, err := in.execution.dictOf(kind.values)
			if err != nil {
				return nil, err
			}
			all.set(kind.name, d)
		}
		return all, nil
	}
	name, ok := arguments[0].(string)
	if !ok || len(arguments) > 1 {
		return nil, fmt.Errorf("$input.params takes one name")
	}
	for _, kind := range kinds {
		if v, ok := kind.values[name]; ok {
			return v, nil
		}
	}
	return "", nil
}
