package conformance

import (
	"strings"
	"testing"
)

// recorder stands for a test that Covers is called in.
type recorder struct {
	testing.TB
	skipped  bool
	errors   []string
	cleanups []func()
}

func (r *recorder) Helper()                           {}
func (r *recorder) Skipped() bool                     { return r.skipped }
func (r *recorder) Cleanup(fn func())                 { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Errorf(format string, args ...any) { r.errors = append(r.errors, format) }

func (r *recorder) end() {
	for _, fn := range r.cleanups {
		fn()
	}
}

func TestCovers(t *testing.T) {
	const known = "handshake.trailing-slash"
	for _, test := range []struct {
		name    string
		slugs   []string
		skipped bool
		want    string
	}{
		{"known rules", []string{known, known + " handshake.url-stage"}, false, ""},
		{"no rule, as in a row without one", []string{""}, false, ""},
		{"an unknown rule", []string{"handshake.no-such-rule"}, false, "the test claims to show the rule"},
		{"an unknown rule among others", []string{known + " nothing"}, false, "the test claims to show the rule"},
		{"a skip after the call", []string{known}, true, "the test was skipped"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &recorder{skipped: test.skipped}
			Covers(r, test.slugs...)
			r.end()
			if got := strings.Join(r.errors, "\n"); got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
				t.Errorf("it said %q, want %q", got, test.want)
			}
		})
	}
}
