package conformance

import (
	"slices"
	"strings"
	"testing"
)

const smallList = "[a] Handshake, $connect\n" +
	"a.one | aws | aws:limits; rfc:5.4 | Text with `a || b` and $connect or $disconnect.\n" +
	"a.two | choice | unknown | Our <way> of *it*.\n" +
	"a.three | open | unknown | Text. Why: no reason to.\n"

func parseSmall(t *testing.T) *List {
	t.Helper()
	list, err := Parse("r.txt", smallList)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestThePage(t *testing.T) {
	claims := &Claims{All: []Claim{
		{Slug: "a.one", File: "e2e/testdata/routes.txtar", Line: 1},
		{Slug: "a.one", File: "x/x_test.go", Test: "TestA_b", Line: 2, MaySkip: true},
		{Slug: "a.two", File: "x/x_test.go", Test: "TestTwo", Line: 3},
	}}
	page := Page(parseSmall(t), claims)
	for _, want := range []string{
		"\n| [Handshake, \\$connect](#handshake-connect) | 3 | 1 | 1 | 1 |\n| **All** | **3** | **1** | **1** | **1** |\n",
		"\n## Handshake, \\$connect\n\n| Rule | State | Source | Shown by |\n|---|---|---|---|\n",
		"\n| `a.one`<br>Text with `a \\|\\| b` and \\$connect or \\$disconnect. | matches AWS | " +
			"[limits](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)<br>[RFC 6455, 5.4](https://www.rfc-editor.org/rfc/rfc6455#section-5.4) | " +
			"[routes.txtar](e2e/testdata/routes.txtar)<br>[TestA\\_b](x/x_test.go) *may skip* |\n",
		"\n| `a.two`<br>Our \\<way> of \\*it\\*. | our choice | AWS unknown | [TestTwo](x/x_test.go) |\n",
		"\n| `a.three`<br>Text. Why: no reason to. | not yet | AWS unknown | – |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	claim := func(slug string) Claim { return Claim{Slug: slug, File: "x/x_test.go", Test: "TestX", Line: 7} }
	for _, test := range []struct {
		name   string
		claims Claims
		want   []string
	}{
		{"all well", Claims{All: []Claim{claim("a.one"), claim("a.two")}}, nil},
		{"a rule without a test", Claims{All: []Claim{claim("a.one")}}, []string{
			rulesFile + `:3: no test shows the rule a.two: call conformance.Covers(t, "a.two") in one, or write "# rule: a.two" into a script`}},
		{"several", Claims{}, []string{
			rulesFile + `:2: no test shows the rule a.one: call conformance.Covers(t, "a.one") in one, or write "# rule: a.one" into a script`,
			rulesFile + `:3: no test shows the rule a.two: call conformance.Covers(t, "a.two") in one, or write "# rule: a.two" into a script`}},
		{"a rule that is not there", Claims{All: []Claim{claim("a.0"), claim("a.one"), claim("a.two")}}, []string{
			`x/x_test.go:7: the test claims to show "a.0", which ` + rulesFile + ` does not have`}},
		{"an open rule with a test", Claims{All: []Claim{claim("a.one"), claim("a.three"), claim("a.two")}}, []string{
			`x/x_test.go:7: the test claims to show a.three, which is marked as open in ` + rulesFile + `:4: mark it as done there`}},
		{"a claim that cannot be read", Claims{All: []Claim{claim("a.one"), claim("a.two")}, Problems: []string{"y.go:1: bad"}}, []string{"y.go:1: bad"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Check(parseSmall(t), &test.claims); !slices.Equal(got, test.want) {
				t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
