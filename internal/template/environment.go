package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// loadEnvironment reads a function's Environment. What Lambda would refuse when
// the template is deployed is refused here.
func (l *loader) loadEnvironment(p *properties, f *stack.Function) {
	f.Environment = p.textMap("Variables", stack.CheckVariable)
	p.rest(nil, nil)
	if f.Environment == nil {
		return
	}
	variables := p.value("Variables")
	l.report(nodeOr(p.raw("Variables"), p.node), stack.CheckEnvironmentSize(f.Environment))
	f.EnvironmentAt = make(map[string]string, len(f.Environment))
	for _, name := range slices.Sorted(maps.Keys(f.Environment)) {
		at := nodeOr(variables.field(name), p.node)
		f.EnvironmentAt[name] = fmt.Sprintf("%s:%d", l.fileOf(at), at.line)
		if l.holdsNoEcho(f.Environment[name]) {
			f.NoEcho = append(f.NoEcho, name)
		}
		l.noteVariable(p.resource, at, name, f.Environment[name])
	}
}

// noteVariable tells of what is taken and yet not as on AWS.
func (l *loader) noteVariable(r *resource, at *node, name, value string) {
	switch {
	case name == stack.ConcurrencyVariable:
		l.note(r, at.line, "AWS keeps the variable "+name+" for itself and refuses a template that gives it a value; here it is how many events at a time a process takes, and --env can set it")
	case strings.Contains(value, "{{resolve:"):
		l.note(r, at.line, "the variable "+name+" holds a dynamic reference ({{resolve:...}}), which is passed on as it stands; --values or --env gives it a value")
	}
}

// leastHidden is the length from which the value of a NoEcho parameter is looked
// for inside others, in bytes: a shorter one may be anywhere by chance.
const leastHidden = 4

// holdsNoEcho reports whether a text is, or has in it, the value of a parameter
// with NoEcho or a secret.
func (l *loader) holdsNoEcho(text string) bool {
	for secret := range l.secrets {
		if text == secret || len(secret) >= leastHidden && strings.Contains(text, secret) {
			return true
		}
	}
	for _, p := range l.parameters {
		if !p.noEcho() {
			continue
		}
		value, given, err := l.parameterText(p)
		if given && err == nil && (text == value || len(value) >= leastHidden && strings.Contains(text, value)) {
			return true
		}
	}
	return false
}
