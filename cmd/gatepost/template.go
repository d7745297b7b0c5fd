package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/gatepost-dev/gatepost/internal/serverless"
	"github.com/gatepost-dev/gatepost/internal/template"
)

type templateCommand struct {
	source
	YAML bool `name:"yaml" help:"Print YAML."`
}

// Help gives the example.
func (templateCommand) Help() string {
	return "Conditions are decided, SAM's resources are what they stand for, and values are evaluated. What Gatepost cannot evaluate stays as it is. Of a CDK app with several stacks the first one is printed; --stack chooses.\n\nExample:\n  gatepost template push/deploy/sam --yaml"
}

// Run prints the template as CloudFormation has it.
func (c templateCommand) Run(ctx context.Context, std streams) error {
	if _, err := c.find(std.err, "Reading"); err != nil {
		return err
	}
	path, err := c.made(ctx, std)
	if err != nil {
		return err
	}
	opts, err := c.options()
	if err != nil {
		return err
	}
	text, err := c.resolved(path, opts)
	if err != nil {
		return err
	}
	if c.YAML {
		if text, err = asYAML(text); err != nil {
			return err
		}
	}
	_, err = std.out.Write(text)
	return err
}

// resolved is the template, of a serverless.yml too.
func (s source) resolved(path string, opts template.Options) ([]byte, error) {
	file, found := serverless.Means(path)
	if !found {
		return template.Resolve(path, opts)
	}
	service, err := s.service(opts)
	if err != nil {
		return nil, err
	}
	return serverless.Resolve(file, service)
}

// asYAML writes JSON as YAML.
func asYAML(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // its numbers are text, which is what they stay
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(numbers(value)); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), nil
}

// numbers puts numbers for json.Number, which the YAML library would quote.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			value[name] = numbers(v)
		}
	case []any:
		for i, v := range value {
			value[i] = numbers(v)
		}
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		if f, err := value.Float64(); err == nil {
			return f
		}
	}
	return value
}
