package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// within is how long a test waits for what must come.
const within = 20 * time.Second

// rig is a watcher of a folder of its own.
type rig struct {
	*Watcher
	t    *testing.T
	root string

	mu       sync.Mutex
	warnings []string
}

func newRig(t *testing.T, o Options) *rig {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, root: root}
	o.Quiet, o.Poll = 10*time.Millisecond, 20*time.Millisecond
	if o.Without != "" {
		o.Without = r.at(o.Without)
	}
	o.Warn = func(sentence string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.warnings = append(r.warnings, sentence)
	}
	r.Watcher = New(o)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) at(name string) string { return filepath.Join(r.root, name) }

func (r *rig) write(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(r.at(name)), 0o755); err != nil {
			r.t.Fatal(err)
		}
		text := time.Now().String() + strings.Repeat("x", len(name)) // another size, too
		if old, err := os.ReadFile(r.at(name)); err == nil {
			text = string(old) + "more"
		}
		if err := os.WriteFile(r.at(name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// expect waits until a path was told, and fails when one is told that must not be.
func (r *rig) expect(name string, never ...string) {
	r.t.Helper()
	limit := time.After(within)
	for {
		select {
		case c := <-r.Changes():
			for _, no := range never {
				if slices.ContainsFunc(c.Paths, func(p string) bool { return strings.HasPrefix(p, r.at(no)) }) {
					r.t.Errorf("told %v, and %s is not watched", c.Paths, no)
				}
			}
			if slices.Contains(c.Paths, r.at(name)) {
				return
			}
		case <-limit:
			r.t.Fatalf("nobody told that %s has changed", name)
		}
	}
}

// edit writes to a file until that is told: the change that the test has waited
// for may have been the end of an earlier one, so that the first writing falls
// into the time before the file's new folder is watched.
func (r *rig) edit(name string) {
	r.t.Helper()
	limit := time.Now().Add(within)
	for time.Now().Before(limit) {
		r.write(name)
		again := time.After(time.Second)
		for waiting := true; waiting; {
			select {
			case c := <-r.Changes():
				if slices.Contains(c.Paths, r.at(name)) {
					return
				}
			case <-again:
				waiting = false
			}
		}
	}
	r.t.Fatalf("nobody told that %s is edited", name)
}

// bothWays runs a test with notifications and without.
func bothWays(t *testing.T, o Options, test func(t *testing.T, r *rig)) {
	t.Run("notified", func(t *testing.T) { test(t, newRig(t, o)) })
	o.Polling = true
	t.Run("polling", func(t *testing.T) { test(t, newRig(t, o)) })
}

func TestFilesBelowADeepRoot(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("code/a.js", "code/lib/deep/b.js", "other/c.js")
		r.Set([]Root{{Path: r.at("code"), Deep: true}}, time.Time{})
		r.write("other/c.js", "code/lib/deep/b.js")
		r.expect("code/lib/deep/b.js", "other", "code/a.js")
		// What comes later is watched too.
		r.write("code/new/folder/d.js")
		r.expect("code/new")
		r.edit("code/new/folder/d.js")
		if err := os.Remove(r.at("code/a.js")); err != nil {
			t.Fatal(err)
		}
		r.expect("code/a.js")
	})
}

func TestFilesOfAShallowRoot(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("pkg/a.go", "pkg/below/b.go")
		r.Set([]Root{{Path: r.at("pkg")}}, time.Time{})
		r.write("pkg/below/b.go", "pkg/a.go")
		r.expect("pkg/a.go", "pkg/below/b.go")
	})
}

func TestAFileThatIsReplaced(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("template.yaml", "beside.yaml")
		r.Set([]Root{{Path: r.at("template.yaml")}}, time.Time{})
		for range 2 { // as editors save: another file under the same name
			r.write("beside.yaml", "new.yaml")
			if err := os.Rename(r.at("new.yaml"), r.at("template.yaml")); err != nil {
				t.Fatal(err)
			}
			r.expect("template.yaml", "beside.yaml", "new.yaml")
		}
	})
}

func TestWhatIsIgnored(t *testing.T) {
	bothWays(t, Options{Without: "code/data"}, func(t *testing.T, r *rig) {
		ignored := []string{"code/node_modules/a/b.js", "code/.git/index", "code/.gatepost/x", "code/.aws-sam/y", "code/cdk.out/z", "code/a.js.swp", "code/a.js~",
			"code/.#a.js", "code/4913", "code/lib/__pycache__/a.pyc", "code/data/tables.db"}
		r.write(append(ignored, "code/a.js")...)
		r.Set([]Root{{Path: r.at("code"), Deep: true}}, time.Time{})
		r.write(append(ignored, "code/a.js")...)
		r.expect("code/a.js", ignored...)
	})
}

func TestARootOfAnIgnoredName(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write(".aws-sam/build/F/bootstrap")
		r.Set([]Root{{Path: r.at(".aws-sam/build/F"), Deep: true}}, time.Time{})
		r.write(".aws-sam/build/F/bootstrap")
		r.expect(".aws-sam/build/F/bootstrap")
	})
}

func TestARootThatComesAndGoes(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.Set([]Root{{Path: r.at("code"), Deep: true}}, time.Time{})
		for range 2 {
			r.write("code/lib/a.js")
			r.expect("code")
			r.write("code/lib/a.js")
			r.expect("code/lib/a.js")
			if err := os.RemoveAll(r.at("code")); err != nil {
				t.Fatal(err)
			}
			r.expect("code") // the file may be told twice for one write; this is told once
		}
	})
}

func TestAFolderWithAnotherName(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("code/lib/sub/a.js")
		r.Set([]Root{{Path: r.at("code"), Deep: true}}, time.Time{})
		if err := os.Rename(r.at("code/lib"), r.at("code/old")); err != nil {
			t.Fatal(err)
		}
		r.expect("code/old")
		r.write("code/lib/sub/a.js")
		r.expect("code/lib")
		r.edit("code/lib/sub/a.js")
		r.edit("code/old/sub/a.js")
	})
}

func TestWhatIsWatchedIsReplaced(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("a/1", "b/1", "c/1")
		r.Set([]Root{{Path: r.at("a")}, {Path: r.at("b")}}, time.Time{})
		r.Set([]Root{{Path: r.at("b")}, {Path: r.at("c")}}, time.Time{})
		r.write("a/1", "b/1", "c/1")
		r.expect("c/1", "a")
		r.Set(nil, time.Time{})
		r.write("b/1")
		select {
		case c := <-r.Changes():
			if slices.Contains(c.Paths, r.at("a/1")) {
				t.Errorf("told %v", c.Paths)
			}
		default:
		}
	})
}

func TestTheNumberOfFoldersIsBounded(t *testing.T) {
	r := newRig(t, Options{Most: 3})
	r.write("code/a/1", "code/b/1", "code/c/1", "code/d/1")
	r.Set([]Root{{Path: r.at("code"), Deep: true}}, time.Time{})
	r.mu.Lock()
	warnings := r.warnings
	r.mu.Unlock()
	if len(warnings) != 1 || !strings.Contains(warnings[0], "More than 3 folders would have to be watched") {
		t.Errorf("warned %q", warnings)
	}
	r.write("code/a/1")
	r.expect("code/a/1")
}

func TestFilesThatWereWrittenBefore(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *rig) {
		r.write("old/1", "new/1", "new/2")
		long := time.Now().Add(-time.Hour)
		for _, name := range []string{"old/1", "new/1"} {
			if err := os.Chtimes(r.at(name), long, long); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.Set([]Root{{Path: r.at("old")}, {Path: r.at("new"), Deep: true}}, long.Add(time.Minute)); n != 2 {
			t.Errorf("%d folders are watched, want 2", n)
		}
		r.expect("new/2", "new/1", "old/1")
	})
}

func TestRootsKnowTheirFiles(t *testing.T) {
	for _, tt := range []struct {
		root Root
		path string
		want bool
	}{
		{Root{Path: "/p"}, "/p", true}, {Root{Path: "/p"}, "/p/a", true}, {Root{Path: "/p"}, "/p/a/b", false}, {Root{Path: "/p", Deep: true}, "/p/a/b", true},
		{Root{Path: "/p", Deep: true}, "/p2/a", false}, {Root{Path: "/p"}, "/p2", false}, {Root{Path: "/", Deep: true}, "/a/b", true},
	} {
		if got := tt.root.Has(tt.path); got != tt.want {
			t.Errorf("%+v has %s: %t, want %t", tt.root, tt.path, got, tt.want)
		}
	}
}
