package function

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// bootstrapName is the name of a ready-made program in the code's folder.
const bootstrapName = "bootstrap"

// The build methods (Metadata.BuildMethod) that mean something here.
const (
	methodMakefile = "makefile"
	methodGo       = "go1.x"
)

// code is where a function's code lies once there is nothing left to make or
// to unpack.
type code struct {
	path   string // a folder, or a file
	folder bool
	debug  bool // it is to run under a debugger
	// opt is the folder that stands for /opt, or "" without layers.
	opt string
	// from is "make", "zip" or "inline", or "" for what the user wrote: only
	// that may be source code of Go.
	from string
}

// layers are the layers as one: what is laid over each other needs no order.
func (c code) layers() []string {
	if c.opt == "" {
		return nil
	}
	return []string{c.opt}
}

// prepare finds or builds what the function runs.
func (b *builder) prepare(ctx context.Context, spec *stack.Function, debug bool) (program, error) {
	runtime, err := runtimes.Parse(spec.Runtime)
	if err != nil {
		return program{}, err
	}
	at, err := b.find(ctx, spec)
	if err != nil {
		return program{}, err
	}
	at.debug = debug
	if at.opt, err = b.opt(ctx, spec); err != nil {
		return program{}, err
	}
	var p program
	if runtime.Interpreted() {
		p, err = b.interpreted(ctx, runtime, spec, at)
	} else {
		p, err = b.native(ctx, runtime, spec, at)
	}
	if err == nil && at.from != "" {
		p.how = at.from + ", " + p.how
	}
	if err == nil {
		p = withLayers(p, at.opt, len(spec.Layers))
	}
	return p, err
}

// find makes and unpacks the code where that is asked for.
func (b *builder) find(ctx context.Context, spec *stack.Function) (code, error) {
	if spec.Inline != "" {
		folder, err := b.writeInline(spec)
		return code{path: folder, folder: true, from: "inline"}, err
	}
	info, err := os.Stat(spec.Code)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return code{}, fmt.Errorf("its code %s does not exist", spec.Code)
	case err != nil:
		return code{}, fmt.Errorf("look at its code: %w", err)
	case spec.BuildMethod == methodMakefile && !isMade(spec.Code):
		folder, err := b.make(ctx, spec, info.IsDir())
		return code{path: folder, folder: true, from: "make"}, err
	case !info.IsDir() && strings.EqualFold(filepath.Ext(spec.Code), ".zip"):
		folder, err := b.unpack(spec.Code, info.Size())
		return code{path: folder, folder: true, from: "zip"}, err
	}
	return code{path: spec.Code, folder: info.IsDir()}, nil
}

// interpreted finds what runs JavaScript or Python.
func (b *builder) interpreted(ctx context.Context, runtime runtimes.Runtime, spec *stack.Function, at code) (program, error) {
	root := at.path
	if !at.folder {
		root = filepath.Dir(root)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return program{}, fmt.Errorf("find its code: %w", err)
	}
	if !knownMethod(spec) && !runtime.HasHandler(root, spec.Handler) {
		return program{}, fmt.Errorf("%s has no file for the handler %q; %s", root, spec.Handler, unknownMethod(spec))
	}
	launch, err := b.machine.Launch(ctx, runtime, runtimes.Code{Root: root, Layers: at.layers()}, b.cacheDir)
	if err != nil {
		return program{}, err
	}
	return program{argv: launch.Argv, root: root, how: launch.How, runtimeDir: launch.RuntimeDir,
		environment: launch.Environment, sum: treeFingerprint(root, launch.Argv...)}, nil
}

// native builds Go source, or takes a ready-made program.
func (b *builder) native(ctx context.Context, runtime runtimes.Runtime, spec *stack.Function, at code) (program, error) {
	p, err := b.nativeProgram(ctx, spec, at)
	if err != nil {
		return program{}, err
	}
	if err := checkMachine(p.argv[0]); err != nil {
		return program{}, err
	}
	if at.debug {
		if err := checkDebuggable(p.argv[0]); err != nil {
			return program{}, err
		}
	}
	// What goBuild builds has RPC only where the library knows nothing else. Some
	// versions end at once when they are told to serve what they were built
	// without.
	p.rpc = runtimes.OnlyRPC(p.argv[0]) || runtime.Family == runtimes.Go1x && p.how != "go build"
	return p, nil
}

func (b *builder) nativeProgram(ctx context.Context, spec *stack.Function, at code) (program, error) {
	if at.folder {
		return b.inFolder(ctx, spec, at)
	}
	if filepath.Ext(at.path) == ".go" {
		return b.goBuild(ctx, filepath.Dir(at.path), at.debug)
	}
	info, err := os.Stat(at.path)
	switch {
	case err != nil:
		return program{}, fmt.Errorf("look at its code: %w", err)
	case info.Mode()&0o111 == 0:
		return program{}, fmt.Errorf("its code %s is neither a folder nor an executable", at.path)
	}
	return executable(at.path, fileFingerprint(at.path)), nil
}

// inFolder builds Go source, or takes the executable of a folder without.
func (b *builder) inFolder(ctx context.Context, spec *stack.Function, at code) (program, error) {
	source, err := hasGoSource(at.path)
	if err != nil {
		return program{}, fmt.Errorf("look at its code: %w", err)
	}
	if source && at.from == "" {
		return b.goBuild(ctx, at.path, at.debug)
	}
	path := filepath.Join(at.path, executableName(spec))
	info, err := os.Stat(path)
	if layered := filepath.Join(at.opt, executableName(spec)); err != nil && at.opt != "" {
		// A custom runtime may lie in a layer.
		if own, none := os.Stat(layered); none == nil {
			path, info, err = layered, own, nil
		}
	}
	switch {
	case err != nil && !knownMethod(spec):
		return program{}, fmt.Errorf("%s has no executable %q; %s", at.path, executableName(spec), unknownMethod(spec))
	case err != nil && at.from != "":
		return program{}, fmt.Errorf("there is no executable %q in what %s gives", executableName(spec), at.from)
	case err != nil && spec.BuildMethod == methodMakefile:
		return program{}, fmt.Errorf("its BuildMethod is makefile, and %s has neither a Makefile nor an executable %q", at.path, executableName(spec))
	case err != nil:
		return program{}, fmt.Errorf("%s has neither Go source nor an executable %q", at.path, executableName(spec))
	case info.IsDir() || info.Mode()&0o111 == 0:
		return program{}, fmt.Errorf("%s is not executable; try chmod +x", path)
	}
	p := executable(path, treeFingerprint(at.path, path))
	p.root = at.path
	return p, nil
}

func executable(path string, sum fingerprint) program {
	return program{argv: []string{path}, root: filepath.Dir(path), how: "executable", sum: sum}
}

// executableName returns the name of a ready-made program in the code's folder.
func executableName(spec *stack.Function) string {
	if spec.Runtime == runtimes.IDGo1x && spec.Handler != "" {
		return filepath.FromSlash(spec.Handler)
	}
	return bootstrapName
}

// knownMethod reports whether nothing has to be done to the code that is not
// done here. A runtime's own name, as a method, installs packages.
func knownMethod(spec *stack.Function) bool {
	return slices.Contains([]string{"", methodGo, methodMakefile, spec.Runtime}, spec.BuildMethod)
}

func unknownMethod(spec *stack.Function) string {
	return fmt.Sprintf("Gatepost knows the build methods %s and %s, and not %q: build the function first, and point CodeUri to what comes out",
		methodGo, methodMakefile, spec.BuildMethod)
}

// hasGoSource reports whether a folder has Go files other than tests.
func hasGoSource(folder string) (bool, error) {
	entries, err := os.ReadDir(folder)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return !e.IsDir() && strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go")
	}), err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
