package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryCommandOfThePagesIsRun holds that testdata/readme.txtar names each
// command that the README shows behind a dollar sign, and testdata/docs.txtar
// each one of the pages in docs.
func TestEveryCommandOfThePagesIsRun(t *testing.T) {
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	if n := checkCommands(t, "testdata/readme.txtar", "../README.md"); n < 5 {
		t.Errorf("only %d commands found in the README", n)
	}
	if n := checkCommands(t, "testdata/docs.txtar", docs...); n < 3 {
		t.Errorf("only %d commands found in docs", n)
	}
}

// checkCommands returns how many commands the pages have.
func checkCommands(t *testing.T, script string, pages ...string) (n int) {
	t.Helper()
	run, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "$ ") {
				n++
				if !strings.Contains(string(run), "# "+line+"\n") {
					t.Errorf("%s does not run %q of %s", script, line, page)
				}
			}
		}
	}
	return n
}
