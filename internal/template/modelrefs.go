package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// modelURL is how one model refers to another ("Data models for REST APIs" in
// the developer guide).
var modelURL = regexp.MustCompile(`^https://apigateway\.amazonaws\.com/restapis/([^/]+)/models/([a-zA-Z0-9]+)(?:#(/.*)?)?$`)

// bundler makes one schema out of a model and all those it refers to, which
// become definitions of it.
type bundler struct {
	parts *apiParts
	root  *model
	// definitions are the other models by their key, nil while one is read.
	definitions map[string]any
	size        int
}

// bundle returns the model's schema with the models that it refers to among its
// definitions. A schema without such references is returned as it is.
func bundle(m *model, parts *apiParts) (string, error) {
	if !strings.Contains(m.text, "apigateway.amazonaws.com") {
		return m.text, nil
	}
	b := &bundler{parts: parts, root: m, definitions: make(map[string]any)}
	schema, err := b.read(m)
	if err != nil {
		return "", err
	}
	if err := b.rewrite(schema, ""); err != nil {
		return "", err
	}
	return b.text(schema)
}

// text adds the definitions and writes the whole.
func (b *bundler) text(schema map[string]any) (string, error) {
	own, ok := schema["definitions"].(map[string]any)
	if _, given := schema["definitions"]; given && !ok {
		return "", errors.New("the definitions of the schema must be an object")
	}
	all := maps.Clone(b.definitions)
	maps.Copy(all, own)
	if len(all) > 0 {
		schema["definitions"] = all
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(schema); err != nil {
		return "", fmt.Errorf("the schema cannot be written: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}

// maxBundle bounds what one schema and those it refers to come to, in bytes.
const maxBundle = 1 << 20

func (b *bundler) read(m *model) (map[string]any, error) {
	if b.size += len(m.text); b.size > maxBundle {
		return nil, fmt.Errorf("the schema and those it refers to have more than %d bytes", maxBundle)
	}
	decoder := json.NewDecoder(strings.NewReader(m.text))
	decoder.UseNumber()
	var schema map[string]any
	if err := decoder.Decode(&schema); err != nil {
		return nil, fmt.Errorf("the schema of the model %s is not a JSON object: %w", m.name, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("the schema of the model %s goes on after its end", m.name)
	}
	return schema, nil
}

// rewrite turns the references in a schema, which stands at base in the whole,
// into ones within the whole.
func (b *bundler) rewrite(value any, base string) error {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if err := b.rewrite(item, base); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			ref, isText := value[name].(string)
			switch {
			case name == "enum" || name == "default": // data, not schemas
			case name == "$ref" && isText:
				target, err := b.target(ref, base)
				if err != nil {
					return err
				}
				value[name] = target
			default:
				if err := b.rewrite(value[name], base); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// target is where a reference leads within the whole.
func (b *bundler) target(ref, base string) (string, error) {
	if pointer, ok := strings.CutPrefix(ref, "#"); ok && (pointer == "" || pointer[0] == '/') {
		return "#" + base + pointer, nil
	}
	match := modelURL.FindStringSubmatch(ref)
	if match == nil {
		return ref, nil // CheckModel says what is wrong with it
	}
	api, name, pointer := match[1], match[2], match[3]
	m := b.parts.models[name]
	switch {
	case api != b.parts.api.ID:
		return "", fmt.Errorf("the schema refers to the model %s of another API, %s; models are found in their own API", name, quote(api))
	case m == nil:
		return "", fmt.Errorf("the schema refers to the model %s, which no AWS::ApiGatewayV2::Model of this API has as its Name", name)
	case m == b.root:
		return "#" + pointer, nil
	}
	at, err := b.define(m)
	return "#" + at + pointer, err
}

// define adds another model to the definitions, once, and returns where it
// stands.
func (b *bundler) define(m *model) (string, error) {
	key := "model:" + m.name
	at := "/definitions/" + key
	if _, known := b.definitions[key]; known {
		return at, nil
	}
	b.definitions[key] = nil
	schema, err := b.read(m)
	if err != nil {
		return "", err
	}
	delete(schema, "$schema")
	delete(schema, "id")
	b.definitions[key] = schema
	return at, b.rewrite(schema, at)
}
