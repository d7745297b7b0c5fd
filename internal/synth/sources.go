package synth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Sources says which files an app or a service is made of. Of an app it is as
// "cdk watch" has it: the files below its folder that "watch" in cdk.json includes (by default all)
// and does not exclude, and never hidden files, node_modules and the cloud
// assembly. In two points it says more: cdk.json and cdk.context.json always
// count, and a pattern for all JavaScript leaves out what is compiled from a file
// beside it only, since functions may be written in JavaScript.
type Sources struct {
	folder           string // absolute, as output is
	output           string
	include, exclude []glob
	always           []string // names that count whatever the patterns say
}

// Sources reads cdk.json for what the app is made of.
func (a App) Sources() (Sources, error) {
	c, err := a.config()
	if err != nil {
		return Sources{}, err
	}
	folder, err := filepath.Abs(a.Folder)
	if err != nil {
		return Sources{}, fmt.Errorf("the folder of the app: %w", err)
	}
	s := Sources{folder: folder, always: []string{"cdk.json", "cdk.context.json"}}
	if s.output, err = a.output(c); err != nil {
		return Sources{}, err
	}
	if s.include, err = parseGlobs(c.Watch.Include); err != nil {
		return Sources{}, err
	}
	s.exclude, err = parseGlobs(c.Watch.Exclude)
	return s, err
}

// Folder is the absolute path of the folder that holds all of it.
func (s Sources) Folder() string { return s.folder }

// Has reports whether a file belongs to the app.
func (s Sources) Has(file string) bool {
	relative, err := filepath.Rel(s.folder, file)
	if err != nil || !filepath.IsLocal(relative) || within(s.output, file) {
		return false
	}
	name := filepath.ToSlash(relative)
	switch {
	case slices.Contains(s.always, name):
		return true
	case slices.ContainsFunc(strings.Split(name, "/"), unseen):
		return false
	case len(s.include) > 0 && !mean(s.include, name):
		return false
	}
	return !slices.ContainsFunc(s.exclude, func(g glob) bool { return g.form.MatchString(name) && !handwritten(g.text, file) })
}

// within reports whether a path is a folder or lies below it.
func within(folder, file string) bool {
	relative, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(relative)
}

// unseen reports whether a file or folder of this name is never looked at.
func unseen(name string) bool {
	return name == "node_modules" || strings.HasPrefix(name, ".") && name != "."
}

// glob is a pattern of cdk.json. It means a file, or a folder with all below it.
type glob struct {
	text string
	form *regexp.Regexp
}

// maxGlob bounds a pattern, in bytes.
const maxGlob = 1000

// parseGlobs reads patterns: "**" stands for any folders, "*" and "?" for
// characters of a name, {a,b} for one of several.
func parseGlobs(patterns []string) (globs []glob, err error) {
	for _, text := range patterns {
		if len(text) > maxGlob {
			return nil, fmt.Errorf("a pattern of watch in cdk.json is longer than %d bytes", maxGlob)
		}
		steps := strings.Split(strings.Trim(path.Clean(text), "/"), "/")
		var form strings.Builder
		for i, step := range steps {
			last := i == len(steps)-1
			switch {
			case step == "**" && last:
				form.WriteString("[^/]+")
			case step == "**":
				form.WriteString("(?:[^/]+/)*")
			default:
				form.WriteString(stepForm(step))
				if !last {
					form.WriteByte('/')
				}
			}
		}
		compiled, err := regexp.Compile("^(?:" + form.String() + ")(?:/.*)?$")
		if err != nil {
			return nil, fmt.Errorf("the pattern %q of watch in cdk.json cannot be read", text)
		}
		globs = append(globs, glob{text, compiled})
	}
	return globs, nil
}

// stepForm is the regular expression of one name of a pattern.
func stepForm(step string) string {
	var form strings.Builder
	braces := 0
	for _, r := range step {
		switch {
		case r == '*':
			form.WriteString("[^/]*")
		case r == '?':
			form.WriteString("[^/]")
		case r == '{' && strings.Contains(step, "}"):
			braces++
			form.WriteString("(?:")
		case r == '}' && braces > 0:
			braces--
			form.WriteByte(')')
		case r == ',' && braces > 0:
			form.WriteByte('|')
		default:
			form.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return form.String()
}

// mean reports whether one of the patterns means a file.
func mean(globs []glob, name string) bool {
	return slices.ContainsFunc(globs, func(g glob) bool { return g.form.MatchString(name) })
}

// handwritten reports whether a file is JavaScript that is compiled from nothing,
// and left out by a pattern for all JavaScript.
func handwritten(pattern, file string) bool {
	stem, js := strings.CutSuffix(file, ".js")
	if !js || path.Base(pattern) != "*.js" {
		return false
	}
	return !slices.ContainsFunc([]string{".ts", ".tsx", ".mts", ".cts"}, func(ext string) bool { return hasFile("", stem+ext) })
}

// Sums are digests of files' contents, by their absolute paths.
type Sums map[string][sha256.Size]byte

const (
	// maxFiles bounds the files of Sums; what lies behind them is not seen.
	maxFiles = 20_000
	// maxSummed is how much of a file counts, in bytes; its size counts too.
	maxSummed = 4 << 20
)

// errEnough ends a walk that has seen maxFiles.
var errEnough = errors.New("enough files")

// Sums returns the digests of all files of the app, without those that ignored
// names. Two that are equal mean that the app need not run again. When ctx ends it
// returns what it has.
func (s Sources) Sums(ctx context.Context, ignored func(path string) bool) Sums {
	sums := make(Sums)
	_ = filepath.WalkDir(s.folder, func(at string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(sums) >= maxFiles:
			return errEnough
		case err != nil:
			return nil // what cannot be read is as good as not there
		case e.IsDir() && at != s.folder && (unseen(e.Name()) || ignored(at) || at == s.output):
			return fs.SkipDir
		case e.Type().IsRegular() && !ignored(at) && s.Has(at):
			if sum, err := sumOf(at); err == nil {
				sums[at] = sum
			}
		}
		return nil
	})
	return sums
}

func sumOf(file string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(f, maxSummed)); err != nil {
		return sum, err
	}
	size := info.Size()
	for range 8 {
		hash.Write([]byte{byte(size)})
		size >>= 8
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// Changed returns the files whose contents differ from those of before, sorted.
func (s Sums) Changed(before Sums) (files []string) {
	for file, sum := range s {
		if old, known := before[file]; !known || old != sum {
			files = append(files, file)
		}
	}
	for file := range before {
		if _, there := s[file]; !there {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// watched is "watch" in cdk.json.
type watched struct {
	Include patterns `json:"include"`
	Exclude patterns `json:"exclude"`
}

// patterns are one pattern or a list of them.
type patterns []string

// UnmarshalJSON takes both.
func (p *patterns) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*p = patterns{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(p))
}
