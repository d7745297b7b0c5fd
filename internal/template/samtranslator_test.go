package template

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestSAMTranslator compares our reading of SAM's resources with our reading of
// what SAM's own translator makes of them: both must come to the same stack.
func TestSAMTranslator(t *testing.T) {
	if err := exec.Command("python3", "-c", "import samtranslator").Run(); err != nil {
		t.Skip("SAM's translator is not here: `pip install aws-sam-translator==1.110.0` installs it for python3.")
	}
	files, err := filepath.Glob("testdata/sam/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d templates (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := LoadBytes("ours.yaml", text, "", Options{StackName: "demo"})
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := LoadBytes("theirs.json", translate(t, text), "", Options{StackName: "demo"})
			if err != nil {
				t.Fatalf("what the translator makes does not load: %v", err)
			}
			if got, want := withoutPlaces(t, ours), withoutPlaces(t, theirs); got != want {
				t.Errorf("ours:\n%s\nthe translator's:\n%s", got, want)
			}
		})
	}
}

func translate(t *testing.T, text []byte) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/sam/translate.py")
	cmd.Stdin = bytes.NewReader(text)
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION=us-east-1")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("the translator: %v\n%s", err, said.String())
	}
	return out.Bytes()
}

var lineOfPlace = regexp.MustCompile(`,?\n *"line": \d+`)

// withoutPlaces writes a stack without what may differ: lines, order, notices.
func withoutPlaces(t *testing.T, s *stack.Stack) string {
	t.Helper()
	s.Notices = nil
	for i := range s.APIs {
		slices.SortFunc(s.APIs[i].Routes, func(a, b apigw.Route) int { return cmp.Compare(a.Key, b.Key) })
	}
	slices.SortFunc(s.Functions, func(a, b stack.Function) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(s.Queues, func(a, b stack.Queue) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(s.Subscriptions, func(a, b stack.Subscription) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(s.Tables, func(a, b stack.Table) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(s.Mappings, func(a, b stack.EventSourceMapping) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	slices.SortFunc(s.Schedules, func(a, b stack.Schedule) int { return cmp.Compare(a.LogicalID, b.LogicalID) })
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return lineOfPlace.ReplaceAllString(string(text), "")
}
