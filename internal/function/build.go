package function

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// BuildResult tells of one function that Build has dealt with.
type BuildResult struct {
	Function string
	// How is what Status.How says; empty when Err is set.
	How      string
	Duration time.Duration
	// Before is set when the function had a program already: Replaced then says
	// that this one is another, and with Err that one runs on.
	Before, Replaced bool
	// Err holds a sentence, and the compiler's output where there is any.
	Err error
}

// Build makes every function runnable that has no Command: Go source is built
// into CacheDir, "make" makes what has the BuildMethod makefile, a zip archive
// is unpacked, a folder with an executable "bootstrap" is used as it is, and for
// JavaScript and Python an interpreter is found. It runs as many compilers as
// there are cores, and calls progress, which may be nil, for each function from
// one goroutine at a time.
//
// The error joins all failures. The functions that failed answer every Invoke
// with the failure, unless they had a program before, which runs on; the others
// run. Build may be called again, for example after a change: sandboxes whose
// code has changed end after their answers.
//
// Whether anything must be compiled is left to the go command, which knows
// best: it hashes all that goes into a binary (embedded files, the toolchain,
// flags) and does not make one again that is up to date. So where it writes a
// binary in CacheDir is named after its folder only, and functions that share a
// folder share the binary. What runs, and what make has made and what comes out
// of archives, lies in folders that are named after their contents: a build
// touches nothing that somebody may be about to start.
func (h *Host) Build(ctx context.Context, progress func(BuildResult)) error {
	return h.build(ctx, progress, nil, func(*function) bool { return true })
}

// Rebuild is Build for the named functions alone, and for those that run the
// same code. Names that are not known are left out.
func (h *Host) Rebuild(ctx context.Context, progress func(BuildResult), names ...string) error {
	return h.build(ctx, progress, names, func(f *function) bool { return slices.Contains(names, f.spec.Name) })
}

// build builds the groups that have one of the wanted functions; of those among
// names that wait for other settings, these.
func (h *Host) build(ctx context.Context, progress func(BuildResult), names []string, wanted func(*function) bool) error {
	h.building.Lock()
	defer h.building.Unlock()
	b := h.newBuilder(progress)
	done := h.rebuildWanted(ctx, b, names)
	var all sync.WaitGroup
	for _, group := range h.groups() {
		group = slices.DeleteFunc(group, func(f *function) bool { return slices.Contains(done, f.spec.Name) })
		if slices.ContainsFunc(group, wanted) {
			all.Go(func() { b.build(ctx, group) })
		}
	}
	all.Wait()
	h.startDebugged()
	return errors.Join(b.failures...)
}

func (h *Host) newBuilder(progress func(BuildResult)) *builder {
	return &builder{cacheDir: h.config.CacheDir, progress: progress, slots: make(chan struct{}, max(runtime.NumCPU(), 2))}
}

// groups returns the functions to be built, those of the same code together.
func (h *Host) groups() [][]*function {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var groups [][]*function
	at := make(map[string]int)
	for _, f := range h.order {
		if len(f.spec.Command) > 0 || f.local != nil {
			continue
		}
		key := groupKey(&f.spec)
		if f.debugged {
			key += "\x00" + f.spec.Name // it is built otherwise
		}
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

// groupKey is the same for functions that run the same program.
func groupKey(spec *stack.Function) string {
	kind := spec.Runtime
	switch runtime, _ := runtimes.Parse(spec.Runtime); runtime.Family {
	case runtimes.Provided:
		kind = bootstrapName
	case runtimes.Go1x:
		kind += " " + spec.Handler
	}
	if spec.BuildMethod == methodMakefile {
		kind += " " + spec.LogicalID
	}
	for _, layer := range spec.Layers {
		kind += " " + layer.BuildMethod + " " + layer.LogicalID + " " + filepath.Clean(layer.Content)
	}
	return filepath.Clean(spec.Code) + "\x00" + kind + "\x00" + spec.Inline
}

// builder is one run of Build.
type builder struct {
	cacheDir string
	slots    chan struct{} // one per compiler at a time

	mu       sync.Mutex
	progress func(BuildResult)
	failures []error

	binaries keyedMutex // by the path of the binary
	machine  runtimes.Machine
}

// build makes one group of functions runnable and reports each.
func (b *builder) build(ctx context.Context, group []*function) {
	b.slots <- struct{}{}
	defer func() { <-b.slots }()
	for _, f := range group {
		f.building()
	}
	begun := time.Now()
	p, err := b.prepare(ctx, &group[0].spec, group[0].debugged)
	took := time.Since(begun)
	for _, f := range group {
		r := BuildResult{Function: f.spec.Name, How: p.how, Duration: took}
		if err == nil {
			r.Before, r.Replaced = f.use(p, took)
		} else {
			r.Err = fmt.Errorf("function %s: %w", f.spec.Name, err)
			r.Before = f.fail(err, took)
		}
		b.report(r)
	}
}

func (b *builder) report(r BuildResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Err != nil {
		b.failures = append(b.failures, r.Err)
	}
	if b.progress != nil {
		b.progress(r)
	}
}
