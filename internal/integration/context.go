package integration

import (
	"encoding/json"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// ContextValue is $context as mapping templates, parameters and selection
// expressions see it ("API Gateway WebSocket API mapping template reference"):
// every member of the request context by the name that it has in events, with
// the members of authorizer as text (a number 1 is "1", true is "true"), and
// the extra members, such as status or error, behind them. A member that an
// event would not have is not there.
func ContextValue(c *apigw.RequestContext, extra ...jsonpath.Member) jsonpath.Value {
	var members []jsonpath.Member
	if c != nil {
		members = contextMembers(c)
	}
	return jsonpath.ObjectOf(append(members, extra...)...)
}

func contextMembers(c *apigw.RequestContext) []jsonpath.Member {
	// Only an authorizer that is no JSON could fail; the rest is text and
	// numbers.
	text, err := json.Marshal(c)
	if err != nil {
		without := *c
		without.Authorizer = nil
		text, _ = json.Marshal(&without)
	}
	v, _ := jsonpath.Parse(text)
	members := make([]jsonpath.Member, v.Len())
	for i := range members {
		members[i] = jsonpath.Member{Key: v.Key(i), Value: v.Index(i)}
		if members[i].Key == "authorizer" {
			members[i].Value = asTexts(members[i].Value)
		}
	}
	return members
}

// asTexts makes text of an object's members.
func asTexts(v jsonpath.Value) jsonpath.Value {
	members := make([]jsonpath.Member, v.Len())
	if v.Kind() != jsonpath.Object {
		return v
	}
	for i := range members {
		members[i] = jsonpath.Member{Key: v.Key(i), Value: jsonpath.StringOf(v.Index(i).Text())}
	}
	return jsonpath.ObjectOf(members...)
}

// ContextText returns a variable of a ContextValue, named without its
// "$context." ("connectionId", "identity.sourceIp"), as text. ok is false when
// it is not there.
func ContextText(context jsonpath.Value, name string) (text string, ok bool) {
	if v, ok := context.Get(name); ok {
		return v.Text(), true
	}
	// An authorizer's names may have dots themselves.
	object, member, _ := strings.Cut(name, ".")
	v, ok := context.Get(object)
	if !ok {
		return "", false
	}
	if found, ok := v.Get(member); ok {
		return found.Text(), true
	}
	found, ok := v.At(strings.Split(member, ".")...)
	return found.Text(), ok
}

// isContextName reports whether a name is one of the variables that API Gateway
// documents for WebSocket APIs: those that selection expressions know, and
// error.
func isContextName(name string) bool {
	if strings.ContainsAny(name, "{}$") {
		return false
	}
	_, err := apigw.ParseExpression("${context." + name + "}")
	return err == nil
}
