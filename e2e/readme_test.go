package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestEveryCommandOfTheREADMEIsRun holds that testdata/readme.txtar names each
// command that the README shows behind a dollar sign.
func TestEveryCommandOfTheREADMEIsRun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/readme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(readme)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "$ ") {
			n++
			if !strings.Contains(string(script), "# "+line+"\n") {
				t.Errorf("testdata/readme.txtar does not run %q", line)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d commands found in the README", n)
	}
}
