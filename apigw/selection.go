package apigw

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// Expression is a parsed selection expression ("WebSocket selection
// expressions" in the developer guide). It is read-only once it is parsed and
// may be evaluated by many goroutines.
type Expression struct {
	source string
	parts  []expressionPart
	// bodies is how many parts read the message.
	bodies int
}

// expressionPart is literal text or a variable.
type expressionPart struct {
	kind partKind
	// text is the literal, or the name of the variable of its kind.
	text string
	// path leads into the body, for the kinds that read one.
	path *jsonpath.Path
}

type partKind uint8

const (
	literalPart partKind = iota
	bodyPart
	contextPart
	statusPart
	headerPart
	headersPart
	responseBodyPart
)

// ExpressionValues are what the variables of an Expression stand for. What is
// not set counts as not there.
type ExpressionValues struct {
	// Body is the client's message.
	Body []byte
	// Context gives the variables of $context by their names, "connectionId" or
	// "authorizer.tenant".
	Context func(name string) (value string, ok bool)
	// Status, Header and ResponseBody are the integration's answer. Header
	// returns all values of a name, compared without case.
	Status       int
	Header       func(name string) []string
	ResponseBody []byte
}

// ParseExpression reads the selection expression of routes or models: a
// variable, bare ("$request.body.action") or braced ("${request.body.action}"),
// several braced ones with text between them, or a constant; "\$" is a plain
// dollar. The variables are request.body with a JSONPath behind it and
// context.NAME. The error says what is wrong and at which character.
func ParseExpression(source string) (*Expression, error) {
	return parseExpression(source, false)
}

// ParseTemplateExpression reads the expression by which an integration chooses
// among its request templates: ParseExpression, and "$default" as a constant.
func ParseTemplateExpression(source string) (*Expression, error) {
	if source == RouteDefault {
		source = `\` + RouteDefault
	}
	return parseExpression(source, false)
}

// ParseResponseExpression reads the expression by which an integration response
// chooses among its templates: ParseTemplateExpression with the variables
// integration.response.statuscode, integration.response.header.NAME,
// integration.response.multivalueheader.NAME and integration.response.body with
// a JSONPath behind it.
func ParseResponseExpression(source string) (*Expression, error) {
	if source == RouteDefault {
		source = `\` + RouteDefault
	}
	return parseExpression(source, true)
}

// expressionParser reads one source; at counts characters from 0.
type expressionParser struct {
	source   string
	response bool
	out      *Expression
}

func parseExpression(source string, response bool) (*Expression, error) {
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("the selection expression is empty; the usual one is $request.body.action")
	}
	p := expressionParser{source: source, response: response, out: &Expression{source: source}}
	if rest, ok := strings.CutPrefix(source, "$"); ok && !strings.HasPrefix(rest, "{") {
		return p.out, p.variable(rest, 1)
	}
	return p.out, p.template()
}

// template reads literal text with ${...} variables in it.
func (p *expressionParser) template() error {
	var literal strings.Builder
	src := p.source
	for i := 0; i < len(src); i++ {
		switch {
		case strings.HasPrefix(src[i:], `\$`):
			literal.WriteByte('$')
			i++
		case strings.HasPrefix(src[i:], "${"):
			end := closingBrace(src[i+2:])
			if end < 0 {
				return fmt.Errorf("selection expression %q: the brace opened at character %d is not closed", src, i+2)
			}
			p.literal(literal.String())
			literal.Reset()
			if err := p.variable(src[i+2:i+2+end], i+2); err != nil {
				return err
			}
			i += 2 + end
		case src[i] == '$':
			return fmt.Errorf("selection expression %q: the dollar at character %d must begin a ${variable} or be written \\$", src, i+1)
		default:
			literal.WriteByte(src[i])
		}
	}
	p.literal(literal.String())
	return nil
}

// closingBrace returns where the first brace outside of quotes closes, or -1.
func closingBrace(s string) int {
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '}':
			return i
		}
	}
	return -1
}

func (p *expressionParser) literal(text string) {
	if text != "" {
		p.out.parts = append(p.out.parts, expressionPart{text: text})
	}
}

// The beginnings of variables.
const (
	bodyVariable     = "request.body"
	responseVariable = "integration.response."
)

// variable adds the variable with this name, which begins at a character.
func (p *expressionParser) variable(name string, at int) error {
	part := expressionPart{}
	var err error
	switch rest, context := strings.CutPrefix(name, "context."); {
	case isBodyVariable(name, bodyVariable):
		part.kind = bodyPart
		part.path, err = p.path(name, bodyVariable)
		p.out.bodies++
	case context && isContextName(rest):
		part.kind, part.text = contextPart, rest
	case p.response && strings.HasPrefix(name, responseVariable):
		part, err = p.responsePart(name, at)
	default:
		err = p.unknown(name, at)
	}
	p.out.parts = append(p.out.parts, part)
	return err
}

// contextNames are the variables of $context ("API Gateway WebSocket API
// mapping template reference"); those that end in a dot have names below them.
var contextNames = []string{"apiId", "authorizer.", "connectedAt", "connectionId", "domainName", "eventType", "extendedRequestId", "identity.",
	"messageId", "requestId", "requestTime", "requestTimeEpoch", "routeKey", "stage", "status"}

func isContextName(name string) bool {
	return slices.ContainsFunc(contextNames, func(known string) bool {
		if strings.HasSuffix(known, ".") {
			return strings.HasPrefix(name, known) && name != known
		}
		return name == known
	})
}

func (p *expressionParser) responsePart(name string, at int) (part expressionPart, err error) {
	switch rest := name[len(responseVariable):]; {
	case rest == "statuscode":
		part.kind = statusPart
	case strings.HasPrefix(rest, "header.") && rest != "header.":
		part.kind, part.text = headerPart, rest[len("header."):]
	case strings.HasPrefix(rest, "multivalueheader.") && rest != "multivalueheader.":
		part.kind, part.text = headersPart, rest[len("multivalueheader."):]
	case isBodyVariable(rest, "body"):
		part.kind = responseBodyPart
		part.path, err = p.path(rest, "body")
	default:
		err = p.unknown(name, at)
	}
	return part, err
}

func (p *expressionParser) unknown(name string, at int) error {
	known := "request.body.NAME or context.NAME, such as context.connectionId"
	if p.response {
		known = "request.body.NAME, context.NAME, integration.response.statuscode, integration.response.header.NAME or integration.response.body.NAME"
	}
	return fmt.Errorf("selection expression %q: %q at character %d is not a variable of WebSocket APIs; use %s", p.source, name, at+1, known)
}

// isBodyVariable reports whether a name is a body, alone or with a path.
func isBodyVariable(name, body string) bool {
	rest, ok := strings.CutPrefix(name, body)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (p *expressionParser) path(name, body string) (*jsonpath.Path, error) {
	path, err := jsonpath.Compile("$" + name[len(body):])
	if err != nil {
		return nil, fmt.Errorf("selection expression %q: %w", p.source, err)
	}
	return path, nil
}

// String returns the source text.
func (e *Expression) String() string { return e.source }

// Evaluate is EvaluateWith for a message alone.
func (e *Expression) Evaluate(body []byte) (key string, ok bool) {
	return e.EvaluateWith(&ExpressionValues{Body: body})
}

// EvaluateWith returns the key that the values select. ok is false when the
// expression reads the message and that is not a JSON document, so that the
// expression cannot be evaluated and "$default" applies. A path that leads
// nowhere is the empty string, and values that are not strings are written as
// text: 5, true, [a, b], {k=v}; null is the empty string.
func (e *Expression) EvaluateWith(v *ExpressionValues) (key string, ok bool) {
	if e.bodies == 1 && len(e.parts) == 1 {
		found, there, err := e.parts[0].path.SelectBytes(v.Body)
		return textOf(found, there), err == nil
	}
	var body jsonpath.Value
	if e.bodies > 0 {
		var err error
		if body, err = jsonpath.Parse(v.Body); err != nil {
			return "", false
		}
	}
	var text strings.Builder
	for i := range e.parts {
		text.WriteString(e.parts[i].value(v, body))
	}
	return text.String(), true
}

func (p *expressionPart) value(v *ExpressionValues, body jsonpath.Value) string {
	switch p.kind {
	case literalPart:
		return p.text
	case bodyPart:
		return textOf(p.path.Select(body))
	case contextPart:
		return v.contextText(p.text)
	case statusPart:
		return strconv.Itoa(v.Status)
	case headerPart:
		values := v.headers(p.text)
		if len(values) == 0 {
			return ""
		}
		return values[len(values)-1]
	case headersPart:
		return strings.Join(v.headers(p.text), ",")
	case responseBodyPart:
		found, there, err := p.path.SelectBytes(v.ResponseBody)
		return textOf(found, there && err == nil)
	}
	panic("apigw: an expression part of an unknown kind") // all are above
}

func (v *ExpressionValues) contextText(name string) string {
	if v.Context == nil {
		return ""
	}
	value, _ := v.Context(name)
	return value
}

func (v *ExpressionValues) headers(name string) []string {
	if v.Header == nil {
		return nil
	}
	return v.Header(name)
}

// textOf writes a value as part of a key.
func textOf(v jsonpath.Value, there bool) string {
	if !there || v.IsNull() {
		return ""
	}
	return v.Text()
}
