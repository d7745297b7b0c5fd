package expression

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Error tells what is wrong with an expression, its names or its values, in
// AWS's words. The service answers it as a ValidationException.
type Error struct{ Message string }

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) *Error {
	return &Error{fmt.Sprintf(format, args...)}
}

// Bindings are the ExpressionAttributeNames and ExpressionAttributeValues of
// one request. They note which of them its expressions use. Bindings serve one
// request, one call at a time.
type Bindings struct {
	names  map[string]string
	values attribute.Map
	used   map[string]bool
}

// Bind checks a request's names and values; nil maps are absent ones.
func Bind(names map[string]string, values *attribute.Input) (*Bindings, error) {
	b := &Bindings{names: names, values: values.Map, used: make(map[string]bool)}
	if names != nil && len(names) == 0 {
		return nil, errorf("ExpressionAttributeNames must not be empty")
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if !isPlaceholder(key, tokenName) {
			return nil, errorf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", key)
		}
	}
	return b, b.checkValues(values)
}

func (b *Bindings) checkValues(values *attribute.Input) error {
	name, err := values.Check()
	if values.Map != nil && len(values.Map) == 0 && err == nil {
		return errorf("ExpressionAttributeValues must not be empty")
	}
	for _, f := range values.Map {
		if !isPlaceholder(f.Name, tokenValue) {
			return errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", f.Name)
		}
	}
	if err != nil && !isPlaceholder(name, tokenValue) {
		return errorf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", name)
	}
	if err != nil {
		return errorf("ExpressionAttributeValues contains invalid value: %v for key %s", err, name)
	}
	return nil
}

func isPlaceholder(key string, kind tokenKind) bool {
	got, length := scan(key)
	return got == kind && length == len(key)
}

// CheckUsed returns an error that names what no expression has used.
func (b *Bindings) CheckUsed() error {
	var names, values []string
	for name := range b.names {
		if !b.used[name] {
			names = append(names, name)
		}
	}
	for _, f := range b.values {
		if !b.used[f.Name] {
			values = append(values, f.Name)
		}
	}
	if err := unused("ExpressionAttributeNames", names); err != nil {
		return err
	}
	return unused("ExpressionAttributeValues", values)
}

func unused(what string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	slices.SortFunc(keys, cmp.Compare)
	return errorf("Value provided in %s unused in expressions: keys: {%s}", what, strings.Join(keys, ", "))
}

// resolve replaces the path's placeholders by the names that they stand for.
func (b *Bindings) resolve(p Path) error {
	for i, step := range p {
		if step.IsIndex || step.Name[0] != '#' {
			continue
		}
		name := b.names[step.Name]
		if name == "" {
			return errorf("An expression attribute name used in the document path is not defined; attribute name: %s", step.Name)
		}
		b.used[step.Name] = true
		p[i].Name = name
	}
	return nil
}

// value returns the value that a placeholder stands for.
func (b *Bindings) value(placeholder string) (attribute.Value, error) {
	v := b.values.Get(placeholder)
	if v == nil {
		return nil, errorf("An expression attribute value used in expression is not defined; attribute value: %s", placeholder)
	}
	b.used[placeholder] = true
	return v, nil
}
