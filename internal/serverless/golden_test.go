package serverless

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/golden"
	"github.com/gatepost-dev/gatepost/internal/template"
)

// TestGolden loads the service of each archive and compares the stack, or the
// error, with what the archive expects. The first file is the configuration;
// options.json holds Options, with values for what lies on AWS; want.json or
// want.err is expected; all other files lie beside the configuration, executable
// where their names end in "(x)", and the old ones in "(old)".
func TestGolden(t *testing.T) {
	golden.Run(t, 40, func(t *testing.T, c *golden.Case) {
		dir, opts := t.TempDir(), goldenOptions{Env: map[string]string{}}
		for _, f := range c.Inputs {
			if f.Name != "options.json" {
				place(t, dir, f)
			} else if err := json.Unmarshal(f.Data, &opts); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Load(filepath.Join(dir, c.Inputs[0].Name), opts.options())
		c.Check(t, dir, s, err)
	})
}

// goldenOptions are Options as options.json has them.
type goldenOptions struct {
	Region, Stage string
	Parameters    map[string]string
	CLI           map[string]string
	Env           map[string]string
	SSM           map[string]string
	Outputs       map[string]map[string]string
}

func (o goldenOptions) options() Options {
	return Options{
		Options: template.Options{Region: o.Region, Parameters: o.Parameters, Values: &template.Values{SSM: o.SSM, Outputs: o.Outputs}},
		Stage:   o.Stage, CLI: o.CLI,
		LookupEnv: func(name string) (string, bool) { text, found := o.Env[name]; return text, found },
	}
}

// place writes a file of an archive.
func place(t *testing.T, dir string, f txtar.File) {
	t.Helper()
	name, isProgram := strings.CutSuffix(f.Name, "(x)")
	name, isOld := strings.CutSuffix(name, "(old)")
	path := filepath.Join(dir, name)
	mode := os.FileMode(0o644)
	if isProgram {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f.Data, mode); err != nil {
		t.Fatal(err)
	}
	if isOld {
		if err := os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
			t.Fatal(err)
		}
	}
}
