package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// State says how a rule stands to AWS.
type State string

// The states of a rule.
const (
	// Matches: AWS documents it, or it was observed there, and Gatepost does the
	// same.
	Matches State = "aws"
	// Choice: AWS is not known here, or sources disagree; the rule's text is what
	// Gatepost does.
	Choice State = "choice"
	// Open: Gatepost does not do it; the text ends with the reason.
	Open State = "open"
)

// title is how the page names a state.
func (s State) title() string {
	switch s {
	case Matches:
		return "matches AWS"
	case Choice:
		return "our choice"
	case Open:
		return "not yet"
	}
	return string(s)
}

// Rule is one line of the list.
type Rule struct {
	// Slug names the rule for good: "section.words-with-hyphens".
	Slug    string
	State   State
	Sources []Source
	// Text is the rule in one or two sentences, with code between backquotes.
	Text string
	// Line is the rule's line in the file, from 1.
	Line int
}

// Section is a chapter of the list.
type Section struct {
	// Name is the part of a slug before the dot.
	Name, Title string
	Rules       []Rule
}

// List is every rule, by section, in the file's order. It is read-only once
// parsed.
type List struct {
	Sections []Section
	bySlug   map[string]*Rule
}

// Rule returns the rule with this slug, or nil.
func (l *List) Rule(slug string) *Rule { return l.bySlug[slug] }

var (
	sectionLine = regexp.MustCompile(`^\[([a-z][a-z0-9-]*)\] (\S.*)$`)
	slugForm    = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9]+(-[a-z0-9]+)*$`)
)

// reasonMark begins the reason of an open rule, in its text.
const reasonMark = "Why: "

// Parse reads a list of rules: comments ("# ..."), sections ("[name] Title") and
// rules ("slug | state | sources | text"), one a line. The error has a sentence
// for each bad line, which begins with "file:line: ".
func Parse(file, text string) (*List, error) {
	l := &List{bySlug: make(map[string]*Rule)}
	var problems []error
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if err := l.parseLine(strings.TrimSpace(line), number); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, number, err))
		}
	}
	for i := range l.Sections {
		for j := range l.Sections[i].Rules {
			rule := &l.Sections[i].Rules[j]
			if first := l.bySlug[rule.Slug]; first != nil {
				problems = append(problems, fmt.Errorf("%s:%d: the slug %s is taken by the rule of line %d", file, rule.Line, rule.Slug, first.Line))
				continue
			}
			l.bySlug[rule.Slug] = rule
		}
	}
	if len(l.bySlug) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("%s:%d: the list has no rules", file, number))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return l, nil
}

func (l *List) parseLine(line string, number int) error {
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case strings.HasPrefix(line, "["):
		return l.parseSection(line)
	case len(l.Sections) == 0:
		return errors.New("a rule stands before the first section; write a line \"[name] Title\" above it")
	}
	section := &l.Sections[len(l.Sections)-1]
	rule, err := parseRule(line)
	if err != nil {
		return err
	}
	if name, _, _ := strings.Cut(rule.Slug, "."); name != section.Name {
		return fmt.Errorf("the slug %s does not belong to the section [%s]; its name begins with %q", rule.Slug, section.Name, section.Name+".")
	}
	rule.Line = number
	section.Rules = append(section.Rules, rule)
	return nil
}

func (l *List) parseSection(line string) error {
	parts := sectionLine.FindStringSubmatch(line)
	if parts == nil {
		return errors.New("a section is written \"[name] Title\", its name in lower case")
	}
	for _, s := range l.Sections {
		if s.Name == parts[1] {
			return fmt.Errorf("the section [%s] is there already; put its rules together", s.Name)
		}
	}
	l.Sections = append(l.Sections, Section{Name: parts[1], Title: parts[2]})
	return nil
}

func parseRule(line string) (Rule, error) {
	fields := strings.Split(line, " | ")
	if len(fields) != 4 {
		return Rule{}, fmt.Errorf("the line has %d fields, not four; a rule is written \"slug | state | sources | text\"", len(fields))
	}
	rule := Rule{Slug: fields[0], State: State(fields[1]), Text: fields[3]}
	if !slugForm.MatchString(rule.Slug) {
		return rule, fmt.Errorf("the slug %q is not of the form section.words-with-hyphens", rule.Slug)
	}
	switch rule.State {
	case Matches, Choice, Open:
	default:
		return rule, fmt.Errorf("the state %q is none of aws, choice, open", fields[1])
	}
	if err := checkText(rule); err != nil {
		return rule, err
	}
	var err error
	rule.Sources, err = parseSources(fields[2])
	if err == nil && rule.State == Matches && rule.Sources[0].Kind == Unknown {
		err = errors.New("a rule of the state aws needs a source; without one it is a choice")
	}
	return rule, err
}

// checkText holds the texts to what the page promises.
func checkText(rule Rule) error {
	switch {
	case strings.TrimSpace(rule.Text) == "":
		return errors.New("the rule has no text")
	case !strings.HasSuffix(rule.Text, "."):
		return errors.New("the rule's text does not end with a full stop; is it whole?")
	case strings.Count(rule.Text, "`")%2 != 0:
		return errors.New("a backquote in the rule's text has no partner")
	case rule.State == Open && reason(rule.Text) == "":
		return fmt.Errorf("the open rule has no reason; end its text with %q and a sentence", reasonMark)
	}
	return nil
}

// reason returns what stands behind reasonMark.
func reason(text string) string {
	_, why, _ := strings.Cut(text, reasonMark)
	return strings.Trim(why, ". ")
}
