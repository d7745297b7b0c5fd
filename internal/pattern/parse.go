package pattern

import (
	"fmt"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// orKey is the key of alternatives.
const orKey = "$or"

// elements returns the elements of an array.
func elements(array jsonpath.Value) []jsonpath.Value {
	all := make([]jsonpath.Value, array.Len())
	for i := range all {
		all[i] = array.Index(i)
	}
	return all
}

// at puts the place before an error.
func at(path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if path == "" {
		return fmt.Errorf("%s", text)
	}
	return fmt.Errorf("%s: %s", clip(path), text)
}

// clip keeps hostile names from filling a message.
func clip(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func parseObject(v jsonpath.Value, path string) (*object, error) {
	if v.Len() == 0 && path != "" {
		return nil, at(path, "an empty object says nothing; give a list of values")
	}
	o := new(object)
	for i := range v.Len() {
		name, member := v.Key(i), v.Index(i)
		if name == orKey && member.Kind() == jsonpath.Array {
			group, err := parseAlternatives(member, join(path, name))
			if err != nil {
				return nil, err
			}
			o.alternatives = append(o.alternatives, group)
			continue
		}
		f, err := parseField(name, member, join(path, name))
		if err != nil {
			return nil, err
		}
		o.fields = append(o.fields, f)
	}
	return o, nil
}

func parseField(name string, v jsonpath.Value, path string) (f field, err error) {
	f.name = name
	switch v.Kind() {
	case jsonpath.Object:
		f.nested, err = parseObject(v, path)
	case jsonpath.Array:
		f.values, err = parseValues(v, path)
	default:
		err = at(path, "the value must be a list or an object, not %s; write [%s]", kindOf(v), clip(string(v.JSON())))
	}
	return f, err
}

func parseAlternatives(v jsonpath.Value, path string) ([]*object, error) {
	if v.Len() < 2 {
		return nil, at(path, "alternatives are a list of two objects or more")
	}
	var group []*object
	for i, e := range elements(v) {
		path := fmt.Sprintf("%s[%d]", path, i)
		if e.Kind() != jsonpath.Object {
			return nil, at(path, "an alternative must be an object, not %s", kindOf(e))
		}
		branch, err := parseObject(e, path)
		if err != nil {
			return nil, err
		}
		group = append(group, branch)
	}
	return group, nil
}

func parseValues(v jsonpath.Value, path string) (*values, error) {
	if v.Len() == 0 {
		return nil, at(path, "an empty list matches nothing; give at least one value")
	}
	l := new(values)
	for i, e := range elements(v) {
		path := fmt.Sprintf("%s[%d]", path, i)
		if isAbsence(e) {
			l.absent = true
			continue
		}
		m, err := parseMatcher(e, path)
		if err != nil {
			return nil, err
		}
		l.matchers = append(l.matchers, m)
	}
	return l, nil
}

// isAbsence reports whether an element is {"exists": false}.
func isAbsence(v jsonpath.Value) bool {
	operand, ok := v.Get("exists")
	return ok && v.Len() == 1 && operand.Kind() == jsonpath.Bool && !operand.Bool()
}

func parseMatcher(v jsonpath.Value, path string) (Matcher, error) {
	switch v.Kind() {
	case jsonpath.Array:
		return nil, at(path, "a value must be a string, a number, true, false, null or an operator, not a list")
	case jsonpath.Object:
		return parseOperator(v, path)
	}
	return Equal(v), nil
}

// operators are those of Lambda's table of comparison operators.
var operators map[string]func(operand jsonpath.Value, path string) (Matcher, error)

func init() { // parseAnythingBut refers to the table
	operators = map[string]func(jsonpath.Value, string) (Matcher, error){
		"prefix":             affix(HasPrefix, hasPrefixFold),
		"suffix":             affix(HasSuffix, hasSuffixFold),
		"equals-ignore-case": stringOperator(EqualFold),
		"numeric":            parseNumeric,
		"exists":             parseExists,
		"anything-but":       parseAnythingBut,
	}
}

// otherOperators are EventBridge's, of which Lambda's table has nothing.
var otherOperators = []string{"wildcard", "cidr"}

func parseOperator(v jsonpath.Value, path string) (Matcher, error) {
	if v.Len() != 1 {
		return nil, at(path, "an operator is an object with one field, such as {\"prefix\": \"a\"}, and this one has %d", v.Len())
	}
	name := v.Key(0)
	parse, ok := operators[name]
	if ok {
		return parse(v.Index(0), join(path, name))
	}
	if slices.Contains(otherOperators, name) {
		return nil, at(path, "Lambda's filters do not have EventBridge's operator %s; they have prefix, suffix, equals-ignore-case, numeric, exists and anything-but", name)
	}
	return nil, at(path, "there is no operator %q; there are prefix, suffix, equals-ignore-case, numeric, exists and anything-but", clip(name))
}

// stringOperator is an operator whose operand is a string.
func stringOperator(of func(string) Matcher) func(jsonpath.Value, string) (Matcher, error) {
	return func(v jsonpath.Value, path string) (Matcher, error) {
		if v.Kind() != jsonpath.String {
			return nil, at(path, "it takes a string, not %s", kindOf(v))
		}
		return of(v.Str()), nil
	}
}

// affix is prefix or suffix, which take a string or {"equals-ignore-case": "a"}.
func affix(exact, fold func(string) Matcher) func(jsonpath.Value, string) (Matcher, error) {
	return func(v jsonpath.Value, path string) (Matcher, error) {
		const key = "equals-ignore-case"
		if operand, ok := v.Get(key); ok && v.Len() == 1 {
			return stringOperator(fold)(operand, join(path, key))
		}
		return stringOperator(exact)(v, path)
	}
}

func parseExists(v jsonpath.Value, path string) (Matcher, error) {
	if v.Kind() != jsonpath.Bool {
		return nil, at(path, "it takes true or false, not %s", kindOf(v))
	}
	return func(jsonpath.Value) bool { return true }, nil // false is isAbsence's
}

// parseAnythingBut reads a string, a number, a list of either, or an operator
// on strings with one operand or a list of them.
func parseAnythingBut(v jsonpath.Value, path string) (Matcher, error) {
	if v.Kind() == jsonpath.Object {
		return parseNegated(v, path)
	}
	list := []jsonpath.Value{v}
	if v.Kind() == jsonpath.Array {
		list = elements(v)
	}
	if len(list) == 0 {
		return nil, at(path, "an empty list excludes nothing; give at least one value")
	}
	var not []Matcher
	for _, e := range list {
		if e.Kind() != jsonpath.String && e.Kind() != jsonpath.Number {
			return nil, at(path, "it takes strings or numbers, not %s", kindOf(e))
		}
		if e.Kind() != list[0].Kind() {
			return nil, at(path, "it takes strings or numbers, and not both in one list")
		}
		not = append(not, Equal(e))
	}
	return None(not), nil
}

func parseNegated(v jsonpath.Value, path string) (Matcher, error) {
	if v.Len() != 1 || !slices.Contains([]string{"prefix", "suffix", "equals-ignore-case"}, v.Key(0)) {
		return nil, at(path, "it takes prefix, suffix or equals-ignore-case, one of them")
	}
	name, operand := v.Key(0), v.Index(0)
	list := []jsonpath.Value{operand}
	if operand.Kind() == jsonpath.Array {
		list = elements(operand)
	}
	if len(list) == 0 {
		return nil, at(join(path, name), "an empty list excludes nothing; give at least one value")
	}
	var not []Matcher
	for _, e := range list {
		if e.Kind() == jsonpath.String && e.Str() == "" && name != "equals-ignore-case" {
			return nil, at(join(path, name), "an empty %s excludes everything", name)
		}
		m, err := operators[name](e, join(path, name))
		if err != nil {
			return nil, err
		}
		not = append(not, m)
	}
	return None(not), nil
}

// kindOf names the kind of a value with its article.
func kindOf(v jsonpath.Value) string {
	switch v.Kind() {
	case jsonpath.Array:
		return "a list"
	case jsonpath.Object:
		return "an object"
	case jsonpath.Null:
		return "null"
	}
	return "a " + v.Kind().String()
}
