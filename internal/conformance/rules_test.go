package conformance

import (
	"strings"
	"testing"
)

func TestRulesAreRead(t *testing.T) {
	list, err := Parse("r.txt", strings.Join([]string{
		"# a comment",
		"[a] First",
		"a.one | aws | aws:limits; rfc:5.4; cfn:AWS::ApiGatewayV2::Route; github:a-b/c.d#12; observed: transcripts | Text with `a || b`.",
		"",
		"[b-c] Second",
		"b-c.two-words | choice | unknown | Text.",
		"  b-c.3 | open | unknown | Text. Why: no reason to.  ",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Sections) != 2 || list.Sections[1].Name != "b-c" || list.Sections[1].Title != "Second" || len(list.Sections[1].Rules) != 2 {
		t.Fatalf("the sections are %+v", list.Sections)
	}
	one := list.Rule("a.one")
	if one == nil || one.State != Matches || one.Line != 3 || one.Text != "Text with `a || b`." || len(one.Sources) != 5 {
		t.Errorf("a.one is %+v", one)
	}
	if three := list.Rule("b-c.3"); three == nil || three.State != Open || reason(three.Text) != "no reason to" {
		t.Errorf("b-c.3 is %+v", three)
	}
	if list.Rule("a.two") != nil {
		t.Error("a rule that is not there was found")
	}
}

func TestBadRulesAreNamedWithFileAndLine(t *testing.T) {
	const before = "[a] A\na.ok | aws | aws:limits | Text.\n"
	for _, test := range []struct{ name, text, want string }{
		{"three fields", before + "a.b | aws | Text.", "r.txt:3: the line has 3 fields, not four"},
		{"five fields", before + "a.b | aws | unknown | Text | more.", "r.txt:3: the line has 5 fields, not four"},
		{"slug with capitals", before + "a.B | aws | aws:limits | Text.", `r.txt:3: the slug "a.B" is not of the form`},
		{"slug without section", before + "b | aws | aws:limits | Text.", `r.txt:3: the slug "b" is not of the form`},
		{"slug of another section", before + "b.c | aws | aws:limits | Text.", `r.txt:3: the slug b.c does not belong to the section [a]; its name begins with "a."`},
		{"same slug twice", before + "a.ok | choice | unknown | Text.", "r.txt:3: the slug a.ok is taken by the rule of line 2"},
		{"unknown state", before + "a.b | done | aws:limits | Text.", `r.txt:3: the state "done" is none of aws, choice, open`},
		{"no text", before + "a.b | aws | aws:limits |  ", "r.txt:3: the line has 3 fields"},
		{"half a sentence", before + "a.b | aws | aws:limits | Text", "r.txt:3: the rule's text does not end with a full stop"},
		{"half a code span", before + "a.b | aws | aws:limits | Text `x.", "r.txt:3: a backquote in the rule's text has no partner"},
		{"open without a reason", before + "a.b | open | unknown | Text.", "r.txt:3: the open rule has no reason"},
		{"open with an empty reason", before + "a.b | open | unknown | Text. Why: .", "r.txt:3: the open rule has no reason"},
		{"matched without a source", before + "a.b | aws | unknown | Text.", "r.txt:3: a rule of the state aws needs a source"},
		{"empty source", before + "a.b | aws | aws:limits; | Text.", "r.txt:3: a source is empty"},
		{"page with a space", before + "a.b | aws | aws:a page | Text.", `r.txt:3: the source "aws:a page" is not of the form`},
		{"page that leaves its link", before + "a.b | aws | aws:x) | Text.", `r.txt:3: the source "aws:x)" is not of the form`},
		{"resource type", before + "a.b | aws | cfn:Route | Text.", `r.txt:3: the source "cfn:Route"`},
		{"section of the RFC", before + "a.b | aws | rfc:5.x | Text.", `r.txt:3: the source "rfc:5.x"`},
		{"thread without a number", before + "a.b | aws | github:a/b | Text.", `r.txt:3: the source "github:a/b"`},
		{"thread with the number 0", before + "a.b | aws | github:a/b#0 | Text.", `r.txt:3: the source "github:a/b#0"`},
		{"rule before any section", "a.b | aws | aws:limits | Text.", "r.txt:1: a rule stands before the first section"},
		{"section without a title", "[a]", `r.txt:1: a section is written "[name] Title"`},
		{"section twice", before + "[a] Again", "r.txt:3: the section [a] is there already"},
		{"no rules", "# nothing", "r.txt:1: the list has no rules"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("r.txt", test.text)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("the error is %v, which does not begin with %q", err, test.want)
			}
		})
	}
}

func TestEveryBadLineIsNamedAtOnce(t *testing.T) {
	_, err := Parse("r.txt", "[a] A\nx\na.ok | aws | aws:limits | Text.\ny\n")
	if err == nil || !strings.Contains(err.Error(), "r.txt:2: ") || !strings.Contains(err.Error(), "r.txt:4: ") {
		t.Errorf("the error is %v", err)
	}
}

func TestSourcesBecomeLinks(t *testing.T) {
	for text, want := range map[string]string{
		"aws:limits":                    "[limits](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)",
		"cfn:AWS::ApiGatewayV2::Route":  "[AWS::ApiGatewayV2::Route](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-route.html)",
		"rfc:7.4.1":                     "[RFC 6455, 7.4.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1)",
		"github:aws/chalice#2060":       "[aws/chalice#2060](https://github.com/aws/chalice/issues/2060)",
		"unknown":                       "AWS unknown",
		"observed: a | b":               `observed: a \| b`,
		"Velocity user guide: literals": "Velocity user guide: literals",
	} {
		source, err := parseSource(text)
		if err != nil || source.markdown() != want {
			t.Errorf("%s is shown as %s, %v; want %s", text, source.markdown(), err, want)
		}
	}
}

// FuzzParse looks for lists that crash the parser or that it accepts though
// the page could not show them.
func FuzzParse(f *testing.F) {
	f.Add(smallList)
	f.Add("[a] A\na.b | open | unknown; rfc:1.1 | `x` | y. Why: z.")
	f.Add("[a] A\n[b] B\nb.c | aws | github:a/b#1 | x.\nb.c | aws | : | .")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Parse("r.txt", text)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Fatalf("an error has an empty line: %q", err)
				}
			}
			return
		}
		for _, section := range list.Sections {
			for i := range section.Rules {
				if found := list.Rule(section.Rules[i].Slug); found == nil || found.Line != section.Rules[i].Line {
					t.Fatalf("the rule %+v cannot be found", section.Rules[i])
				}
			}
		}
		page := Page(list, new(Claims))
		rows := 0
		for line := range strings.SplitSeq(page, "\n") {
			if strings.HasPrefix(line, "| `") {
				rows++
			}
		}
		if rows != len(list.bySlug) {
			t.Fatalf("the page has %d rows for %d rules", rows, len(list.bySlug))
		}
	})
}
