package template

import (
	"errors"

	"github.com/gatepost-dev/gatepost/stack"
)

// loadOutputs resolves the Outputs section. Nothing runs on an output, so one
// that Gatepost cannot evaluate is noted and left out; one that is wrong is an
// error, as on AWS.
func (l *loader) loadOutputs(section *node) {
	for _, f := range l.entries(section) {
		if condition := f.value.field("Condition"); condition != nil {
			holds, err := l.condition(condition)
			l.problems.add(err)
			if !holds {
				continue
			}
		}
		value := f.value.field("Value")
		if value == nil {
			l.problem(f.value, "the output needs a Value")
			continue
		}
		l.loadOutput(f, value)
	}
}

func (l *loader) loadOutput(f field, value *node) {
	text, err := l.text(value)
	if wrong, ok := errors.AsType[*Error](err); ok && wrong.unsupported {
		l.noteTemplate(f.line, "the output "+f.name+" is left out: "+wrong.Text)
		return
	}
	if err != nil {
		l.problems.add(err)
		return
	}
	if l.holdsNoEcho(text) {
		text = hiddenValue
	}
	output := stack.Output{Name: f.name, Value: text}
	if d := f.value.field("Description"); d != nil {
		output.Description = d.text
	}
	l.stack.Outputs = append(l.stack.Outputs, output)
}
