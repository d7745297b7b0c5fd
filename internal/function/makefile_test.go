package function

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

func makeFunction(name, code string) stack.Function {
	return stack.Function{Name: name, LogicalID: strings.ToUpper(name), Runtime: "provided.al2023", Code: code, BuildMethod: "makefile",
		Environment: map[string]string{"REAL": os.Args[0], behaviourVariable: "folder"}, Timeout: 20 * time.Second}
}

func TestMakefile(t *testing.T) {
	needs(t, "make")
	root := files(t, t.TempDir(), map[string]string{
		"Makefile": "build-A:\n\tcp script $(ARTIFACTS_DIR)/bootstrap\n\tcp text \"$$ARTIFACTS_DIR\"\n" +
			"build-B:\n\techo compiling >&2\n\t@echo 'main.c:3: error: no such thing'; exit 2\nbuild-C:\n\ttouch $(ARTIFACTS_DIR)/other\n",
		"script": bootstrap, "text": "one", "main.go": "package main",
	})
	h := newTestHost(t, nil, makeFunction("a", root), makeFunction("b", root), makeFunction("c", root), makeFunction("d", root))
	failures := make(map[string]string)
	h.Build(t.Context(), func(r BuildResult) {
		if r.Err != nil {
			failures[r.Function] = r.Err.Error()
		}
	})
	for name, want := range map[string]string{
		"b": "compiling\nmain.c:3: error: no such thing\n", "c": `there is no executable "bootstrap" in what make gives`, "d": "No rule to make target",
	} {
		if !strings.Contains(failures[name], want) {
			t.Errorf("%s: got %q, want %q", name, failures[name], want)
		}
	}
	if failures["a"] != "" {
		t.Fatal(failures["a"])
	}
	made := strings.Trim(h.invoke("a", "{}"), `"`)
	if text, _ := os.ReadFile(filepath.Join(made, "text")); string(text) != "one" {
		t.Errorf("in %s lies %q", made, text)
	}
	if s := h.Functions()[0]; s.How != "make, executable" {
		t.Errorf("the status says %q", s.How)
	}
	h.Build(t.Context(), nil)
	if again := h.functions["a"].program.root; again != made {
		t.Errorf("the same lies in %s and in %s", made, again)
	}
	files(t, root, map[string]string{"text": "two"})
	h.Build(t.Context(), nil)
	if again := strings.Trim(h.invoke("a", "{}"), `"`); again == made {
		t.Error("the change was not taken")
	}
	if left, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*", freshPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBuildMethods(t *testing.T) {
	tests := []struct {
		name, method, runtime string
		files                 map[string]string
		code, logicalID, want string
	}{
		{"file", "makefile", "provided", map[string]string{"Makefile": ""}, "Makefile", "F", "must be the folder with the Makefile"},
		{"no id", "makefile", "provided", map[string]string{"Makefile": ""}, "", "", "without a logical id"},
		{"nothing made", "makefile", "provided", map[string]string{"text": ""}, "", "F", `has neither a Makefile nor an executable "bootstrap"`},
		{"no Makefile", "makefile", "provided", map[string]string{"main.go": "package main"}, "", "F", "No rule to make target"},
		{"rust", "rust-cargolambda", "provided", map[string]string{"main.rs": ""}, "", "F", `has no executable "bootstrap"; Gatepost knows the build methods go1.x and makefile, and not "rust-cargolambda"`},
		{"esbuild", "esbuild", "nodejs20.x", map[string]string{"app.ts": ""}, "", "F", `has no file for the handler "app.handler"; Gatepost knows`},
	}
	for _, tt := range tests {
		root := files(t, t.TempDir(), tt.files)
		h := newTestHost(t, nil, stack.Function{Name: "f", LogicalID: tt.logicalID, Runtime: tt.runtime, Handler: "app.handler", BuildMethod: tt.method, Code: filepath.Join(root, tt.code)})
		if err := h.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// What "sam build" writes still names the BuildMethod, for code that is made.
func TestMadeByOthers(t *testing.T) {
	h := newTestHost(t, nil, makeFunction("made", files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap})))
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if s := h.Functions()[0]; s.How != "executable" {
		t.Errorf("the status says %q", s.How)
	}
}

// A program that was made for another machine is refused by name.
func TestOtherMachine(t *testing.T) {
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	root := files(t, t.TempDir(), map[string]string{"go.mod": "module x\n", "main.go": "package main\n\nfunc main() {}\n"})
	out := t.TempDir()
	err := runTool(t.Context(), tool{folder: root, environment: []string{"GOOS=linux", "CGO_ENABLED=0", "GOARCH=" + other}}, "go", "build", "-o", filepath.Join(out, "bootstrap"), ".")
	if err != nil {
		t.Fatal(err)
	}
	h := newTestHost(t, nil, fromCode("f", out))
	if err := h.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bootstrap is ") || !strings.Contains(err.Error(), "build it ") {
		t.Errorf("got %v", err)
	}
}

// Without the interpreter there is an error that names it.
func TestMissingInterpreter(t *testing.T) {
	root := t.TempDir()
	h := newTestHost(t, nil,
		stack.Function{Name: "n", Runtime: "nodejs22.x", Handler: "index.handler", Code: root},
		stack.Function{Name: "p", Runtime: "python3.13", Handler: "app.handler", Code: root})
	t.Setenv("PATH", t.TempDir())
	err := h.Build(t.Context(), nil)
	for _, want := range []string{
		"function n: the runtime nodejs22.x needs the program node of version 22, and there is none on the PATH; install Node.js 22 (https://nodejs.org)",
		"function p: the runtime python3.13 needs the program python3 of version 3.13, and there is none on the PATH; install Python 3.13 (https://www.python.org)",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if e := h.invokeError("n", "{}"); e.Type != typeUnbuilt || !strings.Contains(e.Message, "install Node.js 22") {
		t.Error(e)
	}
}

// make runs in a copy: what it leaves beside the sources is not in the user's
// folder, nor in the way of the next run.
func TestMakeLeavesTheSourceClean(t *testing.T) {
	needs(t, "make")
	root := files(t, t.TempDir(), map[string]string{
		"Makefile": "build-F: bootstrap\n\tcp bootstrap $(ARTIFACTS_DIR)\n\ttouch object\n\tpwd\n\tfalse\n" +
			"build-G:\n\t! test -e object\n\ttouch object\n\tcp bootstrap $(ARTIFACTS_DIR)\n",
		"bootstrap": bootstrap, ".git/HEAD": "x",
	})
	h := newTestHost(t, nil, makeFunction("f", root), makeFunction("g", root))
	for range 2 {
		err := h.Build(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "make build-F failed in "+root+": exit status 2") || strings.Contains(err.Error(), "function g") {
			t.Errorf("got %v", err)
		}
		if err == nil || !strings.Contains(err.Error(), "pwd\n"+root+"\n") {
			t.Errorf("the error shows the copy, and not the source: %v", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*")); len(left) != 3 {
		t.Errorf("in the source lies %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*", freshPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Functions are built side by side: here each of two builds waits for the other.
func TestBuildsRunSideBySide(t *testing.T) {
	needs(t, "make")
	meeting := t.TempDir()
	root := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap, "Makefile": meetingRule(meeting, "a", "b") + meetingRule(meeting, "b", "a")})
	h := newTestHost(t, nil, makeFunction("a", root), makeFunction("b", root))
	if err := h.Build(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// Each build is told of as it ends: here the second one waits for that.
func TestProgressIsToldAtOnce(t *testing.T) {
	needs(t, "make")
	meeting := t.TempDir()
	root := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap, "Makefile": "build-A:\n\tcp bootstrap $(ARTIFACTS_DIR)\n" + meetingRule(meeting, "b", "told")})
	h := newTestHost(t, nil, makeFunction("a", root), makeFunction("b", root))
	err := h.Build(t.Context(), func(r BuildResult) {
		if r.Function == "a" && r.Err == nil && r.How == "make, executable" {
			files(t, meeting, map[string]string{"told": ""})
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// meetingRule says that it is here, and waits 20 s for the other one.
func meetingRule(meeting, own, other string) string {
	return "build-" + strings.ToUpper(own) + ":\n\ttouch " + meeting + "/" + own + "\n\ti=0; until test -e " + meeting + "/" + other +
		"; do i=$$((i+1)); test $$i -lt 2000 || exit 1; sleep 0.01; done\n\tcp bootstrap $(ARTIFACTS_DIR)\n"
}
