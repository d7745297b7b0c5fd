package runtimes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for id, want := range map[string]Runtime{
		"provided.al2023": {Family: Provided}, "provided.al2": {Family: Provided}, "provided": {Family: Provided},
		"go1.x":      {Family: Go1x},
		"nodejs16.x": {Family: Node, Version: "16"}, "nodejs24.x": {Family: Node, Version: "24"}, "nodejs8.10": {Family: Node, Version: "8"},
		"python3.8": {Family: Python, Version: "3.8"}, "python3.14": {Family: Python, Version: "3.14"},
	} {
		want.ID = id
		if got, err := Parse(id); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", id, got, err)
		}
	}
	for _, id := range []string{"", "java21", "python2.7", "nodejs", "nodejs20", "python3.", "nodejs20.x\n", "Nodejs20.x", "provided.al3", "nodejs200.x", strings.Repeat("x", 10_000)} {
		if _, err := Parse(id); err == nil || !strings.Contains(err.Error(), "is not supported; supported are provided.al2023") || len(err.Error()) > 300 {
			t.Errorf("%.20q: got %v", id, err)
		}
	}
}

func TestExecutionEnv(t *testing.T) {
	for id, want := range map[string]string{"provided.al2": "", "go1.x": "AWS_Lambda_go1.x", "nodejs22.x": "AWS_Lambda_nodejs22.x", "python3.13": "AWS_Lambda_python3.13"} {
		if r, _ := Parse(id); r.ExecutionEnv() != want {
			t.Errorf("%s: %q", id, r.ExecutionEnv())
		}
	}
}

func TestOlder(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"16.0.0", "16", false}, {"15.99.1", "16", true}, {"3.8.0", "3.8", false}, {"3.7.9", "3.8", true}, {"3.10.1", "3.8", false},
		{"24.0.0-nightly20260101", "24", false}, {"4.0", "3.8", false},
	} {
		if got := older(tt.a, tt.b); got != tt.want {
			t.Errorf("%s before %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		id   string
		i    Interpreter
		want string
	}{
		{"nodejs22.x", Interpreter{Program: "node", Version: "22.11.0"}, "node 22.11.0"},
		{"nodejs22.x", Interpreter{Program: "node", Version: "20.20.2"}, "node 20.20.2 in place of 22"},
		{"nodejs8.10", Interpreter{Program: "node", Version: "8.10.0"}, "node 8.10.0"},
		{"python3.11", Interpreter{Program: "python3", Version: "3.11.7"}, "python3 3.11.7"},
		{"python3.1", Interpreter{Program: "python3", Version: "3.11.7"}, "python3 3.11.7 in place of 3.1"},
	} {
		r, err := Parse(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.i.Describe(r); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// program writes a script that stands for an interpreter.
func program(t *testing.T, folder, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	tests := []struct {
		name, id string
		programs map[string]string
		want     Interpreter // Path "" means the program that was found
		err      string
	}{
		{"the runtime's own version first", "python3.12", map[string]string{"python3.12": "echo 3.12.1", "python3": "echo 3.11.7"}, Interpreter{Program: "python3.12", Version: "3.12.1"}, ""},
		{"another version", "python3.12", map[string]string{"python3": "echo 3.11.7"}, Interpreter{Program: "python3", Version: "3.11.7"}, ""},
		{"where it really lies", "nodejs20.x", map[string]string{"node": "echo 20.1.0; echo /opt/node/bin/node"}, Interpreter{Program: "node", Path: "/opt/node/bin/node", Version: "20.1.0"}, ""},
		{"Debian's name", "nodejs20.x", map[string]string{"nodejs": "echo 20.1.0"}, Interpreter{Program: "nodejs", Version: "20.1.0"}, ""},
		{"a broken one is passed over", "python3.12", map[string]string{"python3.12": "exit 1", "python3": "echo 3.11.7"}, Interpreter{Program: "python3", Version: "3.11.7"}, ""},
		{"none", "python3.12", nil, Interpreter{}, "needs the program python3 of version 3.12, and there is none on the PATH; install Python 3.12"},
		{"only a broken one", "nodejs20.x", map[string]string{"node": "echo nonsense"}, Interpreter{}, `gives "nonsense" for its version`},
		{"one that fails", "nodejs20.x", map[string]string{"node": "exit 3"}, Interpreter{}, "for its version: exit status 3"},
		{"too old", "nodejs20.x", map[string]string{"node": "echo 14.21.3"}, Interpreter{}, "is version 14.21.3; install Node.js 16 or newer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, script := range tt.programs {
				program(t, folder, name, script)
			}
			t.Setenv("PATH", folder)
			r, err := Parse(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			got, err := new(Machine).Find(t.Context(), r)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if tt.want.Path == "" {
				tt.want.Path = filepath.Join(folder, tt.want.Program)
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestHandlerFile(t *testing.T) {
	for _, tt := range []struct {
		family        Family
		handler, file string
	}{
		{Node, "index.handler", "index"}, {Node, "src/app.handler", "src/app"}, {Node, "a/b/c.d.handler", "a/b/c"}, {Node, "index", "index"},
		{Python, "app.handler", "app"}, {Python, "src.app.handler", "src/app"}, {Python, "src/app.handler", "src/app"}, {Python, "app", "app"},
	} {
		if got := strings.TrimPrefix(handlerFile(tt.family, tt.handler), "/"); got != tt.file {
			t.Errorf("%s: got %q, want %q", tt.handler, got, tt.file)
		}
	}
	root := t.TempDir()
	for _, name := range []string{"a.js", "b.mjs", "p/__init__.py"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		id, handler string
		want        bool
	}{{"nodejs20.x", "a.h", true}, {"nodejs20.x", "b.h", true}, {"nodejs20.x", "c.h", false}, {"nodejs20.x", "p.h", false}, {"python3.11", "p.h", true}, {"python3.11", "a.h", false}} {
		if r, _ := Parse(tt.id); r.HasHandler(root, tt.handler) != tt.want {
			t.Errorf("%s %s: not %v", tt.id, tt.handler, tt.want)
		}
	}
}

// The client is written anew when somebody has changed it or taken a part away.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	for family, name := range map[Family]string{Node: "bootstrap.mjs", Python: "bootstrap.py"} {
		path, err := install(family, dir)
		if err != nil || filepath.Base(path) != name {
			t.Fatalf("got %s, %v", path, err)
		}
		whole, _ := os.ReadFile(path)
		for _, spoil := range []func() error{
			func() error { return os.WriteFile(path, []byte("evil"), 0o644) },
			func() error { return os.Remove(path) },
			func() error { return os.RemoveAll(filepath.Dir(path)) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if again, err := install(family, dir); err != nil || again != path {
				t.Fatalf("got %s, %v", again, err)
			}
			if text, _ := os.ReadFile(path); string(text) != string(whole) || len(text) == 0 {
				t.Errorf("%s holds %q", path, text)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// An interpreter is asked for its version once.
func TestMachineRemembers(t *testing.T) {
	folder := t.TempDir()
	program(t, folder, "node", `echo x >>"${0%/*}/asked"; echo 20.1.0`)
	t.Setenv("PATH", folder+":/usr/bin:/bin")
	var m Machine
	for _, id := range []string{"nodejs18.x", "nodejs20.x"} {
		r, _ := Parse(id)
		if _, err := m.Find(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if asked, _ := os.ReadFile(filepath.Join(folder, "asked")); string(asked) != "x\n" {
		t.Errorf("asked %q", asked)
	}
}
