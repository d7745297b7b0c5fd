package template

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

	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/stack"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// TestGolden loads the template of each archive and compares the stack, or the
// error, with what the archive expects. The first file is the template, or the
// manifest of a cloud assembly, which is loaded with its folder;
// options.json holds Options; want.json or want.err is expected; all other
// files lie beside the template, and only with them code paths are looked for.
func TestGolden(t *testing.T) {
	// testdata/integrations.txtar has a VPC link; api-two-way-half.txtar has each
	// half of what makes a route two-way.
	conformance.Covers(t, "integration.vpc-link integration.two-way-response")
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 50 {
		t.Fatalf("found %d archives in testdata, want 50 or more (%v)", len(archives), err)
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
	c := newGoldenCase(t, archive)
	gotName, got := c.run(t)
	if *update {
		c.inputs.Files = append(c.inputs.Files, txtar.File{Name: gotName, Data: []byte(got)})
		if err := os.WriteFile(name, txtar.Format(c.inputs), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if gotName != c.wantName || got != c.want {
		t.Errorf("%s (run with -update to accept)\n got %s:\n%s\nwant %s:\n%s", c.inputs.Comment, gotName, got, c.wantName, c.want)
	}
}

// goldenCase is one archive, taken apart.
type goldenCase struct {
	inputs         *txtar.Archive
	template       txtar.File
	dir            string
	opts           Options
	wantName, want string
}

func newGoldenCase(t *testing.T, archive *txtar.Archive) *goldenCase {
	c := &goldenCase{inputs: &txtar.Archive{Comment: archive.Comment}, template: archive.Files[0], opts: Options{StackName: "demo"}}
	for i, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			c.wantName, c.want = f.Name, string(f.Data)
			continue
		}
		c.inputs.Files = append(c.inputs.Files, f)
		switch {
		case i == 0 && filepath.Base(f.Name) != manifestFile:
		case f.Name == "options.json":
			if err := json.Unmarshal(f.Data, &c.opts); err != nil {
				t.Fatal(err)
			}
		default:
			c.addFile(t, f)
		}
	}
	return c
}

func (c *goldenCase) addFile(t *testing.T, f txtar.File) {
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	path := filepath.Join(c.dir, f.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (c *goldenCase) run(t *testing.T) (name, text string) {
	load := func() (*stack.Stack, error) { return LoadBytes(c.template.Name, c.template.Data, c.dir, c.opts) }
	if filepath.Base(c.template.Name) == manifestFile {
		load = func() (*stack.Stack, error) { return Load(c.dir, c.opts) }
	}
	s, err := load()
	if err != nil {
		return "want.err", c.portable(err.Error()) + "\n"
	}
	return "want.json", c.portable(render(t, s))
}

// portable puts DIR for the folder of the test.
func (c *goldenCase) portable(s string) string {
	if c.dir == "" {
		return s
	}
	return strings.ReplaceAll(s, c.dir, "DIR")
}

var (
	emptyLine    = regexp.MustCompile(`(?m)^  "\w+": (null|\[\]),?\n`)
	durationLine = regexp.MustCompile(`"(timeout|visibilityTimeout|delay|retention|receiveWait|window|maxRecordAge)": (\d+)`)
	lastComma    = regexp.MustCompile(`,\n}`)
)

// render writes a stack as JSON for people: durations as text, empty lists not
// at all.
func render(t *testing.T, s *stack.Stack) string {
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
