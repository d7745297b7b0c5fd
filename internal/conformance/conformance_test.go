package conformance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write CONFORMANCE.md")

// root is the module's folder, seen from this package.
var root = filepath.Join("..", "..")

// TestConformance holds the list of rules, the tests and the page together.
func TestConformance(t *testing.T) {
	list, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	claims, err := Scan(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range Check(list, claims) {
		t.Error(problem)
	}
	name := filepath.Join(root, "CONFORMANCE.md")
	page := Page(list, claims)
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v: run go test ./internal/conformance -update", err)
	}
	if string(old) != page {
		t.Errorf("CONFORMANCE.md is stale (first at %s): run go test ./internal/conformance -update", firstDifference(string(old), page))
	}
}

func firstDifference(old, now string) string {
	lines := strings.Split(now, "\n")
	for i, line := range strings.Split(old, "\n") {
		if i >= len(lines) || lines[i] != line {
			return fmt.Sprintf("line %d: %s", i+1, line)
		}
	}
	return "its end"
}
