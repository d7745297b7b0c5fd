package function

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// optVariable tells a function with layers the folder that stands for /opt. It
// is Gatepost's own.
const optVariable = "GATEPOST_OPT"

// opt lays the layers of a function over each other, as Lambda does in /opt, and
// returns the folder, or "" for a function without layers. The machine's own /opt
// is not touched.
func (b *builder) opt(ctx context.Context, spec *stack.Function) (string, error) {
	if len(spec.Layers) == 0 {
		return "", nil
	}
	// The most recent contents count: makefiles are made, and what was made is
	// looked at like any folder.
	layers, sum := make([]string, len(spec.Layers)), sha256.New()
	for i, layer := range spec.Layers {
		at, print, err := b.layer(ctx, layer)
		if err != nil {
			return "", fmt.Errorf("its layer %s: %w", layer.LogicalID, err)
		}
		layers[i] = at
		fmt.Fprintf(sum, "%q %x\n", at, print)
	}
	cache, err := b.codeFolder(strings.Join(layers, "\n"), "opt")
	if err != nil {
		return "", err
	}
	defer b.binaries.lock(string(cache))()
	version := fingerprintOf(sum)
	if folder, there := cache.version(version); there {
		return folder, nil
	}
	fresh, err := cache.fresh()
	if err != nil {
		return "", err
	}
	if err := b.lay(layers, fresh, cache); err != nil {
		return "", errors.Join(fmt.Errorf("lay its layers over each other: %w", err), os.RemoveAll(fresh))
	}
	return cache.settle(fresh, version)
}

// layer finds the folder or archive of a layer, and what tells its versions
// apart.
func (b *builder) layer(ctx context.Context, layer stack.Layer) (string, fingerprint, error) {
	info, err := os.Stat(layer.Content)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fingerprint{}, fmt.Errorf("its content %s does not exist", layer.Content)
	case err != nil:
		return "", fingerprint{}, fmt.Errorf("look at its content: %w", err)
	case layer.BuildMethod == methodMakefile && !isMade(layer.Content):
		made, err := b.make(ctx, &stack.Function{LogicalID: layer.LogicalID, Code: layer.Content}, info.IsDir())
		return made, fingerprint{}, err // the folder is named after its contents
	case info.IsDir():
		return layer.Content, treeFingerprint(layer.Content), b.unbuilt(layer)
	case !strings.EqualFold(filepath.Ext(layer.Content), ".zip"):
		return "", fingerprint{}, fmt.Errorf("its content %s is neither a folder nor a zip archive", layer.Content)
	case info.Size() > maxUnzipped:
		return "", fingerprint{}, errTooMuchCode
	}
	return layer.Content, fileFingerprint(layer.Content), nil
}

// layout are the folders that layers have in /opt; one of them is in what is
// ready-made, and in nothing that has to be built first.
var layout = []string{"nodejs", "python", "bin", "lib", "bootstrap", "extensions"}

// unbuilt refuses a layer whose packages somebody has to install first.
func (b *builder) unbuilt(layer stack.Layer) error {
	if layer.BuildMethod == "" {
		return nil
	}
	for _, name := range layout {
		if _, err := os.Stat(filepath.Join(layer.Content, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("packages are not installed here (BuildMethod %s), and %s has none of %s: build the layer first, and point ContentUri to what comes out",
		layer.BuildMethod, layer.Content, strings.Join(layout, ", "))
}

// lay unpacks or copies each layer into a folder of its own and moves that over
// what came before.
func (b *builder) lay(layers []string, opt string, cache codeFolder) error {
	left := int64(maxUnzipped)
	for _, layer := range layers {
		stage, err := cache.fresh()
		if err != nil {
			return err
		}
		if isFolder(layer) {
			err = copyFolder(layer, stage, b.cacheDir, &left)
		} else {
			err = unzip(layer, stage, &left)
		}
		if err == nil {
			err = moveOver(stage, opt)
		}
		if err := errors.Join(err, os.RemoveAll(stage)); err != nil {
			return fmt.Errorf("%s: %w", layer, err)
		}
	}
	return nil
}

// moveOver moves the entries of a folder into another one. Folders are merged;
// of everything else the new one stays.
func moveOver(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		old, err := os.Lstat(target)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return err
		case e.IsDir() && old.IsDir():
			if err := moveOver(source, target); err != nil {
				return err
			}
			continue
		default:
			if err := os.RemoveAll(target); err != nil {
				return err
			}
		}
		if err := os.Rename(source, target); err != nil {
			return err
		}
	}
	return nil
}

// withLayers adds to a program what its layers bring.
func withLayers(p program, opt string, number int) program {
	if opt == "" {
		return p
	}
	all := runtimes.LayerEnvironment([]string{opt})
	maps.Copy(all, p.environment)
	all[optVariable] = opt
	p.environment = all
	h := sha256.New()
	fmt.Fprintf(h, "%x %q", p.sum, opt)
	p.sum = fingerprintOf(h)
	p.how += fmt.Sprintf(", %d layers", number)
	if number == 1 {
		p.how = strings.TrimSuffix(p.how, "s")
	}
	if isFolder(filepath.Join(opt, "extensions")) {
		p.how += " (extensions are not started)"
	}
	return p
}
