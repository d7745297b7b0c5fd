// Package serverless reads configurations of the Serverless Framework
// (serverless.yml, .yaml, .json) and makes of them the CloudFormation template
// that "serverless package" would make, with the same logical ids; package
// template makes the stack of it, and its errors and notices name the places in
// serverless.yml. It also reads what "serverless package" has left in .serverless.
//
// The rules come from the framework's documentation (serverless.yml reference,
// variables, events, layers, resources) and were compared with the templates that
// the framework's fork osls 4.3.1 writes. All versions are read at once, with old and new
// spelling.
package serverless

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// Options say how a configuration is loaded. The zero value is ready for use.
type Options struct {
	// Options are those of the template. An empty Region is provider.region, else
	// "us-east-1"; an empty StackName is provider.stackName, else service-stage.
	// Parameters are what ${param:name} gives, and values of the parameters that
	// the resources declare. Values have what ${ssm:/name} and ${cf:stack.output}
	// give too.
	template.Options
	// Stage is what --stage gives: ${opt:stage}, ${sls:stage}. Empty is
	// provider.stage, else "dev".
	Stage string
	// CLI holds other options of the framework's command line, for ${opt:name}.
	CLI map[string]string
	// LookupEnv is what ${env:NAME} asks; nil is os.LookupEnv.
	LookupEnv func(name string) (value string, found bool)
}

// fileNames are the configurations that Load looks for in a folder, in the
// framework's order.
var fileNames = []string{"serverless.yml", "serverless.yaml", "serverless.json"}

// programs are configurations that must be run to be read.
var programs = []string{"serverless.ts", "serverless.js", "serverless.mjs", "serverless.cjs", "serverless.mts"}

// packaged is the template that "serverless package" leaves in .serverless.
const packaged = "cloudformation-template-update-stack.json"

// Is reports whether a file is one that Load reads, or refuses with advice.
func Is(file string) bool {
	name := filepath.Base(file)
	return slices.Contains(fileNames, name) || slices.Contains(programs, name) || name == packaged ||
		strings.HasPrefix(name, "serverless.") && slices.Contains([]string{".yml", ".yaml", ".json"}, filepath.Ext(name))
}

// Means returns the configuration that a path means: a file for which Is is true,
// or the configuration of a folder that has no template beside it.
func Means(path string) (file string, found bool) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", false
	case !info.IsDir():
		return path, Is(path)
	}
	if _, err := template.Find(path); err == nil {
		return "", false
	}
	return Find(path)
}

// Find returns the configuration in a folder. found is false when there is none.
func Find(folder string) (file string, found bool) {
	for _, name := range slices.Concat(fileNames, programs) {
		file := filepath.Join(folder, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file, true
		}
	}
	return "", false
}

// Load reads a configuration, a file for which Is is true, or the one of a
// folder. Errors about its content are as those of template.Load. Load only
// reads; it may be called by many goroutines.
func Load(path string, opts Options) (*stack.Stack, error) {
	made, dir, options, err := read(path, opts)
	if err != nil {
		return nil, err
	}
	return template.LoadValue(made, dir, options)
}

// Resolve reads a configuration as Load does, and returns its template as
// template.Resolve does.
func Resolve(path string, opts Options) ([]byte, error) {
	made, dir, options, err := read(path, opts)
	if err != nil {
		return nil, err
	}
	return template.ResolveValue(made, dir, options)
}

// read makes the template of what a path means.
func read(path string, opts Options) (made template.Made, dir string, options template.Options, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file, found := Find(path)
		if !found {
			return made, "", options, fmt.Errorf("find the service: the folder %s has none of %s; name the file", path, strings.Join(fileNames, ", "))
		}
		path = file
	}
	if slices.Contains(programs, filepath.Base(path)) {
		if left := filepath.Join(filepath.Dir(path), ".serverless", packaged); isFile(left) {
			return readLeft(path, left, opts)
		}
		return made, "", options, &template.Error{File: path, Text: "the configuration is a program, which Gatepost does not run; give --package, with which the framework packages the service first, or name what \"serverless package\" has left: " +
			filepath.Join(filepath.Dir(path), ".serverless", packaged)}
	}
	data, err := readFile(path)
	if err != nil {
		return made, "", options, err
	}
	dir = filepath.Dir(path)
	if filepath.Base(path) == packaged {
		made, options, err = readPackaged(path, data, opts)
	} else {
		made, options, err = Template(path, data, dir, opts)
	}
	return made, dir, options, err
}

// readLeft reads what "serverless package" has left of a configuration that is a
// program.
func readLeft(program, left string, opts Options) (made template.Made, dir string, options template.Options, err error) {
	made, dir, options, err = read(left, opts)
	text := "the configuration is a program, which Gatepost does not run: what \"serverless package\" has left in .serverless runs"
	if isOlder(left, program) {
		text += ", and it is older than the program"
	}
	made.Notices = append([]stack.Notice{{File: program, Line: 1, Text: text + "; --package makes it anew"}}, made.Notices...)
	made.Files = append(made.Files, program)
	return made, dir, options, err
}

// isOlder reports whether a file was written before another.
func isOlder(file, than string) bool {
	one, err := os.Stat(file)
	other, wrong := os.Stat(than)
	return err == nil && wrong == nil && one.ModTime().Before(other.ModTime())
}

// LoadBytes is Load for a configuration that is in memory. name stands in errors
// and notices; dir is the service's folder, from which paths lead.
func LoadBytes(name string, data []byte, dir string, opts Options) (*stack.Stack, error) {
	made, options, err := Template(name, data, dir, opts)
	if err != nil {
		return nil, err
	}
	return template.LoadValue(made, dir, options)
}

// Template returns the template that LoadBytes loads, and the options with which
// it does.
func Template(name string, data []byte, dir string, opts Options) (template.Made, template.Options, error) {
	root, notices, err := template.ReadValue(name, data)
	if err != nil {
		return template.Made{}, template.Options{}, err
	}
	s := newService(name, root, dir, opts)
	s.notices = notices
	made := s.compile()
	if err := template.Join(s.problems); err != nil {
		return template.Made{}, template.Options{}, err
	}
	return made, s.templateOptions(made), nil
}

// maxFileBytes bounds each file.
const maxFileBytes = 10 << 20

// readFile reads a file that is not larger than the limit.
func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the service: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read the service: %s is not a file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the service: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the service: %w", err)
	case len(data) > maxFileBytes:
		return nil, &template.Error{File: file, Text: fmt.Sprintf("the file is larger than %d MB", maxFileBytes>>20)}
	}
	return data, nil
}
