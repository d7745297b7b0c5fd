package sns

import (
	"maps"
	"slices"
	"strconv"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/pattern"
)

// Bounds of a filter policy (developer guide, "Filter policy constraints").
const (
	maxFilterPolicy       = 256 << 10
	maxFilterKeys         = 5
	maxFilterCombinations = 150
)

// filter is a compiled filter policy: a message passes when it meets all the
// conditions of one of the alternatives. It never changes after it was made.
type filter struct{ alternatives []alternative }

// alternative has a condition for each property, by the property's path, whose
// steps are joined by dots.
type alternative map[string]condition

// condition is what a policy says of one property: its value must match one of
// the matchers, or, with absent, not be there at all.
type condition struct {
	matchers []pattern.Matcher
	absent   bool
	// weight is what the condition counts for in the policy's complexity: its
	// values times its depth.
	weight int
}

// parseFilter reads a filter policy. Its error says what is wrong in the words
// of SNS, to be put behind "FilterPolicy: ".
func parseFilter(text string) (*filter, error) {
	if len(text) > maxFilterPolicy {
		return nil, policyError("Filter policy is larger than %d bytes", maxFilterPolicy)
	}
	document, err := jsonpath.Parse([]byte(text))
	if err != nil {
		return nil, policyError("failed to parse JSON. %v", err)
	}
	if document.Kind() != jsonpath.Object {
		return nil, policyError("Filter is not an object")
	}
	p := &filterParser{alternatives: []alternative{{}}}
	if err := p.object(document, "", 1, false); err != nil {
		return nil, err
	}
	return &filter{p.alternatives}, p.checkSize()
}

// nested reports whether a policy has a property within a property, which only
// policies over the body may have.
func nested(text string) bool {
	document, err := jsonpath.Parse([]byte(text))
	return err == nil && nestedObject(document)
}

func nestedObject(v jsonpath.Value) bool {
	for i := range v.Len() {
		member := v.Index(i)
		if member.Kind() == jsonpath.Object {
			return true
		}
		if v.Key(i) == orKey && isOr(member) && slices.ContainsFunc(elements(member), nestedObject) {
			return true
		}
	}
	return false
}

func elements(array jsonpath.Value) []jsonpath.Value {
	all := make([]jsonpath.Value, array.Len())
	for i := range all {
		all[i] = array.Index(i)
	}
	return all
}

// filterParser multiplies alternatives out as it meets $or.
type filterParser struct{ alternatives []alternative }

// orKey is the key of alternatives. It is an ordinary property's name when what
// follows does not look like alternatives.
const orKey = "$or"

// reserved are the names that no property in an alternative may have: an array
// of objects with such names is a list of matchers (developer guide, "AND/OR
// logic"; the names are those of the rule language that SNS and EventBridge
// share).
var reserved = map[string]bool{
	"exactly": true, "equals-ignore-case": true, "prefix": true, "suffix": true, "anything-but": true,
	"exists": true, "wildcard": true, "numeric": true, "cidr": true, "=": true, "<": true, "<=": true, ">": true, ">=": true,
	"regex": true, "not-wildcard": true, "not-equals-ignore-case": true, "date-after": true, "date-on-or-after": true,
	"date-before": true, "date-on-or-before": true, "in-date-range": true, "ip-address-in-range": true, "ip-address-not-in-range": true,
}

// isOr reports whether what follows $or are alternatives: two objects or more,
// none of whose names is reserved.
func isOr(v jsonpath.Value) bool {
	if v.Kind() != jsonpath.Array || v.Len() < 2 {
		return false
	}
	for _, e := range elements(v) {
		if e.Kind() != jsonpath.Object || slices.ContainsFunc(e.Keys(), func(name string) bool { return reserved[name] }) {
			return false
		}
	}
	return true
}

// object adds the conditions of an object, which stands at a path and depth of
// the policy, to every alternative so far.
func (p *filterParser) object(v jsonpath.Value, path string, depth int, inOr bool) error {
	if depth > maxFilterCombinations { // each level counts, so it would fail anyway
		return errTooComplex()
	}
	if v.Len() == 0 && (path != "" || inOr) {
		return policyError("Empty objects are not allowed")
	}
	for i := range v.Len() {
		name, member := v.Key(i), v.Index(i)
		var err error
		switch {
		case name == orKey && isOr(member):
			err = p.or(member, path, depth)
		case member.Kind() == jsonpath.Object:
			err = p.object(member, path+name+".", depth+1, inOr)
		case member.Kind() == jsonpath.Array:
			err = p.condition(member, path+name, depth)
		default:
			err = policyError("%q must be an object or an array", clip(name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *filterParser) or(v jsonpath.Value, path string, depth int) error {
	before := p.alternatives
	var after []alternative
	for _, e := range elements(v) {
		branch := &filterParser{make([]alternative, len(before))}
		for i, a := range before {
			branch.alternatives[i] = maps.Clone(a)
		}
		if err := branch.object(e, path, depth, true); err != nil {
			return err
		}
		if after = append(after, branch.alternatives...); len(after) > maxFilterCombinations {
			return errTooComplex()
		}
	}
	p.alternatives = after
	return nil
}

func (p *filterParser) condition(list jsonpath.Value, path string, depth int) error {
	c := condition{weight: list.Len() * depth}
	if list.Len() == 0 {
		return policyError("Empty arrays are not allowed")
	}
	if c.weight > maxFilterCombinations {
		return errTooComplex()
	}
	for _, e := range elements(list) {
		m, err := parseMatcher(e)
		if err != nil {
			return err
		}
		if m == nil {
			c.absent = true
			continue
		}
		c.matchers = append(c.matchers, m)
	}
	for _, a := range p.alternatives {
		if _, twice := a[path]; twice {
			return policyError("Path `%s` cannot be allowed multiple times", clip(path))
		}
		a[path] = c
	}
	return nil
}

// checkSize bounds the policy's keys and combinations: over all alternatives
// the sum of the products of their weights.
func (p *filterParser) checkSize() error {
	keys := make(map[string]bool)
	combinations := 0
	for _, a := range p.alternatives {
		product := 1
		for path, c := range a {
			keys[path] = true
			product = min(product*c.weight, maxFilterCombinations+1)
		}
		combinations += product
	}
	if len(keys) > maxFilterKeys {
		return policyError("Filter policy can not have more than %d keys", maxFilterKeys)
	}
	if combinations > maxFilterCombinations {
		return errTooComplex()
	}
	return nil
}

func errTooComplex() error { return policyError("Filter policy is too complex") }

// parseMatcher reads one element of a condition; nil stands for "exists": false.
func parseMatcher(v jsonpath.Value) (pattern.Matcher, error) {
	switch v.Kind() {
	case jsonpath.Array:
		return nil, policyError("Match value must be String, number, true, false, or null")
	case jsonpath.Object:
		return parseOperator(v)
	}
	return pattern.Equal(v), nil
}

func parseOperator(v jsonpath.Value) (pattern.Matcher, error) {
	if v.Len() == 0 {
		return nil, policyError("Match expression name not found")
	}
	name, operand := v.Key(0), v.Index(0)
	parse, ok := operators[name]
	if !ok {
		return nil, policyError("Unrecognized match type %s", clip(name))
	}
	m, err := parse(operand)
	if err == nil && v.Len() > 1 {
		err = policyError("Only one key allowed in match expression")
	}
	return m, err
}

var operators = map[string]func(jsonpath.Value) (pattern.Matcher, error){
	"prefix":             stringOperator("prefix", pattern.HasPrefix),
	"suffix":             stringOperator("suffix", pattern.HasSuffix),
	"equals-ignore-case": stringOperator("equals-ignore-case", pattern.EqualFold),
	"wildcard":           parseWildcard,
	"cidr":               parseCIDR,
	"exists":             parseExists,
	"numeric":            parseNumeric,
	"anything-but":       parseAnythingBut,
}

func stringOperator(name string, of func(string) pattern.Matcher) func(jsonpath.Value) (pattern.Matcher, error) {
	return func(v jsonpath.Value) (pattern.Matcher, error) {
		if v.Kind() != jsonpath.String {
			return nil, policyError("%s match pattern must be a string", name)
		}
		return of(v.Str()), nil
	}
}

func parseExists(v jsonpath.Value) (pattern.Matcher, error) {
	if v.Kind() != jsonpath.Bool {
		return nil, policyError("exists match pattern must be either true or false.")
	}
	if !v.Bool() {
		return nil, nil
	}
	return func(jsonpath.Value) bool { return true }, nil
}

func parseAnythingBut(v jsonpath.Value) (pattern.Matcher, error) {
	values := []jsonpath.Value{v}
	switch v.Kind() {
	case jsonpath.Object:
		return parseAnythingButPrefix(v)
	case jsonpath.Array:
		values = elements(v)
	case jsonpath.String, jsonpath.Number:
	default:
		return nil, policyError("Value of anything-but must be an array or single string/number value.")
	}
	var not []pattern.Matcher
	kinds := make(map[jsonpath.Kind]bool)
	for _, e := range values {
		kinds[e.Kind()] = true
		switch e.Kind() {
		case jsonpath.String, jsonpath.Number:
			not = append(not, pattern.Equal(e))
		default:
			return nil, policyError("Inside anything but list, start|null|boolean is not supported.")
		}
	}
	if len(kinds) != 1 {
		return nil, policyError("Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	return pattern.None(not), nil
}

func parseAnythingButPrefix(v jsonpath.Value) (pattern.Matcher, error) {
	switch {
	case v.Len() == 0:
		return nil, policyError("Anything-But expression name not found")
	case v.Key(0) != "prefix":
		return nil, policyError("Unsupported anything-but pattern: %s", clip(v.Key(0)))
	case v.Index(0).Kind() != jsonpath.String:
		return nil, policyError("prefix match pattern must be a string")
	case v.Index(0).Str() == "":
		return nil, policyError("Null prefix not allowed")
	case v.Len() > 1:
		return nil, policyError("Only one key allowed in match expression")
	}
	return pattern.None([]pattern.Matcher{pattern.HasPrefix(v.Index(0).Str())}), nil
}

// maxNumber bounds the numbers of numeric matchers, both ways.
const maxNumber = 1e9

func policyNumber(v jsonpath.Value, operator string) (float64, error) {
	if operator == "=" {
		operator = "equals"
	}
	if v.Kind() != jsonpath.Number {
		return 0, policyError("Value of %s must be numeric", operator)
	}
	n, err := strconv.ParseFloat(v.Str(), 64)
	if err != nil || n > maxNumber || n < -maxNumber {
		return 0, policyError("Value must be between -1.0E9 and 1.0E9, inclusive")
	}
	return n, nil
}

// parseNumeric reads ["=", n], [op, n] or [">", low, "<", high], with >= and <=
// too.
func parseNumeric(v jsonpath.Value) (pattern.Matcher, error) {
	if v.Kind() != jsonpath.Array {
		return nil, policyError("Value of numeric must be an array.")
	}
	list := elements(v)
	if len(list) == 0 || list[0].Kind() != jsonpath.String {
		found := "]"
		if len(list) > 0 {
			found = clip(string(list[0].JSON()))
		}
		return nil, policyError("Invalid member in numeric match: %s", found)
	}
	first := list[0].Str()
	switch first {
	case "=", "<", "<=", ">", ">=":
	default:
		return nil, policyError("Unrecognized numeric range operator: %s", clip(first))
	}
	low, err := policyNumber(at(list, 1), first)
	if err != nil {
		return nil, err
	}
	if len(list) == 2 {
		return pattern.Compare(first, low), nil
	}
	return parseRange(list, first, low)
}

func parseRange(list []jsonpath.Value, first string, low float64) (pattern.Matcher, error) {
	if first != ">" && first != ">=" {
		return nil, policyError("Too many elements in numeric expression")
	}
	if list[2].Kind() != jsonpath.String {
		return nil, policyError("Bad value in numeric range: %s", clip(string(list[2].JSON())))
	}
	second := list[2].Str()
	if second != "<" && second != "<=" {
		return nil, policyError("Bad numeric range operator: %s", clip(second))
	}
	high, err := policyNumber(at(list, 3), second)
	switch {
	case err != nil:
		return nil, err
	case low >= high:
		return nil, policyError("Bottom must be less than top")
	case len(list) > 4:
		return nil, policyError("Too many terms in numeric range expression")
	}
	above, below := pattern.Compare(first, low), pattern.Compare(second, high)
	return func(v jsonpath.Value) bool { return above(v) && below(v) }, nil
}

// at returns an element, or null past the end.
func at(list []jsonpath.Value, i int) jsonpath.Value {
	if i < len(list) {
		return list[i]
	}
	return jsonpath.Value{}
}
