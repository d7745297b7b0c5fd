package serverless

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// ask returns what a source of variables has under an address.
func (r *resolver) ask(v *template.Value, kind string, params []string, address string) *template.Value {
	none := func(reason string) *template.Value { return missing(v.Place, reason) }
	found := func(text string) *template.Value { return template.Scalar(v.Place, template.String, text) }
	// The region stood behind a point before it stood in brackets.
	kind, _, _ = strings.Cut(kind, ".")
	switch kind {
	case "self":
		return r.self(v, address)
	case "opt":
		if text, ok := r.option(address); ok {
			return found(text)
		}
		return none("the option " + address + " is not given; give it with --option " + address + "=VALUE, or a default behind a comma")
	case "env":
		if text, ok := r.lookupEnv(address); ok {
			return found(text)
		}
		return none("the environment has no " + address + "; set it, or give a default behind a comma")
	case "file":
		return r.file(v, params, address)
	case "param":
		return r.param(v, address)
	case "sls":
		switch address {
		case "stage":
			return found(r.of.stage())
		case "instanceId":
			sum := sha256.Sum256([]byte(r.of.name))
			return found(hex.EncodeToString(sum[:6]))
		}
		return none("sls has stage and instanceId")
	case "aws":
		switch address {
		case "region":
			return found(r.of.region())
		case "accountId":
			return found(r.of.account())
		}
		return none("aws has region and accountId")
	case "ssm":
		return r.ssm(v, address)
	case "cf":
		return r.output(v, address)
	case "strToBool":
		return strToBool(v, params)
	case "s3":
		return none("Gatepost does not read S3; give a default behind a comma")
	}
	return none("Gatepost does not know the source " + template.Quote(kind) + "; those that it knows are " + strings.Join(kinds, ", "))
}

var kinds = []string{"self", "opt", "env", "file", "param", "sls", "aws", "ssm", "cf", "strToBool"}

// self follows an address in the configuration. What the framework fills in by
// itself is found too.
func (r *resolver) self(v *template.Value, address string) *template.Value {
	value := r.follow(r.root, address)
	named, isName := strings.CutPrefix(address, "functions.")
	named, isName2 := strings.CutSuffix(named, ".name")
	switch {
	case address == "service" && value.Kind == template.Object, address == "service.name" && value.Missing != "":
		return template.Scalar(v.Place, template.String, r.of.name)
	case isName && isName2 && value.Missing != "" && !strings.Contains(named, "."):
		return template.Scalar(v.Place, template.String, r.of.name+"-"+r.of.stage()+"-"+named)
	}
	return value
}

// implied is the value of a variable that asks for the stage or the region and
// has no default: the framework gives one to both.
func (r *resolver) implied(v *template.Value, from *variable) *template.Value {
	for _, s := range from.sources {
		if len(s.address) != 1 || s.kind != "opt" && s.kind != "self" {
			continue
		}
		switch strings.TrimPrefix(s.address[0].text, "provider.") {
		case "stage":
			return template.Scalar(v.Place, template.String, r.of.stage())
		case "region":
			return template.Scalar(v.Place, template.String, r.of.region())
		}
	}
	return nil
}

// option returns an option of the command line.
func (r *resolver) option(name string) (text string, given bool) {
	switch {
	case name == "stage" && r.of.opts.Stage != "":
		return r.of.opts.Stage, true
	case name == "region" && r.of.opts.Region != "":
		return r.of.opts.Region, true
	}
	text, given = r.of.opts.CLI[name]
	return text, given
}

func (r *resolver) lookupEnv(name string) (string, bool) {
	lookup := r.of.opts.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	if text, found := lookup(name); found {
		return text, true
	}
	text, found := r.of.dotenv()[name]
	return text, found
}

// param returns a parameter: of the command line, of the stage, of all stages.
func (r *resolver) param(v *template.Value, name string) *template.Value {
	if text, given := r.of.opts.Parameters[name]; given {
		return template.Scalar(v.Place, template.String, text)
	}
	for _, stage := range []string{r.of.stage(), "default"} {
		for _, at := range []*template.Value{r.step(r.section("params"), stage), r.step(r.sectionOf(r.step(r.section("stages"), stage)), "params")} {
			if value := r.value(r.step(r.sectionOf(at), name)); value != nil && value.Kind != template.Null {
				return value
			}
		}
	}
	return missing(v.Place, "no parameter "+template.Quote(name)+" is given; give it with --parameter "+name+"=VALUE, or under params")
}

// section returns a section of the configuration, empty when it has none.
func (r *resolver) section(name string) *template.Value { return r.sectionOf(r.root.Get(name)) }

func (r *resolver) sectionOf(v *template.Value) *template.Value {
	if v = r.value(v); v == nil || v.Missing != "" {
		return template.Map(template.Place{})
	}
	return v
}

func (r *resolver) ssm(v *template.Value, address string) *template.Value {
	name, _, _ := strings.Cut(address, "~")
	if text, found := r.of.opts.Values.SSMParameter(name); found {
		return template.Scalar(v.Place, template.String, text)
	}
	return missing(v.Place, "Gatepost does not read Parameter Store; give it in a file, --values FILE, as ssm: {"+name+": VALUE}, or as a default behind a comma")
}

func (r *resolver) output(v *template.Value, address string) *template.Value {
	stack, name, _ := strings.Cut(address, ".")
	if text, found := r.of.opts.Values.Output(stack, name); found {
		return template.Scalar(v.Place, template.String, text)
	}
	return missing(v.Place, "Gatepost does not ask CloudFormation; give it in a file, --values FILE, as outputs: {"+stack+": {"+name+": VALUE}}, or as a default behind a comma")
}

func strToBool(v *template.Value, params []string) *template.Value {
	if len(params) == 1 {
		switch strings.ToLower(params[0]) {
		case "true", "1":
			return template.Scalar(v.Place, template.Bool, "true")
		case "false", "0", "null", "":
			return template.Scalar(v.Place, template.Bool, "false")
		}
	}
	return missing(v.Place, "strToBool takes one of true, false, 1 and 0")
}

// sourceFile is a file that variables have asked for.
type sourceFile struct {
	value *template.Value
	// reason says why there is no value, or is empty.
	reason string
}

// file follows an address in another file: YAML and JSON by their structure, all
// else as text.
func (r *resolver) file(v *template.Value, params []string, address string) *template.Value {
	if len(params) == 0 || params[0] == "" {
		return missing(v.Place, "file needs a path in brackets")
	}
	if r.of.dir == "" {
		return missing(v.Place, "the configuration has no folder")
	}
	path := r.path(params[0])
	f := r.files[path]
	if f == nil {
		f = r.readSource(v, path)
		r.files[path] = f
	}
	if f.reason != "" {
		return missing(v.Place, f.reason)
	}
	return r.follow(f.value, address)
}

// path leads from the service's folder.
func (r *resolver) path(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.of.dir, filepath.FromSlash(path))
}

func (r *resolver) readSource(v *template.Value, path string) *sourceFile {
	ext := strings.ToLower(filepath.Ext(path))
	if slices.Contains([]string{".js", ".cjs", ".mjs", ".ts"}, ext) {
		return &sourceFile{reason: path + " is a program, which Gatepost does not run; write what it gives into a YAML file, or give a default behind a comma"}
	}
	if len(r.files) >= maxFiles {
		r.of.problem(v.Place, "the configuration reads more than %d files", maxFiles)
		return &sourceFile{reason: "there are too many files"}
	}
	data, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &sourceFile{reason: "there is no file " + path}
	case err != nil:
		r.of.problem(v.Place, "%v", err)
		return &sourceFile{reason: err.Error()}
	}
	if !slices.Contains([]string{".yml", ".yaml", ".json", ".tfstate"}, ext) {
		return &sourceFile{value: template.Scalar(v.Place, template.String, string(data))}
	}
	value, notices, err := template.ReadValue(path, data)
	if wrong, ok := errors.AsType[*template.Error](err); ok {
		r.of.problems = append(r.of.problems, wrong)
		return &sourceFile{reason: "it cannot be read"}
	}
	r.of.notices = append(r.of.notices, notices...)
	return &sourceFile{value: value}
}
