package serverless

import (
	"strings"

	"github.com/gatepost-dev/gatepost/internal/template"
)

// Logical ids as the framework makes them ("Override AWS CloudFormation
// resource" in its documentation).

// idOf is the part of a logical id that names a function or a layer.
func idOf(name string) string {
	return upper(strings.NewReplacer("-", "Dash", "_", "Underscore").Replace(name))
}

// routeID is the part of a logical id that names a route.
func routeID(route string) string {
	return strings.NewReplacer("$", "S", "/", "Slash", "-", "Dash", "_", "Underscore", ".", "Period").Replace(route)
}

// plainID leaves letters and digits only.
func plainID(name string) string {
	return upper(strings.Map(func(c rune) rune {
		if c < 0x80 && (isLetter(byte(c)) || isDigit(byte(c))) {
			return c
		}
		return -1
	}, name))
}

// upper writes the first letter large.
func upper(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// The makers below build what does not stand in the file, at the place of what
// it is made of.

func text(at template.Place, s string) *template.Value {
	return template.Scalar(at, template.String, s)
}

func number(at template.Place, s string) *template.Value {
	return template.Scalar(at, template.Number, s)
}

func ref(at template.Place, id string) *template.Value {
	return template.Map(at).With("Ref", text(at, id))
}

func getAtt(at template.Place, id, attribute string) *template.Value {
	return template.Map(at).With("Fn::GetAtt", template.ListOf(at, text(at, id), text(at, attribute)))
}

func join(at template.Place, separator string, parts ...*template.Value) *template.Value {
	return template.Map(at).With("Fn::Join", template.ListOf(at, text(at, separator), template.ListOf(at, parts...)))
}

// call returns the name and the argument of an intrinsic function.
func call(v *template.Value) (name string, argument *template.Value) {
	if v != nil && v.Kind == template.Object && len(v.Entries) == 1 {
		if e := v.Entries[0]; e.Name == "Ref" || strings.HasPrefix(e.Name, "Fn::") {
			return e.Name, e.Value
		}
	}
	return "", nil
}

// sourceName is what logical ids of event sources have of an ARN: the resource of
// a GetAtt, the import's name, else the last part behind the separator.
func sourceName(arn *template.Value, separator string) string {
	name, argument := call(arn)
	switch {
	case name == "" && arn.IsScalar():
		return lastPart(arn.Text, separator)
	case name == "Fn::GetAtt" && argument.Kind == template.List && len(argument.Items) > 0:
		return argument.Items[0].Text
	case name == "Fn::GetAtt":
		id, _, _ := strings.Cut(argument.Text, ".")
		return id
	case name == "Fn::Join" && argument.Kind == template.List && len(argument.Items) == 2:
		if items := argument.Items[1].Items; len(items) > 0 {
			return lastPart(items[len(items)-1].Text, separator)
		}
	case argument != nil && argument.IsScalar():
		return lastPart(argument.Text, separator)
	}
	return ""
}

func lastPart(s, separator string) string { return s[strings.LastIndex(s, separator)+1:] }
