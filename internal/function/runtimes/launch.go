package runtimes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Code is the code of a function of an interpreted runtime.
type Code struct {
	// Root is the absolute path of the folder that is /var/task on Lambda.
	Root string
	// Layers are absolute paths of folders, each laid out as a layer is in /opt
	// on Lambda ("python/...", "nodejs/node_modules/...", "bin", "lib"), in the
	// order of the template: a later one wins over an earlier one.
	Layers []string
}

// Launch is how a function's process is started.
type Launch struct {
	// Argv is the interpreter and the client.
	Argv []string
	// RuntimeDir is the folder of the client: /var/runtime on Lambda.
	RuntimeDir string
	// Environment are the variables of the runtime itself. The function's own
	// win over them, as on Lambda.
	Environment map[string]string
	// How says for people what runs the function, such as "node 22.11.0".
	How string
}

// Launch finds the interpreter of an interpreted runtime and installs its client
// below cacheDir. The process is to be started in the code's root.
func (m *Machine) Launch(ctx context.Context, r Runtime, code Code, cacheDir string) (Launch, error) {
	interpreter, err := m.Find(ctx, r)
	if err != nil {
		return Launch{}, err
	}
	if cacheDir == "" {
		return Launch{}, errors.New("there is no folder to keep the runtime client in")
	}
	bootstrap, err := install(r.Family, cacheDir)
	if err != nil {
		return Launch{}, err
	}
	l := Launch{
		Argv:        []string{interpreter.Path, bootstrap},
		RuntimeDir:  filepath.Dir(bootstrap),
		Environment: make(map[string]string),
		How:         interpreter.Describe(r),
	}
	switch r.Family {
	case Node:
		l.Environment["NODE_PATH"] = nodePath(r, interpreter, code)
	case Python:
		l.Environment["PYTHONPATH"] = pythonPath(r, interpreter, code)
		// Lambda's task root cannot be written to; neither is the user's source.
		l.Environment["PYTHONPYCACHEPREFIX"] = filepath.Join(filepath.Dir(l.RuntimeDir), "pycache")
	}
	addLayers(l.Environment, code.Layers)
	return l, nil
}

// nodePath is NODE_PATH of Lambda's Node.js: the layers' packages, those of
// the runtime, which are the AWS SDK, and the task root.
func nodePath(r Runtime, i Interpreter, code Code) string {
	var places []string
	for _, layer := range lastFirst(code.Layers) {
		places = append(places, filepath.Join(layer, "nodejs", "node"+r.Version, "node_modules"), filepath.Join(layer, "nodejs", "node_modules"))
	}
	if sdk := installedSDK(i); sdk != "" {
		places = append(places, sdk)
	}
	return join(append(places, code.Root))
}

// installedSDK returns the folder of the machine's own packages if an AWS SDK is
// among them, or nothing: others are not there on Lambda either.
func installedSDK(i Interpreter) string {
	prefix := filepath.Dir(filepath.Dir(i.Path))
	for _, folder := range []string{filepath.Join(prefix, "lib", "node_modules"), "/usr/local/lib/node_modules", "/usr/share/nodejs"} {
		for _, sdk := range []string{"@aws-sdk", "aws-sdk"} {
			if isFolder(filepath.Join(folder, sdk)) {
				return folder
			}
		}
	}
	return ""
}

// pythonPath is what Lambda's Python finds in layers. The task root comes
// before it and the interpreter's own packages after it. Packages that were
// installed for the runtime's version are looked for even when the interpreter
// has another one: most have no compiled parts.
func pythonPath(r Runtime, i Interpreter, code Code) string {
	var places []string
	for _, layer := range lastFirst(code.Layers) {
		versions := []string{cutVersion(i.Version, 2)}
		if versions[0] != r.Version {
			versions = append(versions, r.Version)
		}
		for _, version := range versions {
			places = append(places, filepath.Join(layer, "python", "lib", "python"+version, "site-packages"))
		}
		places = append(places, filepath.Join(layer, "python"))
	}
	return join(append(places, code.Root))
}

// LayerEnvironment returns the variables that lead to the programs and libraries
// in layers, which have the order of Code.Layers.
func LayerEnvironment(layers []string) map[string]string {
	environment := make(map[string]string)
	addLayers(environment, layers)
	return environment
}

// addLayers sets the paths of the programs and libraries in layers.
func addLayers(environment map[string]string, layers []string) {
	if len(layers) == 0 {
		return
	}
	var bin, lib []string
	for _, layer := range lastFirst(layers) {
		bin = append(bin, filepath.Join(layer, "bin"))
		lib = append(lib, filepath.Join(layer, "lib"))
	}
	environment["PATH"] = join(append(bin, os.Getenv("PATH")))
	environment["LD_LIBRARY_PATH"] = join(lib)
}

func join(places []string) string { return strings.Join(places, string(filepath.ListSeparator)) }

// lastFirst returns the layers in the order in which they are searched.
func lastFirst(layers []string) []string {
	out := make([]string, 0, len(layers))
	for i := len(layers) - 1; i >= 0; i-- {
		out = append(out, layers[i])
	}
	return out
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// HasHandler reports whether the root has a file for the handler of an
// interpreted runtime. The client looks in more places; this is for telling
// code that is still to be built.
func (r Runtime) HasHandler(root, handler string) bool {
	base := filepath.Join(root, filepath.FromSlash(handlerFile(r.Family, handler)))
	for _, suffix := range handlerSuffixes[r.Family] {
		if info, err := os.Stat(base + suffix); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

var handlerSuffixes = map[Family][]string{
	Node:   {"", ".js", ".mjs", ".cjs"},
	Python: {".py", "/__init__.py"},
}

// handlerFile returns the path of a handler's file without its extension.
func handlerFile(family Family, handler string) string {
	if family == Python {
		module, _, _ := cutLast(handler, ".")
		return strings.ReplaceAll(module, ".", "/")
	}
	folder, base, found := cutLast(handler, "/")
	if !found {
		folder, base = "", handler
	}
	file, _, _ := strings.Cut(base, ".")
	return folder + "/" + file
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
