// Package golden owns archives that hold the inputs of a test and what is expected
// of them, want.json or want.err, and the flag -update that rewrites the latter.
// Only tests import it.
package golden

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
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// Run runs a test of each archive in testdata. There must be at least so many.
func Run(t *testing.T, least int, test func(t *testing.T, c *Case)) {
	t.Helper()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < least {
		t.Fatalf("found %d archives in testdata, want %d or more (%v)", len(archives), least, err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			test(t, read(t, name))
		})
	}
}

// Case is an archive, taken apart.
type Case struct {
	// Inputs are the files but the expected one, in their order.
	Inputs []txtar.File

	archive          string
	comment          []byte
	wantName, wanted string
}

func read(t *testing.T, name string) *Case {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &Case{archive: name, comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			c.wantName, c.wanted = f.Name, string(f.Data)
			continue
		}
		c.Inputs = append(c.Inputs, f)
	}
	return c
}

// Check compares an outcome with the expected one: a value, as JSON for people, or
// an error. Where the outcome names the folder of the test, an archive has DIR.
func (c *Case) Check(t *testing.T, dir string, value any, err error) {
	t.Helper()
	name, got := "want.json", ""
	if err != nil {
		name, got = "want.err", err.Error()+"\n"
	} else {
		got = render(t, value)
	}
	if dir != "" {
		got = strings.ReplaceAll(got, dir, "DIR")
	}
	if *update {
		all := &txtar.Archive{Comment: c.comment, Files: append(c.Inputs, txtar.File{Name: name, Data: []byte(got)})}
		if err := os.WriteFile(c.archive, txtar.Format(all), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if name != c.wantName || got != c.wanted {
		t.Errorf("%s (run with -update to accept)\n got %s:\n%s\nwant %s:\n%s", c.comment, name, got, c.wantName, c.wanted)
	}
}

var (
	emptyLine    = regexp.MustCompile(`(?m)^  "\w+": (null|\[\]),?\n`)
	durationLine = regexp.MustCompile(`"(timeout|visibilityTimeout|delay|retention|receiveWait|window|maxRecordAge|maxAge)": (\d+)`)
	lastComma    = regexp.MustCompile(`,\n}`)
)

// render writes a value as JSON for people: durations as text, empty lists not at
// all.
func render(t *testing.T, value any) string {
	t.Helper()
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
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
