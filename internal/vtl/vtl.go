// Package vtl owns mapping templates: scripts in the Velocity Template
// Language that turn a message and its context into the request of an
// integration, or an integration's answer into a message. DESIGN.md says which
// Velocity it follows and where API Gateway differs from it.
package vtl

import (
	"context"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// MaxSource is the size of the largest template, in bytes (API Gateway quotas,
// "Size of a mapping template": 300 KB).
const MaxSource = 300 << 10

// Template is a parsed template. It never changes, so that any number of
// goroutines may execute it.
type Template struct {
	source string
	body   block
}

// Parse reads a template. Everything that can be known to be wrong is said
// here rather than when a message arrives: the error, an *Error, names line
// and column and says what to write instead.
func Parse(source string) (*Template, error) {
	if len(source) > MaxSource {
		return nil, &Error{1, 1, fmt.Sprintf("the template has %d bytes; %d are allowed", len(source), MaxSource)}
	}
	p := parser{source: source}
	body, err := p.template()
	if err != nil {
		return nil, err
	}
	return &Template{source, body}, nil
}

// String returns the source of the template.
func (t *Template) String() string { return t.source }

// Data is what a template can see.
type Data struct {
	// Body is $input.body and what $input.path and $input.json look into. It is
	// read and must not change during Execute.
	Body []byte
	// Path, Query and Header are $input.params().
	Path, Query, Header map[string]string
	// Context is $context, an object.
	Context jsonpath.Value
	// StageVariables is $stageVariables.
	StageVariables map[string]string
}

// Limits bound an execution. A zero is the default.
type Limits struct {
	// Output is the size of the result in bytes, by default 1 MiB, which is
	// also the size of the largest text that a template may hold.
	Output int
	// Steps is the work: a node of the template, an element that is looked at
	// or copied and 64 bytes of text cost one each. By default 500,000.
	Steps int
	// Iterations is how often one #foreach runs, by default 1,000 (API Gateway
	// quotas, "#foreach iterations"); the loop ends there without an error, as
	// Velocity's does.
	Iterations int
	// Depth is how deep lists and maps may lie in one another when they are
	// written or compared, by default 600, which is more than a document may.
	// A list that was put into itself ends there.
	Depth int
}

func (l Limits) orDefaults() Limits {
	for _, d := range []struct {
		limit    *int
		fallback int
	}{{&l.Output, 1 << 20}, {&l.Steps, 500_000}, {&l.Iterations, 1000}, {&l.Depth, 600}} {
		if *d.limit <= 0 {
			*d.limit = d.fallback
		}
	}
	return l
}

// Error is a fault in a template, found by Parse, or met by Execute.
type Error struct {
	// Line and Column are counted from 1; a column is a character.
	Line, Column int
	// What is wrong there, and what to write instead.
	What string
}

// Error gives the place and the fault.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// Execute writes the template with that data. The error is ctx's, or an *Error
// that names the place in the template; the result is then nil.
func (t *Template) Execute(ctx context.Context, d *Data, l Limits) ([]byte, error) {
	e := newExecution(ctx, t, d, l.orDefaults())
	if err := e.run(t.body); err != nil {
		return nil, err
	}
	return e.out, nil
}
