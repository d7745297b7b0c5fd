// Package connect is the Lambda function of the $connect route: it enters the
// connection in the roster.
//
// Environment: TABLE_NAME (required), CONNECTION_TTL (default 2h10m),
// ROSTER_SHARDS (default 4).
package connect

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// maxUser bounds the user that a client may name, in bytes.
const maxUser = 256

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.APIGatewayWebsocketProxyRequest, events.APIGatewayProxyResponse], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	return New(function.Roster(cfg, env), function.Log()).Handle, nil
}

// Handler enters connections in a roster.
type Handler struct {
	roster push.Roster
	log    *slog.Logger
}

// New returns the function's handler.
func New(roster push.Roster, log *slog.Logger) *Handler { return &Handler{roster: roster, log: log} }

// Handle answers 200, which lets the client in, once the row is written. When
// it cannot be written it answers 500, which refuses the client: one that is
// not in the roster would wait for messages that never come.
//
// The user is what the query parameter user says. Nobody has checked it: it is
// a label, and no permission may hang on it.
func (h *Handler) Handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	id, user := event.RequestContext.ConnectionID, event.QueryStringParameters["user"]
	log := function.WithRequest(ctx, h.log).With("connectionId", id)
	if id == "" {
		log.Warn("refused: the event is not that of a WebSocket connection")
		return status(http.StatusBadRequest), nil
	}
	if len(user) > maxUser {
		log.Warn("refused: the user is too long", "bytes", len(user))
		return status(http.StatusBadRequest), nil
	}
	if err := h.roster.Add(ctx, push.Connection{ID: id, User: user}); err != nil {
		log.Error("refused: the connection was not entered in the roster", "error", err)
		return status(http.StatusInternalServerError), nil
	}
	log.Info("connected")
	return status(http.StatusOK), nil
}

func status(code int) events.APIGatewayProxyResponse {
	return events.APIGatewayProxyResponse{StatusCode: code}
}
