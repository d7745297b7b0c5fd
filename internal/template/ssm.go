package template

// parameterTypes tells what references to a parameter of Parameter Store give.
func parameterTypes() map[string]resourceType {
	property := func(name, otherwise string) attribute {
		return func(e *evaluator, r *resource) (string, error) {
			n := r.properties.field(name)
			if n == nil {
				return otherwise, nil
			}
			return e.text(n)
		}
	}
	return map[string]resourceType{"AWS::SSM::Parameter": {complete: true, ref: named("Name"), attributes: map[string]attribute{
		"Value": property("Value", ""), "Type": property("Type", "String"),
	}}}
}

// loadParameter reads AWS::SSM::Parameter: a value for whoever refers to it in
// the templates.
func (l *loader) loadParameter(r *resource) {
	p := l.properties(r)
	p.require("Type", "it is String or StringList")
	p.require("Value", "it is what the parameter holds")
	p.oneOf("Type", "String", "StringList")
	p.text("Name")
	p.text("Value")
	p.rest([]string{"AllowedPattern", "DataType", "Policies", "Tier"}, nil)
	l.note(r, r.line, "there is no Parameter Store here that functions could ask; the value is used where templates refer to it")
}

// declaredParameter returns the value of a parameter of Parameter Store that a
// template declares.
func (s *system) declaredParameter(name string) (output, bool) {
	if s.stored == nil {
		s.stored = make(map[string]output) // also while it is filled: a name that needs another has none
		for _, l := range s.loaders {
			l.storeParameters()
		}
	}
	o, found := s.stored[name]
	return o, found
}

func (l *loader) storeParameters() {
	for _, id := range l.logicalIDs {
		r := l.resources[id]
		value := r.properties.field("Value")
		if r.typ != "AWS::SSM::Parameter" || value == nil {
			continue
		}
		exists, err := l.exists(r)
		if name, failed := l.nameOf(r, "Name"); err == nil && exists && failed == nil {
			l.stored[name] = output{l.evaluator, value}
		}
	}
}
