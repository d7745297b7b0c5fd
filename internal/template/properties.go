package template

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// properties reads the properties of one resource, or a map within them. Each
// method reports what is wrong to the loader and returns a harmless value, so
// that one pass finds all mistakes; rest reports what nobody has asked for.
type properties struct {
	loader   *loader
	resource *resource
	node     *node
	// prefix leads from the resource's properties to here, as in "Environment.".
	prefix string
	read   map[string]bool
	// idle are the names of properties that are known and not needed here.
	idle []string
}

func (l *loader) properties(r *resource) *properties {
	return &properties{loader: l, resource: r, node: r.properties, read: make(map[string]bool)}
}

// raw returns a property as it stands, or nil.
func (p *properties) raw(name string) *node {
	p.read[name] = true
	return p.node.field(name)
}

// value returns a property resolved. It is nil when the property is not there,
// is AWS::NoValue, or is wrong and reported.
func (p *properties) value(name string) *node {
	n := p.raw(name)
	if n == nil {
		return nil
	}
	v, err := p.loader.evaluator.resolve(n)
	if err != nil {
		p.loader.problems.add(err)
		return nil
	}
	if v.kind == kindAbsent {
		return nil
	}
	return v
}

// require reports a property that is not there or empty, and says what it is
// for.
func (p *properties) require(name, advice string) {
	n := p.node.field(name)
	if n == nil {
		p.loader.problem(p.node, "the property %s%s is missing; %s", p.prefix, name, advice)
		return
	}
	v, err := p.loader.evaluator.resolve(n)
	if err == nil && (v.kind == kindAbsent || v.kind == kindString && v.text == "") {
		p.loader.problem(n, "the property %s%s is empty; %s", p.prefix, name, advice)
	}
}

// text returns a property that is text, or "".
func (p *properties) text(name string) string {
	v := p.value(name)
	if v == nil {
		return ""
	}
	if !v.isScalar() {
		p.loader.problem(p.raw(name), "%s must be text, not %s", name, v.kind)
		return ""
	}
	return v.text
}

// number returns a whole number from low to high, or otherwise.
func (p *properties) number(name string, low, high, otherwise int) int {
	v := p.value(name)
	if v == nil {
		return otherwise
	}
	n, ok := wholeNumber(v)
	if !ok || n < low || n > high {
		p.loader.problem(p.raw(name), "%s must be a whole number from %d to %d, not %s", name, low, high, describe(v))
		return otherwise
	}
	return n
}

// decimal returns a number that is not negative and may have a fraction, or
// otherwise.
func (p *properties) decimal(name string, otherwise float64) float64 {
	v := p.value(name)
	if v == nil {
		return otherwise
	}
	n, err := strconv.ParseFloat(v.text, 64)
	if !v.isScalar() || err != nil || !(n >= 0 && n <= math.MaxInt32) {
		p.loader.problem(p.raw(name), "%s must be a number that is not negative, not %s", name, describe(v))
		return otherwise
	}
	return n
}

// oneOf returns a property that is one of a few words, or "". Another word is a
// problem.
func (p *properties) oneOf(name string, words ...string) string {
	text := p.text(name)
	if p.value(name) == nil || slices.Contains(words, text) {
		return text
	}
	p.loader.problem(p.raw(name), "%s must be %s, not %s%s", name, alternatives(words), quote(text), p.loader.hint(text, words))
	return ""
}

// alternatives writes "A, B or C".
func alternatives(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// seconds is number for a duration that the template gives in seconds.
func (p *properties) seconds(name string, low, high, otherwise int) time.Duration {
	return time.Duration(p.number(name, low, high, otherwise)) * time.Second
}

// wholeNumber reads a number, which may stand in quotes or have a fraction of
// zero, as CloudFormation allows.
func wholeNumber(v *node) (int, bool) {
	if !v.isScalar() {
		return 0, false
	}
	if n, err := strconv.Atoi(v.text); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int(f), true
}

// flag returns a property that is true or false, or otherwise.
func (p *properties) flag(name string, otherwise bool) bool {
	v := p.value(name)
	if v == nil {
		return otherwise
	}
	if v.isScalar() {
		switch strings.ToLower(v.text) {
		case "true", "yes", "on":
			return true
		case "false", "no", "off":
			return false
		}
	}
	p.loader.problem(p.raw(name), "%s must be true or false, not %s", name, describe(v))
	return otherwise
}

// items returns the resolved values of a property that is a list.
func (p *properties) items(name string) []*node {
	v := p.value(name)
	if v == nil {
		return nil
	}
	items, err := p.loader.evaluator.list(v)
	p.loader.problems.add(err)
	return items
}

// maps returns the items of a property that is a list of maps.
func (p *properties) maps(name string) []*properties {
	var all []*properties
	for _, item := range p.items(name) {
		if item.kind != kindObject {
			p.loader.problem(item, "each item of %s must be a map, not %s", name, item.kind)
			continue
		}
		all = append(all, p.within(name, item))
	}
	return all
}

// texts returns the items of a property that is a list of texts.
func (p *properties) texts(name string) []string {
	var all []string
	for _, item := range p.items(name) {
		if !item.isScalar() {
			p.loader.problem(item, "each item of %s must be text, not %s", name, item.kind)
			continue
		}
		all = append(all, item.text)
	}
	return all
}

// nested returns a property that is a map, or nil.
func (p *properties) nested(name string) *properties {
	v := p.value(name)
	if v == nil {
		return nil
	}
	if v.kind != kindObject {
		p.loader.problem(p.raw(name), "%s must be a map, not %s", name, describe(v))
		return nil
	}
	return p.within(name, v)
}

func (p *properties) within(name string, n *node) *properties {
	return &properties{loader: p.loader, resource: p.resource, node: n, prefix: p.prefix + name + ".", read: make(map[string]bool)}
}

// textMap returns a property that is a map of texts, or nil. Each of checks may
// say what is wrong with an entry.
func (p *properties) textMap(name string, checks ...func(key, text string) error) map[string]string {
	m := p.nested(name)
	if m == nil || len(m.node.fields) == 0 {
		return nil
	}
	all := make(map[string]string, len(m.node.fields))
	for _, f := range m.node.fields {
		v := m.value(f.name)
		switch {
		case v == nil:
			continue
		case !v.isScalar():
			p.loader.problem(f.value, "the value must be text, not %s", v.kind)
			continue
		}
		all[f.name] = v.text
		for _, check := range checks {
			p.loader.report(f.value, check(f.name, v.text))
		}
	}
	return all
}

// describe puts a value into a message.
func describe(v *node) string {
	if v.kind == kindString {
		return quote(v.text)
	}
	if v.isScalar() {
		return v.text
	}
	return v.kind.String()
}

// onlyWords are properties that describe and do nothing, on AWS as here.
var onlyWords = []string{"Description", "OperationName", "Tags", "PropagateTags", "VersionDescription"}

// inert names properties that are known and not needed here; rest tells of
// those that are given.
func (p *properties) inert(names ...string) { p.idle = append(p.idle, names...) }

// withoutEffect notes a property that does nothing, here as on AWS or for a
// reason that the sentence gives.
func (p *properties) withoutEffect(name, why string) {
	if n := p.raw(name); n != nil {
		p.loader.note(p.resource, n.line, p.prefix+name+" has no effect: "+why)
	}
}

// given reports whether a property is there, without asking what it is.
func (p *properties) given(name string) bool {
	n := p.raw(name)
	if n == nil {
		return false
	}
	v, err := p.loader.evaluator.resolve(n)
	return err != nil || v.kind != kindAbsent
}

// ofHTTPAPIs notes properties that only HTTP APIs have.
func (p *properties) ofHTTPAPIs(names ...string) {
	for _, name := range names {
		if n := p.raw(name); n != nil {
			p.loader.note(p.resource, n.line, p.prefix+name+" belongs to HTTP APIs and has no effect on a WebSocket API")
		}
	}
}

// maxUnknown is how many unknown properties of one map are noted one by one.
const maxUnknown = 20

// rest reports the properties that were not read: those of gaps, each with the
// sentence that says what is missing; those of inert, in one notice and as not
// needed; and the ones that are not known at all.
func (p *properties) rest(inert []string, gaps map[string]string) {
	inert = append(inert, p.idle...)
	var idle []string
	unknown := 0
	known := slices.Sorted(maps.Keys(p.read))
	for _, f := range p.node.fields {
		gap, isGap := gaps[f.name]
		switch {
		case p.read[f.name], slices.Contains(onlyWords, f.name):
		case isGap:
			p.loader.note(p.resource, f.line, p.prefix+f.name+" is not supported yet: "+gap)
		case slices.Contains(inert, f.name):
			idle = append(idle, p.prefix+f.name)
		case unknown == maxUnknown:
			p.loader.note(p.resource, f.line, "further properties are not known to Gatepost and have no effect")
			return
		default:
			unknown++
			p.loader.note(p.resource, f.line, "the property "+p.prefix+f.name+" is not known to Gatepost and has no effect"+
				p.loader.hint(f.name, known, inert))
		}
	}
	if len(idle) > 0 && !p.loader.made[p.resource.id] {
		p.loader.noteInert(p.resource, p.resource.line, strings.Join(idle, ", ")+": not needed here")
	}
}
