package serverless

import (
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// resolver finds the values of a configuration's variables. A value is resolved
// when it is asked for, each once: what nobody needs may stay without a value.
type resolver struct {
	// of is the service whose variables these are: it collects the problems, and
	// knows its stage and region.
	of   *service
	root *template.Value
	// known holds the texts with variables that were resolved, busy those under
	// way, and trail the same in order.
	known map[*template.Value]*template.Value
	busy  map[*template.Value]bool
	trail []*template.Value
	// whole are the maps and lists that are being resolved with all they hold.
	whole map[*template.Value]bool
	files map[string]*sourceFile
	// indexes find the entries of large maps.
	indexes map[*template.Value]map[string]*template.Value
	// made counts values, and written bytes, that resolving has made.
	made, written int
	// hints counts the searches for a name like one that is wrong.
	hints int
	// full is set when a limit was hit, which is told once.
	full bool
}

// A configuration can double itself at each step: these bound what resolving may
// make, and how far one value may lead.
const (
	maxMade    = 100_000
	maxWritten = 32 << 20
	maxText    = 1 << 20
	maxTrail   = 100
	maxFiles   = 200
)

func newResolver(s *service, root *template.Value) *resolver {
	return &resolver{
		of: s, root: root,
		known: make(map[*template.Value]*template.Value), busy: make(map[*template.Value]bool), whole: make(map[*template.Value]bool),
		files: make(map[string]*sourceFile), indexes: make(map[*template.Value]map[string]*template.Value),
	}
}

// missing is a value that is not there, for the reason given.
func missing(at template.Place, reason string) *template.Value {
	return &template.Value{Place: at, Missing: reason}
}

// value returns a value that is no text with variables: v itself, or what its
// variables give. What a map or a list holds may still have some. It may be
// called with nil.
func (r *resolver) value(v *template.Value) *template.Value {
	if v == nil || v.Missing != "" || v.Kind != template.String || !strings.Contains(v.Text, "${") {
		return v
	}
	if known := r.known[v]; known != nil {
		return known
	}
	if r.busy[v] || len(r.trail) >= maxTrail {
		return r.circle(v)
	}
	r.busy[v] = true
	r.trail = append(r.trail, v)
	resolved := r.text(v)
	delete(r.busy, v)
	r.trail = r.trail[:len(r.trail)-1]
	r.known[v] = resolved
	return resolved
}

// circle reports a value that leads to itself.
func (r *resolver) circle(v *template.Value) *template.Value {
	from := 0
	for i, t := range r.trail {
		if t == v {
			from = i
		}
	}
	var way []string
	for _, t := range r.trail[from:] {
		way = append(way, t.Place.Path())
	}
	if !r.busy[v] {
		r.of.problem(v.Place, "the variables lead through more than %d values; shorten the chain", maxTrail)
		return missing(v.Place, "its variables lead too far")
	}
	if len(way) > 8 {
		way = append(append(way[:4:4], "..."), way[len(way)-3:]...)
	}
	r.of.problem(v.Place, "the value refers to itself: %s; break the circle", strings.Join(append(way, v.Place.Path()), " -> "))
	return missing(v.Place, "it refers to itself")
}

// text resolves a text with variables.
func (r *resolver) text(v *template.Value) *template.Value {
	parts, err := parseText(v.Text)
	if err != nil {
		r.of.problem(v.Place, "%v", err)
		return missing(v.Place, err.Error())
	}
	return r.parts(v, parts)
}

// parts returns what the parts of a text give, at the place of v: one variable
// alone any value, and several parts a text.
func (r *resolver) parts(v *template.Value, parts []part) *template.Value {
	if len(parts) == 1 && parts[0].variable != nil {
		return r.variable(v, parts[0].variable)
	}
	var out strings.Builder
	for _, p := range parts {
		text := p.text
		if p.variable != nil {
			value := r.variable(v, p.variable)
			switch {
			case value.Missing != "":
				return missing(v.Place, value.Missing)
			case !value.IsScalar():
				r.of.problem(v.Place, "%s is %s and cannot be put into a text", template.Quote(p.variable.written), value.Kind)
				return missing(v.Place, "it has no text")
			}
			text = value.Text
		}
		if r.written += len(text); r.written > maxWritten || out.Len()+len(text) > maxText {
			return r.tooMuch(v.Place)
		}
		out.WriteString(text)
	}
	return template.Scalar(v.Place, template.String, out.String())
}

// tooMuch reports, once, that resolving has made as much as it may.
func (r *resolver) tooMuch(at template.Place) *template.Value {
	if !r.full {
		r.full = true
		r.of.problem(at, "the variables make too much of the configuration: at most %d values, %d bytes in one text and %d in all", maxMade, maxText, maxWritten)
	}
	return missing(at, "the configuration is too large")
}

// variable asks the sources of a variable, one after the other. A scalar gets the
// place of v; a map or a list keeps its own.
func (r *resolver) variable(v *template.Value, from *variable) *template.Value {
	reason := ""
	empty := (*template.Value)(nil)
	for i, s := range from.sources {
		if r.full {
			return missing(v.Place, "the configuration is too large")
		}
		value := r.source(v, s)
		switch {
		case value.Missing != "":
			reason = value.Missing
		case value.Kind == template.Null && i+1 < len(from.sources):
			empty = value
		case value.IsScalar(), value.Kind == template.Null:
			return template.Scalar(v.Place, value.Kind, value.Text)
		default:
			return value
		}
	}
	if empty != nil {
		return template.Scalar(v.Place, template.Null, "")
	}
	if value := r.implied(v, from); value != nil {
		return value
	}
	return missing(v.Place, "the variable "+template.Quote(from.written)+" has no value: "+reason)
}

// source asks one source; what it does not have is a missing value.
func (r *resolver) source(v *template.Value, s source) *template.Value {
	switch {
	case s.nested != nil:
		return r.variable(v, s.nested)
	case s.literal != nil:
		return s.literal
	}
	address, reason := r.argument(v, s.address)
	if reason != "" {
		return missing(v.Place, reason)
	}
	params := make([]string, len(s.params))
	for i, p := range s.params {
		if params[i], reason = r.argument(v, p); reason != "" {
			return missing(v.Place, reason)
		}
	}
	return r.ask(v, s.kind, params, address)
}

// argument resolves an address or a parameter to a text.
func (r *resolver) argument(v *template.Value, parts []part) (text, reason string) {
	if len(parts) == 0 {
		return "", ""
	}
	value := r.parts(v, parts)
	switch {
	case value.Missing != "":
		return "", value.Missing
	case !value.IsScalar():
		return "", "an address must be text, not " + value.Kind.String()
	}
	return value.Text, ""
}

// follow goes down from a value by the names and numbers of an address.
func (r *resolver) follow(v *template.Value, address string) *template.Value {
	at := r.value(v)
	if address == "" {
		return at
	}
	for step := range strings.SplitSeq(address, ".") {
		if at.Missing != "" {
			return at
		}
		next := r.step(at, step)
		if next == nil {
			return missing(at.Place, "there is no "+template.Quote(address)+r.hint(at, step))
		}
		at = r.value(next)
	}
	return at
}

// hint suggests an entry of a map for one that it does not have.
func (r *resolver) hint(at *template.Value, step string) string {
	const most = 100
	if r.hints++; at.Kind != template.Object || r.hints > most {
		return ""
	}
	names := make([]string, 0, len(at.Entries))
	for _, e := range at.Entries {
		names = append(names, e.Name)
	}
	return template.DidYouMean(step, names)
}

func (r *resolver) step(at *template.Value, step string) *template.Value {
	if at.Kind == template.List {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at.Items) {
			return at.Items[i]
		}
		return nil
	}
	const indexFrom = 12
	if len(at.Entries) < indexFrom {
		return at.Get(step)
	}
	index := r.indexes[at]
	if index == nil {
		index = make(map[string]*template.Value, len(at.Entries))
		for _, e := range at.Entries {
			index[e.Name] = e.Value
		}
		r.indexes[at] = index
	}
	return index[step]
}

// all resolves a value with everything that it holds. It may be called with nil.
func (r *resolver) all(v *template.Value) *template.Value {
	v = r.value(v)
	if v == nil || v.Kind != template.Object && v.Kind != template.List {
		return v
	}
	if r.whole[v] {
		r.of.problem(v.Place, "the value holds itself, through its variables; break the circle")
		return missing(v.Place, "it holds itself")
	}
	if r.made += 1 + len(v.Items) + len(v.Entries); r.made > maxMade || len(r.whole) > maxTrail {
		return r.tooMuch(v.Place)
	}
	r.whole[v] = true
	defer delete(r.whole, v)
	out := &template.Value{Kind: v.Kind, Place: v.Place}
	for _, item := range v.Items {
		out.Items = append(out.Items, r.all(item))
	}
	for _, e := range v.Entries {
		out.Entries = append(out.Entries, template.Entry{Name: e.Name, Place: e.Place, Value: r.all(e.Value)})
	}
	return out
}
