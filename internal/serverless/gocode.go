package serverless

import (
	"debug/elf"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// locateNative finds the code of a function of the runtimes go1.x and provided: Go
// source that the handler names; else what was built, unless a source that can be
// found is newer or it is for another machine.
func (s *service) locateNative(f *function, handler *template.Value, artifact string) string {
	if folder := s.sourceOf(handler.Text); folder != "" {
		return folder
	}
	built := artifact
	if built == "" {
		built = s.built(f, handler.Text)
	}
	source := s.findSource(f, handler.Text)
	switch {
	case built != "" && source == "":
		return built
	case built != "" && runsHere(s.at(built)) && !s.isStale(built):
		s.noteInert(handler.Place, "the function "+f.name+" is "+built+" as it was built; without it "+source+" would be")
		s.folders = []string{s.dir} // a source that is newer has it built
		return built
	case built != "":
		s.noteInert(handler.Place, built+" is older than the sources, or for another machine: "+source+" is built in its place")
		return source
	case source != "":
		return source
	case isMain(s.at(".")):
		return "."
	}
	s.problem(handler.Place, "the handler %s has not been built, and its source is not where it was looked for (%s); build it, or name the folder of its main package as the handler",
		template.Quote(handler.Text), strings.Join(s.candidates(f, handler.Text)[:1], ", ")+" and the like, and the Makefile")
	return "."
}

// sourceOf returns the folder of Go source that a path names: a file, or the
// folder itself. It is "" when there is none.
func (s *service) sourceOf(path string) string {
	switch {
	case strings.HasSuffix(path, ".go") && isFile(s.at(path)):
		return filepath.ToSlash(filepath.Dir(path))
	case isMain(s.at(path)):
		return path
	}
	return ""
}

// built returns the program that the function's package holds, if it is there:
// the handler, or what its patterns name, or a bootstrap.
func (s *service) built(f *function, handler string) string {
	for _, path := range append([]string{handler}, s.patterns(f)...) {
		if isProgram(s.at(path)) {
			return path
		}
	}
	return ""
}

// patterns are the files that a function's package names one by one.
func (s *service) patterns(f *function) []string {
	var all []string
	given := s.value(f.given.Get("package"))
	for _, name := range []string{"patterns", "include"} {
		if list := s.all(given.Get(name)); list != nil {
			for i, item := range list.Items {
				if item.IsScalar() && !strings.ContainsAny(item.Text, "*!{") && i < 100 {
					all = append(all, strings.TrimPrefix(item.Text, "./"))
				}
			}
		}
	}
	return all
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// runsHere reports whether a program is not plainly one for another machine.
func runsHere(path string) bool {
	file, err := elf.Open(path)
	if err != nil {
		return runtime.GOOS == "linux" || strings.HasSuffix(path, ".zip")
	}
	defer file.Close()
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	return runtime.GOOS == "linux" && file.Machine == machine
}

// maxLooked bounds how many files are looked at for the time of their last
// change.
const maxLooked = 10_000

// isStale reports whether Go source below the service's folder is newer than what
// was built.
func (s *service) isStale(built string) bool {
	info, err := os.Stat(s.at(built))
	if err != nil {
		return true
	}
	if s.newest.IsZero() {
		s.newest = newestSource(s.dir)
	}
	return s.newest.After(info.ModTime())
}

func newestSource(folder string) time.Time {
	newest, looked := time.Unix(1, 0), 0
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		looked++
		name := entry.Name()
		switch {
		case err != nil || looked > maxLooked:
			return filepath.SkipAll
		case entry.IsDir() && path != folder && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor"):
			return filepath.SkipDir
		case !entry.IsDir() && (strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") || name == "go.mod"):
			if info, err := entry.Info(); err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
		}
		return nil
	})
	return newest
}

// findSource finds the folder of a function's main package: where the Makefile
// builds it from, else by the names that such folders have.
func (s *service) findSource(f *function, handler string) string {
	for _, built := range append([]string{handler}, s.patterns(f)...) {
		if folder := s.makes(built); folder != "" {
			return folder
		}
	}
	for _, candidate := range s.candidates(f, handler) {
		if isMain(s.at(candidate)) {
			return candidate
		}
	}
	return ""
}

// candidates are the folders in which the source of a function may be, the
// likeliest first.
func (s *service) candidates(f *function, handler string) []string {
	var all []string
	for _, name := range s.programNames(f, handler) {
		for _, folder := range []string{"cmd", "", "functions", "src", "lambdas", "lambda", "handlers", "src/handlers", "src/functions", "cmd/lambda", "api", "services"} {
			all = append(all, path.Join(folder, name), path.Join(folder, name, "main"))
		}
	}
	return all
}

// programNames are the names that a function's program may have: "bin/a/b" may
// be a/b or b.
func (s *service) programNames(f *function, handler string) []string {
	var all []string
	add := func(name string) {
		name = path.Clean(strings.TrimSuffix(filepath.ToSlash(name), ".zip"))
		if base := path.Base(name); base == "bootstrap" || base == "main" {
			name = path.Dir(name)
		}
		_, below, _ := strings.Cut(name, "/")
		for _, n := range []string{below, path.Base(name)} {
			if n != "" && n != "." && n != "/" && !strings.HasPrefix(n, "..") && !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	add(handler)
	for _, p := range s.patterns(f) {
		add(p)
	}
	if given := s.all(s.value(f.given.Get("package")).Get("artifact")); given.IsScalar() {
		add(given.Text)
	}
	add(f.name)
	return all
}

// buildLine is a line of a Makefile that builds a Go program. Its first group is
// what is built, the second what it is built from.
var buildLine = regexp.MustCompile(`go build\b[^\n;&|]*?\s-o[ =]?\s*(\S+)(?:\s+-[^\s]+(?:\s*=?\s*(?:"[^"\n]*"|'[^'\n]*'))?)*\s+([./\w-]+)`)

// makes returns the folder from which the Makefile builds a program.
func (s *service) makes(built string) string {
	if s.makefile == nil {
		data, err := readFile(s.at("Makefile"))
		if err != nil {
			data = []byte{}
		}
		s.makefile = buildLine.FindAllStringSubmatch(string(data), 1000)
		if s.makefile == nil {
			s.makefile = [][]string{}
		}
	}
	for _, m := range s.makefile {
		if path.Clean(m[1]) == path.Clean(built) {
			if folder := s.sourceOf(path.Clean(m[2])); folder != "" {
				return folder
			}
		}
	}
	return ""
}

var packageMain = regexp.MustCompile(`(?m)^package main\b`)

// isMain reports whether a folder holds a Go program's main package.
func isMain(folder string) bool {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if name := e.Name(); e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := readFile(filepath.Join(folder, e.Name()))
		return err == nil && packageMain.Match(data)
	}
	return false
}
