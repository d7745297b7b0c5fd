package vtl

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// goldenData is the data.json of a golden.
type goldenData struct {
	Body           string
	Path           map[string]string
	Query          map[string]string
	Header         map[string]string
	Context        json.RawMessage
	StageVariables map[string]string
}

// TestGoldens holds whole templates, as users write them, against what they
// write: testdata/*.txtar with template.vtl, data.json and output. The line
// break at the end of template and output belongs to the file.
func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d goldens, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			parts := readGolden(t, file)
			template, err := Parse(strings.TrimSuffix(parts["template.vtl"], "\n"))
			if err != nil {
				t.Fatal(err)
			}
			out, err := template.Execute(context.Background(), goldenInput(t, parts["data.json"]), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSuffix(parts["output"], "\n"); string(out) != want {
				t.Errorf("writes\n%s\nwant\n%s", out, want)
			}
			if strings.HasSuffix(file, ".json.txtar") && !jsonpath.Valid(out) {
				t.Errorf("the output is no JSON:\n%s", out)
			}
		})
	}
}

func readGolden(t testing.TB, file string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range txtar.Parse(raw).Files {
		parts[f.Name] = string(f.Data)
	}
	return parts
}

func goldenInput(t testing.TB, raw string) *Data {
	t.Helper()
	var g goldenData
	if err := json.Unmarshal([]byte(raw), &g); err != nil {
		t.Fatal(err)
	}
	d := &Data{Body: []byte(g.Body), Path: g.Path, Query: g.Query, Header: g.Header, StageVariables: g.StageVariables}
	if g.Context != nil {
		var err error
		if d.Context, err = jsonpath.Parse(g.Context); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
