package function

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// layered is a function with layers, in order.
func layered(name, runtime, handler, code string, layers ...string) stack.Function {
	f := stack.Function{Name: name, Runtime: runtime, Handler: handler, Code: code, Timeout: 20 * time.Second}
	for _, content := range layers {
		f.Layers = append(f.Layers, stack.Layer{LogicalID: "L" + filepath.Base(filepath.Dir(content)), Content: content})
	}
	return f
}

// Packages of layers are found where Lambda finds them, from folders and from
// archives, and a later layer lies over an earlier one.
func TestLayers(t *testing.T) {
	needs(t, "node")
	needs(t, "python3")
	first := files(t, t.TempDir(), map[string]string{
		"nodejs/node_modules/a/index.js": "module.exports = 'a of the first'", "nodejs/node_modules/b/index.js": "module.exports = 'b of the first'",
		"nodejs/node20/node_modules/v/index.js": "module.exports = 'for 20'",
		"python/a.py":                           "name = 'a of the first'", "python/b.py": "name = 'b of the first'", "python/lib/python3.11/site-packages/v.py": "name = 'for 3.11'",
		"data/here": "first",
	})
	second := filepath.Join(t.TempDir(), "second.zip")
	writeZip(t, second,
		entry{"nodejs/node_modules/b/index.js", "module.exports = 'b of the second'", 0o644}, entry{"python/b.py", "name = 'b of the second'", 0o644},
		entry{"bin/tool", "#!/bin/sh\necho a tool\n", 0o755}, entry{"data", "a file", 0o644})
	node := files(t, t.TempDir(), map[string]string{"index.js": `const all = ["a", "b", "v"].map((n) => require(n))
exports.handler = async () => [...all, require("child_process").execSync("tool").toString().trim(), require("fs").readFileSync(process.env.GATEPOST_OPT + "/data").toString()]`})
	module := files(t, t.TempDir(), map[string]string{"index.mjs": "import a from 'a'\nexport const handler = async () => a"})
	python := files(t, t.TempDir(), map[string]string{"app.py": "import a, b, v, subprocess\n" +
		"def handler(e, c): return [a.name, b.name, v.name, subprocess.check_output(['tool'], text=True).strip()]"})
	h := newTestHost(t, nil, layered("node", "nodejs20.x", "index.handler", node, first, second), layered("module", "nodejs20.x", "index.handler", module, first),
		layered("python", "python3.11", "app.handler", python, first, second),
		layered("alone", "nodejs20.x", "index.handler", node))
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"node":   `["a of the first","b of the second","for 20","a tool","a file"]`,
		"module": `"a of the first"`,
		"python": `["a of the first", "b of the second", "for 3.11", "a tool"]`,
	} {
		if got := h.invoke(name, "{}"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if e := h.invokeError("alone", "{}"); !strings.Contains(e.Message, "Cannot find module 'a'") {
		t.Errorf("without layers: %v", e)
	}
	if how := h.Functions()[0].How; !strings.HasSuffix(how, ", 2 layers") {
		t.Errorf("the status says %q", how)
	}
	if how := h.Functions()[1].How; !strings.HasSuffix(how, ", 1 layer") {
		t.Errorf("the status says %q", how)
	}
	// A change of a layer is a change of the function, and the sources stay.
	files(t, first, map[string]string{"python/a.py": "name = 'a, changed and longer'"})
	h.Build(t.Context(), nil)
	if got := h.invoke("python", "{}"); !strings.Contains(got, "changed and longer") {
		t.Errorf("after the change: %s", got)
	}
	if text, err := os.ReadFile(filepath.Join(first, "data/here")); err != nil || string(text) != "first" {
		t.Errorf("the layer's folder was touched: %s, %v", text, err)
	}
}

// Packages of a layer for the runtime's version are found by an interpreter of
// another one.
func TestLayerOfAnotherPython(t *testing.T) {
	needs(t, "python3")
	layer := files(t, t.TempDir(), map[string]string{"python/lib/python3.8/site-packages/v.py": "name = 'for 3.8'"})
	code := files(t, t.TempDir(), map[string]string{"app.py": "import v\ndef handler(e, c): return v.name"})
	h := newTestHost(t, nil, layered("f", "python3.8", "app.handler", code, layer))
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"for 3.8"` {
		t.Errorf("got %s", got)
	}
}

// A custom runtime may be a layer: its bootstrap runs in the function's folder,
// unless that has one of its own.
func TestCustomRuntimeInALayer(t *testing.T) {
	runtime := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap, "extensions/watch": "#!/bin/sh\n"})
	code := files(t, t.TempDir(), map[string]string{"handler.sh": "x"})
	own := files(t, t.TempDir(), map[string]string{"bootstrap": "#!/bin/sh\nexec \"$REAL\" own\n"})
	f, g := layered("f", "provided.al2023", "handler", code, runtime), layered("g", "provided.al2023", "handler", own, runtime)
	f.Environment = map[string]string{"REAL": os.Args[0], behaviourVariable: "folder"}
	g.Environment = map[string]string{"REAL": os.Args[0], behaviourVariable: "environ"}
	h := newTestHost(t, nil, f, g)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"`+code+`"` {
		t.Errorf("the layer's bootstrap ran in %s", got)
	}
	if how := h.Functions()[0].How; how != "executable, 1 layer (extensions are not started)" {
		t.Errorf("the status says %q", how)
	}
	var environ []string
	if err := json.Unmarshal([]byte(h.invoke("g", "{}")), &environ); err != nil {
		t.Fatal(err)
	}
	opt := h.functions["g"].program.environment[optVariable]
	libraries := "LD_LIBRARY_PATH=/lib64:/usr/lib64:" + own + ":" + own + "/lib:" + opt + "/lib"
	for _, want := range []string{"GATEPOST_OPT=" + opt, libraries, "LAMBDA_TASK_ROOT=" + own, "PATH=" + opt + "/bin:" + os.Getenv("PATH")} {
		if !slices.Contains(environ, want) {
			t.Errorf("%s is not in %q", want, environ)
		}
	}
}

// Layers are made by make, too.
func TestLayerMadeByMake(t *testing.T) {
	needs(t, "make")
	needs(t, "python3")
	source := files(t, t.TempDir(), map[string]string{"Makefile": "build-Tools:\n\tmkdir $(ARTIFACTS_DIR)/python\n\tcp tools.py $(ARTIFACTS_DIR)/python\n", "tools.py": "name = 'made'"})
	code := files(t, t.TempDir(), map[string]string{"app.py": "import tools\ndef handler(e, c): return tools.name"})
	f := layered("f", "python3.11", "app.handler", code)
	f.Layers = []stack.Layer{{LogicalID: "Tools", Content: source, BuildMethod: "makefile"}}
	h := newTestHost(t, nil, f)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := h.invoke("f", "{}"); got != `"made"` {
		t.Errorf("got %s", got)
	}
}

func TestLayersThatCannotBeHad(t *testing.T) {
	code := files(t, t.TempDir(), map[string]string{"bootstrap": bootstrap})
	bomb := filepath.Join(t.TempDir(), "bomb.zip")
	piece := strings.Repeat("\x00", 64<<20)
	// Two of them together are too large.
	writeZip(t, bomb, entry{"a", piece, 0o644}, entry{"b", piece, 0o644})
	hostile := filepath.Join(t.TempDir(), "hostile.zip")
	writeZip(t, hostile, entry{"../out", "x", 0o644})
	text := files(t, t.TempDir(), map[string]string{"text": "x"})
	tests := map[string]struct {
		layers []stack.Layer
		want   string
	}{
		"missing":  {[]stack.Layer{{LogicalID: "L", Content: "/nowhere/at/all"}}, "its layer L: its content /nowhere/at/all does not exist"},
		"text":     {[]stack.Layer{{LogicalID: "L", Content: filepath.Join(text, "text")}}, "is neither a folder nor a zip archive"},
		"bomb":     {[]stack.Layer{{LogicalID: "L", Content: bomb}, {LogicalID: "M", Content: bomb}}, "larger than the 262144000 bytes"},
		"hostile":  {[]stack.Layer{{LogicalID: "L", Content: hostile}}, "leads out of the archive"},
		"packages": {[]stack.Layer{{LogicalID: "L", Content: text, BuildMethod: "python3.12"}}, "packages are not installed here (BuildMethod python3.12)"},
	}
	h := newTestHost(t, nil)
	for name, tt := range tests {
		if err := h.Add(stack.Function{Name: name, Runtime: "provided", Code: code, Layers: tt.layers}); err != nil {
			t.Fatal(err)
		}
	}
	failures := make(map[string]string)
	h.Build(t.Context(), func(r BuildResult) {
		if r.Err != nil {
			failures[r.Function] = r.Err.Error()
		}
	})
	for name, tt := range tests {
		if !strings.Contains(failures[name], tt.want) {
			t.Errorf("%s: got %q, want %q", name, failures[name], tt.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*", freshPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A copy has modes, times and links, and nothing that is no code.
func TestCopyFolder(t *testing.T) {
	above := t.TempDir()
	from := files(t, filepath.Join(above, "from"), map[string]string{
		"a/run": "#!/bin/sh\n", "a/text": "text", ".git/config": "x", "a/.aws-sam/x": "x", ".gatepost/run.json": "x", "cache/build/x": "x",
	})
	files(t, above, map[string]string{"beside/text": "beside"})
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, err := range []error{
		os.Chtimes(filepath.Join(from, "a/text"), old, old),
		os.Symlink("text", filepath.Join(from, "a/within")),
		os.Symlink("../../beside/text", filepath.Join(from, "a/beside")),
		os.Symlink("/nowhere", filepath.Join(from, "absolute")),
		os.Symlink("a", filepath.Join(from, "folder")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	to, left := t.TempDir(), int64(100)
	if err := copyFolder(from, to, filepath.Join(from, "cache/build"), &left); err != nil {
		t.Fatal(err)
	}
	var got []string
	filepath.WalkDir(to, func(path string, e fs.DirEntry, _ error) error {
		name, _ := filepath.Rel(to, path)
		if target, err := os.Readlink(path); err == nil {
			name += " -> " + strings.ReplaceAll(target, above, "ABOVE")
		}
		got = append(got, name)
		return nil
	})
	want := []string{".", "a", "a/beside -> ABOVE/beside/text", "a/run", "a/text", "a/within -> text", "absolute -> /nowhere", "cache", "folder -> a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if left != 100-int64(len("#!/bin/sh\n")+len("text")) {
		t.Errorf("%d bytes are left", left)
	}
	info, err := os.Stat(filepath.Join(to, "a/text"))
	if err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the time is %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(to, "a/run")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("the mode is %v, %v", info, err)
	}
	small := int64(5)
	if err := copyFolder(from, t.TempDir(), "", &small); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("past the bound: %v", err)
	}
}
