package main

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildIsReproducible builds two functions of two copies of the module, in
// folders with other names and files with other times, and compares the
// archives.
func TestBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: two builds take some ten seconds; run it without.")
	}
	var archives [2][2][]byte
	for i, folder := range []string{"one", "another/place"} {
		source := filepath.Join(t.TempDir(), folder)
		copyModule(t, source)
		out := t.TempDir()
		sums, err := Build(t.Context(), Options{Source: source, Out: out, Arch: "arm64", Functions: []string{"echo", "disconnect"}})
		if err != nil {
			t.Fatal(err)
		}
		if written, err := os.ReadFile(filepath.Join(out, "arm64", "SHA256SUMS")); err != nil || string(written) != sums || strings.Count(sums, "\n") != 2 {
			t.Errorf("SHA256SUMS has %q (%v), want %q", written, err, sums)
		}
		for n, name := range []string{"disconnect", "echo"} {
			if archives[i][n], err = os.ReadFile(filepath.Join(out, "arm64", name+".zip")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range archives[0] {
		if !bytes.Equal(archives[0][n], archives[1][n]) {
			t.Errorf("archive %d is not the same from two folders", n)
		}
	}
	checkArchive(t, archives[0][0])
}

// copyModule copies what the functions are built of.
func copyModule(t *testing.T, to string) {
	t.Helper()
	root, err := moduleRoot(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	place := func(name string) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	place("go.mod")
	place("go.sum")
	err = fs.WalkDir(os.DirFS(root), "push", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			place(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkArchive holds an archive to what Lambda's runtime provided.al2023 wants.
func checkArchive(t *testing.T, data []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) != 1 {
		t.Fatalf("%d files in the archive (%v), want 1", len(z.File), err)
	}
	f := z.File[0]
	if f.Name != "bootstrap" || f.Mode() != 0o755 || !f.Modified.Equal(epoch) {
		t.Errorf("the archive has %s, %v, %v; want bootstrap, 0755, %v", f.Name, f.Mode(), f.Modified, epoch)
	}
	in, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	program, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := elf.NewFile(bytes.NewReader(program))
	if err != nil || binary.Machine != elf.EM_AARCH64 {
		t.Errorf("bootstrap is no program for arm64: %v", err)
	}
	if home, err := os.UserHomeDir(); err == nil && bytes.Contains(program, []byte(home+"/")) {
		t.Errorf("bootstrap holds the path %s of this machine", home)
	}
}

func TestBuildRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		`the processor is "x86_64"; Lambda has arm64 and amd64`: {Arch: "x86_64"},
		`there is no function "no"; there are: authorizer,`:     {Arch: "arm64", Functions: []string{"no"}},
		`belongs to no Go module`:                               {Arch: "arm64", Source: t.TempDir()},
	} {
		o.Out = t.TempDir()
		if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
