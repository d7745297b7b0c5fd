package integration

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// requestMapping makes the request for a backend out of a route request.
type requestMapping struct {
	parameters []parameter
	// templates are nil for proxies, which pass the message on.
	templates   *templates
	passthrough string
	toBinary    bool
}

// The values of PassthroughBehavior.
const (
	whenNoMatch     = "WHEN_NO_MATCH"
	whenNoTemplates = "WHEN_NO_TEMPLATES"
	never           = "NEVER"
)

// The values of ContentHandlingStrategy.
const (
	toBinary = "CONVERT_TO_BINARY"
	toText   = "CONVERT_TO_TEXT"
)

func compileRequest(in *apigw.Integration) (m requestMapping, err error) {
	if m.parameters, err = compileRequestParameters(in); err != nil {
		return m, err
	}
	if m.toBinary, _, err = contentHandling(in.ContentHandling); err != nil {
		return m, err
	}
	if in.Type == apigw.HTTPProxy {
		return m, nil
	}
	m.passthrough = in.PassthroughBehavior
	switch m.passthrough {
	case "":
		m.passthrough = whenNoMatch
	case whenNoMatch, whenNoTemplates, never:
	default:
		return m, fmt.Errorf("PassthroughBehavior: %q is none of WHEN_NO_MATCH, WHEN_NO_TEMPLATES and NEVER", clip(m.passthrough))
	}
	m.templates, err = compileTemplates("RequestTemplates", in.RequestTemplates, in.TemplateSelectionExpression, apigw.ParseTemplateExpression)
	return m, err
}

// contentHandling reads a ContentHandlingStrategy.
func contentHandling(value string) (binary, text bool, err error) {
	switch value {
	case "":
	case toBinary:
		binary = true
	case toText:
		text = true
	default:
		err = fmt.Errorf("ContentHandlingStrategy: %q is neither CONVERT_TO_BINARY nor CONVERT_TO_TEXT", clip(value))
	}
	return binary, text, err
}

// make applies parameters, templates, passthrough behaviour and content
// handling, in this order.
func (m *requestMapping) make(ctx context.Context, ex *exchange) (*outgoing, error) {
	out := &outgoing{ex: ex, path: make(map[string]string), query: make(url.Values)}
	for i := range m.parameters {
		if err := m.parameters[i].apply(out); err != nil {
			return nil, err
		}
	}
	ex.pathParams = out.path
	if err := m.mapBody(ctx, out); err != nil {
		return nil, err
	}
	return out, m.convert(out)
}

func (m *requestMapping) mapBody(ctx context.Context, out *outgoing) (err error) {
	out.body = out.ex.req.Body
	if m.templates == nil {
		return nil
	}
	if key, ok := m.templates.choose(out.ex); ok {
		out.mapped = true
		out.body, err = m.templates.execute(ctx, key, out.ex, out.ex.req.Body)
		return err
	}
	if m.passthrough == never || m.passthrough == whenNoTemplates && len(m.templates.byKey) > 0 {
		return ErrUnsupportedMediaType
	}
	return nil
}

var errNotBase64 = errors.New("ContentHandlingStrategy is CONVERT_TO_BINARY, but the message is no base64 text")

// convert makes bytes of a message that is base64 text. What a template made
// stays text. CONVERT_TO_TEXT has nothing to do: messages are text ("Binary
// media types for WebSocket APIs").
func (m *requestMapping) convert(out *outgoing) error {
	if !m.toBinary || out.mapped || len(out.body) == 0 {
		return nil
	}
	decoded, err := decodeBase64(out.body)
	if err != nil {
		return errNotBase64
	}
	out.body, out.binary = decoded, true
	return nil
}

func decodeBase64(text []byte) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
}
