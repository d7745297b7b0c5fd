package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gatepost-dev/gatepost/apigw"
)

// models are the JSON Schemas of a route's messages ("Request validation for
// WebSocket APIs" in the developer guide), compiled.
type models struct {
	selection *apigw.Expression
	byKey     map[string]*jsonschema.Schema
}

// compileModels returns nil for a route whose messages are not validated.
func compileModels(r *apigw.Route) (*models, error) {
	if r.ModelSelectionExpression == "" {
		return nil, nil
	}
	m := &models{byKey: make(map[string]*jsonschema.Schema, len(r.RequestModels))}
	var err error
	if m.selection, err = apigw.ParseExpression(r.ModelSelectionExpression); err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(r.RequestModels)) {
		if m.byKey[key], err = compileSchema(r.RequestModels[key]); err != nil {
			return nil, fmt.Errorf("request model %s: %w", key, err)
		}
	}
	return m, nil
}

// schemaURL stands for where a schema is from: nowhere.
const schemaURL = "model:"

// compileSchema compiles a schema of draft 4. What it refers to must be in it:
// nothing is fetched.
func compileSchema(source string) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	object, is := doc.(map[string]any)
	if !is {
		return nil, errors.New("the schema is no JSON object")
	}
	if dialect, there := object["$schema"]; there {
		switch strings.TrimSuffix(fmt.Sprint(dialect), "#") {
		case "http://json-schema.org/draft-04/schema", "https://json-schema.org/draft-04/schema":
			delete(object, "$schema") // whatever it is spelled like, it is the default
		default:
			return nil, fmt.Errorf("$schema is %v; API Gateway reads draft 4, http://json-schema.org/draft-04/schema#", dialect)
		}
	}
	if err := checkNumbers(doc); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// noLoader fetches nothing.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s; a reference must stay within the schema", url)
}

// check returns why a message does not fit, or nil. It may be called on nil.
func (m *models) check(body []byte, values func(string) (string, bool)) error {
	if m == nil {
		return nil
	}
	key, ok := m.selection.EvaluateWith(&apigw.ExpressionValues{Body: body, Context: values})
	if !ok {
		return errors.New("the message is not JSON")
	}
	schema := m.byKey[key]
	if schema == nil {
		schema = m.byKey[apigw.RouteDefault]
	}
	if schema == nil {
		return fmt.Errorf("no model for %q, and no $default one", key)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("the message is not JSON")
	}
	if err := checkNumbers(doc); err != nil {
		return err
	}
	return schema.Validate(doc)
}

// The largest numbers that are compared, in digits and in the exponent. Schemas
// compare numbers exactly, so that a few characters like 1e999999 would keep a
// processor busy.
const (
	maxDigits   = 400
	maxExponent = 400
)

// checkNumbers looks for a number that is too large to be compared.
func checkNumbers(v any) error {
	switch v := v.(type) {
	case json.Number:
		digits, exponent, _ := strings.Cut(strings.ToLower(v.String()), "e")
		n, err := strconv.Atoi("0" + strings.TrimLeft(exponent, "+-"))
		if len(digits) > maxDigits || err != nil || n > maxExponent {
			return errors.New("a number is too large to be compared")
		}
	case []any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, item := range v {
			if err := checkNumbers(item); err != nil {
				return err
			}
		}
	}
	return nil
}
