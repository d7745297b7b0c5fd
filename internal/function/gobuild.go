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
	binary, flags := filepath.Join(cacheDir, cacheName(folder), "bootstrap"), []string{"-trimpath"}
	if debug {
		binary = filepath.Join(cacheDir, cacheName(folder)+"-debug", "bootstrap")
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
	return program{argv: []string{binary}, root: folder, how: "go build", sum: fileFingerprint(binary)}, nil
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
