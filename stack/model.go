package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds of a model's schema. AWS takes 400 KB; compiling takes time with the
// square of the number of objects.
const (
	maxSchema        = 400 << 10
	maxSchemaDepth   = 100
	maxSchemaObjects = 1000
)

// modelURL is where a schema is said to lie, in modelFolder, while it is
// compiled; nothing is ever read from there.
const (
	modelFolder = "model://api/"
	modelURL    = modelFolder + "schema"
)

// CheckModel checks that a schema is JSON and a JSON Schema of draft 4, the one
// that API Gateway validates messages with. References may lead within the
// schema only; nothing is loaded from elsewhere.
func CheckModel(schema string) error {
	if len(schema) > maxSchema {
		return fmt.Errorf("the schema has %d bytes, and may have %d", len(schema), maxSchema)
	}
	if err := checkShape(schema); err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return fmt.Errorf("the schema is not JSON: %w", err)
	}
	object, ok := document.(map[string]any)
	if !ok {
		return errors.New("the schema must be a JSON object, such as {\"type\": \"object\"}")
	}
	if draft, given := object["$schema"]; given && !isDraft4(draft) {
		return fmt.Errorf("the schema is written for %s, and API Gateway knows draft 4; write http://json-schema.org/draft-04/schema#", clip(fmt.Sprint(draft)))
	}
	if err := checkPatterns(object); err != nil {
		return err
	}
	return compileModel(object)
}

// checkShape bounds nesting and number of objects, before anything reads the
// schema that could suffer from them.
func checkShape(schema string) error {
	decoder, depth, objects := json.NewDecoder(strings.NewReader(schema)), 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil // the end, or a mistake that the reader proper reports
		}
		switch token {
		case json.Delim('{'):
			depth, objects = depth+1, objects+1
		case json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		switch {
		case depth > maxSchemaDepth:
			return fmt.Errorf("the schema is nested more than %d levels deep", maxSchemaDepth)
		case objects > maxSchemaObjects:
			return fmt.Errorf("the schema has more than %d objects; split it into models", maxSchemaObjects)
		}
	}
}

func isDraft4(draft any) bool {
	url, ok := draft.(string)
	url = strings.TrimSuffix(url, "#")
	return ok && (url == "http://json-schema.org/draft-04/schema" || url == "https://json-schema.org/draft-04/schema")
}

// noLoader refuses every reference out of a schema.
type noLoader struct{}

var errOutside = errors.New("a reference out of the schema")

func (noLoader) Load(string) (any, error) { return nil, errOutside }

func compileModel(schema map[string]any) error {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(modelURL, schema); err != nil {
		return fmt.Errorf("the schema cannot be read: %w", err)
	}
	_, err := compiler.Compile(modelURL)
	if err == nil {
		return nil
	}
	if outside, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return fmt.Errorf("the schema refers to %s, and nothing outside of it is read; put what is meant under definitions and refer to #/definitions/NAME", clip(strings.TrimPrefix(outside.URL, modelFolder)))
	}
	return fmt.Errorf("the schema is not a JSON Schema of draft 4: %s", reason(err))
}

// reason says what does not fit, and where in the schema, in one line.
func reason(err error) string {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		err = invalid.Err
	}
	if wrong, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		for len(wrong.Causes) > 0 {
			wrong = wrong.Causes[0]
		}
		return clipPlain(wrong.Error())
	}
	return clipPlain(strings.ReplaceAll(err.Error(), modelURL, ""))
}
