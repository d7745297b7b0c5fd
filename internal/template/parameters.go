package template

import (
	"maps"
	"slices"
	"strings"
)

// parameter is one entry of the Parameters section.
type parameter struct {
	name string
	node *node
	// typ is the declared type, for example "String" or "CommaDelimitedList".
	typ string
}

// isList reports whether the value is a comma-separated list.
func (p *parameter) isList() bool {
	return p.typ == "CommaDelimitedList" || strings.HasPrefix(p.typ, "List<") ||
		strings.HasPrefix(p.typ, "AWS::SSM::Parameter::Value<List<")
}

// noEcho reports whether the value is not to be shown.
func (p *parameter) noEcho() bool {
	n := p.node.field("NoEcho")
	return n != nil && n.isScalar() && strings.EqualFold(n.text, "true")
}

// readParameters fills the evaluator's parameters and checks the values that
// the caller gives against them. A parameter that has neither a value nor a
// default is an error only once something needs it.
func (l *loader) readParameters(section *node) {
	for _, f := range l.entries(section) {
		typ := f.value.field("Type")
		if typ == nil || !typ.isScalar() {
			l.problem(f.value, "the parameter needs a Type, for example String")
			continue
		}
		p := &parameter{name: f.name, node: f.value, typ: typ.text}
		l.parameters[f.name] = p
		l.parameterNames = append(l.parameterNames, f.name)
	}
	for _, name := range slices.Sorted(maps.Keys(l.opts.Parameters)) {
		if l.parameters[name] == nil {
			l.problems.add(&Error{File: l.file, Text: "a value is given for the parameter " + quote(name) +
				", which the template does not declare" + l.hint(name, l.parameterNames)})
		}
	}
}

// pseudo is what a Ref to one of AWS's pseudo parameters means at n.
func (e *evaluator) pseudo(n *node, name string) (*node, error) {
	switch name {
	case "AWS::Region":
		return e.produce(n, e.opts.Region)
	case "AWS::AccountId":
		return e.produce(n, e.opts.Account)
	case "AWS::StackName":
		return e.produce(n, e.opts.StackName)
	case "AWS::StackId":
		return e.produce(n, e.arn("cloudformation", "stack/"+e.opts.StackName+"/"+e.uuid("AWS::StackId")))
	case "AWS::Partition":
		return e.produce(n, "aws")
	case "AWS::URLSuffix":
		return e.produce(n, "amazonaws.com")
	case "AWS::NotificationARNs":
		return madeList(n), nil
	case "AWS::NoValue":
		return &node{kind: kindAbsent, line: n.line, column: n.column, parent: n}, nil
	}
	return nil, e.errorf(n, "there is no pseudo parameter %s", quote(name))
}
