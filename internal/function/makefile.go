package function

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/stack"
)

// make runs "make build-LogicalId ARTIFACTS_DIR=..." in the code's folder, as
// the AWS SAM CLI does for the BuildMethod makefile, and returns the folder with
// what was made. It runs in a copy of the folder, as there, so that the source
// stays as it is, and every time: who knows what a Makefile depends on.
func (b *builder) make(ctx context.Context, spec *stack.Function, folder bool) (string, error) {
	switch {
	case !folder:
		return "", fmt.Errorf("its code %s must be the folder with the Makefile, because its BuildMethod is makefile", spec.Code)
	case spec.LogicalID == "":
		return "", errors.New("its BuildMethod is makefile, and a function without a logical id has no target there")
	}
	if _, err := exec.LookPath("make"); err != nil {
		return "", errors.New("its BuildMethod is makefile, and there is no make command on the PATH; install make from your system's packages")
	}
	cache, err := b.codeFolder(spec.Code, "make-"+spec.LogicalID)
	if err != nil {
		return "", err
	}
	fresh, err := cache.fresh()
	if err != nil {
		return "", err
	}
	if err := b.makeInCopy(ctx, spec, cache, fresh); err != nil {
		return "", errors.Join(err, os.RemoveAll(fresh))
	}
	sum, err := contentFingerprint(fresh)
	if err != nil {
		return "", errors.Join(fmt.Errorf("look at what make has made: %w", err), os.RemoveAll(fresh))
	}
	return cache.settle(fresh, sum)
}

// makefiles are the names that make looks for, in its order.
var makefiles = []string{"GNUmakefile", "makefile", "Makefile"}

// isMade reports whether a folder is what make has made already: the template
// that `sam build` writes points to such folders and still names the
// BuildMethod. Go source without a Makefile is somebody's mistake.
func isMade(folder string) bool {
	for _, name := range makefiles {
		if _, err := os.Stat(filepath.Join(folder, name)); !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	source, err := hasGoSource(folder)
	return err == nil && !source
}

// makeInCopy runs make in a copy of the source, which it removes again.
func (b *builder) makeInCopy(ctx context.Context, spec *stack.Function, cache codeFolder, artifacts string) error {
	scratch, err := cache.fresh()
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	left := int64(maxSource)
	err = copyFolder(spec.Code, scratch, b.cacheDir, &left)
	switch {
	case errors.Is(err, errTooMuchCode):
		return fmt.Errorf("its folder %s has more than %d bytes, and make runs in a copy of it; move what the build does not need elsewhere", spec.Code, int64(maxSource))
	case err != nil:
		return fmt.Errorf("copy its folder for make: %w", err)
	}
	variable := "ARTIFACTS_DIR=" + artifacts
	return runTool(ctx, tool{folder: scratch, shown: spec.Code, environment: []string{variable}}, "make", "build-"+spec.LogicalID, variable)
}
