package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/integration"
)

// source is a place in a handshake from which a value is taken: an identity
// source of an authorizer, or a request parameter that $connect requires.
type source struct {
	kind sourceKind
	name string
}

type sourceKind int

const (
	fromHeader sourceKind = iota
	fromQuery
	fromStageVariable
	fromContext
)

// sourcePrefixes are the beginnings of identity sources (IdentitySource in the
// CloudFormation reference of AWS::ApiGatewayV2::Authorizer).
var sourcePrefixes = []struct {
	prefix string
	kind   sourceKind
}{
	{"route.request.header.", fromHeader},
	{"route.request.multivalueheader.", fromHeader},
	{"route.request.querystring.", fromQuery},
	{"route.request.multivaluequerystring.", fromQuery},
	{"stageVariables.", fromStageVariable},
	{"context.", fromContext},
}

func parseSource(text string) (source, error) {
	for _, p := range sourcePrefixes {
		name, ok := strings.CutPrefix(text, p.prefix)
		if !ok || name == "" {
			continue
		}
		if p.kind == fromContext {
			if _, err := apigw.ParseExpression("${context." + name + "}"); err != nil {
				return source{}, fmt.Errorf("%q: there is no such context variable", text)
			}
		}
		return source{p.kind, name}, nil
	}
	return source{}, fmt.Errorf("%q: it must be route.request.header.NAME, route.request.querystring.NAME, stageVariables.NAME or context.NAME", text)
}

func parseSources(list []string) ([]source, error) {
	out := make([]source, len(list))
	for i, text := range list {
		var err error
		if out[i], err = parseSource(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// requiredParameters are those of a route's request parameters that a client
// must send.
func requiredParameters(declared map[string]bool) (required []source, err error) {
	for text, must := range declared {
		s, err := parseSource(text)
		if err != nil {
			return nil, err
		}
		if s.kind != fromHeader && s.kind != fromQuery {
			return nil, fmt.Errorf("%q: a client sends headers and query parameters only", text)
		}
		if must {
			required = append(required, s)
		}
	}
	slices.SortFunc(required, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return required, nil
}

// value returns what a source has in a handshake, or "".
func (o *opening) value(s source) string {
	switch s.kind {
	case fromHeader:
		return o.h.get(s.name)
	case fromQuery:
		return o.query[s.name]
	case fromStageVariable:
		return o.d.api.Stage.Variables[s.name]
	}
	text, _ := integration.ContextText(integration.ContextValue(o.request()), s.name)
	return text
}

// checkParameters refuses a client that leaves out what $connect requires, or
// sends it empty. The text is a REST API's; none is documented for WebSocket
// APIs.
func (o *opening) checkParameters() *refusal {
	var missing []string
	for _, s := range o.d.connect.required {
		if o.value(s) == "" {
			missing = append(missing, s.name)
		}
	}
	if missing == nil {
		return nil
	}
	return refuse(http.StatusBadRequest, badRequest, "Missing required request parameters: ["+strings.Join(missing, ", ")+"]")
}
