// Package fallback is the Lambda function of the $default route: it tells the
// client which actions there are. The route must be two-way.
//
// Environment: KNOWN_ACTIONS, a comma-separated list (default "echo").
package fallback

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// maxAction bounds how much of a client's own words is sent back, in bytes.
const maxAction = 64

// Main runs the function.
func Main() { function.Main(build) }

func build(_ context.Context, env *function.Environment) (function.Handler[events.APIGatewayWebsocketProxyRequest, events.APIGatewayProxyResponse], error) {
	return New(env.List("KNOWN_ACTIONS", "echo"), function.Log()).Handle, nil
}

// Handler answers messages that no other route took.
type Handler struct {
	known string
	log   *slog.Logger
}

// New returns the function's handler; known are the actions to name.
func New(known []string, log *slog.Logger) *Handler {
	return &Handler{known: strings.Join(known, ", "), log: log}
}

// Handle answers {"message":"unknown action \"x\"; known: echo"}.
func (h *Handler) Handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	function.WithRequest(ctx, h.log).Info("unknown action", "connectionId", event.RequestContext.ConnectionID)
	body, err := json.Marshal(map[string]string{"message": problem(event.Body) + "; known: " + h.known})
	if err != nil {
		return events.APIGatewayProxyResponse{}, fmt.Errorf("encode the answer: %w", err)
	}
	return events.APIGatewayProxyResponse{StatusCode: http.StatusOK, Body: string(body)}, nil
}

// problem says why no route took a message.
func problem(body string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return `the message is not a JSON object with an "action"`
	}
	raw, found := fields["action"]
	if !found {
		return `the message has no "action"`
	}
	var action string
	if err := json.Unmarshal(raw, &action); err != nil {
		return `the message's "action" is not a string`
	}
	return fmt.Sprintf("unknown action %q", clip(action))
}

// clip cuts a long text at a character's end.
func clip(s string) string {
	if len(s) <= maxAction {
		return s
	}
	end := maxAction
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
