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
		l.checkAllowed(p)
	}
	for _, name := range slices.Sorted(maps.Keys(l.opts.Parameters)) {
		if l.parameters[name] == nil {
			l.problems.add(&Error{File: l.file, Text: "a value is given for the parameter " + quote(name) +
				", which the template does not declare" + l.hint(name, l.parameterNames)})
		}
	}
}

// checkAllowed compares the value with AllowedValues.
func (l *loader) checkAllowed(p *parameter) {
	allowed := p.node.field("AllowedValues")
	value, given := l.evaluator.parameterText(p)
	if allowed == nil || !given || p.isList() {
		return
	}
	var texts []string
	for _, item := range allowed.items {
		if item.text == value {
			return
		}
		texts = append(texts, item.text)
	}
	shown := quote(value)
	if p.noEcho() {
		shown = "(not shown)"
	}
	l.problem(p.node, "the value %s is not one of the AllowedValues: %s", shown, strings.Join(texts[:min(len(texts), 20)], ", "))
}

// parameterText returns the value given by the caller, else the default.
func (e *evaluator) parameterText(p *parameter) (text string, given bool) {
	if text, given = e.opts.Parameters[p.name]; given {
		return text, true
	}
	if d := p.node.field("Default"); d != nil && d.isScalar() {
		return d.text, true
	}
	return "", false
}

// parameterValue is what a Ref to the parameter means at n.
func (e *evaluator) parameterValue(n *node, p *parameter) (*node, error) {
	text, given := e.parameterText(p)
	if !given {
		return nil, e.errorf(p.node, "the parameter has no value; give it a Default, or pass a value for it")
	}
	if _, passed := e.opts.Parameters[p.name]; !passed && strings.HasPrefix(p.typ, "AWS::SSM::Parameter::Value<") {
		return nil, e.unsupported(p.node, "the parameter's value lies in Systems Manager under %s, which Gatepost does not read; pass the value itself", quote(text))
	}
	if !p.isList() {
		return e.produce(n, text)
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return e.produceList(n, items)
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
