package dynamodb

import (
	"errors"
	"net/http"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// wireError gives errors of other packages the code that AWS has for them, and
// all of them the namespace that stands before it.
func wireError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*expression.Error](err); ok {
		err = invalid("%s", e.Message)
	}
	if e, ok := errors.AsType[*attribute.ValueError](err); ok {
		err = invalid("%s", e.Message)
	}
	if errors.Is(err, errBusy) {
		err = awswire.Errorf("ThrottlingException", "Rate of requests exceeds the allowed throughput.")
	}
	e, ok := errors.AsType[*awswire.Error](err)
	if !ok {
		return err
	}
	named := *e // errors are shared
	named.Namespace = namespace(e.Code)
	return &named
}

// namespace is where AWS has an error's code from: the framework's own, or the
// service's.
func namespace(code string) string {
	switch code {
	case "ValidationException":
		return "com.amazon.coral.validate"
	case "SerializationException", "UnknownOperationException", "AccessDeniedException",
		"MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException", "UnrecognizedClientException":
		return "com.amazon.coral.service"
	case "ThrottlingException":
		return "com.amazon.coral.availability"
	}
	return "com.amazonaws.dynamodb.v20120810"
}

// Refuse words what is wrong with a call's signature as DynamoDB does: API
// Gateway, whose words it gets, answers with another status.
func (*Service) Refuse(call *awswire.Call, e *awswire.Error) *awswire.Error {
	call.RequestID = requestID()
	named := *e
	named.Namespace, named.Status = namespace(e.Code), http.StatusBadRequest
	if e.Code == "MissingAuthenticationTokenException" {
		named.Message = "Request is missing Authentication Token"
	}
	return &named
}

// invalid is AWS's error for most of what is wrong with a request.
func invalid(format string, args ...any) error {
	return awswire.Errorf("ValidationException", format, args...)
}

// message returns an error's message without its code.
func message(err error) string {
	if e, ok := errors.AsType[*awswire.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
