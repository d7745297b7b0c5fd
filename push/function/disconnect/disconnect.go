// Package disconnect is the Lambda function of the $disconnect route: it takes
// the connection out of the roster.
//
// Environment: TABLE_NAME (required).
package disconnect

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.APIGatewayWebsocketProxyRequest, events.APIGatewayProxyResponse], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	return New(function.Roster(cfg, env), function.Log()).Handle, nil
}

// Handler takes connections out of a roster.
type Handler struct {
	roster push.Roster
	log    *slog.Logger
}

// New returns the function's handler.
func New(roster push.Roster, log *slog.Logger) *Handler { return &Handler{roster: roster, log: log} }

// Handle removes the connection's row; a row that is not there is fine. API
// Gateway neither repeats a $disconnect nor reads its answer, so an error is
// returned, which counts in the function's metrics. The row then stays until a
// publish finds the connection gone, or until it expires.
func (h *Handler) Handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	id := event.RequestContext.ConnectionID
	if err := h.roster.Remove(ctx, id); err != nil {
		return events.APIGatewayProxyResponse{}, fmt.Errorf("take connection %q out of the roster: %w", id, err)
	}
	function.WithRequest(ctx, h.log).Info("disconnected", "connectionId", id, "status", event.RequestContext.DisconnectStatusCode)
	return events.APIGatewayProxyResponse{StatusCode: http.StatusOK}, nil
}
