package integration

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/jsonpath"
	"github.com/gatepost-dev/gatepost/internal/vtl"
)

// exchange is one call of an integration while it is under way: what mappings
// and templates read. It belongs to one goroutine.
type exchange struct {
	req            *Request
	stageVariables map[string]string
	// answer is the backend's; nil until it has answered.
	answer *answer

	context      *jsonpath.Value
	body         *document
	answerBody   *document
	pathParams   map[string]string
	headerParams map[string]string
	queryParams  map[string]string
}

// outgoing is the request for a backend.
type outgoing struct {
	ex     *exchange
	path   map[string]string
	query  url.Values
	header Header
	body   []byte
	// mapped says that a template made the body; binary that it is bytes and not
	// text.
	mapped, binary bool
}

// answer is what a backend said.
type answer struct {
	status int
	header Header
	body   []byte
	// failed is set when the backend ran and reported an error: a function
	// error, or an AWS service's error status. It is the error to give when no
	// integration response takes it.
	failed error
	// errorMessage is true for functions, whose answers are told apart by the
	// member errorMessage and not by the status.
	errorMessage bool
	// declared is true for mocks: the status is the word of the API's author.
	declared bool
}

// headers are the handshake's; no other event has any for mappings ("Data
// mapping": supported only for $connect).
func (ex *exchange) headers() Header {
	if ex.req.Kind != apigw.EventConnect {
		return nil
	}
	return ex.req.Headers
}

// query is headers for the query parameters.
func (ex *exchange) query() map[string][]string {
	if ex.req.Kind != apigw.EventConnect {
		return nil
	}
	return ex.req.Query
}

// document is a body that is parsed when something first asks for it.
type document struct {
	value jsonpath.Value
	ok    bool
}

func parseDocument(body []byte) *document {
	v, err := jsonpath.Parse(body)
	return &document{v, err == nil}
}

// requestBody returns the client's message as JSON; ok is false when it is
// none.
func (ex *exchange) requestBody() (v jsonpath.Value, ok bool) {
	if ex.body == nil {
		ex.body = parseDocument(ex.req.Body)
	}
	return ex.body.value, ex.body.ok
}

// responseBody is requestBody for what the backend answered.
func (ex *exchange) responseBody() (v jsonpath.Value, ok bool) {
	if ex.answerBody == nil {
		ex.answerBody = parseDocument(ex.answer.body)
	}
	return ex.answerBody.value, ex.answerBody.ok
}

// contextValue is $context, with the status once there is one.
func (ex *exchange) contextValue() jsonpath.Value {
	if ex.context == nil {
		var extra []jsonpath.Member
		if ex.answer != nil {
			extra = append(extra, jsonpath.Member{Key: "status", Value: jsonpath.IntOf(int64(ex.answer.status))})
		}
		v := ContextValue(ex.req.Context, extra...)
		ex.context = &v
	}
	return *ex.context
}

// answered notes the backend's answer; $context.status is known from now on.
func (ex *exchange) answered(a *answer) { ex.answer, ex.context = a, nil }

// contextText returns $context.NAME as text.
func (ex *exchange) contextText(name string) (string, bool) {
	return ContextText(ex.contextValue(), name)
}

// expressionValues are what selection expressions read.
func (ex *exchange) expressionValues() *apigw.ExpressionValues {
	v := &apigw.ExpressionValues{Body: ex.req.Body, Context: ex.contextText}
	if ex.answer != nil {
		v.Status, v.Header, v.ResponseBody = ex.answer.status, ex.answer.header.Values, ex.answer.body
	}
	return v
}

// data is what a template reads, over one of the two bodies.
func (ex *exchange) data(body []byte) *vtl.Data {
	if ex.headerParams == nil {
		ex.headerParams = lastHeaders(ex.headers())
		ex.queryParams = lastParameters(ex.query())
	}
	return &vtl.Data{
		Body: body, Path: ex.pathParams, Query: ex.queryParams, Header: ex.headerParams,
		Context: ex.contextValue(), StageVariables: ex.stageVariables,
	}
}

// lastHeaders is $input.params().header: of a name that is repeated the last
// value counts.
func lastHeaders(lines []apigw.Header) map[string]string {
	out := make(map[string]string, len(lines))
	for _, line := range apigw.NewHeaders(lines) {
		out[line.Name] = line.Value
	}
	return out
}

func lastParameters(query map[string][]string) map[string]string {
	out := make(map[string]string, len(query))
	for name, values := range query {
		if len(values) > 0 {
			out[name] = values[len(values)-1]
		}
	}
	return out
}

// clip keeps what comes from outside from filling an error message.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

func fieldError(field string, err error) error { return fmt.Errorf("%s: %w", field, err) }
