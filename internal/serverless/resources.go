package serverless

import (
	"slices"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// resources are those of the template, in order.
type resources struct {
	order     []template.Entry
	at        map[string]int
	generated map[string]bool
}

func newResources() *resources {
	return &resources{at: make(map[string]int), generated: make(map[string]bool)}
}

// set puts an entry in, in the place of one with the same name, which stays
// where it was declared first.
func (r *resources) set(e template.Entry) {
	if i, found := r.at[e.Name]; found {
		r.order[i].Value = e.Value
		return
	}
	r.at[e.Name] = len(r.order)
	r.order = append(r.order, e)
}

func (r *resources) get(id string) *template.Value {
	if i, found := r.at[id]; found {
		return r.order[i].Value
	}
	return nil
}

func (r *resources) value(at template.Place) *template.Value {
	return &template.Value{Kind: template.Object, Entries: r.order, Place: at}
}

// generate adds a resource that the framework makes, and returns its properties.
func (s *service) generate(at template.Place, id, typ string) (properties *template.Value) {
	properties = template.Map(at)
	s.resources.generated[id] = true
	s.resources.set(template.Entry{Name: id, Place: at, Value: template.Map(at).With("Type", text(at, typ)).With("Properties", properties)})
	return properties
}

// sections of a template that resources may have beside Resources.
var templateSections = []string{"Parameters", "Mappings", "Conditions", "Outputs", "Transform", "Globals"}

// mergeResources lays what stands under resources over the generated template,
// and returns the other sections.
func (s *service) mergeResources() []template.Entry {
	sections := template.Map(s.root.Place)
	if len(s.outputs.Entries) > 0 {
		sections.With("Outputs", s.outputs)
	}
	given := s.value(s.root.Get("resources"))
	switch {
	case given == nil, given.Missing == "" && given.Kind == template.Null:
		return sections.Entries
	case given.Missing != "":
		s.problem(given.Place, "%s", given.Missing)
		return sections.Entries
	}
	documents := []*template.Value{given}
	if given.Kind == template.List {
		documents = given.Items
	}
	var extensions []*template.Value
	for _, d := range documents {
		extensions = append(extensions, s.mergeDocument(sections, d))
	}
	for _, e := range extensions {
		s.extend(e)
	}
	return sections.Entries
}

// mergeDocument lays one document over the template, and returns its extensions.
func (s *service) mergeDocument(sections, document *template.Value) (extensions *template.Value) {
	at := document.Place
	document = s.value(document)
	switch {
	case document.Missing != "":
		s.problem(at, "%s", document.Missing)
		return nil
	case document.Kind == template.Null:
		return nil
	case document.Kind != template.Object:
		s.problem(at, "resources must be a map with Resources, not %s", document.Kind)
		return nil
	}
	for _, e := range document.Entries {
		value := s.all(e.Value)
		switch {
		case value.Missing != "":
			s.problem(e.Value.Place, "%s", value.Missing)
		case e.Name == "extensions":
			extensions = value
		case value.Kind == template.Null:
		case e.Name == "Resources":
			s.mergeInto(value)
		case slices.Contains(templateSections, e.Name):
			sections.With(e.Name, s.merge(sections.Get(e.Name), value))
		case e.Name != "AWSTemplateFormatVersion" && e.Name != "Description" && e.Name != "Metadata" && e.Name != "Rules":
			s.note(e.Place, "the section "+template.Quote(e.Name)+" under resources is not one of a template's, and has no effect"+
				template.DidYouMean(e.Name, append(templateSections, "Resources", "extensions")))
		}
	}
	return extensions
}

// mergeInto lays a map of resources over the generated ones.
func (s *service) mergeInto(section *template.Value) {
	if section.Kind != template.Object {
		s.problem(section.Place, "Resources must be a map, not %s", section.Kind)
		return
	}
	for _, e := range section.Entries {
		e.Value = s.merge(s.resources.get(e.Name), e.Value)
		s.resources.set(e)
	}
}

// merge lays one value over another: maps are merged, all else is replaced.
func (s *service) merge(under, over *template.Value) *template.Value {
	if over.Missing != "" || isCall(over) {
		return over
	}
	return s.overlay(under, over, s.merge)
}

// replace is the choice of overlay that takes the upper value.
func replace(_, over *template.Value) *template.Value { return over }

// overlay lays a map over another; choose says what becomes of the values that
// both have. What is no map replaces what is below it.
func (s *service) overlay(under, over *template.Value, choose func(under, over *template.Value) *template.Value) *template.Value {
	if under == nil || over == nil || under.Kind != template.Object || over.Kind != template.Object || under.Missing != "" || isCall(under) {
		return over
	}
	if s.made += len(under.Entries); s.made > maxMade {
		return s.tooMuch(over.Place)
	}
	merged := &template.Value{Kind: template.Object, Place: over.Place, Entries: slices.Clone(under.Entries)}
	at := make(map[string]int, len(under.Entries))
	for i, e := range under.Entries {
		at[e.Name] = i
	}
	for _, e := range over.Entries {
		i, found := at[e.Name]
		if !found {
			merged.Entries = append(merged.Entries, e)
			continue
		}
		e.Value = choose(under.Entries[i].Value, e.Value)
		merged.Entries[i] = e
	}
	return merged
}

func isCall(v *template.Value) bool {
	name, _ := call(v)
	return name != ""
}

// extend applies resources.extensions: they change generated resources, and of
// Properties each as a whole.
func (s *service) extend(extensions *template.Value) {
	if extensions == nil || extensions.Kind != template.Object {
		return
	}
	for _, e := range extensions.Entries {
		resource := s.resources.get(e.Name)
		if resource == nil || e.Value.Kind != template.Object {
			s.problem(e.Place, "extensions change resources that the framework generates, and %s is none", template.Quote(e.Name))
			continue
		}
		changed := s.overlay(resource, e.Value, func(under, over *template.Value) *template.Value { return s.overlay(under, over, replace) })
		s.resources.set(template.Entry{Name: e.Name, Place: e.Place, Value: changed})
	}
}
