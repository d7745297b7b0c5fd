package serverless

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPluginsAreDocumented holds the page and the tables together.
func TestPluginsAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/serverless.md")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(harmless)
	for name, remedy := range remedies {
		names = append(names, name)
		if text := strings.ReplaceAll(remedy, `"serverless package"`, "`serverless package`"); !strings.Contains(string(data), text) {
			t.Errorf("docs/serverless.md does not say of %s: %s", name, text)
		}
		if slices.Contains(harmless, name) {
			t.Errorf("%s is harmless, and has something to do about it", name)
		}
	}
	for _, name := range names {
		if !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("docs/serverless.md does not name the plugin %s", name)
		}
	}
}
