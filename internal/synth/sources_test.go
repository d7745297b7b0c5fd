package synth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newSources writes a cdk.json and some files into a folder.
func newSources(t *testing.T, config string, files ...string) Sources {
	t.Helper()
	folder := t.TempDir()
	for _, name := range append(files, "cdk.json") {
		text := name
		if name == "cdk.json" {
			text = config
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := App{Folder: folder}.Sources()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatAnAppIsMadeOf(t *testing.T) {
	const usual = `{"app": "x", "watch": {"include": ["**"], "exclude": ["README.md", "cdk*.json", "**/*.d.ts", "**/*.js", "test", "**/{gen,out}/*.txt"]}}`
	for _, tt := range []struct {
		rule, config, file string
		want               bool
	}{
		{"all files, unless cdk.json says otherwise", `{"app": "x"}`, "lib/deep/chat.ts", true},
		{"the settings themselves, though they are excluded", usual, "cdk.json", true},
		{"the context too", usual, "cdk.context.json", true},
		{"a file that is excluded", usual, "README.md", false},
		{"a file of that name elsewhere", usual, "lib/README.md", true},
		{"a folder that is excluded", usual, "test/deep/chat.test.ts", false},
		{"excluded in all folders", usual, "lib/chat.d.ts", false},
		{"excluded at the top too", usual, "chat.d.ts", false},
		{"JavaScript that is compiled", usual, "lib/chat.js", false},
		{"JavaScript that is written by hand", usual, "lambda/index.js", true},
		{"one of several names", usual, "a/gen/b.txt", false},
		{"none of several names", usual, "a/other/b.txt", true},
		{"the output", `{"app": "x", "output": "made/here"}`, "made/here/manifest.json", false},
		{"beside the output", `{"app": "x", "output": "made/here"}`, "made/chat.ts", true},
		{"what is installed", `{"app": "x"}`, "lib/node_modules/a/index.js", false},
		{"hidden folders", `{"app": "x"}`, ".git/HEAD", false},
		{"only what is included", `{"app": "x", "watch": {"include": "lib/**"}}`, "lib/a/chat.ts", true},
		{"and nothing else", `{"app": "x", "watch": {"include": "lib/**"}}`, "src/chat.ts", false},
		{"a pattern of characters", `{"app": "x", "watch": {"exclude": ["lib/?hat.*"]}}`, "lib/chat.ts", false},
		{"brackets mean themselves", `{"app": "x", "watch": {"exclude": ["lib/[a"]}}`, "lib/[a/chat.ts", false},
		{"another folder", `{"app": "x"}`, "../chat.ts", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			s := newSources(t, tt.config, "lib/chat.ts", "lib/chat.js")
			if got := s.Has(filepath.Join(s.Folder(), filepath.FromSlash(tt.file))); got != tt.want {
				t.Errorf("%s belongs to the app: %t, want %t", tt.file, got, tt.want)
			}
		})
	}
}

func TestPatternsAreBounded(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "cdk.json"), []byte(`{"app": "x", "watch": {"exclude": ["`+strings.Repeat("*", 2000)+`"]}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (App{Folder: folder}).Sources(); err == nil || !strings.Contains(err.Error(), "longer than 1000 bytes") {
		t.Errorf("a pattern of 2,000 bytes gives %v", err)
	}
}

func TestWhatHasChangedSinceAnAppRan(t *testing.T) {
	s := newSources(t, `{"app": "x"}`, "lib/chat.ts", "lib/old.ts", "lib/same.ts", "lib/same.ts~", "cdk.out/manifest.json", "node_modules/a/index.js")
	ignored := func(path string) bool { return strings.HasSuffix(path, "~") }
	before := s.Sums(t.Context(), ignored)
	if len(before) != 4 {
		t.Errorf("%d files are summed, want 4", len(before))
	}
	at := func(name string) string { return filepath.Join(s.Folder(), filepath.FromSlash(name)) }
	for name, text := range map[string]string{"lib/chat.ts": "other", "lib/new.ts": "new", "lib/same.ts": "lib/same.ts", "lib/same.ts~": "other", "cdk.out/manifest.json": "other"} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(at("lib/old.ts")); err != nil {
		t.Fatal(err)
	}
	got := s.Sums(t.Context(), ignored).Changed(before)
	if want := []string{at("lib/chat.ts"), at("lib/new.ts"), at("lib/old.ts")}; !slices.Equal(got, want) {
		t.Errorf("changed are %q, want %q", got, want)
	}
}

func FuzzPatterns(f *testing.F) {
	for _, pattern := range []string{"**", "**/*.js", "a/{b,c}/?.ts", "{", "}", "[", "**/**/**/a", "{a,{b,c}}"} {
		f.Add(pattern, "lib/a/b.ts")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if globs, err := parseGlobs([]string{pattern}); err == nil {
			mean(globs, name)
		}
	})
}
