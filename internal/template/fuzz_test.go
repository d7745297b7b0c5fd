package template

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad checks that whatever the bytes are, loading ends soon, in a stack
// that is valid or in an error, and comes to the same twice.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data, archive.Files[0].Name == "template.json")
	}
	for _, text := range []string{"", "a", "[", "&a [*a]", "{<<: {a: b}}", "? ? ?", "!", "!Sub", "!!binary x", "\ufeff{}", "{\"a\":1,\"a\":2}", "a: *b", "\x00", "- !Ref\n- !GetAtt {}"} {
		f.Add([]byte(text), false)
		f.Add([]byte("Resources:\n  A: "+text), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, isJSON bool) {
		name := "template.yaml"
		if isJSON {
			name = "template.json"
		}
		start := time.Now()
		first := outcomeOf(t, name, data)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if second := outcomeOf(t, name, data); first != second {
			t.Errorf("two loads of one template differ:\n%s\n%s", first, second)
		}
	})
}

func outcomeOf(t *testing.T, name string, data []byte) string {
	s, err := LoadBytes(name, data, "", Options{})
	if err != nil {
		return err.Error()
	}
	if err := s.Validate(); err != nil {
		t.Errorf("the stack is not valid: %v", err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Errorf("the stack has no JSON: %v", err)
	}
	return string(text)
}
