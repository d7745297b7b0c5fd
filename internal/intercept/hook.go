package intercept

import (
	_ "embed"
	"fmt"
	"path/filepath"
)

// nodeHook is the file that leads Node.js to the proxy; it says how.
//
//go:embed node-hook.cjs
var nodeHook []byte

// WriteHook writes the hook for Node.js into a folder, or leaves it there, and
// returns its absolute path for Surroundings.
func WriteHook(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, "node-hook.cjs"))
	if err == nil {
		err = keepFile(path, nodeHook)
	}
	if err != nil {
		return "", fmt.Errorf("write the hook for Node.js: %w", err)
	}
	return path, nil
}
