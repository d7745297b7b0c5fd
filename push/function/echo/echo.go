// Package echo is the Lambda function of the echo route: it answers with what
// the client sent. The route must be two-way.
//
// Environment: none.
package echo

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// Main runs the function.
func Main() { function.Main(build) }

func build(context.Context, *function.Environment) (function.Handler[events.APIGatewayWebsocketProxyRequest, events.APIGatewayProxyResponse], error) {
	return New(function.Log()).Handle, nil
}

// Handler answers messages with their own data.
type Handler struct{ log *slog.Logger }

// New returns the function's handler.
func New(log *slog.Logger) *Handler { return &Handler{log: log} }

// Handle answers with the message's data: the text of a string, the JSON, byte
// for byte, of anything else, and the whole body of a message without data.
func (h *Handler) Handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	function.WithRequest(ctx, h.log).Info("echo", "connectionId", event.RequestContext.ConnectionID, "bytes", len(event.Body))
	return events.APIGatewayProxyResponse{StatusCode: http.StatusOK, Body: data(event.Body)}, nil
}

func data(body string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return body
	}
	raw, found := fields["data"]
	if !found {
		return body
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err == nil && text != nil {
		return *text
	}
	return string(raw)
}
