package integration

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
)

// responses are the integration responses of an integration that is no proxy.
type responses struct {
	// matching are those with a regular expression, in the template's order.
	matching []*response
	fallback *response // "$default", or nil
}

// response is one integration response.
type response struct {
	pattern    *regexp.Regexp // nil for "$default"
	parameters []responseParameter
	templates  *templates
	// toText and toBinary are its content handling.
	toText, toBinary bool
}

// responseParameter sets a header of the route's response, or its status.
type responseParameter struct {
	field  string
	header string // "" for the status
	source source
}

func compileResponses(in *apigw.Integration) (*responses, error) {
	out := new(responses)
	for i := range in.Responses {
		declared := &in.Responses[i]
		r, err := compileResponse(declared)
		if err == nil && r.pattern == nil {
			if out.fallback != nil {
				err = errors.New("there is a second one; keep one of them")
			}
			out.fallback = r
		} else if err == nil {
			out.matching = append(out.matching, r)
		}
		if err != nil {
			return nil, fieldError(fmt.Sprintf("IntegrationResponse %s", clip(declared.Key)), err)
		}
	}
	return out, nil
}

func compileResponse(in *apigw.IntegrationResponse) (r *response, err error) {
	r = new(response)
	if r.pattern, err = parseKey(in.Key); err != nil {
		return nil, err
	}
	if r.parameters, err = compileResponseParameters(in.Parameters); err != nil {
		return nil, err
	}
	if r.toBinary, r.toText, err = contentHandling(in.ContentHandling); err != nil {
		return nil, err
	}
	r.templates, err = compileTemplates("ResponseTemplates", in.Templates, in.TemplateSelectionExpression, apigw.ParseResponseExpression)
	return r, err
}

// parseKey reads an IntegrationResponseKey: nil for "$default", else a regular
// expression, between slashes or bare, that must match the whole text.
func parseKey(key string) (*regexp.Regexp, error) {
	if key == "$default" {
		return nil, nil
	}
	expression := key
	if len(key) >= 2 && key[0] == '/' && key[len(key)-1] == '/' {
		expression = key[1 : len(key)-1]
	}
	if expression == "" {
		return nil, errors.New(`IntegrationResponseKey: there is nothing to match; write "$default" or a regular expression between slashes, such as /2\d\d/`)
	}
	// Compiled alone first: what is no expression by itself must not become one
	// between the brackets.
	if _, err := regexp.Compile(expression); err != nil {
		return nil, fmt.Errorf("IntegrationResponseKey: %w%s", err, javaHint(err))
	}
	return regexp.MustCompile(`\A(?:` + expression + `)\z`), nil
}

// javaHint says what to write instead of what Java's regular expressions have
// and RE2's, which never take exponential time, have not.
func javaHint(err error) string {
	var fault *syntax.Error
	if !errors.As(err, &fault) {
		return ""
	}
	switch {
	case strings.HasPrefix(fault.Expr, "(?=") || strings.HasPrefix(fault.Expr, "(?!") || strings.HasPrefix(fault.Expr, "(?<=") || strings.HasPrefix(fault.Expr, "(?<!"):
		return "; Gatepost's regular expressions have no lookahead and lookbehind: list what is meant with | instead"
	case strings.HasPrefix(fault.Expr, "(?>"):
		return "; Gatepost's regular expressions have no atomic groups: write (?: instead"
	case fault.Code == syntax.ErrInvalidRepeatOp && strings.HasSuffix(fault.Expr, "+"):
		return "; Gatepost's regular expressions have no possessive quantifiers: leave the last + out"
	case fault.Code == syntax.ErrInvalidEscape && len(fault.Expr) == 2 && fault.Expr[1] >= '1' && fault.Expr[1] <= '9':
		return "; Gatepost's regular expressions have no backreferences: write the text out"
	case fault.Code == syntax.ErrInvalidRepeatSize:
		return "; a repetition may go up to 1000"
	}
	return ""
}

// The beginnings of the keys of ResponseParameters. The developer guide says
// route.response, the CloudFormation reference method.response.
var responsePrefixes = []string{"route.response.", "method.response."}

func compileResponseParameters(in map[string]string) ([]responseParameter, error) {
	var out []responseParameter
	for _, key := range slices.Sorted(maps.Keys(in)) {
		p := responseParameter{field: fmt.Sprintf("ResponseParameters[%s]", clip(key))}
		rest := key
		for _, prefix := range responsePrefixes {
			rest = strings.TrimPrefix(rest, prefix)
		}
		name, isHeader := strings.CutPrefix(rest, "header.")
		if rest == key || !isHeader && rest != "statuscode" {
			return nil, fmt.Errorf("%s: %q is not what a parameter may be called; write route.response.header.NAME or route.response.statuscode", p.field, clip(key))
		}
		var err error
		if isHeader {
			p.header, err = name, checkName(name)
		}
		if err == nil {
			p.source, err = parseSource(in[key], responseForms)
		}
		if err != nil {
			return nil, fieldError(p.field, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// choose selects an integration response as API Gateway does ("Integration
// response selection expressions"): for a function by the errorMessage in its
// answer, which is empty text when there is none, for everything else by the
// status; the first regular expression that matches the whole text, else
// "$default". nil means that there is none.
func (r *responses) choose(ex *exchange) *response {
	text := ""
	if !ex.answer.errorMessage {
		text = strconv.Itoa(ex.answer.status)
	} else if body, ok := ex.responseBody(); ok {
		if message, there := body.Get("errorMessage"); there {
			text = message.Text()
		}
	}
	for _, m := range r.matching {
		if m.pattern.MatchString(text) {
			return m
		}
	}
	return r.fallback
}

// respond makes the route's response of a backend's answer.
//
// Without a matching integration response a one-way route has nothing to do
// (public samples send to queues in this way); a backend that failed is an
// error all the same, and so is everything else: ErrNoResponse.
func (r *responses) respond(ctx context.Context, ex *exchange) (*Response, error) {
	chosen := r.choose(ex)
	switch {
	case chosen == nil && ex.answer.failed != nil:
		return nil, ex.answer.failed
	case chosen == nil && ex.req.oneWay():
		return &Response{Status: http.StatusOK}, nil
	case chosen == nil:
		return nil, fmt.Errorf("%w (%s)", ErrNoResponse, ex.answer.describe())
	}
	out := &Response{Status: chosen.status(ex.answer)}
	if err := chosen.setParameters(ex, out); err != nil {
		return nil, err
	}
	if ex.req.oneWay() {
		return out, nil
	}
	var err error
	out.Body, err = chosen.body(ctx, ex)
	return out, err
}

// describe names an answer for an error, without what it says: that may be
// anybody's secret, and errors go into the log.
func (a *answer) describe() string {
	if a.errorMessage {
		return "the function answered"
	}
	return fmt.Sprintf("the backend's status was %d", a.status)
}

// status is the status of the route's response where no parameter
// route.response.statuscode sets it. It decides on $connect.
//
// An integration response of a WebSocket API has no field for a status. The
// developer guide says that a $connect whose integration failed makes no
// connection, and that one which is no proxy needs "StatusCode: 200" ("The
// $connect route"), but not where. What was seen on AWS: the status of an HTTP
// backend does not keep a client out unless an integration response maps it to
// a failure. So, and this is our choice:
//   - a response whose regular expression chose the status (/4\d\d/) passes the
//     status on;
//   - "$default" is 200 for an HTTP backend;
//   - "$default" passes the status of a mock on, which the API's author has
//     written there;
//   - a function that threw, and an AWS service that refused and that no regular
//     expression takes, are 502: such a $connect was not carried out.
func (r *response) status(a *answer) int {
	switch {
	case a.failed != nil && (r.pattern == nil || a.errorMessage):
		return http.StatusBadGateway
	case a.errorMessage, r.pattern == nil && !a.declared:
		return http.StatusOK
	}
	return a.status
}

func (r *response) setParameters(ex *exchange, out *Response) error {
	for _, p := range r.parameters {
		values := p.source(ex)
		if len(values) == 0 {
			continue
		}
		if p.header == "" {
			status, ok := statusText(values[0])
			if !ok {
				return fmt.Errorf("%s: %q is not a number from 100 to 599", p.field, clip(values[0]))
			}
			out.Status = status
			continue
		}
		for _, v := range values {
			if err := checkHeaderValue(v); err != nil {
				return fieldError(p.field, err)
			}
		}
		out.Header.setHeader(p.header, values...)
	}
	return nil
}

// body makes the reply: content handling first, then the template, which sees
// the converted body; without a template the body as it is.
func (r *response) body(ctx context.Context, ex *exchange) ([]byte, error) {
	body := ex.answer.body
	switch {
	case r.toText:
		body = base64.StdEncoding.AppendEncode(nil, body)
	case r.toBinary && len(body) > 0:
		decoded, err := decodeBase64(body)
		if err != nil {
			return nil, errors.New("ContentHandlingStrategy is CONVERT_TO_BINARY, but the backend's answer is no base64 text")
		}
		body = decoded
	}
	key, ok := r.templates.choose(ex)
	if !ok {
		return body, nil
	}
	return r.templates.execute(ctx, key, ex, body)
}
