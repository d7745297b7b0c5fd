package conformance

import (
	"fmt"
	"strings"
)

// Check compares the rules with what tests claim and returns a sentence for
// each thing that is wrong: a rule without a test, a claim on a rule that does
// not exist, and a test for a rule that is marked as open.
func Check(l *List, c *Claims) []string {
	problems := append([]string(nil), c.Problems...)
	for _, section := range l.Sections {
		for _, rule := range section.Rules {
			claims := c.By(rule.Slug)
			switch {
			case rule.State != Open && len(claims) == 0:
				problems = append(problems, fmt.Sprintf("%s:%d: no test shows the rule %s: call conformance.Covers(t, %q) in one, or write \"# rule: %s\" into a script", rulesFile, rule.Line, rule.Slug, rule.Slug, rule.Slug))
			case rule.State == Open && len(claims) > 0:
				problems = append(problems, fmt.Sprintf("%s:%d: the test claims to show %s, which is marked as open in %s:%d: mark it as done there", claims[0].File, claims[0].Line, rule.Slug, rulesFile, rule.Line))
			}
		}
	}
	for _, claim := range c.All {
		if l.Rule(claim.Slug) == nil {
			problems = append(problems, fmt.Sprintf("%s:%d: the test claims to show %q, which %s does not have", claim.File, claim.Line, claim.Slug, rulesFile))
		}
	}
	return problems
}

// Page writes CONFORMANCE.md.
func Page(l *List, c *Claims) string {
	var b strings.Builder
	b.WriteString(pageHead)
	writeCounts(&b, l)
	for _, section := range l.Sections {
		fmt.Fprintf(&b, "\n## %s\n\n| Rule | State | Source | Shown by |\n|---|---|---|---|\n", escape(section.Title))
		for _, rule := range section.Rules {
			fmt.Fprintf(&b, "| `%s`<br>%s | %s | %s | %s |\n", rule.Slug, escape(rule.Text), rule.State.title(), sourcesCell(rule.Sources), testsCell(c.By(rule.Slug)))
		}
	}
	return b.String()
}

const pageHead = `# Conformance

What an API Gateway WebSocket API does, rule by rule, and which test shows that Gatepost does it too. The rules come from AWS's public pages, from RFC 6455
and from what people have observed on AWS and published; nothing here was compared with a live AWS account by us.

- **matches AWS**: documented or observed on AWS, and the tests of the last column show the same here.
- **our choice**: AWS says nothing, or sources disagree, or it is Gatepost's own; the text is what Gatepost does, and the tests show that.
- **not yet**: Gatepost does not do it; the text says why.
- *AWS unknown* as a source: nothing public says what AWS does; a link behind it leads to what comes nearest.
- *may skip* behind a test: it needs a tool that a machine may lack (Node, Python, a browser) and is skipped there.

This page is written from the tests. The rules are lines of [rules.txt](internal/conformance/rules.txt); a test names those that it shows with ` + "`conformance.Covers`" + `,
a script with ` + "`# rule:`" + `. ` + "`make test`" + ` fails when a rule has no test, when a test names a rule that does not exist, and when this page is stale.
After a change, write it anew with ` + "`go test ./internal/conformance -update`" + `.

`

func writeCounts(b *strings.Builder, l *List) {
	states := []State{Matches, Choice, Open}
	b.WriteString("| Section | Rules | Matches AWS | Our choice | Not yet |\n|---|---:|---:|---:|---:|\n")
	total := make(map[State]int)
	all := 0
	for _, section := range l.Sections {
		count := make(map[State]int)
		for _, rule := range section.Rules {
			count[rule.State]++
			total[rule.State]++
		}
		all += len(section.Rules)
		fmt.Fprintf(b, "| [%s](#%s) | %d", escape(section.Title), anchor(section.Title), len(section.Rules))
		for _, s := range states {
			fmt.Fprintf(b, " | %d", count[s])
		}
		b.WriteString(" |\n")
	}
	fmt.Fprintf(b, "| **All** | **%d**", all)
	for _, s := range states {
		fmt.Fprintf(b, " | **%d**", total[s])
	}
	b.WriteString(" |\n")
}

// anchor is the link target that GitHub gives a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}

func sourcesCell(sources []Source) string {
	cells := make([]string, len(sources))
	for i, s := range sources {
		cells[i] = s.markdown()
	}
	return strings.Join(cells, "<br>")
}

func testsCell(claims []Claim) string {
	if len(claims) == 0 {
		return "–"
	}
	cells := make([]string, len(claims))
	for i, claim := range claims {
		name := claim.Test
		if name == "" {
			name = claim.File[strings.LastIndexByte(claim.File, '/')+1:]
		}
		cells[i] = fmt.Sprintf("[%s](%s)", escape(name), claim.File)
		if claim.MaySkip {
			cells[i] += " *may skip*"
		}
	}
	return strings.Join(cells, "<br>")
}

// escape keeps a text within its table cell, and what is not between
// backquotes from being taken for Markdown (a dollar begins a formula on
// GitHub).
func escape(text string) string {
	var b strings.Builder
	inCode := false
	for _, r := range text {
		switch r {
		case '`':
			inCode = !inCode
		case '|':
			b.WriteByte('\\')
		case '$', '*', '_', '<', '[', ']', '\\':
			if !inCode {
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
