package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatepost-dev/gatepost/apigw"
)

// functionBackend is a Lambda function behind an AWS integration ("Lambda
// custom integration"): it gets what the request template made, and may answer
// with any JSON.
type functionBackend struct {
	backends *Backends
	function string
}

// invocationType is the header of Lambda's Invoke that an integration may set
// by a request parameter.
const invocationType = "X-Amz-Invocation-Type"

func (f *functionBackend) call(ctx context.Context, out *outgoing) (*answer, error) {
	event := out.body
	if len(event) == 0 {
		event = []byte("{}")
	}
	if !json.Valid(event) {
		// What Invoke says to it: 400 InvalidRequestContentException.
		return nil, fmt.Errorf(`function %s cannot be invoked with what is no JSON; use a request template that makes JSON of the message, such as {"text":"$util.escapeJavaScript($input.body)"}`, f.function)
	}
	switch kind := out.header.Get(invocationType); kind {
	case "", "RequestResponse":
		return f.invoke(ctx, event)
	case "Event":
		return f.start(event)
	case "DryRun":
		return &answer{status: http.StatusNoContent, errorMessage: true}, nil
	default:
		return nil, fmt.Errorf("RequestParameters[integration.request.header.X-Amz-Invocation-Type]: %q is none of RequestResponse, Event and DryRun", clip(kind))
	}
}

func (f *functionBackend) name() string { return f.function }

// invoke waits for the function's answer. A function error is an answer too:
// its payload may match an integration response.
func (f *functionBackend) invoke(ctx context.Context, event []byte) (*answer, error) {
	out, err := f.backends.Invoker.Invoke(ctx, f.function, event)
	if err == nil {
		return &answer{status: http.StatusOK, body: out, errorMessage: true}, nil
	}
	var reported interface{ ErrorPayload() []byte }
	if !errors.Is(err, apigw.ErrFunction) || !errors.As(err, &reported) || len(reported.ErrorPayload()) == 0 {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: reported.ErrorPayload(), errorMessage: true, failed: err}, nil
}

// start runs the function without waiting for it, as Lambda does for the
// invocation type Event; its answer is dropped and its failure logged. Lambda
// would try a failed one twice more, after one and two minutes; Gatepost does
// not, so that a broken function is seen once and not again after it was mended.
func (f *functionBackend) start(event []byte) (*answer, error) {
	b := f.backends
	if err := b.beginAsync(); err != nil {
		return nil, fmt.Errorf("invoke function %s: %w", f.function, err)
	}
	// The event may be part of the client's message, which is the caller's.
	event = append([]byte(nil), event...)
	go func() {
		defer b.endAsync()
		if _, err := b.Invoker.Invoke(b.stopping, f.function, event); err != nil {
			b.Log.Error("an asynchronous invocation failed", "function", f.function, "error", err)
		}
	}()
	return &answer{status: http.StatusAccepted, errorMessage: true}, nil
}

var errClosed = errors.New("the gateway is stopping")

func (b *Backends) beginAsync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return errClosed
	case b.async >= maxAsync:
		return fmt.Errorf("%d asynchronous invocations are running: %w", b.async, apigw.ErrThrottled)
	}
	b.async++
	return nil
}

func (b *Backends) endAsync() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.async--
	if b.closed && b.async == 0 {
		close(b.idle)
	}
}
