package sns

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// What a delivery's end point may say; the adapters of Config wrap one of these
// with %w. Any other error is a fault of the service behind the end point, and
// the delivery is tried again.
var (
	// ErrNoEndpoint: there is no such queue or function. SNS calls that a client
	// error and does not try again.
	ErrNoEndpoint = errors.New("no such endpoint")
	// ErrFunctionFailed: the function ran and failed, or was throttled by its own
	// limits. That is Lambda's affair: it is invoked again as Config says, and
	// the subscription's dead-letter queue has no part in it.
	ErrFunctionFailed = errors.New("function failed")
	// errRejected: the end point took the delivery and refused it for good.
	errRejected = errors.New("endpoint refused the delivery")
)

// invalidParameter is InvalidParameter with the beginning that all of its
// messages have.
func invalidParameter(format string, args ...any) *awswire.Error {
	return plainInvalid("Invalid parameter: "+format, args...)
}

func plainInvalid(format string, args ...any) *awswire.Error {
	return coded("InvalidParameter", 400, format, args...)
}

func coded(code string, status int, format string, args ...any) *awswire.Error {
	return &awswire.Error{Code: code, QueryCode: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

// invalidValue is about a message attribute.
func invalidValue(format string, args ...any) *awswire.Error {
	return coded("ParameterValueInvalid", 400, format, args...)
}

func errNoTopic() *awswire.Error { return coded("NotFound", 404, "Topic does not exist") }

func errNoSubscription() *awswire.Error { return coded("NotFound", 404, "Subscription does not exist") }

// policyError says what is wrong with a filter policy.
func policyError(format string, args ...any) error { return fmt.Errorf(format, args...) }

// apiError turns what the bus says into what SNS would, and leaves the rest.
func apiError(err error) error {
	switch {
	case errors.Is(err, bus.ErrBusy):
		return coded("Throttled", 429, "The topic has more requests than it can take; try again.")
	case errors.Is(err, bus.ErrFull):
		return coded("ServiceUnavailable", 503, "The store of messages is full; nothing is certain to be delivered.")
	case errors.Is(err, bus.ErrClosed), errors.Is(err, context.Canceled):
		return coded("ServiceUnavailable", 503, "The service is stopping.")
	}
	return err
}

// apiCode is the code of an error that SNS answers with, or "".
func apiCode(err error) string {
	if e, ok := errors.AsType[*awswire.Error](err); ok {
		return e.Code
	}
	return ""
}

// apiMessage is the text of an error without its code.
func apiMessage(err error) string {
	if e, ok := errors.AsType[*awswire.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
