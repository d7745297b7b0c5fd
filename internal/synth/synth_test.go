package synth

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// app makes the folder of an app from its files, each a name and a text.
func app(t *testing.T, files ...string) App {
	t.Helper()
	folder := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(folder, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return App{Folder: folder, Region: "eu-west-1", Account: "123456789012"}
}

// script is a cdk.json whose app is this command of the shell.
func script(t *testing.T, command string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"app": command, "context": map[string]any{"a": 1, "b": "own"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const writes = `mkdir -p "$CDK_OUTDIR" && printf '%s' "$CDK_CONTEXT_JSON" > "$CDK_OUTDIR/manifest.json" && echo "$CDK_DEFAULT_ACCOUNT/$CDK_DEFAULT_REGION" > where`

// TestSynth runs an app that writes down what it is given.
func TestSynth(t *testing.T) {
	a := app(t, "cdk.json", script(t, writes), "cdk.context.json", `{"b": "looked up"}`)
	var said []string
	a.Progress = func(sentence string) { said = append(said, sentence) }
	out, err := a.Synth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(a.Folder, "cdk.out"); out != want {
		t.Errorf("the assembly is in %s, want %s", out, want)
	}
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]any
	if err := json.Unmarshal(text, &given); err != nil {
		t.Fatal(err)
	}
	if given["a"] != 1.0 || given["b"] != "looked up" || given["aws:cdk:enable-asset-metadata"] != true {
		t.Errorf("the context is %s", text)
	}
	if where, _ := os.ReadFile(filepath.Join(a.Folder, "where")); string(where) != "123456789012/eu-west-1\n" {
		t.Errorf("the app runs for %s", where)
	}
	if len(said) == 0 || !strings.HasPrefix(said[0], "CDK: mkdir") {
		t.Errorf("it tells %q", said)
	}
}

// TestSynthWithMuchContext gives the context in a file where a variable would be
// too long.
func TestSynthWithMuchContext(t *testing.T) {
	big, err := json.Marshal(map[string]string{"big": strings.Repeat("x", 200_000)})
	if err != nil {
		t.Fatal(err)
	}
	a := app(t, "cdk.json", script(t, `mkdir -p "$CDK_OUTDIR" && cp "$CONTEXT_OVERFLOW_LOCATION" "$CDK_OUTDIR/manifest.json"`), "cdk.context.json", string(big))
	out, err := a.Synth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(out, "manifest.json")); err != nil || info.Size() < 200_000 {
		t.Errorf("the app got %v (%v)", info, err)
	}
}

// TestSynthFails has what goes wrong and what is said then.
func TestSynthFails(t *testing.T) {
	programs := t.TempDir() // whether Node.js is here or not
	for _, name := range []string{"node", "npx"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, c := range map[string]struct {
		app  App
		want []string
	}{
		"no cdk.json":       {app(t), []string{"read the CDK app"}},
		"no JSON":           {app(t, "cdk.json", "{"), []string{"is not JSON as the CDK reads it"}},
		"no app":            {app(t, "cdk.json", "{}"), []string{`names no "app"`}},
		"it fails":          {app(t, "cdk.json", script(t, "echo why; exit 3")), []string{"failed (echo why; exit 3)", "exit status 3", "\nwhy"}},
		"no assembly":       {app(t, "cdk.json", script(t, "true")), []string{"without a cloud assembly", "app.synth()"}},
		"no program":        {app(t, "cdk.json", script(t, "no-such-program app.x")), []string{"there is no no-such-program here; install it"}},
		"no modules":        {app(t, "cdk.json", script(t, "npx ts-node app.ts"), "package.json", "{}", "package-lock.json", "{}"), []string{`run "npm ci" there`}},
		"no lock file":      {app(t, "cdk.json", script(t, "node app.js"), "package.json", "{}"), []string{`run "npm install" there`}},
		"no modules, yarn":  {app(t, "cdk.json", script(t, "node app.js"), "package.json", "{}", "yarn.lock", ""), []string{`run "yarn install" there`}},
		"it takes too long": {slow(app(t, "cdk.json", script(t, "echo begun; sleep 600"))), []string{"has not ended within 300ms", "begun"}},
	} {
		_, err := c.app.Synth(t.Context())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
	}
}

func slow(a App) App {
	a.Limit = 300 * time.Millisecond
	return a
}

// TestSynthIsInterrupted ends the app and what it has started.
func TestSynthIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := app(t, "cdk.json", script(t, "sleep 600 & wait"))
	a.Progress = func(string) { cancel() }
	if _, err := a.Synth(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
}
