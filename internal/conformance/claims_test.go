package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scanText reads one test file that begins with the usual imports.
func scanText(body string) *Claims {
	c := new(Claims)
	c.scanGo(map[string][]byte{"x/x_test.go": []byte("package x; import (\"testing\"; \"" + importPath + "\")\n" + body)})
	c.tidy()
	return c
}

func (c *Claims) summary() (lines []string) {
	for _, claim := range c.All {
		line := fmt.Sprintf("%s %s:%d %s", claim.Slug, claim.File, claim.Line, claim.Test)
		if claim.MaySkip {
			line += " may skip"
		}
		lines = append(lines, line)
	}
	return append(lines, c.Problems...)
}

func TestClaimsAreFoundInTests(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"literals", `func TestA(t *testing.T) { conformance.Covers(t, "a.one", "a.two a.three") }`,
			[]string{"a.one x/x_test.go:2 TestA", "a.three x/x_test.go:2 TestA", "a.two x/x_test.go:2 TestA"}},
		{"raw literal", "func TestA(t *testing.T) { conformance.Covers(t, `a.one`) }", []string{"a.one x/x_test.go:2 TestA"}},
		{"within a closure", `func TestA(t *testing.T) { t.Run("b", func(t *testing.T) { conformance.Covers(t, "a.one") }) }`, []string{"a.one x/x_test.go:2 TestA"}},
		{"fuzz target", `func FuzzA(f *testing.F) { conformance.Covers(f, "a.one") }`, []string{"a.one x/x_test.go:2 FuzzA"}},
		{"said twice", `func TestA(t *testing.T) { conformance.Covers(t, "a.one"); conformance.Covers(t, "a.one") }`, []string{"a.one x/x_test.go:2 TestA"}},
		{"field of a table", `func TestA(t *testing.T) {
			for _, test := range []struct{ rule string }{{rule: "a.one"}, {rule: "a.two a.three"}, {}} { conformance.Covers(t, test.rule) } }`,
			[]string{"a.one x/x_test.go:3 TestA", "a.three x/x_test.go:3 TestA", "a.two x/x_test.go:3 TestA"}},
		{"list in a table", `func TestA(t *testing.T) {
			for _, test := range []row{{rules: []string{"a.one", "a.two"}}} { conformance.Covers(t, test.rules...) } }`,
			[]string{"a.one x/x_test.go:3 TestA", "a.two x/x_test.go:3 TestA"}},
		{"table beside the test", `var rows = []row{{rule: "a.one"}}
			var others = []row{{rule: "a.two"}}
			func TestA(t *testing.T) { for _, r := range rows { conformance.Covers(t, r.rule) } }`, []string{"a.one x/x_test.go:4 TestA"}},
		{"table that is not passed on", `func TestA(t *testing.T) { _ = row{rule: "a.one"} }`, nil},
		{"another package's Covers", `func TestA(t *testing.T) { other.Covers(t, "a.one") }`, nil},
		{"in a comment or a text", "func TestA(t *testing.T) { /* conformance.Covers(t, \"a.one\") */ _ = `conformance.Covers(t, \"a.one\")` }", nil},
		{"nothing to go by", `func TestA(t *testing.T) { conformance.Covers(t, slug()) }`, []string{"x/x_test.go:2: Covers is given something else than string literals, and the test has no table with a field \"rule:\" that could say what"}},
		{"in a shared function", `func check(t *testing.T) { conformance.Covers(t, "a.one") }`, []string{"x/x_test.go:2: Covers is called outside of a test function, where no test can be named; call it in the test itself"}},
		{"in a method", `func (s suite) TestA(t *testing.T) { conformance.Covers(t, "a.one") }`, []string{"x/x_test.go:2: Covers is called outside of a test function, where no test can be named; call it in the test itself"}},
		{"in a variable", `var _ = func(t *testing.T) { conformance.Covers(t, "a.one") }`, []string{"x/x_test.go:2: Covers is called outside of a test function, where no test can be named; call it in the test itself"}},
		{"no Go", `func TestA( {`, []string{"x/x_test.go:2: the file cannot be parsed, so its claims are not counted"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := scanText(test.body).summary(); !slices.Equal(got, test.want) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestAClaimSaysWhetherItsTestMaySkip(t *testing.T) {
	for _, test := range []struct {
		name, body string
		may        bool
	}{
		{"never", `func TestA(t *testing.T) { conformance.Covers(t, "a.one") }`, false},
		{"in the test", `func TestA(t *testing.T) { if testing.Short() { t.Skip("short") }; conformance.Covers(t, "a.one") }`, true},
		{"in a shared function", `func need(tb testing.TB) { tb.Skipf("no %s", "x") }; func TestA(t *testing.T) { need(t); conformance.Covers(t, "a.one") }`, true},
		{"two calls down", `func a(t *testing.T) { b(t) }; func b(t *testing.T) { t.SkipNow() }; func TestA(t *testing.T) { a(t); conformance.Covers(t, "a.one") }`, true},
		{"in a method", `func (h *harness) need(t *testing.T) { t.Skip() }; func TestA(t *testing.T) { h.need(t); conformance.Covers(t, "a.one") }`, true},
		{"another's Skip", `func TestA(t *testing.T) { decoder.Skip(); conformance.Covers(t, "a.one") }`, false},
		{"another test's", `func TestB(t *testing.T) { t.Skip() }; func TestA(t *testing.T) { conformance.Covers(t, "a.one") }`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			claims := scanText(test.body).By("a.one")
			if len(claims) != 1 || claims[0].MaySkip != test.may {
				t.Errorf("the claims are %+v", claims)
			}
		})
	}
}

func TestClaimsAreFoundInScripts(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"one and several", "# hello\n# rule: a.one\nexec x\n# rule:  a.two   a.three\n", []string{"a.one s.txtar:2 ", "a.three s.txtar:4 ", "a.two s.txtar:4 "}},
		{"Windows line ends", "# rule: a.one\r\nexec x\r\n", []string{"a.one s.txtar:1 "}},
		{"may skip", "# rule: a.one\n[!exec:node] skip 'no node'\n", []string{"a.one s.txtar:1  may skip"}},
		{"skips nothing", "# rule: a.one\n# skip this\nexec skip\n-- f --\nskip\n", []string{"a.one s.txtar:1 "}},
		{"no slug", "# rule:\n", []string{`s.txtar:1: "# rule:" names no rule`}},
		{"in a file of the archive", "exec x\n-- f.yaml --\n# rule: a.one\n", []string{`s.txtar:3: "# rule:" stands within a file of the archive, where it claims nothing; move it above the first one`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := new(Claims)
			c.scanScript("s.txtar", test.text)
			c.tidy()
			if got := c.summary(); !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheModuleIsSearched(t *testing.T) {
	root := t.TempDir()
	test := func(name, slug string) string {
		return "package x; import (\"testing\"; c \"" + importPath + "\")\nfunc " + name + "(t *testing.T) { c.Covers(t, \"" + slug + "\") }"
	}
	for name, text := range map[string]string{
		"go.mod":                   "module m",
		"top_test.go":              test("TestTop", "a.top"),
		"internal/x/x_test.go":     test("TestX", "a.x"),
		"internal/x/y_test.go":     test("TestY", "a.x"),
		"internal/x/x.go":          "package x; import _ \"" + importPath + "\"",
		"internal/x/clean.go":      "package x; import _ \"fmt\"",
		"other/go.mod":             "module other",
		"other/o_test.go":          test("TestOther", "a.other"),
		"testdata/t_test.go":       test("TestData", "a.data"),
		".hidden/h_test.go":        test("TestHidden", "a.hidden"),
		"_old/o_test.go":           test("TestOld", "a.old"),
		"e2e/testdata/one.txtar":   "# rule: a.script\n",
		"e2e/testdata/one.txt":     "# rule: a.text\n",
		"internal/x/testdata/z.go": "package",
	} {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	claims, err := Scan(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a.script e2e/testdata/one.txtar:1 ",
		"a.top top_test.go:2 TestTop",
		"a.x internal/x/x_test.go:2 TestX",
		"a.x internal/x/y_test.go:2 TestY",
		"internal/x/x.go:1: the file is no test but imports " + importPath + ", which would put it into the program",
	}
	if got := claims.summary(); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := Scan(filepath.Join(root, "missing")); err == nil {
		t.Error("a folder that is not there was read")
	}
}

// FuzzClaims looks for test files and scripts that crash the reading.
func FuzzClaims(f *testing.F) {
	f.Add(`func TestA(t *testing.T) { for _, x := range rows { conformance.Covers(t, x.rule, "a.b") } }; var rows, more = []r{{rule: "a"}}, 1`)
	f.Add("func TestA()\nfunc (Test) TestB() { conformance.Covers() }\nvar _ = map[any]any{rule: f}")
	f.Add("# rule: a.b\n-- x --\n# rule: a")
	f.Fuzz(func(t *testing.T, text string) {
		c := scanText(text)
		c.scanScript("s.txtar", text)
		c.tidy()
		for _, claim := range c.All {
			if !slices.Contains(c.By(claim.Slug), claim) || claim.Line < 1 {
				t.Fatalf("the claim %+v cannot be found", claim)
			}
		}
	})
}
