package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// programs is where the functions' main packages are, below the module's root.
const programs = "push/cmd"

// Options say what to build.
type Options struct {
	// Source is a folder of the module, "" for the working directory.
	Source string
	// Out is the folder in which the folder Arch gets the archives, each with
	// the name of its function, and SHA256SUMS.
	Out string
	// Arch is arm64 or amd64, as Go calls them; AWS calls the second x86_64.
	Arch string
	// Functions are the names to build; none means all.
	Functions []string
}

// epoch is the time of every file in an archive: the first that zip knows.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Build builds the functions and returns the lines of SHA256SUMS.
func Build(ctx context.Context, o Options) (string, error) {
	if o.Arch != "arm64" && o.Arch != "amd64" {
		return "", fmt.Errorf("the processor is %q; Lambda has arm64 and amd64", o.Arch)
	}
	root, err := moduleRoot(ctx, o.Source)
	if err != nil {
		return "", err
	}
	names, err := functions(root, o.Functions)
	if err != nil {
		return "", err
	}
	binaries, err := os.MkdirTemp("", "lambda-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(binaries)
	if err := compile(ctx, root, binaries, o.Arch, names); err != nil {
		return "", err
	}
	return pack(binaries, filepath.Join(o.Out, o.Arch), names)
}

// moduleRoot is the folder of the module that a folder belongs to.
func moduleRoot(ctx context.Context, folder string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOMOD")
	cmd.Dir = folder
	out, err := cmd.Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == os.DevNull {
		return "", fmt.Errorf("%q belongs to no Go module (%v)", folder, err)
	}
	return filepath.Dir(file), nil
}

// functions are the names of all of Lambda's functions, or those wanted, in order.
func functions(root string, wanted []string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, programs))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		is, err := isFunction(filepath.Join(root, programs, e.Name(), "main.go"))
		if err != nil {
			return nil, err
		}
		if is {
			all = append(all, e.Name())
		}
	}
	if len(wanted) == 0 {
		return all, nil
	}
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no function %q; there are: %s", name, strings.Join(all, ", "))
		}
	}
	slices.Sort(wanted)
	return slices.Compact(wanted), nil
}

// isFunction reports whether a program is one of Lambda's, by what it imports;
// the others are for a terminal.
func isFunction(file string) (bool, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(parsed.Imports, func(i *ast.ImportSpec) bool { return strings.Contains(i.Path.Value, "/push/function/") }), nil
}

// compile builds the programs, each into a file with its name. What could tell
// one machine from another is kept out: paths (-trimpath), the state of the
// checkout (-buildvcs), C (CGO_ENABLED), and the builder's own settings.
func compile(ctx context.Context, root, out, arch string, names []string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-tags=lambda.norpc", "-ldflags=-s -w -buildid=", "-o", out + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+programs+"/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOARM64=v8.0", "GOAMD64=v1", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said.Bytes())
	}
	return nil
}

// pack writes the archives and SHA256SUMS.
func pack(binaries, out string, names []string) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	var sums strings.Builder
	for _, name := range names {
		sum, err := archive(filepath.Join(binaries, name), filepath.Join(out, name+".zip"))
		if err != nil {
			return "", fmt.Errorf("pack %s: %w", name, err)
		}
		fmt.Fprintf(&sums, "%s  %s.zip\n", sum, name)
	}
	return sums.String(), os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// archive makes an archive of one program and returns its SHA-256. The program
// is called bootstrap, as the runtimes provided.* want, and may be executed.
func archive(program, path string) (sum string, err error) {
	in, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer in.Close()
	// Aside first, so that nobody takes half an archive for one.
	out, err := os.CreateTemp(filepath.Dir(path), ".zip-")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	hash := sha256.New()
	if err := errors.Join(writeZip(io.MultiWriter(out, hash), in), out.Chmod(0o644), out.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), os.Rename(out.Name(), path)
}

func writeZip(out io.Writer, program io.Reader) error {
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: epoch}
	header.SetMode(0o755)
	entry, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := io.Copy(entry, program); err != nil {
		return err
	}
	return z.Close()
}
