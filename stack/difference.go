package stack

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/gatepost-dev/gatepost/apigw"
)

// ChangeKind says what became of a part of a stack.
type ChangeKind string

// The kinds of changes, as they are printed.
const (
	Added   ChangeKind = "+"
	Changed ChangeKind = "~"
	Removed ChangeKind = "-"
)

// The parts of a stack that change one by one.
const (
	PartAPI          = "API"
	PartRoute        = "route"
	PartFunction     = "function"
	PartQueue        = "queue"
	PartTopic        = "topic"
	PartStream       = "data stream"
	PartTable        = "table"
	PartTrigger      = "trigger" // an event source mapping
	PartSchedule     = "schedule"
	PartSubscription = "subscription"
)

// Change is one difference between two stacks.
type Change struct {
	Kind ChangeKind
	// Part is what it is of, PartRoute for instance.
	Part string
	// Name is the part's name: a function's, a route's key. API is the name of a
	// route's API.
	Name, API string
	// Fields say in words what is different in a part that Changed.
	Fields []string
	// Leads is what a route, a trigger or a subscription leads to.
	Leads string
}

// String is the change in one line, "+ route say -> publish" or
// "~ function publish (environment, timeout)".
func (c Change) String() string {
	text := fmt.Sprintf("%s %s %s", c.Kind, c.Part, c.Name)
	if c.Leads != "" {
		text += " -> " + c.Leads
	}
	if len(c.Fields) > 0 {
		text += " (" + strings.Join(c.Fields, ", ") + ")"
	}
	return text
}

// Difference returns what changes from one stack to another: APIs with their
// routes first, then functions, tables, queues, topics and what connects them,
// each in the order of the stack that has it. Notices and outputs, the places in
// templates and logical ids are no differences.
func Difference(from, to *Stack) []Change {
	all := apiChanges(from.APIs, to.APIs)
	all = append(all, changes(PartFunction, from.Functions, to.Functions, func(f *Function) Change { return Change{Name: f.Name} })...)
	all = append(all, changes(PartTable, from.Tables, to.Tables, func(t *Table) Change { return Change{Name: t.Name} })...)
	all = append(all, changes(PartQueue, from.Queues, to.Queues, func(q *Queue) Change { return Change{Name: q.Name} })...)
	all = append(all, changes(PartStream, from.Streams, to.Streams, func(d *DataStream) Change { return Change{Name: d.Name} })...)
	all = append(all, changes(PartTopic, from.Topics, to.Topics, func(t *Topic) Change { return Change{Name: t.Name} })...)
	all = append(all, changes(PartSubscription, from.Subscriptions, to.Subscriptions, func(s *Subscription) Change {
		return Change{Name: afterColon(s.TopicARN), Leads: afterColon(s.Endpoint)}
	})...)
	all = append(all, changes(PartTrigger, from.Mappings, to.Mappings, func(m *EventSourceMapping) Change {
		return Change{Name: sourceOf(m.SourceARN), Leads: m.Function}
	})...)
	return append(all, changes(PartSchedule, from.Schedules, to.Schedules, func(s *Schedule) Change { return Change{Name: s.Name} })...)
}

// afterColon is the last part of an ARN; a URL stays as it is.
func afterColon(arn string) string {
	if !strings.HasPrefix(arn, "arn:") {
		return arn
	}
	return arn[strings.LastIndexByte(arn, ':')+1:]
}

// sourceOf names what a mapping reads: a queue or a stream, or the table of one.
func sourceOf(arn string) string {
	if table, _, ok := strings.Cut(arn, "/stream/"); ok {
		return "stream of " + strings.TrimPrefix(afterColon(table), "table/")
	}
	return strings.TrimPrefix(afterColon(arn), "stream/")
}

// changes compares two lists of parts. describe gives a part its name and where
// it leads; both together tell parts apart.
func changes[T any](part string, from, to []T, describe func(*T) Change) (all []Change) {
	type place struct{ name, leads string }
	before := make(map[place]*T, len(from))
	for i := range from {
		c := describe(&from[i])
		before[place{c.Name, c.Leads}] = &from[i]
	}
	for i := range to {
		c := describe(&to[i])
		c.Part = part
		at := place{c.Name, c.Leads}
		old := before[at]
		delete(before, at)
		if old == nil {
			c.Kind = Added
		} else if c.Kind, c.Fields = Changed, fieldsOf(old, &to[i]); len(c.Fields) == 0 {
			continue
		}
		all = append(all, c)
	}
	for i := range from {
		c := describe(&from[i])
		if before[place{c.Name, c.Leads}] == &from[i] {
			c.Kind, c.Part = Removed, part
			all = append(all, c)
		}
	}
	return all
}

// apiChanges compares APIs, each followed by its routes.
func apiChanges(from, to []apigw.API) (all []Change) {
	name := func(a *apigw.API) Change { return Change{Name: a.Name} }
	routes := func(a *apigw.API) []apigw.Route {
		if a == nil {
			return nil
		}
		return a.Routes
	}
	find := func(list []apigw.API, name string) *apigw.API {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
		return nil
	}
	own := func(list []apigw.API) []apigw.API { // without routes
		list = slices.Clone(list)
		for i := range list {
			list[i].Routes = nil
		}
		return list
	}
	all = changes(PartAPI, own(from), own(to), name)
	for _, a := range union(from, to) {
		for _, c := range changes(PartRoute, routes(find(from, a)), routes(find(to, a)), func(r *apigw.Route) Change { return Change{Name: r.Key} }) {
			c.API, c.Leads = a, leadsTo(find(to, a), c)
			all = append(all, c)
		}
	}
	return all
}

// union are the names of APIs of two lists, each once.
func union(from, to []apigw.API) (names []string) {
	for _, a := range slices.Concat(to, from) {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// leadsTo is the backend of a route that was added, or whose backend changed.
func leadsTo(a *apigw.API, c Change) string {
	if a == nil || c.Kind == Removed || c.Kind == Changed && !slices.Contains(c.Fields, "integration") {
		return ""
	}
	in := a.Route(c.Name).Integration
	switch {
	case in == nil:
		return "nothing"
	case in.Function != "":
		return in.Function
	}
	return cmp.Or(in.URI, string(in.Type))
}

// aside are fields that say nothing about what runs.
var aside = []string{"LogicalID", "Line", "EnvironmentAt", "NoEcho"}

// fieldsOf returns the names of the fields in which two structures of one type
// differ, in words.
func fieldsOf[T any](a, b *T) (names []string) {
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for i := range x.NumField() {
		if name := x.Type().Field(i).Name; !slices.Contains(aside, name) && !same(x.Field(i), y.Field(i)) {
			names = append(names, words(name))
		}
	}
	return names
}

// same compares two values of one type, without the fields that are aside.
// Empty lists and maps are the same as none.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		if equal := a.MethodByName("Equal"); equal.IsValid() { // time.Time
			return equal.Call([]reflect.Value{b})[0].Bool()
		}
		for i := range a.NumField() {
			if !slices.Contains(aside, a.Type().Field(i).Name) && !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, key := range a.MapKeys() {
			if other := b.MapIndex(key); !other.IsValid() || !same(a.MapIndex(key), other) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// called are the words for fields whose names would say too little.
var called = map[string]string{
	"MemoryMB": "memory", "EphemeralMB": "temporary storage", "MaxConcurrency": "concurrency", "Async": "asynchronous invocation",
	"TwoWay": "answers", "TTLAttribute": "time to live", "StreamView": "stream", "Redrive": "dead letters", "Inline": "code",
	"RouteSelectionExpression": "route selection", "FIFO": "FIFO", "ID": "id", "ARN": "ARN", "StreamARN": "stream's ARN",
}

// words writes the name of a field as words: BatchSize is "batch size".
func words(name string) string {
	if word := called[name]; word != "" {
		return word
	}
	name = strings.ReplaceAll(name, "APIKey", "ApiKey")
	var text strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			text.WriteByte(' ')
		}
		text.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(text.String(), "api key", "API key")
}
