package dynamodb

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TestDynalite runs the public test suite of architect/dynalite against the
// endpoint. The suite is not part of this repository:
//
//	git clone https://github.com/architect/dynalite && npm --prefix dynalite install
//	DYNALITE=$PWD/dynalite go test ./internal/aws/dynamodb -run TestDynalite -v
//
// Every test that fails must be listed in docs/dynamodb.md by its title, and no
// test that passes may be.
func TestDynalite(t *testing.T) {
	suite := os.Getenv("DYNALITE")
	if suite == "" {
		t.Skip("DYNALITE is not set: clone https://github.com/architect/dynalite, run `npm install` in it, and set DYNALITE to its path.")
	}
	endpoint := &awswire.Endpoint{}
	endpoint.Register(open(t, Config{Path: file(t)}))
	server := httptest.NewServer(endpoint)
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	report := runDynalite(t, suite, port)
	documented, err := os.ReadFile("../../../docs/dynamodb.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, failed := range report.Failures {
		if !strings.Contains(string(documented), "`"+failed.FullTitle+"`") {
			t.Errorf("%s\n%s", failed.FullTitle, clip(failed.Err.Message))
		}
	}
	for _, passed := range report.Passes {
		if strings.Contains(string(documented), "`"+passed.FullTitle+"`") {
			t.Errorf("docs/dynamodb.md says that this test fails, but it passes: %s", passed.FullTitle)
		}
	}
	total := len(report.Passes) + len(report.Failures)
	t.Logf("%d of %d tests of the suite pass, %d are pending", len(report.Passes), total, len(report.Pending))
	if len(report.Passes)*100 < total*95 {
		t.Errorf("fewer than 95 %% of the suite pass")
	}
}

type dynaliteTest struct {
	FullTitle string
	Err       struct{ Message string }
}

type dynaliteReport struct{ Passes, Failures, Pending []dynaliteTest }

// runDynalite runs the suite, in a folder of its own, where our shim stands in
// the place of dynalite's server.
func runDynalite(t *testing.T, suite, port string) (report dynaliteReport) {
	t.Helper()
	dir := t.TempDir()
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
	output := filepath.Join(dir, "report.json")
	cmd := exec.Command("node", "node_modules/mocha/bin/mocha.js", "--require", "should", "--exit", "--timeout", "30s", "--reporter", "json", "--reporter-option", "output="+output)
	if only := os.Getenv("DYNALITE_FILE"); only != "" {
		cmd.Args = append(cmd.Args, "test/"+only)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GATEPOST_PORT="+port)
	out, err := cmd.CombinedOutput() // fails when a test does
	text, readErr := os.ReadFile(output)
	if readErr != nil {
		t.Fatalf("mocha: %v\n%s", err, clip(string(out)))
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}
