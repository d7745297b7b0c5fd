// Package runtimes owns what Lambda's managed runtimes are on this machine: it
// knows their identifiers, finds the interpreter of each, brings a small
// Runtime API client for Node.js and for Python, and speaks to old Go programs
// that know only Go's RPC.
//
// It starts no function and hands out no event; see DESIGN.md.
package runtimes

import (
	"fmt"
	"regexp"
	"strings"
)

// Family says how the functions of a runtime come to life.
type Family int

// The families of runtimes.
const (
	// Provided is a program that speaks to the Runtime API itself.
	Provided Family = iota
	// Go1x is the retired runtime for Go: a program named by the handler, which
	// speaks Go RPC or to the Runtime API.
	Go1x
	// Node is JavaScript, run by node.
	Node
	// Python is run by python3.
	Python
)

// IDGo1x is the identifier of the retired runtime for Go.
const IDGo1x = "go1.x"

// Runtime is one of Lambda's runtimes.
type Runtime struct {
	// ID is AWS's identifier, for example "nodejs22.x".
	ID     string
	Family Family
	// Version is the language's, for example "22" or "3.13"; empty for Provided
	// and Go1x.
	Version string
}

// Supported names the runtimes for people.
const Supported = "provided.al2023, provided.al2, provided, go1.x, nodejs*.x and python3.*"

var (
	nodeForm   = regexp.MustCompile(`^nodejs([0-9]{1,2})\.(x|10)$`)
	pythonForm = regexp.MustCompile(`^python(3\.[0-9]{1,2})$`)
)

// Parse reads a runtime's identifier. The error of one that is not supported
// says which are.
func Parse(id string) (Runtime, error) {
	r := Runtime{ID: id}
	switch {
	case id == "provided.al2023", id == "provided.al2", id == "provided":
		return r, nil
	case id == IDGo1x:
		r.Family = Go1x
		return r, nil
	}
	if m := nodeForm.FindStringSubmatch(id); m != nil {
		r.Family, r.Version = Node, m[1]
		return r, nil
	}
	if m := pythonForm.FindStringSubmatch(id); m != nil {
		r.Family, r.Version = Python, m[1]
		return r, nil
	}
	return Runtime{}, fmt.Errorf("the runtime %q is not supported; supported are %s", clip(id), Supported)
}

// Interpreted reports whether the function's code is run by an interpreter.
func (r Runtime) Interpreted() bool { return r.Family == Node || r.Family == Python }

// ExecutionEnv is the value of AWS_EXECUTION_ENV, or empty for the runtimes
// for which Lambda does not set it ("Defined runtime environment variables" in
// the Lambda developer guide).
func (r Runtime) ExecutionEnv() string {
	if r.Family == Provided {
		return ""
	}
	return "AWS_Lambda_" + r.ID
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
