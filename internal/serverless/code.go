package serverless

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// generateCode says where a function's code is, and returns its runtime. It is ""
// for an image, which has none.
func (s *service) generateCode(f *function, p *template.Value) (runtime string) {
	if image := s.all(f.given.Get("image")); image != nil {
		p.With("Code", template.Map(image.Place).With("ImageUri", text(image.Place, "image")))
		return ""
	}
	language := s.setting(f, "runtime", text(f.at, defaultRuntime))
	handler := s.all(f.given.Get("handler"))
	switch {
	case handler == nil:
		s.problem(f.given.Place, "the function needs a handler")
		return ""
	case handler.Missing != "":
		s.problem(handler.Place, "%s", handler.Missing)
		return ""
	case !handler.IsScalar() || handler.Text == "":
		s.problem(handler.Place, "a handler must be text, not %s", handler.Kind)
		return ""
	}
	p.With("Runtime", language).With("Handler", handler)
	p.With("Code", text(handler.Place, s.locate(f, language.Text, handler)))
	return language.Text
}

// locate returns the path of a function's code, relative to the service's folder.
func (s *service) locate(f *function, runtime string, handler *template.Value) string {
	artifact := s.artifact(f)
	switch {
	case s.dir == "":
		return "."
	case isNative(runtime):
		return s.locateNative(f, handler, artifact)
	case artifact != "":
		return artifact
	case strings.HasPrefix(runtime, "nodejs"):
		return s.locateScript(f, handler)
	}
	return "."
}

func isNative(runtime string) bool {
	return strings.HasPrefix(runtime, "go1") || strings.HasPrefix(runtime, "provided")
}

// artifact returns the archive that package.artifact names, of the function or of
// the service, when it is there.
func (s *service) artifact(f *function) string {
	for _, from := range []*template.Value{f.given.Get("package"), s.root.Get("package")} {
		given := s.all(s.value(from).Get("artifact"))
		if !given.IsScalar() || given.Text == "" {
			continue
		}
		if isFile(s.at(given.Text)) {
			return given.Text
		}
		if !isNative(s.setting(f, "runtime", text(f.at, defaultRuntime)).Text) {
			s.note(given.Place, "the artifact "+given.Text+" is not there; the code is taken from the service's folder")
		}
	}
	return ""
}

// at is a path below the service's folder.
func (s *service) at(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.dir, filepath.FromSlash(path))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// locateScript finds what a plugin has made where the handler's file is not
// JavaScript itself.
func (s *service) locateScript(f *function, handler *template.Value) string {
	module := strings.TrimSuffix(handler.Text, filepath.Ext(handler.Text))
	if s.hasScript(".", module) {
		return "."
	}
	for _, folder := range []string{".esbuild/.build", ".webpack/" + f.name, ".webpack/service", ".build"} {
		if s.hasScript(folder, module) {
			return folder
		}
	}
	for _, archive := range []string{".serverless/" + f.name + ".zip", ".serverless/" + s.name + ".zip"} {
		if isFile(s.at(archive)) {
			s.note(handler.Place, "the code is taken from "+archive+", as \"serverless package\" has left it")
			return archive
		}
	}
	for _, ext := range []string{".ts", ".tsx", ".mts", ".cts", ".jsx"} {
		if isFile(s.at(module + ext)) {
			s.problem(handler.Place, "%s must become JavaScript, and nothing has been built yet; give --package, with which the framework packages the service first, or run \"serverless package\", and Gatepost takes what it leaves in .serverless", module+ext)
			break
		}
	}
	return "."
}

func (s *service) hasScript(folder, module string) bool {
	for _, ext := range []string{".js", ".mjs", ".cjs"} {
		if isFile(s.at(filepath.Join(folder, module+ext))) {
			return true
		}
	}
	return false
}
