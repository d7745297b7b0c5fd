package template

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// passed is a parameter of a nested stack: a value of the stack around it.
type passed struct {
	from  *evaluator
	value *node
}

// ssmPrefix begins the types of parameters whose value is the name of one in
// Parameter Store.
const ssmPrefix = "AWS::SSM::Parameter::Value<"

// parameterText returns the value given by the caller or the stack around this
// one, else the default.
func (e *evaluator) parameterText(p *parameter) (text string, given bool, err error) {
	if text, given = e.opts.Parameters[p.name]; given {
		return text, true, nil
	}
	if outer, given := e.given[p.name]; given {
		text, err = outer.from.commaText(outer.value)
		return text, err == nil, err
	}
	if d := p.node.field("Default"); d != nil && d.isScalar() {
		return d.text, true, nil
	}
	return "", false, nil
}

// commaText is text for a value that may be a list, which becomes one text with
// commas.
func (e *evaluator) commaText(n *node) (string, error) {
	v, err := e.resolve(n)
	if err != nil || v.kind != kindList {
		if err == nil {
			return e.text(v)
		}
		return "", err
	}
	items, err := e.list(v)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, item := range items {
		text, err := e.text(item)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ","), nil
}

// parameterValue is what a Ref to the parameter means at n.
func (e *evaluator) parameterValue(n *node, p *parameter) (*node, error) {
	text, given, err := e.parameterText(p)
	if err != nil {
		return nil, err
	}
	if !given {
		return nil, e.errorf(p.node, "the parameter has no value; give it a Default, or pass a value for it")
	}
	if text, err = e.fromStore(p, text); err != nil {
		return nil, err
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

// fromStore is the value that Parameter Store has under the name which a parameter
// of an SSM type gives. A name that the values do not have stands for itself when
// the caller passed it: it is then taken as the value.
func (e *evaluator) fromStore(p *parameter, text string) (string, error) {
	if !strings.HasPrefix(p.typ, ssmPrefix) {
		return text, nil
	}
	if value, found := e.opts.Values.SSMParameter(text); found {
		return value, nil
	}
	if _, passed := e.opts.Parameters[p.name]; passed {
		return text, nil
	}
	return "", e.unsupported(p.node, "the parameter's value lies in Parameter Store under %s; give it in a file of values (--values, section ssm), or pass the value itself", quote(text))
}

// checkParameters compares the parameters' values with what the template allows.
func (l *loader) checkParameters() {
	for _, name := range l.parameterNames {
		p := l.parameters[name]
		value, given, err := l.parameterText(p)
		if err != nil {
			l.problems.add(err)
			continue
		}
		if given && !p.isList() && !strings.HasPrefix(p.typ, ssmPrefix) {
			l.checkAllowed(p, value)
			l.checkForm(p, value)
		}
	}
}

// checkAllowed compares the value with AllowedValues.
func (l *loader) checkAllowed(p *parameter, value string) {
	allowed := p.node.field("AllowedValues")
	if allowed == nil {
		return
	}
	var texts []string
	for _, item := range allowed.items {
		if item.text == value {
			return
		}
		texts = append(texts, item.text)
	}
	l.problem(p.node, "the value %s is not one of the AllowedValues: %s", p.shown(value), strings.Join(texts[:min(len(texts), 20)], ", "))
}

// shown is the value as a message may have it.
func (p *parameter) shown(value string) string {
	if p.noEcho() {
		return "(not shown)"
	}
	return quote(value)
}

// checkForm compares the value with AllowedPattern, MinLength, MaxLength,
// MinValue and MaxValue, and a Number with its type ("Parameters" in the
// CloudFormation user guide).
func (l *loader) checkForm(p *parameter, value string) {
	if p.typ == "Number" {
		number, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
			l.problem(p.node, "the value %s is not a number%s", p.shown(value), p.constraint())
			return
		}
		l.checkBounds(p, value, number, "MinValue", "is less than", "MaxValue", "is more than")
		return
	}
	l.checkPattern(p, value)
	l.checkBounds(p, value, float64(utf8.RuneCountInString(value)), "MinLength", "is shorter than", "MaxLength", "is longer than")
}

// constraint is what the template says of a value that it does not take.
func (p *parameter) constraint() string {
	if d := p.node.field("ConstraintDescription"); d != nil && d.isScalar() && d.text != "" {
		return ": " + d.text
	}
	return ""
}

func (l *loader) checkPattern(p *parameter, value string) {
	pattern := p.node.field("AllowedPattern")
	if pattern == nil || !pattern.isScalar() {
		return
	}
	form, err := regexp.Compile(`^(?:` + pattern.text + `)$`)
	switch {
	case err != nil: // a Java pattern with what Go's have not, such as a look-ahead
		l.noteTemplate(pattern.line, "the AllowedPattern of "+p.name+" is not checked: it has what only AWS's regular expressions have")
	case !form.MatchString(value):
		l.problem(p.node, "the value %s does not match the AllowedPattern %s%s", p.shown(value), quote(pattern.text), p.constraint())
	}
}

// checkBounds compares what is measured of a value with two of the parameter's
// settings.
func (l *loader) checkBounds(p *parameter, value string, measured float64, low, below, high, above string) {
	for _, bound := range []struct {
		name, words string
		sign        float64
	}{{low, below, 1}, {high, above, -1}} {
		n := p.node.field(bound.name)
		if n == nil || !n.isScalar() {
			continue
		}
		if limit, err := strconv.ParseFloat(n.text, 64); err == nil && bound.sign*measured < bound.sign*limit {
			l.problem(p.node, "the value %s %s the %s, %s%s", p.shown(value), bound.words, bound.name, n.text, p.constraint())
		}
	}
}
