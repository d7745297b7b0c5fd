package function

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// runtimeGo1x is the retired managed runtime for Go.
const runtimeGo1x = "go1.x"

// runtimes are the supported ones. What they have in common is a binary that
// asks the Runtime API for events.
var runtimes = []string{"provided.al2023", "provided.al2", "provided", runtimeGo1x}

// BuildResult tells of one function that Build has dealt with.
type BuildResult struct {
	Function string
	// How is "go build" or "executable"; empty when Err is set.
	How      string
	Duration time.Duration
	// Err holds a sentence, and the compiler's output where there is any.
	Err error
}

// Build makes every function runnable that has no Command: Go source is built
// into CacheDir, a folder with an executable "bootstrap" is used as it is. It
// runs as many compilers as there are cores, and calls progress, which may be
// nil, for each function from one goroutine at a time.
//
// The error joins all failures. The functions that failed answer every Invoke
// with the failure; the others run. Build may be called again, for example
// after a change: sandboxes whose binary has changed end after their answers.
//
// Whether anything must be compiled is left to the go command, which knows
// best: it hashes all that goes into a binary (embedded files, the toolchain,
// flags) and does not make one again that is up to date. So a binary's place in
// CacheDir is named after its folder only, and functions that share a folder
// share the binary.
func (h *Host) Build(ctx context.Context, progress func(BuildResult)) error {
	h.building.Lock()
	defer h.building.Unlock()
	b := &builder{cacheDir: h.config.CacheDir, progress: progress, slots: make(chan struct{}, runtime.NumCPU())}
	var all sync.WaitGroup
	for _, group := range h.groups() {
		all.Go(func() { b.build(ctx, group) })
	}
	all.Wait()
	return errors.Join(b.failures...)
}

// groups returns the functions to be built, those of the same code together.
func (h *Host) groups() [][]*function {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var groups [][]*function
	at := make(map[string]int)
	for _, f := range h.order {
		if len(f.spec.Command) > 0 {
			continue
		}
		// The executable of go1.x is named by its handler.
		key := filepath.Clean(f.spec.Code) + "\x00" + executableName(&f.spec)
		i, known := at[key]
		if !known {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// builder is one run of Build.
type builder struct {
	cacheDir string
	slots    chan struct{} // one per compiler at a time

	mu       sync.Mutex
	progress func(BuildResult)
	failures []error
}

// build makes one group of functions runnable and reports each.
func (b *builder) build(ctx context.Context, group []*function) {
	b.slots <- struct{}{}
	defer func() { <-b.slots }()
	for _, f := range group {
		f.building()
	}
	begun := time.Now()
	p, err := b.prepare(ctx, &group[0].spec)
	if err == nil {
		p.sum = fingerprintOf(p.argv[0])
	}
	took := time.Since(begun)
	for _, f := range group {
		if err == nil {
			f.use(p, took)
		} else {
			f.fail(err, took)
		}
		b.report(f.spec.Name, p.how, took, err)
	}
}

func (b *builder) report(name, how string, took time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("function %s: %w", name, err)
		b.failures = append(b.failures, err)
	}
	if b.progress != nil {
		b.progress(BuildResult{Function: name, How: how, Duration: took, Err: err})
	}
}

// prepare finds or builds what the function runs.
func (b *builder) prepare(ctx context.Context, spec *stack.Function) (program, error) {
	code := spec.Code
	info, err := os.Stat(code)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return program{}, fmt.Errorf("its code %s does not exist", code)
	case err != nil:
		return program{}, fmt.Errorf("look at its code: %w", err)
	case info.IsDir():
		return b.prepareFolder(ctx, spec, code)
	case strings.EqualFold(filepath.Ext(code), ".zip"):
		return program{}, fmt.Errorf("its code %s is a zip archive, which is not supported; point to a folder with Go source or an executable", code)
	case filepath.Ext(code) == ".go":
		return b.prepareFolder(ctx, spec, filepath.Dir(code))
	case info.Mode()&0o111 == 0:
		return program{}, fmt.Errorf("its code %s is neither a folder nor an executable", code)
	}
	return executable(code), nil
}

// prepareFolder builds Go source, or takes the executable of a folder without.
func (b *builder) prepareFolder(ctx context.Context, spec *stack.Function, folder string) (program, error) {
	source, err := hasGoSource(folder)
	if err != nil {
		return program{}, fmt.Errorf("look at its code: %w", err)
	}
	if source {
		return b.goBuild(ctx, folder)
	}
	path := filepath.Join(folder, executableName(spec))
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return program{}, fmt.Errorf("%s has neither Go source nor an executable %q", folder, executableName(spec))
	case info.IsDir() || info.Mode()&0o111 == 0:
		return program{}, fmt.Errorf("%s is not executable; try chmod +x", path)
	}
	return executable(path), nil
}

func executable(path string) program {
	return program{argv: []string{path}, root: filepath.Dir(path), how: "executable"}
}

// executableName returns the name of a ready-made binary in the code's folder.
func executableName(spec *stack.Function) string {
	if spec.Runtime == runtimeGo1x && spec.Handler != "" {
		return filepath.FromSlash(spec.Handler)
	}
	return "bootstrap"
}

// hasGoSource reports whether a folder has Go files other than tests.
func hasGoSource(folder string) (bool, error) {
	entries, err := os.ReadDir(folder)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return !e.IsDir() && strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go")
	}), err
}

// fingerprint is the hash of a program's file. Times do not tell two versions
// apart: the go command touches a binary that it finds up to date.
type fingerprint [sha256.Size]byte

// fingerprintOf returns the zero fingerprint for a file that cannot be read.
func fingerprintOf(path string) (sum fingerprint) {
	file, err := os.Open(path)
	if err != nil {
		return sum
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err == nil {
		hash.Sum(sum[:0])
	}
	return sum
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
