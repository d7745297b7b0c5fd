package function

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/gatepost-dev/gatepost/stack"
)

// make runs "make build-LogicalId ARTIFACTS_DIR=..." in the code's folder, as
// the AWS SAM CLI does for the BuildMethod makefile, and returns the folder with
// what was made. It runs every time: make knows what is up to date. The source
// is not copied first, so that make finds what it made before.
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
	variable := "ARTIFACTS_DIR=" + fresh
	err = runTool(ctx, tool{folder: spec.Code, environment: []string{variable}}, "make", "build-"+spec.LogicalID, variable)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(fresh))
	}
	sum, err := contentFingerprint(fresh)
	if err != nil {
		return "", errors.Join(fmt.Errorf("look at what make has made: %w", err), os.RemoveAll(fresh))
	}
	return cache.settle(fresh, sum)
}
