package function

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Environment reads a function's environment variables and collects what is
// wrong with them. A variable that is set to "" counts as not set.
type Environment struct {
	lookup   func(string) (string, bool)
	problems []string
}

// NewEnvironment reads variables with lookup, for example os.LookupEnv.
func NewEnvironment(lookup func(string) (string, bool)) *Environment {
	return &Environment{lookup: lookup}
}

// Problems returns one sentence for each variable that is missing or wrong.
func (e *Environment) Problems() []string { return e.problems }

func (e *Environment) problem(format string, args ...any) {
	e.problems = append(e.problems, fmt.Sprintf(format, args...))
}

func (e *Environment) get(name string) string {
	v, _ := e.lookup(name)
	return strings.TrimSpace(v)
}

// Text returns a variable that must be set; what says what it holds.
func (e *Environment) Text(name, what string) string {
	v := e.get(name)
	if v == "" {
		e.problem("%s is not set: it must hold %s.", name, what)
	}
	return v
}

// Optional returns a variable, "" when it is not set.
func (e *Environment) Optional(name string) string { return e.get(name) }

// Choice returns a variable that holds one of some words, or the first of them
// when it is not set.
func (e *Environment) Choice(name string, words ...string) string {
	v := e.get(name)
	switch {
	case v == "":
		return words[0]
	case !slices.Contains(words, v):
		e.problem("%s is %q: it must be one of %s.", name, v, strings.Join(words, ", "))
		return words[0]
	}
	return v
}

// Switch returns a variable that holds true or false, or fallback when it is
// not set.
func (e *Environment) Switch(name string, fallback bool) bool {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		e.problem("%s is %q: it must be true or false.", name, v)
	}
	return on
}

// Problem adds a sentence to Problems, for what no method here checks.
func (e *Environment) Problem(format string, args ...any) { e.problem(format, args...) }

// URL returns a variable that must hold an http or https address; what says of
// what.
func (e *Environment) URL(name, what string) string {
	v := e.get(name)
	u, err := url.Parse(v)
	switch {
	case v == "":
		e.problem("%s is not set: it must hold %s.", name, what)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		e.problem("%s is %q: it must hold %s.", name, v, what)
	}
	return v
}

// Integer returns a variable between least and most, or fallback when it is not
// set.
func (e *Environment) Integer(name string, fallback, least, most int) int {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		e.problem("%s is %q: it must be a whole number from %d to %d.", name, v, least, most)
		return fallback
	}
	return n
}

// Duration returns a variable such as "20m" between least and most, or
// fallback when it is not set.
func (e *Environment) Duration(name string, fallback, least, most time.Duration) time.Duration {
	v := e.get(name)
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > most {
		e.problem(`%s is %q: it must be a duration from %v to %v, such as "90s" or "20m".`, name, v, least, most)
		return fallback
	}
	return d
}

// List returns a variable's comma-separated words, or fallback when it is not
// set.
func (e *Environment) List(name string, fallback ...string) []string {
	var words []string
	for word := range strings.SplitSeq(e.get(name), ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return fallback
	}
	return words
}
