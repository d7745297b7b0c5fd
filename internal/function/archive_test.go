package function

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// entry is one entry of an archive.
type entry struct {
	name, text string
	mode       fs.FileMode
}

// zipped makes an archive.
func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			header.SetMode(e.mode)
		}
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeZip(t *testing.T, path string, entries ...entry) {
	t.Helper()
	if err := os.WriteFile(path, zipped(t, entries...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// curlBootstrap is a function in a shell script, as in Lambda's tutorial for
// custom runtimes.
const curlBootstrap = `#!/bin/sh
set -eu
cd "$LAMBDA_TASK_ROOT"
. ./"$(echo "$_HANDLER" | cut -d. -f1).sh"
while true; do
	event=$(curl -sS -D "$TMPDIR/head" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
	id=$(grep -i lambda-runtime-aws-request-id "$TMPDIR/head" | tr -d '[:space:]' | cut -d: -f2)
	response=$("$(echo "$_HANDLER" | cut -d. -f2)" "$event")
	curl -sS "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" -d "$response" >/dev/null
done
`

func TestZip(t *testing.T) {
	needs(t, "curl")
	archive := filepath.Join(t.TempDir(), "Code.ZIP")
	script := func(text string) []entry {
		return []entry{{"bootstrap", curlBootstrap, 0o755}, {"lib/", "", fs.ModeDir | 0o755}, {"lib/text", text, 0o444}, {"link", "lib/text", fs.ModeSymlink | 0o777},
			{"function.sh", "handler() { echo \"got $1\" >&2; cat link; }\n", 0o644}, {"main.go", "package main", 0o644}}
	}
	writeZip(t, archive, script(`"one"`)...)
	f := stack.Function{Name: "f", Runtime: "provided.al2023", Handler: "function.handler", Code: archive, Timeout: 20 * time.Second}
	h := buildOne(t, f)
	if got := h.invoke("f", `{"a":1}`); got != `"one"` {
		t.Errorf("got %s", got)
	}
	if line := h.awaitLine(); line.Text != `got {"a":1}` || line.RequestID == "" {
		t.Errorf("%+v", line)
	}
	if s := h.Functions()[0]; s.How != "zip, executable" {
		t.Errorf("the status says %q", s.How)
	}
	before := h.functions["f"].program
	h.Build(t.Context(), nil)
	if after := h.functions["f"].program; after.root != before.root || after.sum != before.sum {
		t.Error("an archive that is the same was unpacked again")
	}
	for _, text := range []string{`"two"`, `"three"`, `"four"`, `"five"`} {
		writeZip(t, archive, script(text)...)
		h.Build(t.Context(), nil)
		if got := h.invoke("f", "{}"); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	if versions, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*-zip", "*")); len(versions) != keptVersions {
		t.Errorf("the cache holds %v", versions)
	}
}

func TestZippedNode(t *testing.T) {
	needs(t, "node", "nodejs")
	archive := filepath.Join(t.TempDir(), "f.zip")
	writeZip(t, archive, entry{"index.mjs", "export const handler = async () => 'zipped'", 0o644})
	h := buildOne(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: archive})
	if got := h.invoke("f", "{}"); got != `"zipped"` {
		t.Errorf("got %s", got)
	}
}

func TestUnzipRefusals(t *testing.T) {
	tests := []struct {
		name    string
		entries []entry
		want    string
	}{
		{"upwards", []entry{{"../a", "x", 0o644}}, "leads out of the archive"},
		{"upwards inside", []entry{{"a/../../b", "x", 0o644}}, "leads out of the archive"},
		{"absolute", []entry{{"/etc/a", "x", 0o644}}, "leads out of the archive"},
		{"backslash", []entry{{`a\..\b`, "x", 0o644}}, "has a backslash"},
		{"empty", []entry{{"", "x", 0o644}}, "leads out of the archive"},
		{"upwards folder", []entry{{"../a/", "", fs.ModeDir | 0o755}}, "leads out of the archive"},
		{"absolute link", []entry{{"a", "/etc", fs.ModeSymlink | 0o777}}, "leads out of the archive"},
		{"link upwards", []entry{{"a/b", "../../c", fs.ModeSymlink | 0o777}}, "leads out of the archive"},
		{"link over a link", []entry{{"a/b", ".", fs.ModeSymlink | 0o777}, {"c", "a/b/../..", fs.ModeSymlink | 0o777}, {"c/d", "x", 0o644}}, ""},
		{"long link", []entry{{"a", strings.Repeat("x", maxLink+1), fs.ModeSymlink | 0o777}}, "more than 4096 bytes"},
		{"device", []entry{{"a", "", fs.ModeDevice | 0o644}}, "neither a file, a folder nor a symbolic link"},
		{"file as folder", []entry{{"a", "x", 0o644}, {"a/b", "x", 0o644}}, "mkdirat a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			above := t.TempDir()
			folder := filepath.Join(above, "code")
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			archive := filepath.Join(t.TempDir(), "f.zip")
			writeZip(t, archive, tt.entries...)
			left := int64(maxUnzipped)
			err := unzip(archive, folder, &left)
			if err == nil && tt.want != "" || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if beside, _ := os.ReadDir(above); len(beside) != 1 {
				t.Errorf("beside the folder lies %v", beside)
			}
		})
	}
}

// An archive that grows past Lambda's limit is given up on the way, and leaves
// nothing behind.
func TestZipBomb(t *testing.T) {
	var entries []entry
	piece := strings.Repeat("\x00", 64<<20)
	for _, name := range []string{"a", "b", "c", "d"} {
		entries = append(entries, entry{name, piece, 0o644})
	}
	archive := filepath.Join(t.TempDir(), "f.zip")
	writeZip(t, archive, entries...)
	h := newTestHost(t, nil, stack.Function{Name: "f", Runtime: "provided", Code: archive})
	err := h.Build(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "larger than the 262144000 bytes that Lambda takes") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.config.CacheDir, "*-zip", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzUnzip(f *testing.F) {
	f.Add(zipped(f, entry{"a/b", "text", 0o755}, entry{"c", "a/b", fs.ModeSymlink | 0o777}, entry{"c", "again", 0o644}))
	f.Add(zipped(f, entry{"../a", "x", 0o644}))
	f.Add(zipped(f, entry{"a", "..", fs.ModeSymlink | 0o777}, entry{"a/b", "x", 0o644}))
	f.Add(zipped(f, entry{"l", "m/..", fs.ModeSymlink | 0o777}, entry{"m", "n", fs.ModeSymlink | 0o777}, entry{"l/x", "x", 0o644}))
	f.Fuzz(func(t *testing.T, data []byte) {
		above := t.TempDir()
		folder := filepath.Join(above, "code")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(t.TempDir(), "f.zip")
		if err := os.WriteFile(archive, data, 0o600); err != nil {
			t.Fatal(err)
		}
		size := int64(maxUnzipped)
		_ = unzip(archive, folder, &size) // most are refused
		left, err := os.ReadDir(above)
		if err != nil || len(left) != 1 || !left[0].IsDir() {
			t.Fatalf("beside the folder lies %v (%v)", left, err)
		}
	})
}
