package template

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Resolve reads the template at path as Load does, and returns it as plain
// CloudFormation in JSON, indented: SAM's resources are what they stand for,
// resources whose conditions are false are gone, and every value is evaluated
// as far as Gatepost can; what it cannot evaluate stays a call. Secrets and the
// values of parameters with NoEcho are starred out.
//
// Of several stacks, Options.Stacks must choose one.
func Resolve(path string, opts Options) ([]byte, error) {
	documents, err := documentsAt(path, opts)
	if err != nil {
		return nil, err
	}
	s, err := newSystem(documents)
	if err != nil {
		return nil, err
	}
	return s.loaders[0].resolved()
}

// resolved writes one template.
func (l *loader) resolved() ([]byte, error) {
	resources := make(map[string]any)
	for _, id := range l.logicalIDs {
		r := l.resources[id]
		if exists, err := l.exists(r); err != nil || !exists {
			continue
		}
		resources[id] = l.resolvedResource(r)
	}
	whole := map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
	if d := l.root.field("Description"); d != nil && d.isScalar() {
		whole["Description"] = d.text
	}
	outputs := make(map[string]any)
	for name, f := range l.outputs() {
		outputs[name] = l.plainFields(f.value, "Condition")
	}
	if len(outputs) > 0 {
		whole["Outputs"] = outputs
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(whole)
	return out.Bytes(), err
}

// attributesOfResources are what a resource has beside its properties that say
// something once everything is resolved.
var attributesOfResources = []string{"DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}

func (l *loader) resolvedResource(r *resource) map[string]any {
	typ, properties := l.plainForm(r)
	whole := map[string]any{"Type": typ}
	if len(properties) > 0 {
		whole["Properties"] = properties
	}
	if !r.generated {
		for _, name := range attributesOfResources {
			if n := r.node.field(name); n != nil {
				whole[name] = l.plain(n)
			}
		}
	}
	return whole
}

// plainForm is a resource's type and properties in CloudFormation's own words.
func (l *loader) plainForm(r *resource) (typ string, properties map[string]any) {
	switch r.typ {
	case "AWS::Serverless::Function":
		properties = l.plainFields(r.properties, "Events", "EventInvokeConfig", "Policies", "CodeUri", "InlineCode", "DeadLetterQueue", "Tracing", "AutoPublishAlias")
		l.plainCode(r, properties)
		return "AWS::Lambda::Function", properties
	case "AWS::Serverless::LayerVersion":
		properties = l.plainFields(r.properties, "ContentUri", "RetentionPolicy")
		if uri := r.properties.field("ContentUri"); uri != nil {
			properties["Content"] = l.plain(uri)
		}
		return "AWS::Lambda::LayerVersion", properties
	case "AWS::Serverless::SimpleTable":
		return "AWS::DynamoDB::Table", l.plainTable(r)
	}
	return r.typ, l.plainFields(r.properties)
}

// plainCode writes a SAM function's code and settings as Lambda's.
func (l *loader) plainCode(r *resource, properties map[string]any) {
	if uri := r.properties.field("CodeUri"); uri != nil {
		properties["Code"] = l.plain(uri)
	}
	if inline := r.properties.field("InlineCode"); inline != nil {
		properties["Code"] = map[string]any{"ZipFile": l.plain(inline)}
	}
	if tracing := r.properties.field("Tracing"); tracing != nil {
		properties["TracingConfig"] = map[string]any{"Mode": l.plain(tracing)}
	}
	if dead := r.properties.field("DeadLetterQueue").field("TargetArn"); dead != nil {
		properties["DeadLetterConfig"] = map[string]any{"TargetArn": l.plain(dead)}
	}
	if role := l.resources[r.id+"Role"]; properties["Role"] == nil && role != nil {
		properties["Role"], _ = l.attributeOf(r.node, role, "Arn")
	}
}

// plainTable writes a SimpleTable as a table.
func (l *loader) plainTable(r *resource) map[string]any {
	properties := l.plainFields(r.properties, "PrimaryKey")
	for _, t := range l.stack.Tables {
		if t.LogicalID == r.id && len(t.Key) == 1 {
			properties["AttributeDefinitions"] = []any{map[string]any{"AttributeName": t.Attributes[0].Name, "AttributeType": t.Attributes[0].Type}}
			properties["KeySchema"] = []any{map[string]any{"AttributeName": t.Key[0].Attribute, "KeyType": "HASH"}}
		}
	}
	if properties["ProvisionedThroughput"] == nil {
		properties["BillingMode"] = "PAY_PER_REQUEST"
	}
	return properties
}

// plainFields evaluates the fields of a map, less those that are named.
func (l *loader) plainFields(n *node, without ...string) map[string]any {
	all := make(map[string]any)
	for _, f := range n.fields {
		if slices.Contains(without, f.name) || l.leavesOut(f.value) {
			continue
		}
		all[f.name] = l.plain(f.value)
	}
	return all
}

func (l *loader) leavesOut(n *node) bool {
	absent, err := (&jsonWriter{evaluator: l.evaluator}).isAbsent(n)
	return err == nil && absent
}

// hiddenValue stands for a value that is not to be shown.
const hiddenValue = "****"

// plain evaluates a value as far as it can be, and makes of it what
// encoding/json writes.
func (l *loader) plain(n *node) any { return l.plainAt(n, 0) }

func (l *loader) plainAt(n *node, depth int) any {
	v, err := l.resolve(n)
	if err != nil || depth > maxDepth {
		return json.RawMessage(plainJSON(n)) // a call that stays one
	}
	switch v.kind {
	case kindObject:
		all := make(map[string]any, len(v.fields))
		for _, f := range v.fields {
			if !l.leavesOut(f.value) {
				all[f.name] = l.plainAt(f.value, depth+1)
			}
		}
		return all
	case kindList:
		all := []any{}
		for _, item := range v.items {
			if !l.leavesOut(item) {
				all = append(all, l.plainAt(item, depth+1))
			}
		}
		return all
	case kindNumber:
		return json.RawMessage(jsonNumber(v.text))
	case kindBool:
		return strings.EqualFold(v.text, "true")
	case kindString:
		if l.holdsNoEcho(v.text) {
			return hiddenValue
		}
		return v.text
	}
	return nil
}
