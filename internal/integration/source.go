package integration

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// source gives the values of a mapping ("Data mapping for WebSocket APIs"):
// none when what it names is not there, several only for multi-value headers
// and parameters.
type source func(*exchange) []string

// parameterName is what names in mappings look like ("Data mapping").
var parameterName = regexp.MustCompile(`^[a-zA-Z0-9._$-]+$`)

// sourceForm is a form that a source may have: a prefix and what reads the rest
// of it.
type sourceForm struct {
	prefix string
	parse  func(rest string) (source, error)
}

// commonForms are the sources of both directions.
var commonForms = []sourceForm{
	{"stageVariables.", named(stageVariableSource)},
	{"context.", contextSource},
}

// requestForms are the sources of request parameters. Headers and query
// parameters exist on $connect alone.
var requestForms = append([]sourceForm{
	{"route.request.header.", named(headerSource)},
	{"route.request.multivalueheader.", named(multiHeaderSource)},
	{"route.request.querystring.", named(querySource)},
	{"route.request.multivaluequerystring.", named(multiQuerySource)},
	{"route.request.body", func(rest string) (source, error) { return bodySource(rest, (*exchange).requestBody) }},
}, commonForms...)

// responseForms are the sources of response parameters.
var responseForms = append([]sourceForm{
	{"integration.response.header.", named(answerHeaderSource)},
	{"integration.response.multivalueheader.", named(answerMultiHeaderSource)},
	{"integration.response.body", func(rest string) (source, error) { return bodySource(rest, (*exchange).responseBody) }},
	{"integration.response.statuscode", statusSource},
}, commonForms...)

// parseSource reads a mapping's value: a text in single quotes, or one of the
// forms.
func parseSource(text string, forms []sourceForm) (source, error) {
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		static := []string{text[1 : len(text)-1]}
		return func(*exchange) []string { return static }, nil
	}
	var prefixes []string
	for _, form := range forms {
		if rest, ok := strings.CutPrefix(text, form.prefix); ok {
			s, err := form.parse(rest)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", clip(text), err)
			}
			return s, nil
		}
		prefixes = append(prefixes, form.prefix)
	}
	return nil, fmt.Errorf("%q is no source; write a text in single quotes, or one that begins with %s", clip(text), strings.Join(prefixes, ", "))
}

// named makes a form whose rest is a name.
func named(of func(name string) source) func(string) (source, error) {
	return func(name string) (source, error) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		return of(name), nil
	}
}

func checkName(name string) error {
	if !parameterName.MatchString(name) {
		return fmt.Errorf("%q is not a name of letters, digits and . _ $ -", clip(name))
	}
	return nil
}

func headerSource(name string) source {
	return func(ex *exchange) []string { return last(ex.headers().Values(name)) }
}

func multiHeaderSource(name string) source {
	return func(ex *exchange) []string { return ex.headers().Values(name) }
}

func querySource(name string) source {
	return func(ex *exchange) []string { return last(ex.query()[name]) }
}

func multiQuerySource(name string) source {
	return func(ex *exchange) []string { return ex.query()[name] }
}

func answerHeaderSource(name string) source {
	return func(ex *exchange) []string { return last(ex.answer.header.Values(name)) }
}

func answerMultiHeaderSource(name string) source {
	return func(ex *exchange) []string { return ex.answer.header.Values(name) }
}

func last(values []string) []string {
	if len(values) == 0 {
		return nil
	}
	return values[len(values)-1:]
}

func stageVariableSource(name string) source {
	return func(ex *exchange) []string {
		if v, ok := ex.stageVariables[name]; ok {
			return []string{v}
		}
		return nil
	}
}

func contextSource(name string) (source, error) {
	if !isContextName(name) {
		return nil, fmt.Errorf("%q is not a context variable of WebSocket APIs; those that are: connectionId, connectedAt, domainName, eventType, messageId, routeKey, requestId, extendedRequestId, apiId, stage, status, requestTime, requestTimeEpoch, authorizer.NAME, identity.NAME", clip(name))
	}
	return func(ex *exchange) []string {
		if text, ok := ex.contextText(name); ok {
			return []string{text}
		}
		return nil
	}, nil
}

func statusSource(rest string) (source, error) {
	if rest != "" {
		return nil, errors.New("nothing may follow statuscode")
	}
	return func(ex *exchange) []string { return []string{strconv.Itoa(ex.answer.status)} }, nil
}

// bodySource selects from a body with what follows "body": nothing for the
// whole, ".PATH" or "[...]". null is no value.
func bodySource(rest string, body func(*exchange) (jsonpath.Value, bool)) (source, error) {
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		return nil, errors.New("body is followed by a dot and a JSONPath, body.user.name")
	}
	path, err := jsonpath.Compile("$" + rest)
	if err != nil {
		return nil, err
	}
	return func(ex *exchange) []string {
		doc, ok := body(ex)
		if !ok {
			return nil
		}
		v, ok := path.Select(doc)
		if !ok || v.IsNull() {
			return nil
		}
		return []string{v.Text()}
	}, nil
}

// statusText reads an HTTP status.
func statusText(text string) (status int, ok bool) {
	status, err := strconv.Atoi(text)
	return status, err == nil && status >= 100 && status <= 599
}

// checkHeaderValue refuses what could end a header line (RFC 9110 section 5.5).
func checkHeaderValue(value string) error {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("its value has the control character %#02x at byte %d, which no header may have", c, i+1)
		}
	}
	return nil
}

// setHeader replaces all lines of a name.
func (h *Header) setHeader(name string, values ...string) {
	kept := (*h)[:0:0]
	for _, line := range *h {
		if !strings.EqualFold(line.Name, name) {
			kept = append(kept, line)
		}
	}
	for _, v := range values {
		kept = append(kept, apigw.Header{Name: name, Value: v})
	}
	*h = kept
}
