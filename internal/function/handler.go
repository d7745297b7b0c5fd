package function

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// traceKey is where aws-lambda-go puts the X-Ray header of an invocation.
const traceKey = "x-amzn-trace-id"

// check refuses an event whose client context aws-lambda-go would not take.
func (c *call) check() error {
	if c.inv.clientContext == nil {
		return nil
	}
	if err := json.Unmarshal(c.inv.clientContext, new(lambdacontext.ClientContext)); err != nil {
		return fmt.Errorf("failed to unmarshal client context json: %v", err)
	}
	return nil
}

// Value finds what aws-lambda-go puts into a handler's context. Few handlers ask,
// so it is made only then.
func (c *call) Value(key any) any {
	if value := c.Context.Value(key); value != nil {
		return value
	}
	c.once.Do(c.describe)
	if key == traceKey {
		return c.trace
	}
	return c.lambda.Value(key)
}

func (c *call) describe() {
	lc := &lambdacontext.LambdaContext{AwsRequestID: c.inv.id, InvokedFunctionArn: c.function.arn}
	if given := c.inv.clientContext; given != nil {
		// check has read it before.
		_ = json.Unmarshal(given, &lc.ClientContext)
	}
	c.lambda = lambdacontext.NewContext(context.Background(), lc)
	c.trace = string(appendTraceID(nil, c.inv.begun))
}

// handlerFailure is an error that a handler has returned.
func handlerFailure(err error) *failure {
	body, own := err.(messages.InvokeResponse_Error)
	if !own {
		body = messages.InvokeResponse_Error{Message: err.Error(), Type: typeName(err)}
	}
	return reported(body)
}

// panicked is the failure of a handler that has panicked. It is called by the
// deferred function that recovers, whose stack is the handler's still.
func panicked(value any) *failure {
	body, own := value.(messages.InvokeResponse_Error)
	if !own {
		body = messages.InvokeResponse_Error{Message: fmt.Sprint(value), Type: typeName(value), StackTrace: panicStack()}
	}
	return reported(body)
}

// reported is the failure that aws-lambda-go posts to the Runtime API.
func reported(body messages.InvokeResponse_Error) *failure {
	// Texts and numbers always marshal.
	payload, _ := json.Marshal(body)
	why := posted("", payload)
	if len(payload) > maxResponse {
		why = responseTooLarge()
	}
	return &why
}

// typeName is the errorType of a Go value: its type's name without the package.
func typeName(value any) string {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// maxFrames is how many calls aws-lambda-go shows of a stack.
const maxFrames = 32

// panicStack is the stack of the panic that is being recovered: from the
// runtime's part of it down to the handler's goroutine.
func panicStack() []*messages.InvokeResponse_Error_StackFrame {
	// Of what has to be hidden no more is known than that it comes before the
	// runtime's own function.
	pcs := make([]uintptr, maxFrames+8)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	var all []*messages.InvokeResponse_Error_StackFrame
	for begun := false; len(all) < maxFrames; {
		frame, more := frames.Next()
		if begun = begun || frame.Function == "runtime.gopanic"; begun {
			all = append(all, stackFrame(frame))
		}
		if !more {
			break
		}
	}
	return all
}

// stackFrame is a call as aws-lambda-go shows it: the file from its package's
// folder on, and the function without its package.
func stackFrame(frame runtime.Frame) *messages.InvokeResponse_Error_StackFrame {
	parts := strings.Split(frame.File, "/")
	if keep := strings.Count(frame.Function, "/") + 2; len(parts) > keep {
		parts = parts[len(parts)-keep:]
	}
	_, name, _ := strings.Cut(frame.Function[strings.LastIndexByte(frame.Function, '/')+1:], ".")
	return &messages.InvokeResponse_Error_StackFrame{Path: strings.Join(parts, "/"), Line: int32(frame.Line), Label: name}
}

// NewHandler makes a Handler of a function that lambda.Start would take, such
// as func(context.Context, events.APIGatewayWebsocketProxyRequest) (any, error).
// One of another form fails every event with the reason, as on Lambda. What is a
// Handler already is returned as it is.
func NewHandler(function any) Handler {
	if h, ok := function.(Handler); ok {
		return h
	}
	return &goHandler{function: function}
}

// goHandler calls a Go function through aws-lambda-go. Each event gets a
// lambda.Handler of its own, because two events at a time would share the
// buffer of their responses; the handlers are used again.
type goHandler struct {
	function any

	mu   sync.Mutex
	free []lambda.Handler
}

// Invoke gives the function the event and returns its response as JSON.
func (g *goHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	h := g.take()
	response, err := h.Invoke(ctx, event)
	if err != nil {
		g.giveBack(h)
		return nil, err
	}
	// From now on the buffer belongs to the next event.
	response = slices.Clone(response)
	g.giveBack(h)
	return response, nil
}

func (g *goHandler) take() lambda.Handler {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.free) - 1; last >= 0 {
		h := g.free[last]
		g.free = g.free[:last]
		return h
	}
	return lambda.NewHandler(g.function)
}

// giveBack keeps a handler for the next event; one that has panicked is not
// given back.
func (g *goHandler) giveBack(h lambda.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free = append(g.free, h)
}
