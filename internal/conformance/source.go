package conformance

import (
	"fmt"
	"regexp"
	"strings"
)

// SourceKind says what a source's reference means.
type SourceKind string

// The kinds of sources. The prefix in the list is the kind and a colon.
const (
	// DeveloperGuide is a page of the API Gateway developer guide, by its file
	// name without ".html".
	DeveloperGuide SourceKind = "aws"
	// CloudFormation is the reference of a resource type.
	CloudFormation SourceKind = "cfn"
	// RFC is a section of RFC 6455.
	RFC SourceKind = "rfc"
	// GitHub is a public thread, OWNER/REPO#N.
	GitHub SourceKind = "github"
	// Unknown: no public source says what AWS does.
	Unknown SourceKind = "unknown"
	// Words is anything else, such as "observed: public transcripts".
	Words SourceKind = ""
)

// Source is where a rule comes from.
type Source struct {
	Kind SourceKind
	// Reference is what follows the kind, or the words.
	Reference string
}

// The forms of references: what makes a working link, and nothing that could
// end one early.
var referenceForms = map[SourceKind]*regexp.Regexp{
	DeveloperGuide: regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`),
	CloudFormation: regexp.MustCompile(`^AWS::[A-Za-z0-9]+::[A-Za-z0-9]+$`),
	RFC:            regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`),
	GitHub:         regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+#[1-9][0-9]*$`),
}

func parseSources(field string) ([]Source, error) {
	var sources []Source
	for one := range strings.SplitSeq(field, ";") {
		source, err := parseSource(strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

func parseSource(text string) (Source, error) {
	if text == "" {
		return Source{}, fmt.Errorf("a source is empty; write \"unknown\" where there is none")
	}
	if text == string(Unknown) {
		return Source{Kind: Unknown}, nil
	}
	prefix, reference, _ := strings.Cut(text, ":")
	form := referenceForms[SourceKind(prefix)]
	if form == nil {
		return Source{Reference: text}, nil
	}
	if !form.MatchString(reference) {
		return Source{}, fmt.Errorf("the source %q is not of the form %s", text, form)
	}
	return Source{Kind: SourceKind(prefix), Reference: reference}, nil
}

// markdown is the source as the page shows it, a link where there is a page to
// open.
func (s Source) markdown() string {
	switch s.Kind {
	case DeveloperGuide:
		return fmt.Sprintf("[%s](https://docs.aws.amazon.com/apigateway/latest/developerguide/%s.html)", s.Reference, s.Reference)
	case CloudFormation:
		page := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s.Reference, "AWS::")), "::", "-")
		return fmt.Sprintf("[%s](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-%s.html)", s.Reference, page)
	case RFC:
		return fmt.Sprintf("[RFC 6455, %s](https://www.rfc-editor.org/rfc/rfc6455#section-%s)", s.Reference, s.Reference)
	case GitHub:
		repository, number, _ := strings.Cut(s.Reference, "#")
		return fmt.Sprintf("[%s](https://github.com/%s/issues/%s)", s.Reference, repository, number)
	case Unknown:
		return "AWS unknown"
	}
	return escape(s.Reference)
}
