package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/vtl"
)

// templates are mapping templates and the expression that chooses among them.
type templates struct {
	field string
	// choice is nil when the integration has no TemplateSelectionExpression.
	choice *apigw.Expression
	byKey  map[string]*vtl.Template
}

// compileTemplates parses templates; parse is how their expression is read.
func compileTemplates(field string, sources map[string]string, expression string, parse func(string) (*apigw.Expression, error)) (*templates, error) {
	t := &templates{field: field, byKey: make(map[string]*vtl.Template, len(sources))}
	for _, key := range slices.Sorted(maps.Keys(sources)) {
		template, err := vtl.Parse(sources[key])
		if err != nil {
			return nil, fieldError(t.name(key), err)
		}
		t.byKey[key] = template
	}
	if expression == "" {
		return t, nil
	}
	choice, err := parse(expression)
	if err != nil {
		return nil, fieldError("TemplateSelectionExpression", err)
	}
	t.choice = choice
	return t, nil
}

func (t *templates) name(key string) string { return fmt.Sprintf("%s[%s]", t.field, key) }

// choose returns the template with the key that the expression gives, else
// "$default" or "default" as the console has it. Without an expression the key
// "application/json" is taken too: the property's documentation speaks of
// content types, and a message has none of its own. ok is false when there is
// no such template.
func (t *templates) choose(ex *exchange) (key string, ok bool) {
	if len(t.byKey) == 0 {
		return "", false
	}
	keys := make([]string, 0, 3)
	if t.choice != nil {
		if key, evaluated := t.choice.EvaluateWith(ex.expressionValues()); evaluated {
			keys = append(keys, key)
		}
	}
	keys = append(keys, "$default", "default")
	if t.choice == nil {
		keys = append(keys, "application/json")
	}
	for _, key := range keys {
		if t.byKey[key] != nil {
			return key, true
		}
	}
	return "", false
}

// execute runs the template with a key over a body.
func (t *templates) execute(ctx context.Context, key string, ex *exchange, body []byte) ([]byte, error) {
	out, err := t.byKey[key].Execute(ctx, ex.data(body), vtl.Limits{})
	if err != nil {
		return nil, fieldError(t.name(key), err)
	}
	return out, nil
}
