// Package template reads what declares a system, CloudFormation and SAM
// templates in YAML and JSON, and makes a stack.Stack of it. What it cannot
// run it lists as notices; what is wrong it reports with file, line and column.
//
// The rules come from the CloudFormation user guide (template anatomy,
// intrinsic functions, pseudo parameters), the resource references of
// AWS::ApiGatewayV2, AWS::ApiGateway (keys and usage plans), AWS::Lambda,
// AWS::SQS, AWS::DynamoDB and AWS::Kinesis, and the SAM specification.
package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// Options say what a template is loaded as. The zero value is ready for use.
type Options struct {
	// Region and Account are what AWS::Region and AWS::AccountId give; empty
	// means "us-east-1" and "000000000000".
	Region, Account string
	// StackName is what AWS::StackName gives: a letter, then letters, digits
	// and hyphens. Empty means the name of the template's folder, with other
	// characters replaced by hyphens.
	StackName string
	// Parameters are values for the template's parameters, over their
	// defaults. A name that the template does not declare is an error.
	Parameters map[string]string
	// ConfigEnv is the environment of the samconfig.toml beside the template whose
	// parameter_overrides and stack_name count; empty means "default", if the file
	// has it. Parameters come before what it says.
	ConfigEnv string
	// Stacks choose among the stacks of a CDK app, by the stack's name, its path
	// (Stage/Stack) or its stage; empty takes all of them that are not in stages.
	Stacks []string
	// Stage is the stage to serve of APIs that have several, by its name; empty
	// takes the first.
	Stage string
	// Values answer what AWS would look up elsewhere; nil knows nothing.
	Values *Values
}

// fileNames are the templates that Load looks for in a folder, in this order.
var fileNames = []string{"template.yaml", "template.yml", "template.json"}

// Find returns the template that path means: path itself when it is a file,
// else the first of template.yaml, template.yml and template.json in the
// folder.
func Find(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find template: there is no file or folder %s", path)
	}
	if err != nil {
		return "", fmt.Errorf("find template: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	for _, name := range fileNames {
		file := filepath.Join(path, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file, nil
		}
	}
	return "", fmt.Errorf("find template: the folder %s has none of %s, serverless.yml and cdk.json; name the template's file", path, strings.Join(fileNames, ", "))
}

// Load reads the template at path, a file or a folder that Find understands.
// Errors about the template are of type *Error, joined with errors.Join, at
// most 20 and a line that counts the others. Load only reads; it may be called
// by many goroutines.
func Load(path string, opts Options) (*stack.Stack, error) {
	documents, err := documentsAt(path, opts)
	if err != nil {
		return nil, err
	}
	return load(documents...)
}

// documentsAt reads the template, or the templates of a CDK app, that path
// means.
func documentsAt(path string, opts Options) ([]document, error) {
	if manifest := findAssembly(path); manifest != "" {
		return assemblyDocuments(manifest, opts)
	}
	file, err := Find(path)
	if err != nil {
		return nil, err
	}
	d, err := readDocument(file, opts)
	return []document{d}, err
}

// readDocument reads a template with what the SAM command line has left beside
// it: settings, and a build that is newer than the sources.
func readDocument(file string, opts Options) (document, error) {
	dir := filepath.Dir(file)
	config, err := readSAMConfig(dir, opts.ConfigEnv)
	if err != nil {
		return document{}, err
	}
	if opts.StackName == "" {
		opts.StackName = config.stackName
	}
	if opts, err = opts.withDefaults(dir); err != nil {
		return document{}, err
	}
	d := document{file: file, dir: dir, opts: opts, configured: config.parameters, others: []string{filepath.Join(dir, samConfigFile)}}
	if built := freshBuild(file); built != "" {
		d.others, d.folders = append(d.others, file), []string{dir}
		d.file, d.dir, d.note = built, filepath.Dir(built), "this template and its code are what sam build has made: nothing has changed since"
	}
	d.root, d.repeated, err = parseFile(d.file)
	return d, err
}

// readFile reads a file up to one byte beyond the limit. Its errors name what the
// file is for.
func readFile(what, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return data, nil
}

// LoadBytes is Load for a template that is in memory. name stands in errors and
// notices; dir is the folder from which relative code paths lead, and when it
// is empty they stay as they are and are not looked for.
func LoadBytes(name string, data []byte, dir string, opts Options) (*stack.Stack, error) {
	if len(data) > maxFileBytes {
		return nil, tooLarge(name)
	}
	opts, err := opts.withDefaults(dir)
	if err != nil {
		return nil, err
	}
	root, repeated, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	return load(document{file: name, dir: dir, root: root, repeated: repeated, opts: opts})
}

// parseFile reads the template in a file.
func parseFile(file string) (*node, []repeatedKey, error) {
	data, err := readFile("template", file)
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFileBytes {
		return nil, nil, tooLarge(file)
	}
	return parse(file, data)
}

func tooLarge(file string) *Error {
	return &Error{File: file, Text: fmt.Sprintf("the template is larger than %d MB", maxFileBytes>>20)}
}

// parse reads JSON where the text is JSON, and YAML otherwise.
func parse(name string, data []byte) (*node, []repeatedKey, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	text := bytes.TrimSpace(data)
	isJSON := bytes.HasPrefix(text, []byte("{"))
	switch {
	case isJSON && json.Valid(text):
		return parseJSON(name, data)
	case isJSON && strings.EqualFold(filepath.Ext(name), ".json"):
		return nil, nil, syntaxErrorJSON(name, data)
	default:
		return parseYAML(name, data)
	}
}

var (
	stackNameForm = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)
	notInName     = regexp.MustCompile(`[^-a-zA-Z0-9]+`)
	regionForm    = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	accountForm   = regexp.MustCompile(`^[0-9]{12}$`)
	logicalIDForm = regexp.MustCompile(`^[a-zA-Z0-9]{1,255}$`)
)

// withDefaults fills in what is empty and checks the rest.
func (o Options) withDefaults(dir string) (Options, error) {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.StackName == "" {
		o.StackName = folderName(dir)
	}
	switch {
	case !regionForm.MatchString(o.Region):
		return o, fmt.Errorf("the region %s is not of the form us-east-1", quote(o.Region))
	case !accountForm.MatchString(o.Account):
		return o, fmt.Errorf("the account %s is not a number of 12 digits", quote(o.Account))
	case !stackNameForm.MatchString(o.StackName):
		return o, fmt.Errorf("the stack name %s must be a letter, then letters, digits and hyphens, at most 128", quote(o.StackName))
	}
	return o, nil
}

// folderName makes a stack name of a folder's.
func folderName(dir string) string {
	if dir == "" {
		return "stack"
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name := strings.Trim(notInName.ReplaceAllString(filepath.Base(dir), "-"), "-")
	if name == "" {
		return "stack"
	}
	if name[0] < 'A' {
		name = "stack-" + name
	}
	return name[:min(len(name), 128)]
}

// loader reads one template into the system's stack.
type loader struct {
	*evaluator
	dir string
	// isSAM is true when the template asks for SAM's transform, or is taken as if
	// it did.
	isSAM bool
	// root is the template as a whole.
	root *node
	// assets are the files of the AWS CDK by the key that they have in S3.
	assets map[string]string
	// depth is how many stacks this one is nested in.
	depth int
	// repeated are the keys that the template gives twice.
	repeated []repeatedKey
	// made are the logical ids that stand in no file.
	made map[string]bool
}

// document is a template that is read and not looked into yet.
type document struct {
	file     string
	dir      string
	root     *node
	repeated []repeatedKey
	opts     Options
	// prefix begins the names that resources get which the template does not name.
	prefix string
	assets map[string]string
	depth  int
	// configured are the parameters of samconfig.toml, and note, if it is not
	// empty, is told of the template.
	configured map[string]string
	note       string
	// given are the parameters that the stack around this one passes, or nil.
	given map[string]passed
	// files, made and notices are of a template that was made of another format:
	// the files of its values, the logical ids that stand in none, and what was to
	// say about it.
	files   map[*node]string
	made    map[string]bool
	notices []stack.Notice
	// others are files without a tree that were read too, or looked for; folders
	// are those in which a newer file makes the template another.
	others, folders []string
}

// sections are the parts that a template may have; the ones that are false
// have no effect here.
var sections = map[string]bool{
	"AWSTemplateFormatVersion": false, "Description": false, "Metadata": false, "Transform": true,
	"Parameters": true, "Mappings": true, "Conditions": true, "Globals": true, "Resources": true, "Outputs": true,
	"Rules": false, "Hooks": false,
}

// readSections prepares what the values of resources resolve against. It
// returns false when there is nothing to go on with.
func (l *loader) readSections(root *node) bool {
	if root.kind != kindObject || root.field("Resources") == nil {
		l.problems.add(&Error{File: l.file, Line: root.line, Column: root.column,
			Text: "there is no Resources section; is this a CloudFormation or SAM template?"})
		return false
	}
	l.includeAtTop(root)
	for _, f := range root.fields {
		if _, known := sections[f.name]; !known {
			l.noteTemplate(f.line, "the section "+quote(f.name)+" is not one of a template's: it has no effect here, and AWS refuses it"+l.hint(f.name, sectionNames()))
		}
	}
	l.mappings, l.conditions = root.field("Mappings"), root.field("Conditions")
	l.readParameters(root.field("Parameters"))
	l.readTransform(root.field("Transform"))
	for _, section := range []string{"Mappings", "Conditions", "Globals", "Resources", "Outputs"} {
		if n := root.field(section); n != nil {
			l.applyMacros(n, 0)
		}
	}
	l.readResources(root.field("Resources"), root.field("Globals"))
	return true
}

func sectionNames() []string {
	var names []string
	for name := range sections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// samTransform is the macro that makes AWS::Serverless types available.
const samTransform = "AWS::Serverless-2016-10-31"

// readTransform notes the macros that Gatepost does not apply.
func (l *loader) readTransform(n *node) {
	if n == nil {
		return
	}
	macros := []*node{n}
	if n.kind == kindList {
		macros = n.items
	}
	for _, m := range macros {
		switch {
		case m.text == samTransform:
			l.isSAM = true
		case m.text == extensionMacro, isInclude(m): // they are applied
		case m.field("Name") != nil:
			l.noteTemplate(m.line, "the macro "+quote(m.field("Name").text)+" in Transform is not applied")
		default:
			l.noteTemplate(m.line, "the macro "+quote(m.text)+" in Transform is not applied")
		}
	}
}

// entries returns the fields of a section whose values are maps; others are
// problems, and loops such as Fn::ForEach are noted. The section may be missing.
func (l *loader) entries(section *node) []field {
	if section == nil || section.kind == kindNull {
		return nil
	}
	if section.kind != kindObject {
		l.problem(section, "this must be a map, not %s", section.kind)
		return nil
	}
	var all []field
	for _, f := range section.fields {
		switch {
		case strings.HasPrefix(f.name, "Fn::"):
			l.noteTemplate(f.line, "Gatepost does not evaluate "+quote(f.name)+" here; what it would declare is left out")
		case f.value.kind != kindObject:
			l.problem(f.value, "this must be a map, not %s", f.value.kind)
		default:
			all = append(all, f)
		}
	}
	return all
}

// readResources indexes the resources, and turns those of SAM that are short
// for several into what they stand for.
func (l *loader) readResources(section, globals *node) {
	if l.declared += len(section.fields); l.declared > maxResources {
		l.problem(section, "the template has more than %d resources; AWS takes 500", maxResources)
		return
	}
	for _, f := range l.entries(section) {
		if r := l.readResource(f); r != nil {
			l.needsTransform(r)
			l.refuseSettings(r)
			l.declare(r)
		}
	}
	l.readGlobals(globals)
	for _, id := range slices.Clone(l.logicalIDs) {
		l.expand(l.resources[id], globals)
	}
}

func (l *loader) readResource(f field) *resource {
	typ := f.value.field("Type")
	if typ == nil || !typ.isScalar() {
		l.problem(f.value, "the resource needs a Type, for example AWS::Serverless::Function")
		return nil
	}
	if !logicalIDForm.MatchString(f.name) {
		l.problem(f.value, "a logical id is made of letters and digits only")
	}
	r := &resource{id: f.name, typ: typ.text, declared: typ.text, node: f.value, line: f.line, generated: l.made[f.name], condition: f.value.field("Condition")}
	if r.condition != nil && !r.condition.isScalar() {
		l.problem(r.condition, "Condition takes a condition's name, not %s", r.condition.kind)
		r.condition = nil
	}
	r.properties = f.value.field("Properties")
	if r.properties == nil || r.properties.kind == kindNull {
		r.properties = madeObject(f.value)
	}
	if r.properties.kind != kindObject {
		l.problem(r.properties, "Properties must be a map, not %s", r.properties.kind)
		return nil
	}
	return r
}

// declare adds a resource under its logical id.
func (l *loader) declare(r *resource) {
	if other := l.resources[r.id]; other != nil {
		l.problem(r.node, "SAM generates a resource %s from this, and line %d declares one of the same name; rename that one", r.id, other.line)
		return
	}
	l.resources[r.id] = r
	l.logicalIDs = append(l.logicalIDs, r.id)
}

// each calls load for the resources of these types that are created, in the
// template's order.
func (l *loader) each(load func(*resource), types ...string) {
	for _, id := range l.logicalIDs {
		r := l.resources[id]
		if !slices.Contains(types, r.typ) {
			continue
		}
		exists, err := l.exists(r)
		l.problems.add(err)
		if exists && err == nil {
			load(r)
		} else if err == nil && !r.generated {
			l.noteInert(r, r.line, "not created, because the condition "+r.condition.text+" is false")
		}
	}
}

// report reports an error, if it is one, at n.
func (l *loader) report(n *node, err error) {
	if err != nil {
		l.problem(n, "%v", err)
	}
}

// problem reports an error at n.
func (l *loader) problem(n *node, format string, args ...any) {
	l.problems.add(l.errorf(n, format, args...))
}
