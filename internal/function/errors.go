package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// Error types that Lambda itself gives to a failed invocation ("errorType" in
// the payload). All others come from the function.
const (
	typeExit         = "Runtime.ExitError"
	typeEntrypoint   = "Runtime.InvalidEntrypoint"
	typeTimeout      = "Sandbox.Timedout"
	typeTooLarge     = "Function.ResponseSizeTooLarge"
	typeResponseMode = "Runtime.InvalidResponseModeHeader"
	typeEventSize    = "RequestTooLargeException"
	typeUnspecified  = "Runtime.Unknown"
	// Gatepost's own: nothing that AWS has a word for.
	typeUnknown = "Gatepost.UnknownFunction"
	typeUnbuilt = "Gatepost.NotBuilt"
	typeClosed  = "Gatepost.Closed"
)

// Error is a failed invocation: the function answered with an error, crashed,
// ran out of time, or could not start. It is apigw.ErrFunction to errors.Is.
type Error struct {
	// Function is the function's name.
	Function string
	// RequestID is the invocation's id, the one in the function's log lines.
	RequestID string
	// Type and Message are errorType and errorMessage of the payload.
	Type, Message string
	// Payload is the JSON that Lambda's Invoke would answer with. It is what
	// the function posted, stack trace included, or made from Type and Message.
	Payload []byte
}

// ErrorPayload returns Payload, for those who know the error by this method
// only.
func (e *Error) ErrorPayload() []byte { return e.Payload }

// Error returns one line: function, type and message.
func (e *Error) Error() string {
	return fmt.Sprintf("function %s: %s: %s", e.Function, e.Type, e.Message)
}

// Unwrap returns apigw.ErrFunction.
func (e *Error) Unwrap() error { return apigw.ErrFunction }

// failure is why an invocation failed, without the invocation: the failed
// start of one sandbox is told to everyone who waited for it.
type failure struct {
	typ string
	// text is the message; the request id is put before it where Lambda does so.
	text string
	// payload is the function's own error body, or nil.
	payload []byte
	// refusal, when set, is the whole error: the function is not to blame.
	refusal error
}

// hostClosed fails the invocations that a closing host does not serve any more.
var hostClosed = failure{typ: typeClosed, text: "the function host is closed"}

// about makes the error of one invocation.
func (f failure) about(function, requestID string) error {
	if f.refusal != nil {
		return fmt.Errorf("invoke function %s: %w", function, f.refusal)
	}
	e := &Error{Function: function, RequestID: requestID, Type: f.typ, Message: f.text, Payload: f.payload}
	switch f.typ {
	case typeExit, typeEntrypoint:
		e.Message = fmt.Sprintf("RequestId: %s Error: %s", requestID, f.text)
	case typeTimeout:
		e.Message = fmt.Sprintf("%s %s %s", time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), requestID, f.text)
	}
	if e.Payload == nil {
		e.Payload = errorPayload(e.Type, e.Message)
	}
	return e
}

// errorBody is the shape of every error that crosses the Runtime API, in
// both directions.
type errorBody struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

func errorPayload(typ, message string) []byte {
	// Two strings always marshal.
	payload, _ := json.Marshal(errorBody{Message: message, Type: typ})
	return payload
}

// posted reads the error that a runtime posted. The header's type counts when
// the body has none; a body that is not a JSON object becomes the message.
func posted(headerType string, body []byte) failure {
	var b errorBody
	if err := json.Unmarshal(body, &b); err != nil {
		b = errorBody{Message: string(body)}
		body = nil
	}
	if b.Type == "" {
		b.Type = headerType
	}
	if b.Type == "" {
		b.Type = typeUnspecified
	}
	return failure{typ: b.Type, text: b.Message, payload: body}
}

// exited describes a process that ended while it was still needed.
func exited(status string) failure {
	if status == "exit status 0" {
		return failure{typ: typeExit, text: "Runtime exited without providing a reason"}
	}
	return failure{typ: typeExit, text: "Runtime exited with error: " + status}
}

func responseTooLarge() failure {
	return failure{typ: typeTooLarge, text: fmt.Sprintf(
		"Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)}
}

func timedOut(limit time.Duration) failure {
	return failure{typ: typeTimeout, text: fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds())}
}

func initTimedOut(limit time.Duration) failure {
	return failure{typ: typeTimeout, text: fmt.Sprintf(
		"Init timed out after %.2f seconds: the process has not asked the Runtime API for an event", limit.Seconds())}
}

// errorText returns the part of an error that is worth a line in the feed.
func errorText(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Type + ": " + e.Message
	}
	return err.Error()
}
