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
		return f.start(ctx, event)
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

// start hands the event to the queue of asynchronous invocations, as Lambda does
// for the invocation type Event: what becomes of it there is not the client's
// affair.
func (f *functionBackend) start(ctx context.Context, event []byte) (*answer, error) {
	if f.backends.Queue == nil {
		return nil, fmt.Errorf("function %s cannot be invoked with the type Event: there is no queue of asynchronous invocations here", f.function)
	}
	if err := f.backends.Queue.InvokeAsync(ctx, f.function, event); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted, errorMessage: true}, nil
}
