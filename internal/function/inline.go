package function

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// writeInline writes code that stands in the template into a file of the cache,
// unless it is there already, and returns the file's folder. CloudFormation
// calls the file index.js or index.py, so that JavaScript is a CommonJS module
// ("AWS::Lambda::Function Code", ZipFile).
func (b *builder) writeInline(spec *stack.Function) (string, error) {
	name, err := inlineName(spec.Runtime)
	if err != nil {
		return "", err
	}
	cache, err := b.codeFolder(spec.Name, "inline")
	if err != nil {
		return "", err
	}
	sum := fingerprint(sha256.Sum256([]byte(name + "\x00" + spec.Inline)))
	if folder, there := cache.version(sum); there {
		return folder, nil
	}
	fresh, err := cache.fresh()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(fresh, name), []byte(spec.Inline), 0o600); err != nil {
		return "", errors.Join(fmt.Errorf("write the code that stands in the template: %w", err), os.RemoveAll(fresh))
	}
	return cache.settle(fresh, sum)
}

func inlineName(runtime string) (string, error) {
	r, err := runtimes.Parse(runtime)
	switch {
	case err != nil:
		return "", err
	case r.Family == runtimes.Node:
		return "index.js", nil
	case r.Family == runtimes.Python:
		return "index.py", nil
	}
	return "", fmt.Errorf("code can stand in the template for nodejs and python runtimes only, not for %s", runtime)
}
