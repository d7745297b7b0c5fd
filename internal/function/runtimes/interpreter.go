package runtimes

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// language is what Gatepost knows of an interpreted language.
type language struct {
	name    string // for people
	program string
	// programs are the names an interpreter may have, the best first.
	programs func(version string) []string
	// probe are the arguments with which it prints its version and, on the next
	// line, where it really lies: what is on the PATH may be a slow wrapper.
	probe []string
	// digits is how many numbers of a version tell a runtime: 1 is "22", 2 is "3.13".
	digits int
	// oldest is the oldest version that the client runs on.
	oldest string
	get    string // where to get it
}

var languages = map[Family]language{
	Node: {
		name:     "Node.js",
		program:  "node",
		programs: func(string) []string { return []string{"node", "nodejs"} },
		probe:    []string{"-p", `process.versions.node + "\n" + process.execPath`},
		digits:   1,
		oldest:   "16",
		get:      "https://nodejs.org",
	},
	Python: {
		name:     "Python",
		program:  "python3",
		programs: func(version string) []string { return []string{"python" + version, "python3"} },
		probe:    []string{"-c", `import sys; print("%d.%d.%d\n%s" % (sys.version_info[:3] + (sys.executable,)))`},
		digits:   2,
		oldest:   "3.8",
		get:      "https://www.python.org",
	},
}

// Interpreter is a program on this machine that runs a language.
type Interpreter struct {
	// Program is what was found on the PATH, such as "node".
	Program string
	// Path is where it lies.
	Path string
	// Version is its own, such as "22.11.0".
	Version string
}

// probeLimit bounds how long an interpreter may take to tell its version.
const probeLimit = 20 * time.Second

// Machine is what has been learned of this machine's interpreters: each is
// asked once, which takes a tenth of a second. The zero value knows nothing yet.
// Its methods may be called together.
type Machine struct {
	mu    sync.Mutex
	asked map[string]*asked // by path
}

// asked is what an interpreter has answered.
type asked struct {
	once  sync.Once
	found Interpreter
	err   error
}

// ask asks the interpreter at a path, or remembers what it said.
func (m *Machine) ask(ctx context.Context, l language, path string) (Interpreter, error) {
	m.mu.Lock()
	if m.asked == nil {
		m.asked = make(map[string]*asked)
	}
	a := m.asked[path]
	if a == nil {
		a = new(asked)
		m.asked[path] = a
	}
	m.mu.Unlock()
	a.once.Do(func() { a.found, a.err = l.ask(ctx, path) })
	return a.found, a.err
}

// Find finds the interpreter of an interpreted runtime on the PATH. One of the
// runtime's version is preferred; any other that the client runs on will do,
// and Describe says so. The error says which program is missing and where to
// get it.
func (m *Machine) Find(ctx context.Context, r Runtime) (Interpreter, error) {
	lang, ok := languages[r.Family]
	if !ok {
		return Interpreter{}, fmt.Errorf("the runtime %s needs no interpreter", r.ID)
	}
	var failures []error
	for _, program := range lang.programs(r.Version) {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		found, err := m.ask(ctx, lang, path)
		if err == nil {
			found.Program = program
			return found, lang.check(r, found)
		}
		if ctx.Err() != nil {
			return Interpreter{}, ctx.Err()
		}
		failures = append(failures, err)
	}
	if len(failures) > 0 {
		return Interpreter{}, fmt.Errorf("the runtime %s needs %s %s, and what is on the PATH does not work: %w",
			r.ID, lang.name, r.Version, errors.Join(failures...))
	}
	return Interpreter{}, fmt.Errorf("the runtime %s needs the program %s of version %s, and there is none on the PATH; install %s %s (%s)",
		r.ID, lang.program, r.Version, lang.name, r.Version, lang.get)
}

// ask runs an interpreter to learn its version.
func (l language) ask(ctx context.Context, path string) (Interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, l.probe...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return Interpreter{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	version, real, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if _, ok := parseVersion(version); !ok {
		return Interpreter{}, fmt.Errorf("%s gives %q for its version", path, clip(version))
	}
	if real = strings.TrimSpace(real); real != "" {
		path = real
	}
	return Interpreter{Path: path, Version: strings.TrimSpace(version)}, nil
}

// check refuses an interpreter that is too old for the client.
func (l language) check(r Runtime, found Interpreter) error {
	if !older(found.Version, l.oldest) {
		return nil
	}
	return fmt.Errorf("the runtime %s needs %s %s, and %s is version %s; install %s %s or newer (%s)",
		r.ID, l.name, r.Version, found.Path, found.Version, l.name, l.oldest, l.get)
}

// Describe says for people what runs the runtime's functions: "node 22.11.0",
// or "node 20.20.2 in place of 22" when the version is another one.
func (i Interpreter) Describe(r Runtime) string {
	text := i.Program + " " + i.Version
	if cutVersion(i.Version, languages[r.Family].digits) != r.Version {
		text += " in place of " + r.Version
	}
	return text
}

// cutVersion returns the first numbers of a version.
func cutVersion(version string, digits int) string {
	parts := strings.SplitN(version, ".", digits+1)
	return strings.Join(parts[:min(len(parts), digits)], ".")
}

// parseVersion reads up to three numbers; what follows a hyphen does not count.
func parseVersion(version string) (numbers [3]int, ok bool) {
	version, _, _ = strings.Cut(strings.TrimSpace(version), "-")
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return numbers, false
		}
		numbers[i] = n
	}
	return numbers, true
}

// older reports whether version a comes before b.
func older(a, b string) bool {
	x, _ := parseVersion(a)
	y, _ := parseVersion(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return false
}
