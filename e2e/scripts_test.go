// Package e2e holds the tests of the whole: scripts over the built binary,
// with the real AWS SDK, an independent WebSocket client and real function
// processes.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the gatepost under test, built once with buildFlags; underRace says
// whether it has the race detector.
var (
	binary     string
	buildFlags = []string{"build"}
	underRace  bool
)

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatepost-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "gatepost")
	build := exec.Command("go", append(buildFlags, "-o", binary, "../cmd/gatepost")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build gatepost: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// TestScripts runs every script under testdata. What a script can do beside
// testscript's own commands is in commands below.
func TestScripts(t *testing.T) { runScripts(t, "testdata") }

// TestPackagedDeployments runs what other tools have made of the push house's
// deployments: the scripts under deployments.
func TestPackagedDeployments(t *testing.T) {
	if os.Getenv("DEPLOYMENTS") == "" {
		t.Skip("DEPLOYMENTS is not set: `make deployments` installs the AWS CDK and osls with npm (of Node.js 20.19 or newer), packages with them, and sets it.")
	}
	runScripts(t, "deployments")
}

func runScripts(t *testing.T, folder string) {
	goEnv := goEnvironment(t)
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:       folder,
		Condition: condition,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, goEnv...)
			env.Setenv("REPO", repo)
			env.Setenv("DEPLOYMENTS", os.Getenv("DEPLOYMENTS"))
			// Last comes what "make test" installs, such as dlv.
			path := []string{filepath.Dir(binary), os.Getenv("PATH"), filepath.Join(repo, "bin")}
			env.Setenv("PATH", strings.Join(path, string(os.PathListSeparator)))
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			env.Setenv("DATA", filepath.Join(env.WorkDir, "data"))
			s := &stage{clients: make(map[string]*client)}
			env.Values[stageKey{}] = s
			env.Defer(s.close)
			p, h := &peers{}, &hostile{measures: make(map[string]measure)}
			env.Values[peersKey{}], env.Values[hostileKey{}] = p, h
			env.Defer(p.close)
			env.Defer(h.close)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":     start,
			"interrupt": interrupt,
			"crash":     crash,
			"ws":        ws,
			"roster":    roster,
			"send":      send,
			"queued":    queued,
			"fill":      fill,
			"raw":       raw,
			"manage":    manage,
			"await":     await,
			"presign":   presign,
			"host":      host,
			"backend":   backend,
			"talk":      converse,
			"measure":   takeMeasure,
			"grew":      grew,
			"sees":      sees,
			"probe":     probe,
			"mute":      mute,
			"retreat":   retreat,
			"crowd":     crowded,
			"trickle":   trickling,
			"trickled":  trickled,
			"halfopen":  halfOpen,
			"flood":     flood,
			"churn":     churn,
			"packages":  packages,
			"gone":      gone,
			"made":      made,
			"item":      item,
			"changes":   changes,
			"record":    record,
			"aws":       awsCall,
			"keeper":    keeper,
			"kept":      kept,
			"play":      play,
			"post":      postTo,
			"put":       write,
			"letter":    letter,
			"token":     token,
			"carnage":   carnage,
		},
	})
}

// goEnvironment lets `gatepost dev` find the go command's caches, which the
// scripts' own HOME hides.
func goEnvironment(t *testing.T) []string {
	t.Helper()
	var vars []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatalf("go env %s: %v", name, err)
		}
		vars = append(vars, name+"="+string(out[:len(out)-1]))
	}
	return vars
}
