package sqs

import (
	"context"
	"errors"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// The exceptions of SQS's API reference. Both protocols get the same ones; the
// query protocol knows some by older codes.

func errNoQueue() *awswire.Error {
	return &awswire.Error{Code: "QueueDoesNotExist", QueryCode: "AWS.SimpleQueueService.NonExistentQueue",
		Message: "The specified queue does not exist."}
}

func errQueueExists(attribute string) *awswire.Error {
	return &awswire.Error{Code: "QueueNameExists", QueryCode: "QueueAlreadyExists",
		Message: "A queue already exists with the same name and a different value for attribute " + attribute}
}

func errNotInflight() *awswire.Error {
	return &awswire.Error{Code: "MessageNotInflight", QueryCode: "AWS.SimpleQueueService.MessageNotInflight",
		Message: "The specified message isn't in flight: its visibility timeout has ended."}
}

func errHandle(handle string) *awswire.Error {
	return &awswire.Error{Code: "ReceiptHandleIsInvalid", QueryCode: "ReceiptHandleIsInvalid",
		Message: "The input receipt handle \"" + clip(handle) + "\" is not a valid receipt handle of this queue."}
}

func errOverLimit() *awswire.Error {
	return &awswire.Error{Code: "OverLimit", QueryCode: "OverLimit", Status: 403,
		Message: "The maximum number of in-flight messages is reached: delete received messages, or wait for their visibility timeout."}
}

func errPurging(name string) *awswire.Error {
	return &awswire.Error{Code: "PurgeQueueInProgress", QueryCode: "AWS.SimpleQueueService.PurgeQueueInProgress", Status: 403,
		Message: "Only one PurgeQueue operation on " + name + " is allowed every 60 seconds."}
}

func errNoResource(message string) *awswire.Error {
	return &awswire.Error{Code: "ResourceNotFoundException", QueryCode: "ResourceNotFoundException", Status: 404, Message: message}
}

func unsupported(message string) *awswire.Error {
	return &awswire.Error{Code: "UnsupportedOperation", QueryCode: "AWS.SimpleQueueService.UnsupportedOperation", Message: message}
}

func unknownAttribute(name string) *awswire.Error {
	return awswire.Errorf("InvalidAttributeName", "Unknown Attribute %s.", clip(name))
}

func invalidAttribute(name string) *awswire.Error {
	return awswire.Errorf("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

func invalidParameter(format string, args ...any) *awswire.Error {
	e := awswire.Errorf("InvalidParameterValueException", format, args...)
	e.QueryCode = "InvalidParameterValue"
	return e
}

func missingParameter(name string) *awswire.Error {
	return &awswire.Error{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter",
		Message: "The request must contain the parameter " + name + "."}
}

// batchError is an error about a batch as a whole.
func batchError(code, format string, args ...any) *awswire.Error {
	e := awswire.Errorf(code, format, args...)
	e.QueryCode = "AWS.SimpleQueueService." + code
	return e
}

func unknownOperation(call *awswire.Call) *awswire.Error {
	return &awswire.Error{Code: "UnknownOperationException", QueryCode: "InvalidAction",
		Message: "Gatepost's SQS has no operation " + clip(call.Operation) + "."}
}

// modelled are the exceptions that SQS's own model declares; SDKs make types of
// them. All others belong to AWS's common errors.
var modelled = map[string]bool{
	"BatchEntryIdsNotDistinct": true, "BatchRequestTooLong": true, "EmptyBatchRequest": true, "InvalidAddress": true,
	"InvalidAttributeName": true, "InvalidAttributeValue": true, "InvalidBatchEntryId": true, "InvalidMessageContents": true,
	"MessageNotInflight": true, "OverLimit": true, "PurgeQueueInProgress": true, "ResourceNotFoundException": true, "QueueDoesNotExist": true, "QueueNameExists": true, "ReceiptHandleIsInvalid": true,
	"RequestThrottled": true, "TooManyEntriesInBatchRequest": true, "UnsupportedOperation": true,
}

// apiError turns what the bus says into what SQS would, and leaves the rest.
func apiError(err error) error {
	switch {
	case errors.Is(err, bus.ErrNoQueue):
		return errNoQueue()
	case errors.Is(err, bus.ErrBusy):
		return &awswire.Error{Code: "RequestThrottled", QueryCode: "RequestThrottled",
			Message: "The queue has more requests than it can take; try again."}
	case errors.Is(err, bus.ErrFull):
		return &awswire.Error{Code: "ServiceUnavailable", Status: 503, Message: "The queues' store is full; nothing was stored."}
	case errors.Is(err, bus.ErrClosed), errors.Is(err, context.Canceled):
		return &awswire.Error{Code: "ServiceUnavailable", Status: 503, Message: "The service is stopping."}
	}
	return err
}

// wireError prepares an error for a call's protocol: JSON wants the exception's
// namespace, which query answers must not have.
func wireError(call *awswire.Call, err error) error {
	err = apiError(err)
	e, ok := errors.AsType[*awswire.Error](err)
	if !ok || call.Protocol != awswire.JSON {
		return err
	}
	qualified := *e
	if qualified.Code = "com.amazon.coral.service#" + e.Code; modelled[e.Code] {
		qualified.Code = "com.amazonaws.sqs#" + e.Code
	}
	return &qualified
}
