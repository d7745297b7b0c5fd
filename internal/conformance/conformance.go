// Package conformance owns the list of rules that Gatepost keeps as a WebSocket
// API, and the page that says which test shows each of them.
//
// The rules are lines of rules.txt. A test names those that it shows with
// Covers, a script of e2e/testdata with a comment "# rule: slug". CONFORMANCE.md
// is written from both by this package's test, which fails when a rule has no
// test, when a test names a rule that does not exist, and when the page is
// stale. Only test files import this package; that is checked as well.
package conformance

import (
	_ "embed"
	"strings"
	"sync"
	"testing"
)

//go:embed rules.txt
var rulesText string

// rulesFile is how messages name the list of rules.
const rulesFile = "internal/conformance/rules.txt"

// Rules returns the list of rules, read once. The error names the line. Callers
// must not change the result.
var Rules = sync.OnceValues(func() (*List, error) { return Parse(rulesFile, rulesText) })

// Covers says that the test which calls it shows the rules with these slugs;
// one argument may hold several, with spaces between. A slug that rules.txt
// does not have fails the test.
//
// Call it in the test function itself (closures within it will do), not in a
// function that tests share, for the page finds the calls by reading the
// source. The slugs are string literals; in a table they may be a field that is
// called rule ("rule: slug" in a composite literal of the test or of a
// package-level variable that it uses), which is then passed on.
//
// Call it after everything that may skip the test: a test that is skipped shows
// nothing, so one that is skipped after the call fails.
func Covers(t testing.TB, slugs ...string) {
	t.Helper()
	list, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	var claimed []string
	for _, arg := range slugs {
		claimed = append(claimed, strings.Fields(arg)...)
	}
	for _, slug := range claimed {
		if list.Rule(slug) == nil {
			t.Errorf("the test claims to show the rule %q, which %s does not have: mend the slug or write the rule", slug, rulesFile)
		}
	}
	t.Cleanup(func() {
		if t.Skipped() {
			t.Errorf("the test was skipped, so it did not show %s: call conformance.Covers after the last place that can skip", strings.Join(claimed, ", "))
		}
	})
}
