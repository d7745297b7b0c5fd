package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Claim is a test's statement that it shows a rule.
type Claim struct {
	Slug string
	// File is the test's file, relative to the module, with slashes.
	File string
	// Test is the test function's name; empty for a script.
	Test string
	// Line is where the claim stands.
	Line int
	// MaySkip is true when the test, or a function of its package that it calls,
	// can skip it, for want of a tool on the machine for example.
	MaySkip bool
}

// Claims are what all tests of a module claim.
type Claims struct {
	// All are sorted by slug, file and test, without doubles.
	All []Claim
	// Problems are claims that cannot be read, and files that import this package
	// without being tests: each a sentence that begins with "file:line: ".
	Problems []string
}

// Scan reads every Go file and every script in e2e/testdata of the module at
// root. Modules within it, testdata folders and folders whose names begin with
// "." or "_" are left out, as the go command does. The error is one of reading
// files; a Go file that cannot be parsed is a problem, not an error.
func Scan(root string) (*Claims, error) {
	c := new(Claims)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		if name != root && skipFolder(name, entry.Name()) {
			return filepath.SkipDir
		}
		return c.scanFolder(root, name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tests of the module: %w", err)
	}
	scripts, err := filepath.Glob(filepath.Join(root, "e2e", "testdata", "*.txtar"))
	if err != nil {
		return nil, fmt.Errorf("read the scripts: %w", err)
	}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the scripts: %w", err)
		}
		c.scanScript(path.Join("e2e/testdata", filepath.Base(name)), string(text))
	}
	c.tidy()
	return c, nil
}

func skipFolder(name, base string) bool {
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

func (c *Claims) scanFolder(root, folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	files := make(map[string][]byte, len(names))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(relative)] = text
	}
	c.scanGo(files)
	return nil
}

// scriptMark begins a claim in a script.
const scriptMark = "# rule:"

// scanScript reads the script of a txtar archive: what stands before its first
// file.
func (c *Claims) scanScript(file, text string) {
	var found []Claim
	maySkip, inFiles := false, false
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimRight(line, "\r")
		inFiles = inFiles || strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --")
		slugs, claims := strings.CutPrefix(line, scriptMark)
		switch {
		case claims && inFiles:
			c.problem(file, number, "%q stands within a file of the archive, where it claims nothing; move it above the first one", scriptMark)
		case claims && len(strings.Fields(slugs)) == 0:
			c.problem(file, number, "%q names no rule", scriptMark)
		case claims:
			for _, slug := range strings.Fields(slugs) {
				found = append(found, Claim{Slug: slug, File: file, Line: number})
			}
		case !inFiles && skips(line):
			maySkip = true
		}
	}
	for _, claim := range found {
		claim.MaySkip = maySkip
		c.All = append(c.All, claim)
	}
}

// skips reports whether a script's line has the command skip, with or without
// conditions before it.
func skips(line string) bool {
	for _, word := range strings.Fields(line) {
		if !strings.HasPrefix(word, "[") {
			return word == "skip"
		}
	}
	return false
}

func (c *Claims) problem(file string, line int, format string, args ...any) {
	c.Problems = append(c.Problems, fmt.Sprintf("%s:%d: ", file, line)+fmt.Sprintf(format, args...))
}

// tidy sorts the claims and drops those that a test makes twice.
func (c *Claims) tidy() {
	sort.SliceStable(c.All, func(i, j int) bool {
		a, b := c.All[i], c.All[j]
		if a.Slug != b.Slug {
			return a.Slug < b.Slug
		}
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Test < b.Test
	})
	kept := c.All[:0]
	for i, claim := range c.All {
		if i > 0 {
			last := kept[len(kept)-1]
			if last.Slug == claim.Slug && last.File == claim.File && last.Test == claim.Test {
				continue
			}
		}
		kept = append(kept, claim)
	}
	c.All = kept
	sort.Strings(c.Problems)
}

// By returns the claims on one rule.
func (c *Claims) By(slug string) []Claim {
	first := sort.Search(len(c.All), func(i int) bool { return c.All[i].Slug >= slug })
	last := first
	for last < len(c.All) && c.All[last].Slug == slug {
		last++
	}
	return c.All[first:last]
}
