package gatepost_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// dynaliteWithin bounds a run of the suite, which takes some ten seconds.
const dynaliteWithin = 10 * time.Minute

// TestDynalite runs the public test suite of architect/dynalite against the
// AWS endpoint. The suite is not part of this repository; `make dynalite`
// fetches it and sets DYNALITE to its folder.
//
// Every test that fails must be listed in docs/dynamodb.md by its title, and no
// test that passes may be. DYNALITE_FILE runs one file of it, "query.js".
func TestDynalite(t *testing.T) {
	suite := os.Getenv("DYNALITE")
	if suite == "" {
		t.Skip("DYNALITE is not set: `make dynalite` fetches the suite with npm (of Node.js 20 or newer) and sets it.")
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	server := run(t, gatepost.Config{Stack: &stack.Stack{}})
	report := runDynalite(t, suite, server.AWS())
	text, err := os.ReadFile("docs/dynamodb.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := string(text)
	for _, failed := range report.Failures {
		if !strings.Contains(documented, "`"+failed.FullTitle+"`") {
			t.Errorf("docs/dynamodb.md does not list this test, which fails: %s\n%.2000s", failed.FullTitle, failed.Err.Message)
		}
	}
	for _, passed := range report.Passes {
		if strings.Contains(documented, "`"+passed.FullTitle+"`") {
			t.Errorf("docs/dynamodb.md lists this test, but it passes: %s", passed.FullTitle)
		}
	}
	passes, total := len(report.Passes), len(report.Passes)+len(report.Failures)
	t.Logf("%d of the suite's %d tests pass, %.1f %%; it leaves out %d itself", passes, total, 100*float64(passes)/float64(max(total, 1)), len(report.Pending))
	if passes*100 < total*95 || total == 0 {
		t.Error("fewer than 95 % of the suite pass")
	}
}

type dynaliteTest struct {
	FullTitle string
	Err       struct{ Message string }
}

type dynaliteReport struct{ Passes, Failures, Pending []dynaliteTest }

// runDynalite runs the suite in a folder of its own, where our shim stands in
// the place of dynalite's server.
func runDynalite(t *testing.T, suite, endpoint string) (report dynaliteReport) {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	layOutDynalite(t, suite, dir)
	output := filepath.Join(dir, "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), dynaliteWithin)
	defer cancel()
	mocha := exec.CommandContext(ctx, "node", "node_modules/mocha/bin/mocha.js", "--require", "should", "--exit", "--timeout", "30s", "--reporter", "json", "--reporter-option", "output="+output)
	if only := os.Getenv("DYNALITE_FILE"); only != "" {
		mocha.Args = append(mocha.Args, "test/"+only)
	}
	mocha.Dir = dir
	mocha.Env = append(os.Environ(), "GATEPOST_PORT="+u.Port())
	out, err := mocha.CombinedOutput() // fails when a test does
	text, errReport := os.ReadFile(output)
	if errReport != nil {
		t.Fatalf("mocha: %v\n%.2000s", err, out)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// layOutDynalite fills dir with the suite's tests, what they need, and the shim.
func layOutDynalite(t *testing.T, suite, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "test"), os.DirFS(filepath.Join(suite, "test"))); err != nil {
		t.Fatal(err)
	}
	shim, err := os.ReadFile("testdata/dynalite-shim.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.js"), shim, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node_modules", "db"} { // some tests ask db for the size of an item
		if err := os.Symlink(filepath.Join(suite, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
