package apigw

import "errors"

// The errors of sending to, asking about and closing a connection, and of
// invoking a function. Compare with errors.Is; one place (package management)
// turns the first four into HTTP answers.
var (
	// ErrGone: the connection is closed, was never here, or its $connect has
	// not finished. HTTP 410, GoneException.
	ErrGone = errors.New("connection is gone")
	// ErrInvalidConnectionID: the id is not of AWS's form. HTTP 400.
	ErrInvalidConnectionID = errors.New("invalid connection id")
	// ErrTooLarge: the message is over Limits.MaxMessage. HTTP 413.
	ErrTooLarge = errors.New("message is too large")
	// ErrBacklog: the client reads too slowly and its outbound buffer is full.
	// HTTP 429, LimitExceededException; SDKs retry it.
	ErrBacklog = errors.New("connection's outbound buffer is full")
	// ErrFunction: the function ran and failed, or could not run. Errors of the
	// function host wrap it.
	ErrFunction = errors.New("function failed")
	// ErrThrottled: the function's concurrency limit is reached.
	ErrThrottled = errors.New("function is throttled")
)
