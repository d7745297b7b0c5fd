package serverless

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// TestGolden loads the service of each archive and compares the stack, or the
// error, with what the archive expects. The first file is the configuration;
// options.json holds Options, with values for what lies on AWS; want.json or
// want.err is expected; all other files lie beside the configuration, executable
// where their names end in "(x)", and the old ones in "(old)".
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 40 {
		t.Fatalf("found %d archives in testdata, want 40 or more (%v)", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runGolden(t, name)
		})
	}
}

func runGolden(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir, opts := t.TempDir(), goldenOptions{Env: map[string]string{}}
	inputs := &txtar.Archive{Comment: archive.Comment}
	wantName, want := "", ""
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			wantName, want = f.Name, string(f.Data)
			continue
		}
		inputs.Files = append(inputs.Files, f)
		if f.Name == "options.json" {
			if err := json.Unmarshal(f.Data, &opts); err != nil {
				t.Fatal(err)
			}
			continue
		}
		place(t, dir, f)
	}
	gotName, got := outcome(t, filepath.Join(dir, archive.Files[0].Name), opts)
	got = strings.ReplaceAll(got, dir, "DIR")
	if *update {
		inputs.Files = append(inputs.Files, txtar.File{Name: gotName, Data: []byte(got)})
		if err := os.WriteFile(name, txtar.Format(inputs), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if gotName != wantName || got != want {
		t.Errorf("%s (run with -update to accept)\n got %s:\n%s\nwant %s:\n%s", inputs.Comment, gotName, got, wantName, want)
	}
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

func outcome(t *testing.T, file string, opts goldenOptions) (name, text string) {
	t.Helper()
	s, err := Load(file, opts.options())
	if err != nil {
		return "want.err", err.Error() + "\n"
	}
	return "want.json", render(t, s)
}

var (
	emptyLine    = regexp.MustCompile(`(?m)^  "\w+": (null|\[\]),?\n`)
	durationLine = regexp.MustCompile(`"(timeout|visibilityTimeout|delay|retention|receiveWait|window|maxRecordAge|maxAge)": (\d+)`)
	lastComma    = regexp.MustCompile(`,\n}`)
)

// render writes a stack as JSON for people: durations as text, empty lists not
// at all.
func render(t *testing.T, s *stack.Stack) string {
	t.Helper()
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s); err != nil {
		t.Fatal(err)
	}
	text := emptyLine.ReplaceAllString(out.String(), "")
	text = lastComma.ReplaceAllString(text, "\n}")
	return durationLine.ReplaceAllStringFunc(text, func(line string) string {
		name, digits, _ := strings.Cut(line, ": ")
		nanoseconds, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return name + ": " + strconv.Quote(time.Duration(nanoseconds).String())
	})
}
