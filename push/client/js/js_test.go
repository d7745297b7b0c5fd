package js

import (
	"os"
	"os/exec"
	"testing"
)

// TestModules runs the modules' own tests in Node.
func TestModules(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		const why = "Node is not there: install Node 20 or newer"
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	out, err := exec.CommandContext(t.Context(), "node", "--test", ".").CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}

// TestFiles holds that what a program serves is whole: a module imports nothing
// that is not there.
func TestFiles(t *testing.T) {
	for _, name := range []string{"client.js", "chunks.js"} {
		if text, err := Files.ReadFile(name); err != nil || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}
