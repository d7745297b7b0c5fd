package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

// output is a value that one stack of a system hands to others.
type output struct {
	from  *evaluator
	value *node
}

// text evaluates the output. What goes wrong in there is told with the place
// there.
func (o output) text() (string, error) { return o.from.commaText(o.value) }

// outputs returns the Outputs of a template whose conditions hold, by name.
func (l *loader) outputs() map[string]field {
	all := make(map[string]field)
	section := l.root.field("Outputs")
	if section == nil || section.kind != kindObject {
		return all
	}
	for _, f := range section.fields {
		if f.value.field("Value") == nil {
			continue
		}
		if condition := f.value.field("Condition"); condition != nil {
			if holds, err := l.condition(condition); err != nil || !holds {
				continue
			}
		}
		all[f.name] = f
	}
	return all
}

// export returns what a stack of this system exports under a name.
func (s *system) export(name string) (output, bool) {
	if s.exports == nil {
		s.exports = make(map[string]output) // also while it is filled: a name that needs an import has none
		for _, l := range s.loaders {
			for _, f := range l.outputs() {
				if n := f.value.field("Export").field("Name"); n != nil {
					if text, err := l.text(n); err == nil {
						s.exports[text] = output{l.evaluator, f.value.field("Value")}
					}
				}
			}
		}
	}
	o, found := s.exports[name]
	return o, found
}

// callImportValue is Fn::ImportValue: the export of another stack.
func (e *evaluator) callImportValue(n, argument *node) (*node, error) {
	name, err := e.text(argument)
	if err != nil {
		return nil, err
	}
	if o, found := e.export(name); found {
		text, err := o.text()
		if err != nil {
			return nil, err
		}
		return e.produce(n, text)
	}
	if text, found := e.opts.Values.Export(name); found {
		return e.produce(n, text)
	}
	return nil, e.unsupported(n, "Gatepost cannot evaluate Fn::ImportValue of %s, which no stack exports here; give it in a file of values (--values, section exports)", quote(name))
}

// nestedOutput finds an output of a stack that is nested in another.
func (s *system) nestedOutput(r *resource, name string) (o output, known, found bool) {
	l := s.nested[r]
	if l == nil {
		return output{}, false, false
	}
	f, found := l.outputs()[name]
	if !found {
		return output{}, true, false
	}
	return output{l.evaluator, f.value.field("Value")}, true, true
}

// outputOfNested is what Fn::GetAtt at n means for an output of a nested stack.
func (e *evaluator) outputOfNested(n *node, r *resource, name string) (string, error) {
	o, known, found := e.nestedOutput(r, name)
	if found {
		return o.text()
	}
	if known {
		return "", e.errorf(n, "the stack %s has no output %s", r.id, quote(name))
	}
	if text, found := e.opts.Values.Output(r.id, name); found {
		return text, nil
	}
	return e.standIn(n, r, "Outputs."+name, r.id+".Outputs."+name), nil
}

// opening begins a dynamic reference ("Get values stored in other services" in
// the CloudFormation user guide).
const opening = "{{resolve:"

// withReferences puts the values of dynamic references into a text. One that is
// not known stays as it stands, and is told once.
func (e *evaluator) withReferences(n *node) (*node, error) {
	if n.kind != kindString || !strings.Contains(n.text, opening) {
		return n, nil
	}
	var out strings.Builder
	changed := false
	for rest := n.text; ; {
		before, after, found := strings.Cut(rest, opening)
		reference, behind, closed := strings.Cut(after, "}}")
		if !found || !closed {
			out.WriteString(rest)
			break
		}
		out.WriteString(before)
		value, known, err := e.reference(n, reference)
		if err != nil {
			return nil, err
		}
		if !known {
			value = opening + reference + "}}"
		}
		changed = changed || known
		if out.WriteString(value); out.Len() > maxText {
			return nil, e.errorf(n, "the value becomes longer than %d bytes", maxText)
		}
		rest = behind
	}
	if !changed {
		return n, nil
	}
	return e.produce(n, out.String())
}

// reference is the value of one dynamic reference, without its braces.
func (e *evaluator) reference(n *node, reference string) (value string, known bool, err error) {
	service, name, _ := strings.Cut(reference, ":")
	switch service {
	case "ssm", "ssm-secure":
		value, known, err = e.parameterOfStore(name)
		if known && service == "ssm-secure" {
			e.secrets[value] = true
		}
		return value, known, err
	case "secretsmanager":
		value, known, err = e.secret(name)
		if err != nil {
			return "", false, e.errorf(n, "%v", err)
		}
		if known {
			e.secrets[value] = true
		}
	}
	return value, known, err
}

// parameterOfStore is a parameter of Parameter Store: of the values, else one that
// a template declares.
func (e *evaluator) parameterOfStore(name string) (value string, known bool, err error) {
	if value, known = e.opts.Values.SSMParameter(name); known {
		return value, true, nil
	}
	plain, _, _ := strings.Cut(name, ":")
	o, declared := e.declaredParameter(plain)
	if !declared {
		return "", false, nil
	}
	value, err = o.text()
	return value, err == nil, err
}

// secret reads id:SecretString:key:stage:version, of which all but the id may be
// missing; an ARN as id has colons of its own.
func (e *evaluator) secret(text string) (value string, known bool, err error) {
	id, rest, _ := strings.Cut(text, ":SecretString")
	if whole, found := e.opts.Values.Secret(id); found {
		value = whole
	} else if whole, found := e.opts.Values.Secret(id[strings.LastIndexByte(id, ':')+1:]); found {
		value = whole
	} else {
		return "", false, nil
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(rest, ":"), ":")
	if key == "" {
		return value, true, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &fields) != nil || fields[key] == nil {
		return "", false, errors.New("the secret " + quote(id) + " of the values has no key " + quote(key))
	}
	var plain string
	if json.Unmarshal(fields[key], &plain) == nil {
		return plain, true, nil
	}
	return string(fields[key]), true, nil
}

// noteUnloaded tells of a nested stack whose template is not at hand.
func (l *loader) noteUnloaded(r *resource, at *node, why string) {
	l.addNotice(stack.Notice{File: l.fileOf(at), Line: at.line, LogicalID: r.id, Type: r.declared,
		Text: fmt.Sprintf("the nested stack is left out: %s; its outputs can be given in a file of values (--values, section outputs, under %s)", why, r.id)})
}
