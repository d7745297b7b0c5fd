package template

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// builtTemplate is what "sam build" leaves beside a template, with the code that
// it has built.
var builtTemplate = filepath.Join(".aws-sam", "build", "template.yaml")

// freshBuild returns the template that "sam build" has made of the one in file,
// when nothing in its folder has changed since; else "".
func freshBuild(file string) string {
	dir := filepath.Dir(file)
	built := filepath.Join(dir, builtTemplate)
	info, err := os.Stat(built)
	if err != nil || !info.Mode().IsRegular() || strings.Contains(filepath.ToSlash(dir), ".aws-sam/") {
		return ""
	}
	if newerThan(dir, info.ModTime()) {
		return ""
	}
	return built
}

// maxLooked is how many files are looked at for one that is newer; a project
// with more is taken as changed.
const maxLooked = 20_000

// notSources are folders whose files nobody writes by hand.
var notSources = []string{"node_modules", "__pycache__", "venv"}

// newerThan reports whether a file below a folder is newer, or cannot be told.
func newerThan(dir string, since time.Time) bool {
	looked, newer := 0, false
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != dir && (strings.HasPrefix(entry.Name(), ".") || slices.Contains(notSources, entry.Name()))
		if entry.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if looked++; err != nil || looked > maxLooked || !hidden && info.ModTime().After(since) {
			newer = true
			return fs.SkipAll
		}
		return nil
	})
	return newer || err != nil
}
