package template

import (
	"path/filepath"
	"slices"
	"strings"
)

// nestedTypes are the types of stacks within a stack.
var nestedTypes = []string{"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}

// isNested reports whether a resource is a stack of its own.
func (r *resource) isNested() bool { return slices.Contains(nestedTypes, r.typ) }

// maxNesting and maxTemplates bound how deep stacks may be nested, and how many
// templates one system may have.
const (
	maxNesting   = 5
	maxTemplates = 100
)

// openNested reads the stacks that this one has in it
// (AWS::CloudFormation::Stack, AWS::Serverless::Application), as far as their
// templates are files here.
func (l *loader) openNested() {
	for _, id := range l.logicalIDs {
		r := l.resources[id]
		if !r.isNested() {
			continue
		}
		if exists, err := l.exists(r); err != nil || !exists {
			l.problems.add(err)
			continue
		}
		if file, at := l.nestedTemplate(r); file != "" {
			l.openStack(r, at, file)
		}
	}
}

// nestedTemplate is the file of a nested stack's template, and where it is
// named; "" when there is none here, which is told.
func (l *loader) nestedTemplate(r *resource) (file string, at *node) {
	name := "TemplateURL"
	if r.typ == "AWS::Serverless::Application" {
		name = "Location"
	}
	at = r.properties.field(name)
	if at == nil {
		l.problem(r.properties, "the property %s is missing; it is the path of the nested stack's template", name)
		return "", nil
	}
	if asset := r.node.field("Metadata").field("aws:asset:path"); asset != nil && asset.isScalar() {
		return l.besideTemplate(asset.text), at
	}
	v, err := l.resolve(at)
	switch {
	case err != nil:
		l.noteUnloaded(r, at, "the place of its template cannot be evaluated")
	case !v.isScalar():
		l.noteUnloaded(r, at, "its template is an application of AWS's repository, and Gatepost takes templates from files")
	case l.assets[filepath.Base(filepath.FromSlash(v.text))] != "":
		return l.assets[filepath.Base(filepath.FromSlash(v.text))], at
	case strings.Contains(v.text, "://"), l.dir == "":
		l.noteUnloaded(r, at, "its template lies at "+quote(v.text)+", and Gatepost takes templates from files")
	default:
		return l.besideTemplate(v.text), at
	}
	return "", at
}

// besideTemplate is a path that the template gives relative to its own folder.
func (l *loader) besideTemplate(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.dir, filepath.FromSlash(path))
}

// openStack reads a nested stack and gives it the parameters of its resource.
func (l *loader) openStack(r *resource, at *node, file string) {
	if l.depth >= maxNesting || len(l.loaders) >= maxTemplates {
		l.problem(at, "stacks are nested more than %d deep, or there are more than %d of them; does one lead to itself?", maxNesting, maxTemplates)
		return
	}
	file, err := Find(file)
	if err != nil {
		l.problem(at, "the nested stack's template cannot be read: %v", err)
		return
	}
	root, repeated, err := parseFile(file)
	if err != nil {
		l.problems.add(asError(err, file))
		return
	}
	opts := l.opts
	opts.Parameters = nil
	opts.StackName = nestedName(l.opts.StackName, r.id)
	child := document{
		file: file, dir: filepath.Dir(file), root: root, repeated: repeated, opts: opts, prefix: l.prefix + r.id + "-",
		assets: l.assets, depth: l.depth + 1, given: l.passedTo(r, root),
	}
	if made := l.add(child); made != nil {
		l.nested[r] = made
	}
}

// nestedName is the name of a nested stack, within what stacks may have.
func nestedName(outer, id string) string {
	name := outer + "-" + id
	return name[:min(len(name), 128)]
}

// passedTo are the parameters that a resource gives to its stack.
func (l *loader) passedTo(r *resource, root *node) map[string]passed {
	given := make(map[string]passed)
	parameters := r.properties.field("Parameters")
	if parameters == nil || parameters.kind != kindObject {
		return given
	}
	for _, f := range parameters.fields {
		if root.field("Parameters").field(f.name) == nil {
			l.problem(f.value, "the stack has no parameter %s%s", quote(f.name), l.hint(f.name, namesOf(root.field("Parameters"))))
			continue
		}
		given[f.name] = passed{l.evaluator, f.value}
	}
	return given
}

// namesOf returns the names of a map's fields, or none.
func namesOf(n *node) []string {
	if n == nil {
		return nil
	}
	return n.names()
}
