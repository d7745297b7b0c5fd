package function

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// source is a function in Go that needs no module but the standard library's.
const source = `package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

func exchange(conn net.Conn, request string) string {
	fmt.Fprint(conn, strings.ReplaceAll(request, "\n", "\r\n"))
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		os.Exit(1)
	}
	return string(answer[:n])
}

func main() {
	conn, err := net.Dial("tcp", os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		os.Exit(1)
	}
	for {
		_, id, _ := strings.Cut(exchange(conn, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\n\n"), "Request-Id: ")
		id, _, _ = strings.Cut(id, "\r")
		exchange(conn, fmt.Sprintf("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: %d\n\n%s", id, len(text), text))
	}
}
`

const answer = "package main\n\nimport _ \"embed\"\n\n//go:embed answer.txt\nvar text string\n"

// files writes files into a folder and returns it.
func files(t *testing.T, folder string, contents map[string]string) string {
	t.Helper()
	for name, text := range contents {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func goFunction(t *testing.T) string {
	return files(t, t.TempDir(), map[string]string{
		"go.mod": "module example.com/f\n\ngo 1.24\n", "cmd/f/main.go": source, "cmd/f/answer.go": answer, "cmd/f/answer.txt": `"one"`,
		"cmd/f/main_test.go": "package main\n\nthis does not compile\n",
	})
}

func fromCode(name, code string) stack.Function {
	return stack.Function{Name: name, Runtime: "provided.al2023", Code: code}
}

// bootstrap answers every event with the folder it runs in.
const bootstrap = `#!/bin/sh
exec "$REAL" folder
`

func TestBuild(t *testing.T) {
	module := goFunction(t)
	folder := filepath.Join(module, "cmd", "f")
	ready := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap})
	script := fromCode("script", ready)
	script.Environment = map[string]string{"REAL": os.Args[0], behaviourVariable: "folder"}
	broken := files(t, t.TempDir(), map[string]string{"go.mod": "module x\n", "main.go": "package main\n\nfunc main() { undefined() }\n"})
	h := newTestHost(t, nil, fromCode("a", folder), fromCode("b", filepath.Join(folder, "main.go")), script,
		fromCode("broken", broken), acting("command", "echo", nil))

	var reported []string
	err := h.Build(t.Context(), func(r BuildResult) { reported = append(reported, r.Function) })
	if err == nil || !strings.Contains(err.Error(), "function broken: go build failed in "+broken) ||
		!strings.Contains(err.Error(), "./main.go:3:15: undefined: undefined") || strings.Contains(err.Error(), "function a") {
		t.Errorf("Build returned %v", err)
	}
	slices.Sort(reported)
	if want := []string{"a", "b", "broken", "script"}; !slices.Equal(reported, want) {
		t.Errorf("reported %v, want %v", reported, want)
	}
	if e := h.invokeError("broken", "{}"); !strings.Contains(e.Message, "undefined: undefined") {
		t.Error(e)
	}
	for name, want := range map[string]string{"a": `"one"`, "b": `"one"`, "command": `{}`, "script": `"` + ready + `"`} {
		if got := h.invoke(name, "{}"); got != want {
			t.Errorf("%s answered %s, want %s", name, got, want)
		}
	}
	if binaries, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*", "bootstrap")); len(binaries) != 1 {
		t.Errorf("built %v", binaries)
	}
	rebuild(t, h, module, folder)
}

// rebuild checks that only what has changed is built and replaced.
func rebuild(t *testing.T, h *testHost, module, folder string) {
	f := h.functions["a"]
	before := f.program.sum
	h.Build(t.Context(), nil)
	f.pool.mu.Lock()
	ended := f.pool.count[ending]
	f.pool.mu.Unlock()
	if f.program.sum != before || ended != 0 {
		t.Error("a binary that was up to date was replaced")
	}
	files(t, module, map[string]string{"cmd/f/answer.txt": `"two"`})
	h.Build(t.Context(), nil)
	if got := h.invoke("a", "{}"); got != `"two"` {
		t.Errorf("after a change: %s", got)
	}
	if err := os.Remove(filepath.Join(folder, "answer.txt")); err != nil {
		t.Fatal(err)
	}
	var results []BuildResult
	h.Rebuild(t.Context(), func(r BuildResult) { results = append(results, r) }, "a")
	if len(results) != 1 || !results[0].Before || results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "answer.txt: no matching files") {
		t.Errorf("reported %+v, want the failure of a", results)
	}
	if got := h.invoke("a", "{}"); got != `"two"` {
		t.Errorf("after a failed build: %s, want what the last good program answers", got)
	}
	if s := h.Functions()[0]; s.State != Ready || s.Failure == "" {
		t.Errorf("%+v", s)
	}
}

func TestRebuildBuildsTheNamedFunctionsOnly(t *testing.T) {
	one, two := goFunction(t), goFunction(t)
	h := newTestHost(t, nil, fromCode("one", filepath.Join(one, "cmd", "f")), fromCode("two", filepath.Join(two, "cmd", "f")))
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{one, two} {
		files(t, module, map[string]string{"cmd/f/answer.txt": `"new"`})
	}
	var results []BuildResult
	if err := h.Rebuild(t.Context(), func(r BuildResult) { results = append(results, r) }, "two", "nobody"); err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Function != "two" || !results[0].Before || !results[0].Replaced {
		t.Errorf("reported %+v, want two, replaced", results)
	}
	if got := h.invoke("one", "{}") + h.invoke("two", "{}"); got != `"one""new"` {
		t.Errorf("answered %s", got)
	}
}

func TestSourcesOfGoAreTheDevelopersPackages(t *testing.T) {
	module := goFunction(t)
	files(t, module, map[string]string{
		"go.mod":       "module example.com/f\n\ngo 1.24\n\nrequire example.com/beside v0.0.0\n\nreplace example.com/beside => ./beside\n",
		"cmd/f/use.go": "package main\n\nimport (\n\t_ \"example.com/beside\"\n\t_ \"example.com/f/words\"\n)\n", "words/words.go": "package words\n",
		"words/embed.go": "package words\n\nimport _ \"embed\"\n\n//go:embed texts/a.txt\nvar A string\n", "words/texts/a.txt": "a",
		"beside/go.mod": "module example.com/beside\n", "beside/beside.go": "package beside\n", "unused/unused.go": "package unused\n",
	})
	folder := filepath.Join(module, "cmd", "f")
	h := newTestHost(t, nil, fromCode("f", folder))
	want := []string{"cmd/f", "go.mod", "beside", "beside/go.mod", "cmd/f/answer.txt", "words", "words/texts/a.txt"}
	var got []string
	for _, s := range h.Sources(t.Context())["f"] {
		name, _ := filepath.Rel(module, s.Path)
		got = append(got, name)
		if s.Deep {
			t.Errorf("%s is deep", name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// Code that does not compile still says what it imports.
	files(t, module, map[string]string{"cmd/f/broken.go": "package main\n\nfunc (\n"})
	if got := len(h.Sources(t.Context())["f"]); got != len(want) {
		t.Errorf("%d sources of broken code, want %d", got, len(want))
	}
}

func TestSourcesOfOthersAreTheirFolders(t *testing.T) {
	root := files(t, t.TempDir(), map[string]string{
		"node/index.js": "", "made/Makefile": "", "made/main.go": "package main\n", "archive.zip": "", "layer/python/a.py": "",
	})
	at := func(name string) string { return filepath.Join(root, name) }
	h := newTestHost(t, nil,
		stack.Function{Name: "node", Runtime: "nodejs22.x", Handler: "index.handler", Code: at("node"), Layers: []stack.Layer{{Content: at("layer")}}},
		stack.Function{Name: "made", Runtime: "provided.al2023", Code: at("made"), BuildMethod: "makefile"},
		fromCode("archive", at("archive.zip")),
		stack.Function{Name: "inline", Runtime: "nodejs22.x", Handler: "index.handler", Inline: "exports.handler = 1"}, acting("command", "echo", nil))
	sources := h.Sources(t.Context())
	for name, want := range map[string][]Source{
		"node": {{at("node"), true}, {at("layer"), true}}, "made": {{at("made"), true}}, "archive": {{at("archive.zip"), true}}, "inline": nil, "command": nil,
	} {
		if got := sources[name]; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestBuildFailures(t *testing.T) {
	folder := t.TempDir()
	tests := []struct {
		name  string
		files map[string]string
		code  string // below the folder of the files
		want  string
	}{
		{"missing", nil, "nowhere", "does not exist"},
		{"empty", map[string]string{"README": ""}, "", `has neither Go source nor an executable "bootstrap"`},
		{"plain", map[string]string{"bootstrap": "text"}, "", "is not executable; try chmod +x"},
		{"zip", map[string]string{"code.zip": ""}, "code.zip", "code.zip: zip: not a valid zip file"},
		{"text", map[string]string{"code.txt": ""}, "code.txt", "is neither a folder nor an executable"},
		{"library", map[string]string{"go.mod": "module x\n", "x.go": "package x\n"}, "", "a Go package that is not a program"},
		{"outside", map[string]string{"main.go": "package main\n\nfunc main() {}\n"}, "", `outside of any module; run "go mod init"`},
		{"badmod", map[string]string{"go.mod": "modul x\n", "main.go": "package main\n\nfunc main() {}\n"}, "", "go.mod:1: unknown directive: modul"},
	}
	h := newTestHost(t, nil)
	for _, tt := range tests {
		root := files(t, filepath.Join(folder, tt.name), tt.files)
		if err := h.Add(fromCode(tt.name, filepath.Join(root, tt.code))); err != nil {
			t.Fatal(err)
		}
	}
	failures := make(map[string]error)
	h.Build(t.Context(), func(r BuildResult) { failures[r.Function] = r.Err })
	for _, tt := range tests {
		if err := failures[tt.name]; err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestBuildWithoutGo(t *testing.T) {
	h := newTestHost(t, nil, fromCode("f", filepath.Join(goFunction(t), "cmd", "f")))
	t.Setenv("PATH", t.TempDir())
	if err := h.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "there is no go command on the PATH to build it; install Go") {
		t.Error(err)
	}
	if _, err := h.Invoke(t.Context(), "f", nil); !errors.Is(err, apigw.ErrFunction) {
		t.Error(err)
	}
}

func TestBuildCancelled(t *testing.T) {
	h := newTestHost(t, nil, fromCode("f", filepath.Join(goFunction(t), "cmd", "f")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Build(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTags(t *testing.T) {
	for flags, want := range map[string]string{
		"":                          "lambda.norpc",
		"-mod=vendor":               "lambda.norpc",
		"-tags=a,b -trimpath":       "lambda.norpc,a,b",
		"'--tags=a' -ldflags=-s":    "lambda.norpc,a",
		"-mod=mod -tags= -buildvcs": "lambda.norpc",
	} {
		if got := tags(flags); got != want {
			t.Errorf("%q: got %q, want %q", flags, got, want)
		}
	}
}
