package schedule

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// Bounds of an input transformer (API reference of InputTransformer).
const (
	maxVariables = 100
	maxTemplate  = 8192
)

// The variables that every rule has ("Predefined variables" in the EventBridge
// user guide).
const (
	ruleARN       = "aws.events.rule-arn"
	ruleName      = "aws.events.rule-name"
	ingestionTime = "aws.events.event.ingestion-time"
	eventOnly     = "aws.events.event"      // the event without its detail
	wholeEvent    = "aws.events.event.json" // the event
)

var variableName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// Transformer is the InputTransformer of a rule's target: paths that take
// variables from the event, and a template that says them. It never changes.
type Transformer struct {
	paths    map[string]*jsonpath.Path
	template string
	// isJSON is true when the template is JSON, or JSON strings on several lines,
	// and not just text.
	isJSON bool
}

// NewTransformer reads an InputPathsMap and an InputTemplate. The error names
// the variable that is wrong, or not there.
func NewTransformer(paths map[string]string, template string) (*Transformer, error) {
	if template == "" || len(template) > maxTemplate {
		return nil, fmt.Errorf("an InputTemplate has 1 to %d bytes, and this one has %d", maxTemplate, len(template))
	}
	if len(paths) > maxVariables {
		return nil, fmt.Errorf("an InputPathsMap has %d variables at most, and this one has %d", maxVariables, len(paths))
	}
	t := &Transformer{paths: make(map[string]*jsonpath.Path, len(paths)), template: template, isJSON: looksLikeJSON(template)}
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		if !variableName.MatchString(name) || strings.HasPrefix(strings.ToLower(name), "aws.") {
			return nil, fmt.Errorf("%.60q is not the name of a variable: it has letters, digits, _ and -", name)
		}
		path, err := jsonpath.Compile(paths[name])
		if err != nil {
			return nil, fmt.Errorf("the variable %s: %w", name, err)
		}
		t.paths[name] = path
	}
	_, err := t.fill(func(name string) (jsonpath.Value, error) {
		if t.paths[name] == nil && !slices.Contains([]string{ruleARN, ruleName, ingestionTime, eventOnly, wholeEvent}, name) {
			return jsonpath.Value{}, fmt.Errorf("the template has <%.60s>, which the InputPathsMap does not define", name)
		}
		return jsonpath.Value{}, nil
	})
	return t, err
}

// looksLikeJSON tells JSON, and lines of JSON strings, from text that a service
// gets as it is.
func looksLikeJSON(template string) bool {
	trimmed := strings.TrimSpace(template)
	return strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, `"`) ||
		strings.HasPrefix(trimmed, "<") && strings.IndexByte(trimmed, '>') == len(trimmed)-1
}

// Apply returns what the target gets of an event of the rule with that ARN. The
// error is about an event that is no JSON.
func (t *Transformer) Apply(arn string, event []byte) ([]byte, error) {
	all, err := jsonpath.Parse(event)
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	return t.fill(func(name string) (jsonpath.Value, error) {
		switch name {
		case ruleARN:
			return jsonpath.StringOf(arn), nil
		case ruleName:
			return jsonpath.StringOf(arn[strings.LastIndexByte(arn, '/')+1:]), nil
		case ingestionTime:
			at, _ := all.Get("time")
			return at, nil
		case eventOnly:
			return withoutDetail(all), nil
		case wholeEvent:
			return all, nil
		}
		found, ok := t.paths[name].Select(all)
		if !ok {
			return jsonpath.StringOf(""), nil
		}
		return found, nil
	})
}

func withoutDetail(event jsonpath.Value) jsonpath.Value {
	var members []jsonpath.Member
	for i, key := range event.Keys() {
		if key != "detail" {
			members = append(members, jsonpath.Member{Key: key, Value: event.Index(i)})
		}
	}
	return jsonpath.ObjectOf(members...)
}

// fill writes the template with the values of its variables. "<" and ">" cannot
// be escaped, as on AWS.
func (t *Transformer) fill(value func(name string) (jsonpath.Value, error)) ([]byte, error) {
	var out []byte
	quoted := false
	for rest := t.template; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			return append(out, rest...), nil
		}
		quoted = endsQuoted(rest[:i], quoted)
		out = append(out, rest[:i]...)
		name, after, closed := strings.Cut(rest[i+1:], ">")
		if !closed {
			return nil, errors.New("the template has a < without a >")
		}
		v, err := value(name)
		if err != nil {
			return nil, err
		}
		out, rest = t.appendValue(out, v, quoted), after
	}
}

// endsQuoted reports whether a string of JSON is open behind a text.
func endsQuoted(text string, quoted bool) bool {
	escaped := false
	for i := range len(text) {
		switch {
		case escaped:
			escaped = false
		case quoted && text[i] == '\\':
			escaped = true
		case text[i] == '"':
			quoted = !quoted
		}
	}
	return quoted
}

// appendValue appends a value: as JSON, as a part of a string of JSON, where
// objects and lists lose their quotation marks as on AWS, or as bare text.
func (t *Transformer) appendValue(out []byte, v jsonpath.Value, quoted bool) []byte {
	if t.isJSON && !quoted {
		return v.AppendJSON(out)
	}
	text := v.Str()
	if v.Kind() != jsonpath.String && v.Kind() != jsonpath.Number {
		text = strings.ReplaceAll(string(v.JSON()), `"`, "")
	}
	if !quoted {
		return append(out, text...)
	}
	inner := jsonpath.AppendString(nil, text)
	return append(out, inner[1:len(inner)-1]...)
}
