package sns

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/pattern"
)

// passesBody applies the policy to a message's body. What is no JSON object
// passes no policy.
func (f *filter) passesBody(body string) bool {
	document, err := jsonpath.Parse([]byte(body))
	if err != nil || document.Kind() != jsonpath.Object {
		return false
	}
	return f.passes(document)
}

// passesAttributes applies the policy to message attributes. SNS looks at those
// of the types String, String.Array and Number only ("Filter policy
// constraints"); the others are as good as absent.
func (f *filter) passesAttributes(attributes map[string]Attribute) bool {
	members := make([]jsonpath.Member, 0, len(attributes))
	for name, a := range attributes {
		if v, ok := a.document(); ok {
			members = append(members, jsonpath.Member{Key: name, Value: v})
		}
	}
	return f.passes(jsonpath.ObjectOf(members...))
}

// document is the attribute as a property of a JSON document.
func (a Attribute) document() (v jsonpath.Value, ok bool) {
	switch a.DataType {
	case "String":
		return jsonpath.StringOf(a.StringValue), true
	case "Number":
		if v, ok := jsonpath.ParseNumber(a.StringValue); ok {
			return v, true
		}
		return jsonpath.ParseNumber(plainNumber(a.StringValue))
	case "String.Array", "Number.Array":
		v, err := jsonpath.Parse([]byte(a.StringValue))
		return v, err == nil && v.Kind() == jsonpath.Array
	}
	return v, false
}

// plainNumber rewrites the numbers that attributes may have and JSON may not:
// "+1", "007", ".5" and "1.".
func plainNumber(text string) string {
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	end := strings.IndexAny(text, "eE")
	if end < 0 {
		end = len(text)
	}
	whole, fraction, _ := strings.Cut(text[:end], ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction + text[end:]
}

// maxFilterSteps bounds the work on one message for each alternative, in values
// looked at. A body of 256 KB has fewer than 130,000 of them, and each is looked
// at once unless names with dots in them make several ways to a value.
const maxFilterSteps = 1_000_000

// passes reports whether the document meets one of the alternatives. A document
// so hostile that this takes too many steps passes none.
func (f *filter) passes(document jsonpath.Value) bool {
	present := make(map[string]bool)
	for _, a := range f.alternatives {
		for path := range a {
			if _, known := present[path]; !known {
				present[path] = exists(document, path)
			}
		}
	}
	return slices.ContainsFunc(f.alternatives, func(a alternative) bool { return a.met(document, present) })
}

// exists reports whether there is a value at the path: an empty array and an
// object are none.
func exists(document jsonpath.Value, path string) bool {
	anything := []pattern.Matcher{func(jsonpath.Value) bool { return true }}
	w := walk{maxFilterSteps}
	return w.findAll(document, []search{{path: path, matchers: anything}})
}

// met drops the conditions that the document meets by not having the property,
// and looks for values that meet the others.
func (a alternative) met(document jsonpath.Value, present map[string]bool) bool {
	var open []search
	for _, path := range slices.Sorted(maps.Keys(a)) {
		c := a[path]
		if present[path] {
			open = append(open, search{path: path, matchers: c.matchers})
		} else if !c.absent {
			return false
		}
	}
	w := walk{maxFilterSteps}
	return w.findAll(document, open)
}

// search is a condition on its way down into the document.
type search struct {
	// path is what is left of the way; it means nothing once the search is here.
	path     string
	here     bool
	matchers []pattern.Matcher
}

// in returns the search as it goes on in the member that the first n bytes of
// its path name.
func (s search) in(n int) search {
	if n == len(s.path) {
		return search{here: true, matchers: s.matchers}
	}
	return search{path: s.path[n+1:], matchers: s.matchers}
}

// ways returns how many bytes of the search's path may name a member: the whole
// path, and what stands before each dot.
func (s search) ways(object jsonpath.Value) []int {
	if s.here {
		return nil
	}
	var ways []int
	for n := range len(s.path) + 1 {
		if n < len(s.path) && s.path[n] != '.' {
			continue
		}
		if _, ok := object.Get(s.path[:n]); ok {
			ways = append(ways, n)
		}
	}
	return ways
}

// walk is one look through a document; it gives up, finding nothing, when its
// steps are used up.
type walk struct{ steps int }

// findAll reports whether v has values that satisfy all the searches together.
// Where their paths lead through one array, they must meet in one element of
// it: a policy on Records.name and Records.size is about one record.
func (w *walk) findAll(v jsonpath.Value, searches []search) bool {
	if w.steps--; w.steps < 0 {
		return false
	}
	switch v.Kind() {
	case jsonpath.Array:
		for i := range v.Len() {
			if w.findAll(v.Index(i), searches) {
				return true
			}
		}
		return len(searches) == 0
	case jsonpath.Object:
		return w.findInObject(v, searches, nil)
	}
	for _, s := range searches {
		if !s.here || !slices.ContainsFunc(s.matchers, func(m pattern.Matcher) bool { return m(v) }) {
			return false
		}
	}
	return true
}

// given is a search that was sent into the member of that name.
type given struct {
	name   string
	search search
}

// findInObject sends each search into one of the members whose names begin its
// path; there are several when names have dots in them. Searches that go into
// the same member are satisfied there together.
func (w *walk) findInObject(v jsonpath.Value, searches []search, sent []given) bool {
	if len(searches) == 0 {
		return w.findSent(v, sent)
	}
	s := searches[0]
	for _, n := range s.ways(v) {
		if w.findInObject(v, searches[1:], append(slices.Clip(sent), given{s.path[:n], s.in(n)})) {
			return true
		}
	}
	return false
}

func (w *walk) findSent(v jsonpath.Value, sent []given) bool {
	for i, g := range sent {
		if slices.ContainsFunc(sent[:i], func(earlier given) bool { return earlier.name == g.name }) {
			continue // done with the first one of that name
		}
		var together []search
		for _, other := range sent[i:] {
			if other.name == g.name {
				together = append(together, other.search)
			}
		}
		member, _ := v.Get(g.name)
		if !w.findAll(member, together) {
			return false
		}
	}
	return true
}
