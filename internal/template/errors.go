package template

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong in a template. Load joins several with
// errors.Join; errors.As finds the first.
type Error struct {
	// File is the path as it was given to Load.
	File string `json:"file"`
	// Line and Column count from 1; both are zero when the file as a whole is
	// meant.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path leads to the value, for example "Resources.SendRoute.Target"; it is
	// empty when the file could not be read as far as that.
	Path string `json:"path,omitempty"`
	// Text says what is wrong and what to do.
	Text string `json:"text"`

	// unsupported marks what AWS could evaluate and Gatepost cannot.
	unsupported bool
}

// Error returns "file:line:column: path: text", as compilers do.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&s, ":%d:%d", e.Line, e.Column)
	}
	if e.Path != "" {
		s.WriteString(": " + e.Path)
	}
	s.WriteString(": " + e.Text)
	return s.String()
}

// asError gives an error about a file the form of ours.
func asError(err error, file string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{File: file, Text: err.Error()}
}

// Errors takes an error of Load apart: what is wrong with the template, one
// each. An error of another kind has its text only. It is nil for nil.
func Errors(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, one := range joined.Unwrap() {
			all = append(all, Errors(one)...)
		}
		return all
	}
	return []*Error{asError(err, "")}
}

// maxProblems is how many errors Load reports.
const maxProblems = 20

// problems collects the errors of one template, each once.
type problems struct {
	order map[string]int // of files
	list  []error        // of type *Error
	seen  map[string]bool
}

func (p *problems) add(err error) {
	if err == nil || p.seen[err.Error()] {
		return
	}
	if p.seen == nil {
		p.seen = make(map[string]bool)
	}
	p.seen[err.Error()] = true
	p.list = append(p.list, err)
}

// tooMany reports whether there are more than anybody will read.
func (p *problems) tooMany() bool { return len(p.list) > 100*maxProblems }

// err joins what was collected in the order of the template, or returns nil.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b error) int {
		x, _ := errors.AsType[*Error](a)
		y, _ := errors.AsType[*Error](b)
		return cmp.Or(cmp.Compare(p.order[x.File], p.order[y.File]), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	shown := p.list
	if more := len(p.list) - maxProblems; more > 0 {
		shown = append(shown[:maxProblems:maxProblems], fmt.Errorf("and %d more problems like these", more))
	}
	return errors.Join(shown...)
}

// quote puts a value of the template into a message, clipped so that a hostile
// one does not fill the terminal.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// didYouMean returns " (did you mean X?)" for the candidate that a slip of the
// finger away from name, or "".
func didYouMean(name string, candidates ...[]string) string {
	const most = 2000
	if len(name) > 64 {
		return ""
	}
	best, distance := "", min(3, len(name)/3+1)
	for i, c := range slices.Concat(candidates...) {
		if i == most {
			break
		}
		if d := editDistance(name, c, distance); d < distance || d == distance && best == "" && d < len(name) {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance is Levenshtein's, without case; it stops being exact past limit.
func editDistance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if gap := len(a) - len(b); gap > limit || -gap > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := previous
			if a[i] != b[j] {
				change++
			}
			previous = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
