package awswire

import (
	"errors"
	"fmt"
)

// Error is an AWS API error: what an SDK turns into a typed exception.
type Error struct {
	// Code is the exception's name without a namespace, for example
	// "ResourceNotFoundException".
	Code string
	// Namespace stands before the code in the __type of a JSON answer, with
	// a # between them: "com.amazon.coral.validate". SDKs pass over it, tools
	// that compare with AWS do not. Empty means none.
	Namespace string
	// Message is the sentence that AWS sends.
	Message string
	// Status is the HTTP status; zero means 400.
	Status int
	// QueryCode is the code in the query protocol where it differs, for
	// example "AWS.SimpleQueueService.NonExistentQueue".
	QueryCode string
	// Fields are further members of the JSON body, for example
	// CancellationReasons; nil for none.
	Fields map[string]any
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// capital are the errors of AWS's framework and of DynamoDB's transactions whose
// message has a capital letter.
var capital = map[string]bool{
	"AccessDeniedException": true, "SerializationException": true,
	"IdempotentParameterMismatchException": true, "TransactionCanceledException": true, "TransactionInProgressException": true,
}

// jsonBody is the error as a document of the JSON protocol.
func (e *Error) jsonBody() map[string]any {
	body := map[string]any{"__type": e.Code}
	message := "message"
	if e.Namespace != "" {
		body["__type"] = e.Namespace + "#" + e.Code
		if capital[e.Code] {
			message = "Message"
		}
	}
	if e.Message != "" {
		body[message] = e.Message
	}
	for k, v := range e.Fields {
		body[k] = v
	}
	return body
}

// Errorf returns a client error (HTTP 400) with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError finds the Error in err, or makes an InternalServerError (HTTP 500)
// of it whose message does not leak err.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "InternalServerError", Message: "The request processing has failed because of an internal error.", Status: 500}
}
