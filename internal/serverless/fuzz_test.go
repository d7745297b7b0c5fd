package serverless

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// FuzzVariables resolves any text as a value of a small configuration: it ends,
// without a panic, in a value or in a reason.
func FuzzVariables(f *testing.F) {
	for _, seed := range []string{
		"${self:custom.a}", "x${self:custom.${self:custom.b}, 'y'}", `\${self:a}`, "${opt:stage, self:provider.stage, \"d\"}", "${file(x.yml):a.b}", "${file(${self:custom.a}, 'b'):c}",
		"${ssm.us-east-1:/a~true}", "${cf(eu-west-1):a.b}", "${strToBool(true)}", "${AWS::Region}", "${self:}", "${env:A, 1, -2.5, true, null}", "${self:custom.me}", "${a:${b:${c:}}}", "${self:custom.a", "${self:custom.a, }",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		root := template.Map(template.Place{})
		custom := template.Map(template.Place{}).With("a", text(template.Place{}, "b")).With("b", text(template.Place{}, "a")).With("me", text(template.Place{}, value))
		root.With("custom", custom).With("provider", template.Map(template.Place{}).With("stage", text(template.Place{}, value)))
		s := newService("serverless.yml", root, "", fuzzOptions)
		got := s.all(custom.Get("me"))
		if got == nil || got.Missing == "" && len(got.Text) > maxText {
			t.Fatalf("%q gives %+v", value, got)
		}
		if !strings.Contains(value, "${") && got.Text != value {
			t.Fatalf("%q has no variable and became %q", value, got.Text)
		}
		s.stage()
		s.region()
	})
}

var fuzzOptions = Options{LookupEnv: func(string) (string, bool) { return "", false }}

// FuzzLoad loads any configuration, without a folder: it ends in a stack or in an
// error, never in a panic.
func FuzzLoad(f *testing.F) {
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		if archive, err := txtar.ParseFile(name); err == nil {
			f.Add(archive.Files[0].Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := LoadBytes("serverless.yml", data, "", fuzzOptions)
		if (s == nil) == (err == nil) {
			t.Fatalf("got a stack %v and the error %v", s, err)
		}
	})
}
