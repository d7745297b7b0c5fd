// Package integration owns how a route reaches its backend: the five types of
// integration of a WebSocket API (AWS_PROXY, AWS, HTTP_PROXY, HTTP, MOCK), the
// request that is made for the backend, and the answer that is made of what
// the backend says.
//
// The rules come from the developer guide ("Set up a WebSocket API integration
// request", "Set up a WebSocket API integration response", "Data mapping",
// "Data transformations", "Binary media types for WebSocket APIs") and from
// AWS::ApiGatewayV2::Integration and IntegrationResponse in the CloudFormation
// reference; where those say nothing, the comment says what was chosen.
package integration

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// Invoker runs a Lambda function with an event and returns what it answered.
//
// An error of the function wraps apigw.ErrFunction; if it also has a method
// ErrorPayload() []byte, that is the JSON which the function reported
// ({"errorMessage": ...}). Other errors are apigw.ErrThrottled, the context's
// error when ctx ended first, the function then running on, or anything else
// for a function that cannot be run.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// Starter is an Invoker that can also run a function for a caller that does not
// wait: then is called once with what Invoke would have returned, in another
// goroutine or before InvokeThen returns, and neither waits nor takes long.
type Starter interface {
	InvokeThen(ctx context.Context, function string, event []byte, then func(response []byte, err error))
}

// Queue takes asynchronous invocations. InvokeAsync returns when the event is
// stored and keeps none of its bytes. An error of it fails the message.
type Queue interface {
	InvokeAsync(ctx context.Context, function string, event []byte) error
}

// Config is what integrations need from around them. Each field may be empty.
type Config struct {
	// Invoker runs functions; for CallThen it should be a Starter. Without one an
	// integration with a function is refused by Compile.
	Invoker Invoker
	// Queue takes the events of integrations with the invocation type Event.
	// Without one those messages fail.
	Queue Queue
	// AWS is the base URL of the endpoint that serves SQS, SNS and DynamoDB,
	// "http://127.0.0.1:4566". Without one an integration with an AWS service is
	// refused by Compile.
	AWS string
	// Credentials sign the calls to that endpoint.
	Credentials awswire.Credentials
	// Region is the one for URIs that name none; empty means us-east-1.
	// Account is the owner of queues that a URI names without one.
	Region, Account string
	// HTTP makes the calls to HTTP backends and to the AWS endpoint. Nil means a
	// client of its own. A client must not follow redirects, because API Gateway
	// does not.
	HTTP *http.Client
	// Limits give the time limit of integrations that have none of their own;
	// zero means 29 s.
	Limits apigw.Limits
	// StageVariables are those of requests that bring none.
	StageVariables map[string]string
	// Log gets what no client is told; nil means nothing is logged.
	Log *slog.Logger
}

// Backends makes integrations and owns what they share. Its methods may be
// called together.
type Backends struct {
	Config
	client *http.Client
	own    *http.Transport // the client's own transport, to be closed
}

// New returns backends that have not called anything yet.
func New(cfg Config) *Backends {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Limits.IntegrationTimeout <= 0 {
		cfg.Limits.IntegrationTimeout = maxTimeout
	}
	b := &Backends{Config: cfg, client: cfg.HTTP}
	if b.client == nil {
		b.own = newTransport()
		b.client = newClient(b.own)
	}
	return b
}

// Close closes connections that nobody uses. Integrations that are being called
// are the business of their callers. It may be called again.
func (b *Backends) Close() {
	if b.own != nil {
		b.own.CloseIdleConnections()
	}
}

// Request is one event on a route.
type Request struct {
	// Kind is the event's type; empty means MESSAGE.
	Kind apigw.EventType
	// OneWay says that the route has no route response. The integration's output
	// is then dropped, so that a proxy function may answer nothing at all, and an
	// integration that is no proxy needs no integration response. $connect is
	// never one-way, $disconnect always.
	OneWay bool
	// Event is the JSON of the proxy event; only integrations whose TakesEvent is
	// true look at it.
	Event []byte
	// Body is the client's message.
	Body []byte
	// Headers and Query are the handshake's, on $connect alone.
	Headers []apigw.Header
	Query   map[string][]string
	// Context is the request context; it must be set.
	Context *apigw.RequestContext
	// StageVariables are those of the stage; nil means Config.StageVariables.
	StageVariables map[string]string
}

// oneWay reports whether nobody waits for an answer.
func (r *Request) oneWay() bool {
	switch r.Kind {
	case apigw.EventConnect:
		return false
	case apigw.EventDisconnect:
		return true
	}
	return r.OneWay
}

// Response is what an integration answers to the route.
type Response struct {
	// Status is the HTTP status that decides on $connect: 200 to 299 lets the
	// client in. It says nothing about messages: API Gateway sends the body of a
	// two-way route whatever the status is.
	Status int
	// Header has the header lines that a proxy answered with, or that response
	// parameters set.
	Header Header
	// Body is the text of the reply; nil for none, which on a two-way route is an
	// empty message. It must not be changed: it may be part of what the function
	// answered.
	Body []byte
	// Base64 is a proxy answer's isBase64Encoded. Body is as the function wrote
	// it all the same: AWS does not document that a WebSocket API decodes it.
	Base64 bool
}

// Header is a list of header lines in their order.
type Header []apigw.Header

// Get returns the last value of a header, its name compared without case, or
// "".
func (h Header) Get(name string) string {
	for i := len(h) - 1; i >= 0; i-- {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Values returns all values of a header in their order.
func (h Header) Values(name string) []string {
	var values []string
	for _, line := range h {
		if strings.EqualFold(line.Name, name) {
			values = append(values, line.Value)
		}
	}
	return values
}

// Integration is a compiled integration. It is read-only and may be called by
// any number of goroutines; one integration may serve many routes.
type Integration struct {
	backends *Backends
	kind     apigw.IntegrationType
	timeout  time.Duration
	function string
	request  requestMapping
	backend  backend
	// responses are nil for proxies.
	responses *responses
}

// backend is what an integration calls, but for functions behind AWS_PROXY.
type backend interface {
	call(ctx context.Context, out *outgoing) (*answer, error)
	// name is how the log calls it.
	name() string
}

// TakesEvent reports whether Request.Event must be set: true for AWS_PROXY,
// and for nothing else.
func (in *Integration) TakesEvent() bool { return in.kind == apigw.AWSProxy }

// Call runs the integration within its time limit.
//
// The error is context.DeadlineExceeded when the limit ended, the backend then
// going on for all that API Gateway does about it; ErrMalformed,
// ErrUnsupportedMediaType or ErrNoResponse; whatever the Invoker returned, as
// it was, for a function; or anything else, which is for the log: the client is
// told "Internal server error" for all but the first and the 415.
func (in *Integration) Call(ctx context.Context, req *Request) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, in.timeout)
	defer cancel()
	if in.kind == apigw.AWSProxy {
		return in.invokeProxy(ctx, req)
	}
	ex := &exchange{req: req, stageVariables: req.StageVariables}
	if ex.stageVariables == nil {
		ex.stageVariables = in.backends.StageVariables
	}
	out, err := in.request.make(ctx, ex)
	if err != nil {
		return nil, err
	}
	a, err := in.backend.call(ctx, out)
	if err != nil {
		return nil, err
	}
	if a.status >= http.StatusBadRequest && req.oneWay() {
		in.backends.Log.Warn("the backend of a one-way route answered with an error status", "status", a.status, "type", in.kind, "backend", in.backend.name())
	}
	if in.responses == nil {
		return &Response{Status: a.status, Header: a.header, Body: a.body}, nil
	}
	ex.answered(a)
	return in.responses.respond(ctx, ex)
}

// invokeProxy hands the event to a function and reads its proxy answer.
func (in *Integration) invokeProxy(ctx context.Context, req *Request) (*Response, error) {
	out, err := in.backends.Invoker.Invoke(ctx, in.function, req.Event)
	return proxyResponse(req, out, err)
}

// CallThen is Call for a caller that does not wait: then is called once with
// what Call would have returned, in another goroutine or before CallThen
// returns. It must neither wait nor take long: a function behind AWS_PROXY gets
// no other event meanwhile.
func (in *Integration) CallThen(ctx context.Context, req *Request, then func(*Response, error)) {
	starter, ok := in.backends.Invoker.(Starter)
	if !ok || in.kind != apigw.AWSProxy {
		go func() { then(in.Call(ctx, req)) }()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, in.timeout)
	starter.InvokeThen(ctx, in.function, req.Event, func(out []byte, err error) {
		cancel()
		then(proxyResponse(req, out, err))
	})
}

// proxyResponse reads what a function behind AWS_PROXY answered.
func proxyResponse(req *Request, out []byte, err error) (*Response, error) {
	if err != nil {
		return nil, err
	}
	if req.oneWay() && isNothing(out) {
		return &Response{Status: http.StatusOK}, nil
	}
	return parseProxyOutput(out)
}
