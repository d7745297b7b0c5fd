package lambda

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// userError is an error for which the caller is to blame. Lambda's errors have a
// member Type beside the message.
func userError(status int, code, format string, args ...any) *awswire.Error {
	return &awswire.Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...), Fields: map[string]any{"Type": "User"}}
}

// noFunction is the answer when there is no such function; it is ErrNoFunction to
// errors.Is.
type noFunction struct{ answer *awswire.Error }

func (e noFunction) Error() string { return e.answer.Error() }

func (e noFunction) Unwrap() []error { return []error{e.answer, ErrNoFunction} }

// notFound spells its member Message, as the API's model does for this error.
func notFound(format string, args ...any) error {
	e := userError(http.StatusNotFound, "ResourceNotFoundException", format, args...)
	e.Fields["Message"] = e.Message
	return noFunction{e}
}

func denied(action, arn string) error {
	e := userError(http.StatusForbidden, "AccessDeniedException",
		"User is not authorized to perform: lambda:%s on resource: %s because no resource-based policy allows the lambda:%s action", action, arn, action)
	e.Fields = map[string]any{"Message": e.Message}
	return e
}

// invalidMember is about a member of a request that its model does not allow.
func invalidMember(value, member, constraint string) error {
	return awswire.Errorf("ValidationException", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", clip(value), member, constraint)
}

func invalidParameter(format string, args ...any) error {
	return userError(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}

func invalidContent(format string, args ...any) error {
	return userError(http.StatusBadRequest, "InvalidRequestContentException", format, args...)
}

// tooLarge has the code of the API reference, which SDKs know by type. Callers of
// AWS have seen RequestEntityTooLargeException, too, with the same message.
func tooLarge(size int, kind string, limit int) error {
	return userError(http.StatusRequestEntityTooLarge, "RequestTooLargeException",
		"%d byte payload is too large for the %s invocation type (limit %d bytes)", size, kind, limit)
}

func throttled() error {
	e := userError(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	e.Fields["Reason"] = "ReservedFunctionConcurrentInvocationLimitExceeded"
	return e
}

// fault is an error for which the service is to blame. It keeps its cause for
// the log.
func fault(cause error) error {
	const text = "The request processing has failed because of an internal error."
	e := &awswire.Error{Code: "ServiceException", Status: http.StatusInternalServerError, Message: text,
		Fields: map[string]any{"Type": "Service", "Message": text}}
	return fmt.Errorf("%w: %w", e, cause)
}

// apiError turns what hosts and the bus say into what Lambda would. Errors of the
// API stay as they are.
func apiError(err error) error {
	if _, ok := errors.AsType[*awswire.Error](err); ok {
		return err
	}
	if errors.Is(err, apigw.ErrThrottled) || errors.Is(err, bus.ErrBusy) {
		return throttled()
	}
	return fault(err)
}

// cutShort reports whether an error says only that its work was not waited for.
func cutShort(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, bus.ErrClosed)
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
