package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
)

var update = flag.Bool("update", false, "write the table of docs/limits.md")

// TestLimitsPage holds that docs/limits.md lists every limit with its default.
func TestLimitsPage(t *testing.T) {
	const page, head = "../../docs/limits.md", "|---|---|---|---|\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), head)
	_, after, ok2 := strings.Cut(rest, "\n\n")
	if !ok || !ok2 {
		t.Fatal("docs/limits.md has no table of limits")
	}
	var table strings.Builder
	for _, s := range apigw.Settings() {
		from := "Gatepost"
		if s.AWS {
			from = "AWS"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", s.Name, s.Value(apigw.DefaultLimits()), from, s.Text)
	}
	want := before + head + table.String() + "\n" + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Error("docs/limits.md is stale: run go test ./cmd/gatepost -run TestLimitsPage -update")
	}
}
