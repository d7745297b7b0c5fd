// Package membership holds the Lambda functions of the routes join and leave:
// a client enters a group, or goes. The routes must be two-way.
//
// Environment: TABLE_NAME (required), ALLOWED_GROUPS (join; default *),
// ROSTER_SHARDS.
package membership

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// JoinMain runs the function of the route join.
func JoinMain() { function.Main(build("join")) }

// LeaveMain runs the function of the route leave.
func LeaveMain() { function.Main(build("leave")) }

func build(action string) func(context.Context, *function.Environment) (function.Handler[function.Socket, function.Answer], error) {
	return func(ctx context.Context, env *function.Environment) (function.Handler[function.Socket, function.Answer], error) {
		cfg, err := function.AWS(ctx, env)
		if err != nil {
			return nil, err
		}
		return New(action, function.Roster(cfg, env), function.NewGroups(env), function.Log()).Handle, nil
	}
}

// Handler changes the groups of connections.
type Handler struct {
	action string
	roster push.Roster
	groups function.Groups
	log    *slog.Logger
}

// New returns the handler of an action, join or leave.
func New(action string, roster push.Roster, groups function.Groups, log *slog.Logger) *Handler {
	return &Handler{action: action, roster: roster, groups: groups, log: log}
}

// result is what the client gets.
type result struct {
	Action  string          `json:"action"`
	ID      json.RawMessage `json:"id,omitempty"`
	OK      bool            `json:"ok"`
	Group   string          `json:"group,omitempty"`
	Message string          `json:"message,omitempty"`
}

// Handle takes {"action":"join","group":"news"} and answers
//
//	{"action":"join","ok":true,"group":"news"}
//
// with the "id" of the frame, if that had one, and with "ok":false and a
// "message" when the client may not enter the group or is not in the roster.
// What is sent to the group after the answer reaches the client. Leaving a
// group that the client is not in is fine.
func (h *Handler) Handle(ctx context.Context, event function.Socket) (function.Answer, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	log := function.WithRequest(ctx, h.log).With("connectionId", event.RequestContext.ConnectionID, "action", h.action)
	var frame struct {
		ID    json.RawMessage `json:"id"`
		Group string          `json:"group"`
	}
	answer := result{Action: h.action}
	if err := json.Unmarshal([]byte(event.Body), &frame); err != nil {
		answer.Message = `the frame must be like {"action":"` + h.action + `","group":"news"}`
		return function.Reply(answer)
	}
	answer.ID = function.FrameID(frame.ID)
	if err := function.CheckName(frame.Group); err != nil {
		answer.Message = "the group: " + err.Error()
		return function.Reply(answer)
	}
	if h.action == "join" && !h.groups.Allow(&event, function.User(&event), frame.Group) {
		log.Info("refused: the group is not allowed")
		answer.Message = "the group may not be entered"
		return function.Reply(answer)
	}
	answer.Group = frame.Group
	switch err := h.change(ctx, event.RequestContext.ConnectionID, frame.Group); {
	case errors.Is(err, push.ErrUnknown):
		answer.Message = "this connection is not known; connect again"
	case err != nil:
		log.Error("groups not changed", "error", err)
		answer.Message = "the group could not be changed; try again"
	default:
		answer.OK = true
	}
	log.Info("groups", "ok", answer.OK)
	return function.Reply(answer)
}

func (h *Handler) change(ctx context.Context, id, group string) error {
	if h.action == "join" {
		return h.roster.Join(ctx, id, group)
	}
	return h.roster.Leave(ctx, id, group)
}
