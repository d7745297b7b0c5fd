package instance

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// isolate keeps a test away from the user's own instances.
func isolate(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	work := t.TempDir()
	t.Chdir(work)
	return work
}

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func announce(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Announce(Run{AWS: "http://127.0.0.1:1", APIs: map[string]API{"a": {ID: "x"}}}); err != nil {
		t.Fatal(err)
	}
}

func TestOneInstanceAFolder(t *testing.T) {
	isolate(t)
	d := open(t, "data")
	if _, err := Open("data"); err == nil || !strings.Contains(err.Error(), "another Gatepost uses") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("second Open = %v, want a sentence with the fix", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, "data")
}

func TestFind(t *testing.T) {
	work := isolate(t)
	if _, err := Find(""); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with none running: %v", err)
	}
	if _, err := Find("nowhere"); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("in a folder without one: %v", err)
	}
	far := open(t, filepath.Join(t.TempDir(), "far"))
	announce(t, far)
	if r, err := Find(""); err != nil || r.Data != far.Path || r.PID != os.Getpid() {
		t.Errorf("the only one: %v, %v", r, err)
	}
	near := open(t, Folder)
	announce(t, near)
	below := filepath.Join(work, "a", "b")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	if r, err := Find(""); err != nil || r.Data != near.Path {
		t.Errorf("of a parent folder: %v, %v", r, err)
	}
	t.Chdir(t.TempDir())
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), "--data "+far.Path) || !strings.Contains(err.Error(), "--data "+near.Path) {
		t.Errorf("of two: %v, want a list", err)
	}
	near.Close()
	if r, err := Find(""); err != nil || r.Data != far.Path {
		t.Errorf("after the other has ended: %v, %v", r, err)
	}
}

func TestAKilledInstanceIsNotFound(t *testing.T) {
	isolate(t)
	d := open(t, "data")
	announce(t, d)
	text, err := os.ReadFile(d.Join(runFile))
	if err != nil {
		t.Fatal(err)
	}
	// No process has the highest number that a pid can have.
	dead := strings.Replace(string(text), `"pid": `, `"pid": 4194304, "was": `, 1)
	if err := os.WriteFile(d.Join(runFile), []byte(dead), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Find("data"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("found %v, %v", r, err)
	}
	if r, err := Find(""); !errors.Is(err, ErrNotRunning) {
		t.Errorf("found by the registry: %v, %v", r, err)
	}
}

func TestCredentialsStay(t *testing.T) {
	isolate(t)
	d := open(t, "data")
	first, err := d.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Credentials()
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("credentials changed: %v", err)
	}
	info, err := os.Stat(d.Join(credentialsFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	other := open(t, "other")
	if second, err := other.Credentials(); err != nil || second.SecretAccessKey == first.SecretAccessKey {
		t.Errorf("two folders share a secret (%v)", err)
	}
	if err := os.WriteFile(d.Join(credentialsFile), []byte(`{"accessKeyId":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Credentials(); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("half a file: %v", err)
	}
}
