package function

import (
	"os"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

func TestCodeInTheTemplate(t *testing.T) {
	needs(t, "node", "nodejs")
	needs(t, "python3")
	h := newTestHost(t, nil)
	for name, f := range map[string]stack.Function{
		"js":      {Runtime: "nodejs22.x", Inline: "exports.handler = async (event) => event.n + 1"},
		"another": {Runtime: "nodejs22.x", Inline: "exports.handler = async (event) => event.n + 2"},
		"py":      {Runtime: "python3.12", Inline: "def handler(event, context):\n  return event['n'] + 3"},
	} {
		f.Name, f.Handler, f.Timeout, f.MemoryMB = name, "index.handler", 20*time.Second, 128
		if err := h.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	// The second time it is all there.
	for range 2 {
		if err := h.Build(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"js": "2", "another": "3", "py": "4"} {
		if got := h.invoke(name, `{"n":1}`); got != want {
			t.Errorf("%s answered %s, want %s", name, got, want)
		}
	}
}

func TestInlineCodeOfGoIsRefused(t *testing.T) {
	for _, runtime := range []string{"provided.al2023", "go1.x", "ruby3.3"} {
		b := &builder{cacheDir: t.TempDir()}
		if _, err := b.writeInline(&stack.Function{Name: "f", Runtime: runtime, Inline: "x"}); err == nil {
			t.Errorf("code of %s was taken from the template", runtime)
		}
		if left, _ := os.ReadDir(b.cacheDir); len(left) > 0 {
			t.Errorf("it left %v behind", left)
		}
	}
}
