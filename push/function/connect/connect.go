// Package connect is the Lambda function of the $connect route: it enters the
// connection in the roster.
//
// Environment: TABLE_NAME (required), CONNECTION_TTL (default 2h10m),
// ROSTER_SHARDS (default 4), IDENTITY (any, authorizer or query: who says who
// the user is; default any), REQUIRE_USER (default false), ALLOWED_GROUPS
// (default *).
package connect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// maxGroups bounds the groups that a client may name at once.
const maxGroups = 20

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[function.Socket, function.Answer], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	o := Options{
		Identity:    env.Choice("IDENTITY", Any, Authorizer, Query),
		RequireUser: env.Switch("REQUIRE_USER", false),
		Groups:      function.NewGroups(env),
	}
	return New(function.Roster(cfg, env), o, function.Log()).Handle, nil
}

// The values of Options.Identity.
const (
	// Any takes the user from the authorizer, and from the query where there is
	// no authorizer. What a query says nobody has checked: it is a label, and no
	// permission may hang on it.
	Any = "any"
	// Authorizer takes the user from the authorizer alone.
	Authorizer = "authorizer"
	// Query takes the user from the query alone.
	Query = "query"
)

// Options say who may connect.
type Options struct {
	// Identity is who says who the user is; "" means Any.
	Identity string
	// RequireUser refuses clients without a user.
	RequireUser bool
	// Groups are the groups that a client may name.
	Groups function.Groups
}

// Handler enters connections in a roster.
type Handler struct {
	roster  push.Roster
	options Options
	log     *slog.Logger
}

// New returns the function's handler.
func New(roster push.Roster, o Options, log *slog.Logger) *Handler {
	return &Handler{roster: roster, options: o, log: log}
}

// refusal is why a client is not let in.
type refusal struct {
	status int
	why    string
}

// Handle answers 200, which lets the client in, once the row is written. When
// it cannot be written it answers 500, which refuses the client: one that is
// not in the roster would wait for messages that never come. A client that has
// to have a user and has none gets 401, one that names a group that it may not
// enter 403, one whose names are malformed 400.
//
// The user is the authorizer's, or the query parameter user; the groups are the
// authorizer's and those of the query parameter groups, with commas between
// them. When the client offers subprotocols the first is chosen that carries no
// token, as browsers demand.
func (h *Handler) Handle(ctx context.Context, event function.Socket) (function.Answer, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	log := function.WithRequest(ctx, h.log).With("connectionId", event.RequestContext.ConnectionID)
	c, refused := h.connection(&event)
	if refused != nil {
		log.Warn("refused: "+refused.why, "status", refused.status)
		return function.Answer{StatusCode: refused.status}, nil
	}
	switch err := h.roster.Add(ctx, c); {
	case errors.Is(err, push.ErrInvalid):
		log.Warn("refused: the roster does not take it", "error", err, "status", http.StatusBadRequest)
		return function.Answer{StatusCode: http.StatusBadRequest}, nil
	case err != nil:
		log.Error("refused: the connection was not entered in the roster", "error", err, "status", http.StatusInternalServerError)
		return function.Answer{StatusCode: http.StatusInternalServerError}, nil
	}
	log.Info("connected", "groups", len(c.Groups))
	return function.Answer{StatusCode: http.StatusOK, Headers: subprotocol(&event)}, nil
}

// connection is the row to write for a client.
func (h *Handler) connection(event *function.Socket) (push.Connection, *refusal) {
	c := push.Connection{ID: event.RequestContext.ConnectionID, User: h.user(event)}
	if c.ID == "" {
		return c, &refusal{http.StatusBadRequest, "the event is not that of a WebSocket connection"}
	}
	if c.User == "" && h.options.RequireUser {
		return c, &refusal{http.StatusUnauthorized, "there is no user"}
	}
	if c.User != "" {
		if err := function.CheckName(c.User); err != nil {
			return c, &refusal{http.StatusBadRequest, "the user: " + err.Error()}
		}
	}
	granted := function.Names(function.Granted(event, "groups"))
	asked := function.Names(event.QueryStringParameters["groups"])
	if len(asked) > maxGroups {
		return c, &refusal{http.StatusBadRequest, "too many groups"}
	}
	for _, group := range asked {
		if !h.options.Groups.Allow(event, c.User, group) {
			return c, &refusal{http.StatusForbidden, "a group is not allowed"}
		}
	}
	c.Groups = function.Names(strings.Join(append(granted, asked...), ","))
	for _, group := range c.Groups {
		if err := function.CheckName(group); err != nil {
			return c, &refusal{http.StatusBadRequest, "a group: " + err.Error()}
		}
	}
	return c, nil
}

// user is who the client is. Where an authorizer has spoken the query does not
// count, unless it alone does.
func (h *Handler) user(event *function.Socket) string {
	query := event.QueryStringParameters["user"]
	switch {
	case h.options.Identity == Query:
		return query
	case h.options.Identity == Authorizer || event.RequestContext.Authorizer != nil:
		return function.User(event)
	}
	return query
}

// subprotocol is the header that chooses a subprotocol, nil when none was
// offered.
func subprotocol(event *function.Socket) map[string]string {
	for _, offered := range function.Subprotocols(event.Headers) {
		if !strings.HasPrefix(offered, function.TokenSubprotocol) {
			return map[string]string{"Sec-WebSocket-Protocol": offered}
		}
	}
	return nil
}
