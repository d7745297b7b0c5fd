package function

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// goBuild builds the main package in a folder as AWS wants it: without cgo,
// without aws-lambda-go's retired RPC mode, and for this machine. For a debugger
// it is built as written, with the source's own paths.
func (b *builder) goBuild(ctx context.Context, folder string, debug bool) (program, error) {
	if b.cacheDir == "" {
		return program{}, errors.New("it is Go source and there is no folder to build it into")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return program{}, fmt.Errorf("%s is Go source, and there is no go command on the PATH to build it; install Go (https://go.dev/dl/)", folder)
	}
	settings, err := goEnv(ctx, folder)
	if err != nil {
		return program{}, err
	}
	// The go command runs in the folder.
	cacheDir, err := filepath.Abs(b.cacheDir)
	if err != nil {
		return program{}, fmt.Errorf("find the folder for binaries: %w", err)
	}
	kind, binary, flags := "go", filepath.Join(cacheDir, cacheName(folder), "bootstrap"), []string{"-trimpath"}
	if !strings.Contains(settings.flags, "ldflags") {
		// What only debuggers read takes half the time of linking, for which
		// somebody waits after each save. Panics tell their lines without it.
		flags = append(flags, "-ldflags=-w")
	}
	if debug {
		kind, binary = "go-debug", filepath.Join(cacheDir, cacheName(folder)+"-debug", "bootstrap")
		flags = []string{"-trimpath=false", "-ldflags=", "-gcflags=all=-N -l"}
	}
	defer b.binaries.lock(binary)()
	flags = append(flags, "-buildvcs=false", "-tags="+tags(settings.flags), "-o", binary, ".")
	err = runGo(ctx, folder, nil, append([]string{"build"}, flags...)...)
	if err != nil {
		return program{}, err
	}
	// The go command writes an archive, not a program, for other packages.
	if info, err := os.Stat(binary); err != nil || info.Mode()&0o111 == 0 {
		return program{}, fmt.Errorf("%s holds a Go package that is not a program: package main and func main are needed", folder)
	}
	sum := fileFingerprint(binary)
	kept, err := b.keep(folder, kind, binary, sum)
	if err != nil {
		return program{}, fmt.Errorf("keep the binary: %w", err)
	}
	return program{argv: []string{kept}, root: folder, how: "go build", sum: sum}, nil
}

// keep puts a binary where no later build writes, and returns its path there. The
// go command replaces its file, so that a link goes on having the old contents.
func (b *builder) keep(folder, kind, binary string, sum fingerprint) (string, error) {
	cache, err := b.codeFolder(folder, kind)
	if err != nil {
		return "", err
	}
	name := filepath.Base(binary)
	if at, there := cache.version(sum); there {
		return filepath.Join(at, name), nil
	}
	fresh, err := cache.fresh()
	if err != nil {
		return "", err
	}
	if err := linkOrCopy(binary, filepath.Join(fresh, name)); err != nil {
		return "", errors.Join(err, os.RemoveAll(fresh))
	}
	at, err := cache.settle(fresh, sum)
	return filepath.Join(at, name), err
}

// linkOrCopy gives a program a second name, or makes a copy of it where the file
// system has no links.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// cacheName names a folder's binary: readable, and its own.
func cacheName(folder string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(folder)))
	return filepath.Base(folder) + "-" + hex.EncodeToString(sum[:6])
}

// goSettings are the user's own settings that a build must respect.
type goSettings struct{ flags string }

// goEnv asks the go command for the settings in a folder. A folder that is in
// no module is an error.
func goEnv(ctx context.Context, folder string) (goSettings, error) {
	var out bytes.Buffer
	if err := runGo(ctx, folder, &out, "env", "GOMOD", "GOFLAGS"); err != nil {
		return goSettings{}, err
	}
	module, rest, _ := strings.Cut(out.String(), "\n")
	if module == "" || module == os.DevNull {
		return goSettings{}, fmt.Errorf("%s is Go source outside of any module; run \"go mod init\" and \"go mod tidy\" there", folder)
	}
	return goSettings{flags: strings.TrimSpace(rest)}, nil
}

// tags returns the build tags: ours and those in GOFLAGS, which a -tags flag on
// the command line would otherwise replace.
func tags(goFlags string) string {
	all := "lambda.norpc"
	for _, flag := range strings.Fields(goFlags) {
		name, value, _ := strings.Cut(strings.Trim(flag, `'"`), "=")
		if strings.TrimLeft(name, "-") == "tags" && value != "" {
			all += "," + value
		}
	}
	return all
}

// runGo runs the go command in a folder. Its standard output goes to out, or
// with its standard error into the error.
func runGo(ctx context.Context, folder string, out io.Writer, args ...string) error {
	environment := []string{"CGO_ENABLED=0", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}
	return runTool(ctx, tool{folder: folder, environment: environment, out: out}, "go", args...)
}
