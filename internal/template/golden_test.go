package template

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/golden"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestGolden loads the template of each archive and compares the stack, or the
// error, with what the archive expects. The first file is the template, or the
// manifest of a cloud assembly, which is loaded with its folder;
// options.json holds Options; want.json or want.err is expected; all other
// files lie beside the template, and only with them code paths are looked for.
func TestGolden(t *testing.T) {
	// testdata/integrations.txtar has a VPC link; api-two-way-half.txtar has each
	// half of what makes a route two-way.
	conformance.Covers(t, "integration.vpc-link integration.two-way-response")
	golden.Run(t, 50, func(t *testing.T, c *golden.Case) {
		dir, opts := "", Options{StackName: "demo"}
		for i, f := range c.Inputs {
			switch {
			case i == 0 && filepath.Base(f.Name) != manifestFile:
			case f.Name == "options.json":
				if err := json.Unmarshal(f.Data, &opts); err != nil {
					t.Fatal(err)
				}
			default:
				if dir == "" {
					dir = t.TempDir()
				}
				place(t, dir, f)
			}
		}
		s, err := loadGolden(c.Inputs[0], dir, opts)
		c.Check(t, dir, s, err)
	})
}

func loadGolden(f txtar.File, dir string, opts Options) (*stack.Stack, error) {
	if filepath.Base(f.Name) == manifestFile {
		return Load(dir, opts)
	}
	return LoadBytes(f.Name, f.Data, dir, opts)
}

// place writes a file of an archive.
func place(t *testing.T, dir string, f txtar.File) {
	t.Helper()
	path := filepath.Join(dir, f.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}
