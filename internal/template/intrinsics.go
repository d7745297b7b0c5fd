package template

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// evaluator resolves the intrinsic functions of one template. Values resolve
// when they are asked for, each once; nothing else in the template is touched.
type evaluator struct {
	*system
	file string
	opts Options
	// prefix begins the names of resources that have none of their own.
	prefix string
	// given are the parameters that a stack around this one passes.
	given      map[string]passed
	parameters map[string]*parameter
	mappings   *node
	conditions *node
	resources  map[string]*resource
	// logicalIDs and parameterNames are the keys of resources and parameters in
	// the template's order.
	logicalIDs, parameterNames []string
	types                      map[string]resourceType

	known map[*node]outcome
	// trail holds the calls under evaluation, outermost first; busy is the same
	// as a set.
	trail []*node
	busy  map[*node]bool
	// produced counts what evaluation has made, against maxProduced.
	produced int
	// hints counts the searches for a name like one that is wrong.
	hints int
}

// fileOf is the file in which a node stands.
func (e *evaluator) fileOf(n *node) string {
	for at := n; at != nil; at = at.parent {
		if file, found := e.files[at]; found {
			return file
		}
	}
	return e.file
}

// outcome is what a call came to, kept for the next who asks.
type outcome struct {
	value *node
	err   error
}

// A template's strings can refer to each other and so double at each step:
// these bound what evaluation may make and how far one value may lead.
const (
	maxText     = 1 << 20
	maxProduced = 32 << 20
	maxTrail    = 200
)

// resolve returns the value of a node: the node itself unless it is a call.
// The result is never a call; its items and fields may be.
func (e *evaluator) resolve(n *node) (*node, error) {
	name, argument, ok := n.intrinsic()
	if !ok && (n.kind != kindString || !strings.Contains(n.text, opening)) {
		return n, nil
	}
	if o, found := e.known[n]; found {
		return o.value, o.err
	}
	if err := e.enter(n); err != nil {
		return nil, err
	}
	defer e.leave(n)
	value := n
	var err error
	if ok {
		value, err = e.call(name, n, argument)
	}
	if err == nil {
		value, err = e.withReferences(value)
	}
	e.known[n] = outcome{value, err}
	return value, err
}

// enter notes that n is being evaluated; it fails when it is already.
func (e *evaluator) enter(n *node) error {
	if e.busy[n] {
		return e.cycle(n)
	}
	if len(e.trail) >= maxTrail {
		return e.errorf(n, "the references lead through more than %d values; shorten the chain", maxTrail)
	}
	e.busy[n] = true
	e.trail = append(e.trail, n)
	return nil
}

func (e *evaluator) leave(n *node) {
	delete(e.busy, n)
	e.trail = e.trail[:len(e.trail)-1]
}

// cycle is the error for a value that leads to itself.
func (e *evaluator) cycle(n *node) error {
	from := 0
	for i, t := range e.trail {
		if t == n {
			from = i
		}
	}
	way := append(paths(e.trail[from:]), n.path())
	if len(way) == 2 {
		way = way[1:]
	}
	return &Error{File: e.fileOf(n), Line: n.line, Column: n.column, Path: n.path(),
		Text: "the value refers to itself: " + strings.Join(way, " -> ") + "; break the circle"}
}

// paths lists where the nodes belong, without repeating the property in which
// calls are nested. Long ways are cut in the middle.
func paths(trail []*node) []string {
	var way []string
	for _, n := range trail {
		if p := n.path(); len(way) == 0 || way[len(way)-1] != p {
			way = append(way, p)
		}
	}
	if len(way) > 8 {
		way = append(append(way[:4:4], "..."), way[len(way)-3:]...)
	}
	return way
}

// errorf makes an error at n that tells which values led there.
func (e *evaluator) errorf(n *node, format string, args ...any) *Error {
	text := fmt.Sprintf(format, args...)
	way := paths(e.trail)
	if len(way) > 0 && way[len(way)-1] == n.path() {
		way = way[:len(way)-1]
	}
	if len(way) > 0 {
		text += " (needed by " + strings.Join(way, " -> ") + ")"
	}
	return &Error{File: e.fileOf(n), Line: n.line, Column: n.column, Path: n.path(), Text: text}
}

func (e *evaluator) unsupported(n *node, format string, args ...any) error {
	err := e.errorf(n, format, args...)
	err.unsupported = true
	return err
}

// produce makes a text value that stands where n stands.
func (e *evaluator) produce(n *node, text string) (*node, error) {
	if e.produced += len(text) + 64; len(text) > maxText || e.produced > maxProduced {
		return nil, e.errorf(n, "the value becomes too long; one value holds at most %d bytes, all together %d", maxText, maxProduced)
	}
	return madeText(n, text), nil
}

// text returns a value that must be a string, a number or a boolean.
func (e *evaluator) text(n *node) (string, error) {
	v, err := e.resolve(n)
	if err != nil {
		return "", err
	}
	if !v.isScalar() {
		return "", e.errorf(n, "this must be text, not %s", v.kind)
	}
	return v.text, nil
}

// list returns the resolved items of a list, without those that are
// AWS::NoValue.
func (e *evaluator) list(n *node) ([]*node, error) {
	v, err := e.resolve(n)
	if err != nil {
		return nil, err
	}
	if v.kind != kindList {
		return nil, e.errorf(n, "this must be a list, not %s", v.kind)
	}
	items := make([]*node, 0, len(v.items))
	for _, item := range v.items {
		r, err := e.resolve(item)
		if err != nil {
			return nil, err
		}
		if r.kind != kindAbsent {
			items = append(items, r)
		}
	}
	return items, nil
}

// call evaluates one intrinsic function.
func (e *evaluator) call(name string, n, argument *node) (*node, error) {
	switch name {
	case missingCall:
		return nil, e.unsupported(n, "%s", argument.text)
	case "Ref":
		return e.callRef(n, argument)
	case "Fn::GetAtt":
		return e.callGetAtt(n, argument)
	case "Fn::Sub":
		return e.callSub(n, argument)
	case "Fn::Join":
		return e.callJoin(n, argument)
	case "Fn::Select":
		return e.callSelect(n, argument)
	case "Fn::Split":
		return e.callSplit(n, argument)
	case "Fn::FindInMap":
		return e.callFindInMap(n, argument)
	case "Fn::If":
		return e.callIf(n, argument)
	case "Fn::Base64":
		return e.callBase64(n, argument)
	case "Fn::ImportValue":
		return e.callImportValue(n, argument)
	case "Fn::GetAZs":
		return e.callGetAZs(n, argument)
	case "Fn::Cidr":
		return e.callCidr(n, argument)
	case "Fn::Length":
		return e.callLength(n, argument)
	case "Fn::ToJsonString":
		return e.callToJSONString(n, argument)
	case "Fn::Transform":
		return e.callTransform(n, argument)
	case "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		return nil, e.errorf(n, "%s may only stand in the Conditions section; give the condition a name there and use Fn::If here", name)
	}
	return nil, e.unsupported(n, "Gatepost cannot evaluate %s; write the value out, or pass it in as a parameter", name)
}

func (e *evaluator) callRef(n, argument *node) (*node, error) {
	if !argument.isScalar() {
		return nil, e.errorf(n, "Ref takes the name of a parameter or resource, not %s", argument.kind)
	}
	return e.ref(n, argument.text)
}

// ref is what {"Ref": name} means at n.
func (e *evaluator) ref(n *node, name string) (*node, error) {
	if strings.HasPrefix(name, "AWS::") {
		return e.pseudo(n, name)
	}
	if p := e.parameters[name]; p != nil {
		return e.parameterValue(n, p)
	}
	r, text, err := e.refTarget(n, name)
	if err != nil {
		return nil, err
	}
	if r != nil {
		if text, err = e.refOf(n, r); err != nil {
			return nil, err
		}
	}
	return e.produce(n, text)
}

// refTarget finds the resource that a Ref names; for the names that SAM adds,
// such as Function.Alias, it returns the text instead.
func (e *evaluator) refTarget(n *node, name string) (*resource, string, error) {
	if r := e.resources[name]; r != nil {
		return r, "", e.mustExist(n, r)
	}
	if id, member, ok := strings.Cut(name, "."); ok && e.resources[id] != nil {
		if text, ok, err := e.samMember(n, e.resources[id], member); ok || err != nil {
			return nil, text, err
		}
	}
	return nil, "", e.missing(n, name, true)
}

// missing is the error for a name that nothing in the template has.
func (e *evaluator) missing(n *node, name string, parameters bool) error {
	if parameters {
		return e.errorf(n, "this refers to %s, which no parameter or resource of this template declares%s", quote(name), e.hint(name, e.logicalIDs, e.parameterNames))
	}
	return e.errorf(n, "this refers to %s, which no resource of this template declares%s", quote(name), e.hint(name, e.logicalIDs))
}

// hint is didYouMean for the first mistakes of a template; a hostile one could
// make thousands.
func (e *evaluator) hint(name string, candidates ...[]string) string {
	const most = 100
	if e.hints++; e.hints > most {
		return ""
	}
	return didYouMean(name, candidates...)
}

// mustExist fails for a resource whose Condition is false.
func (e *evaluator) mustExist(n *node, r *resource) error {
	exists, err := e.exists(r)
	if err == nil && !exists {
		err = e.errorf(n, "this refers to %s, which is not created because its condition %s is false; choose with Fn::If", r.id, r.condition.text)
	}
	return err
}

func (e *evaluator) callGetAtt(n, argument *node) (*node, error) {
	id, attribute, err := e.getAttArgument(n, argument)
	if err != nil {
		return nil, err
	}
	return e.getAtt(n, id, attribute)
}

func (e *evaluator) getAttArgument(n, argument *node) (id, attribute string, err error) {
	if argument.kind == kindList && len(argument.items) == 2 && argument.items[0].isScalar() {
		attribute, err = e.text(argument.items[1])
		return argument.items[0].text, attribute, err
	}
	if argument.isScalar() {
		if id, attribute, ok := strings.Cut(argument.text, "."); ok {
			return id, attribute, nil
		}
	}
	return "", "", e.errorf(n, "Fn::GetAtt takes a resource and an attribute, as in Queue.Arn or [Queue, Arn]")
}

// getAtt is what {"Fn::GetAtt": [id, attribute]} means at n.
func (e *evaluator) getAtt(n *node, id, attribute string) (*node, error) {
	r := e.resources[id]
	if r == nil {
		return nil, e.missing(n, id, false)
	}
	if err := e.mustExist(n, r); err != nil {
		return nil, err
	}
	text, err := e.attributeOf(n, r, attribute)
	if err != nil {
		return nil, err
	}
	return e.produce(n, text)
}

func (e *evaluator) callSub(n, argument *node) (*node, error) {
	variables := (*node)(nil)
	if argument.kind == kindList {
		if len(argument.items) != 2 || argument.items[1].kind != kindObject {
			return nil, e.errorf(n, "Fn::Sub takes a text, or a list of a text and a map of variables")
		}
		argument, variables = argument.items[0], argument.items[1]
	}
	if !argument.isScalar() {
		return nil, e.errorf(n, "Fn::Sub takes a text, not %s", argument.kind)
	}
	text, err := e.substitute(argument, variables)
	if err != nil {
		return nil, err
	}
	return e.produce(n, text)
}

// substitute fills the ${...} of a text. ${!Literal} stands for ${Literal},
// and a ${ that is not closed for itself.
func (e *evaluator) substitute(n, variables *node) (string, error) {
	var out strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, "${")
		name, next, closed := strings.Cut(after, "}")
		if !found || !closed {
			out.WriteString(rest)
			return out.String(), nil
		}
		out.WriteString(before)
		value, err := e.variable(n, variables, name)
		if err != nil {
			return "", err
		}
		if out.WriteString(value); out.Len() > maxText {
			return "", e.errorf(n, "the value becomes longer than %d bytes", maxText)
		}
		rest = next
	}
}

// variable is the value of one ${name} of Fn::Sub.
func (e *evaluator) variable(n, variables *node, name string) (string, error) {
	if literal, ok := strings.CutPrefix(name, "!"); ok {
		return "${" + literal + "}", nil
	}
	if v := variables.field(name); v != nil {
		return e.text(v)
	}
	id, attribute, dotted := strings.Cut(name, ".")
	var value *node
	var err error
	if r := e.resources[id]; dotted && (r == nil || !e.hasSAMMember(r, attribute)) {
		value, err = e.getAtt(n, id, attribute)
	} else {
		value, err = e.ref(n, name)
	}
	if err != nil {
		return "", err
	}
	if !value.isScalar() {
		return "", e.errorf(n, "${%s} is %s and cannot be put into a text; use Fn::Join or Fn::Select", name, value.kind)
	}
	return value.text, nil
}

// arguments returns the items of a call's list, of which there must be as many
// as asked for.
func (e *evaluator) arguments(n, argument *node, low, high int, usage string) ([]*node, error) {
	if argument.kind != kindList || len(argument.items) < low || len(argument.items) > high {
		return nil, e.errorf(n, "%s takes %s", n.fields[0].name, usage)
	}
	return argument.items, nil
}

func (e *evaluator) callJoin(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 2, 2, "a list of a separator and a list of values")
	if err != nil {
		return nil, err
	}
	separator, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	items, err := e.list(args[1])
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for i, item := range items {
		if !item.isScalar() {
			return nil, e.errorf(item, "Fn::Join joins texts, and this is %s", item.kind)
		}
		if i > 0 {
			out.WriteString(separator)
		}
		if out.WriteString(item.text); out.Len() > maxText {
			return nil, e.errorf(n, "the value becomes longer than %d bytes", maxText)
		}
	}
	return e.produce(n, out.String())
}

func (e *evaluator) callSelect(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 2, 2, "a list of an index and a list of values")
	if err != nil {
		return nil, err
	}
	text, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	items, err := e.list(args[1])
	if err != nil {
		return nil, err
	}
	index, err := strconv.Atoi(text)
	if err != nil || index < 0 || index >= len(items) {
		return nil, e.errorf(n, "Fn::Select asks for item %s of a list of %d; the first is 0", quote(text), len(items))
	}
	return items[index], nil
}

func (e *evaluator) callSplit(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 2, 2, "a list of a separator and a text")
	if err != nil {
		return nil, err
	}
	separator, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	text, err := e.text(args[1])
	if err != nil {
		return nil, err
	}
	if separator == "" {
		return nil, e.errorf(n, "Fn::Split needs a separator that is not empty")
	}
	return e.produceList(n, strings.Split(text, separator))
}

// produceList makes a list of texts that stands where n stands.
func (e *evaluator) produceList(n *node, texts []string) (*node, error) {
	list := madeList(n)
	for _, text := range texts {
		item, err := e.produce(n, text)
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
	}
	return list, nil
}

func (e *evaluator) callBase64(n, argument *node) (*node, error) {
	text, err := e.text(argument)
	if err != nil {
		return nil, err
	}
	return e.produce(n, base64.StdEncoding.EncodeToString([]byte(text)))
}

func (e *evaluator) callFindInMap(n, argument *node) (*node, error) {
	args, err := e.arguments(n, argument, 3, 4, "a list of a mapping, a first and a second key")
	if err != nil {
		return nil, err
	}
	var keys [3]string
	for i := range keys {
		if keys[i], err = e.text(args[i]); err != nil {
			return nil, err
		}
	}
	if v := e.mappings.field(keys[0]).field(keys[1]).field(keys[2]); v != nil {
		return e.resolve(v)
	}
	if len(args) == 4 {
		if v := args[3].field("DefaultValue"); v != nil {
			return e.resolve(v)
		}
	}
	return nil, e.errorf(n, "the Mappings section has no value for %s, %s, %s", quote(keys[0]), quote(keys[1]), quote(keys[2]))
}
