package management

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// The errors that do not depend on the request. Texts of 413 and 429 are those
// of the service model; 410 has an empty body.
var (
	errForbidden     = &awswire.Error{Code: "ForbiddenException", Message: "Forbidden", Status: http.StatusForbidden}
	errTruncated     = &awswire.Error{Code: "BadRequestException", Message: "The request body ended before its Content-Length.", Status: http.StatusBadRequest}
	errGone          = &awswire.Error{Code: "GoneException", Status: http.StatusGone}
	errTooLarge      = &awswire.Error{Code: "PayloadTooLargeException", Message: "The data has exceeded the maximum size allowed.", Status: http.StatusRequestEntityTooLarge}
	errLimitExceeded = &awswire.Error{Code: "LimitExceededException", Message: "The client is sending more than the allowed number of requests per unit of time or the WebSocket client side buffer is full.", Status: http.StatusTooManyRequests}
	errInternal      = &awswire.Error{Code: "InternalServerErrorException", Message: "Internal server error", Status: http.StatusInternalServerError}
)

func noMethod(path, method string) *awswire.Error {
	e := awswire.Errorf("NotFoundException", "No method found matching route %s for http method %s.", clip(path), clip(method))
	e.Status = http.StatusNotFound
	return e
}

func invalidID(id string) *awswire.Error {
	return awswire.Errorf("BadRequestException", "Invalid connectionId: %s", clip(id))
}

// deniedError is the refusal of a caller without permission. Its body differs
// from all others in its capital M.
type deniedError struct{ message string }

func (e deniedError) Error() string { return e.message }

// accessDenied has the text that callers without permission log: most of the
// account's number is hidden, and the connection's id is not told.
func (h *Handler) accessDenied(caller, region, method string) error {
	hidden := max(0, len(h.Account)-4)
	return deniedError{fmt.Sprintf("User: %s is not authorized to perform: execute-api:ManageConnections on resource: arn:aws:execute-api:%s:%s:%s/%s/%s/@connections/{connectionId}",
		caller, region, strings.Repeat("*", hidden)+h.Account[hidden:], h.API.ID, h.API.Stage.Name, method)}
}

// clip keeps hostile input from filling an answer.
func clip(s string) string {
	if len(s) > 256 {
		return s[:256] + "…"
	}
	return s
}

// asAnswer turns any error into the one that the client sees; nil means an
// error that has no such form.
func asAnswer(err error) *awswire.Error {
	if e, ok := errors.AsType[*awswire.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, apigw.ErrGone):
		return errGone
	case errors.Is(err, apigw.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, apigw.ErrBacklog):
		return errLimitExceeded
	case errors.Is(err, apigw.ErrInvalidConnectionID):
		return &awswire.Error{Code: "BadRequestException", Message: "Invalid connectionId"}
	}
	return nil
}

func (h *Handler) writeError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	if denied, ok := errors.AsType[deniedError](err); ok {
		w.Header()["x-amzn-ErrorType"] = []string{"AccessDeniedException"}
		writeJSON(w, http.StatusForbidden, awswire.MarshalJSON(map[string]string{"Message": denied.message}))
		return
	}
	answer := asAnswer(err)
	if answer == nil {
		// Also a caller who has gone, or a server that stops, gets an answer: to
		// say nothing would be net/http's 200, and the message would be lost.
		h.logger().Error("@connections call failed", "api", h.API.Name, "method", r.Method, "requestId", requestID, "error", err)
		answer = errInternal
	}
	status := answer.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header()["x-amzn-ErrorType"] = []string{answer.Code}
	if answer.Message == "" {
		w.WriteHeader(status)
		return
	}
	writeJSON(w, status, awswire.MarshalJSON(map[string]string{"message": answer.Message}))
}

func (h *Handler) logger() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}
