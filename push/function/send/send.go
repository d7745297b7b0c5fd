// Package send is the Lambda function of the send route: a client's message to
// a user, a group or a connection. The route must be two-way.
//
// Environment: TABLE_NAME and CALLBACK_URL (required), SEND_TO (user, group,
// connection: what may be sent to; all by default), ALLOWED_GROUPS (default *),
// PARALLELISM, POST_TIMEOUT, ROSTER_SHARDS.
package send

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// kinds are what a client may send to.
var kinds = []string{"user", "group", "connection"}

// Main runs the function.
func Main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[function.Socket, function.Answer], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	o := Options{To: env.List("SEND_TO", kinds...), Groups: function.NewGroups(env)}
	for _, kind := range o.To {
		if !slices.Contains(kinds, kind) {
			env.Problem("SEND_TO is %q: it must hold some of %s, with commas between them.", strings.Join(o.To, ","), strings.Join(kinds, ", "))
			break
		}
	}
	publisher, err := function.Publisher(cfg, env)
	if publisher == nil || err != nil {
		return nil, err
	}
	return New(publisher, o, function.Log()).Handle, nil
}

// Options say what clients may do.
type Options struct {
	// To are the kinds of receivers: user, group, connection.
	To []string
	// Groups are the groups that may be sent to.
	Groups function.Groups
}

// Handler posts clients' messages to other clients.
type Handler struct {
	publisher *push.Publisher
	options   Options
	log       *slog.Logger
}

// New returns the function's handler.
func New(publisher *push.Publisher, o Options, log *slog.Logger) *Handler {
	return &Handler{publisher: publisher, options: o, log: log}
}

// frame is what a client sends.
type frame struct {
	ID         json.RawMessage `json:"id"`
	User       string          `json:"user"`
	Group      string          `json:"group"`
	Connection string          `json:"connection"`
	ExceptMe   bool            `json:"exceptMe"`
	Message    json.RawMessage `json:"message"`
}

// envelope is what the receivers get.
type envelope struct {
	Action  string          `json:"action"`
	From    from            `json:"from"`
	Group   string          `json:"group,omitempty"`
	Message json.RawMessage `json:"message"`
}

type from struct {
	User       string `json:"user,omitempty"`
	Connection string `json:"connection"`
}

// result is what the sender gets.
type result struct {
	Action  string          `json:"action"`
	ID      json.RawMessage `json:"id,omitempty"`
	OK      bool            `json:"ok"`
	Message string          `json:"message,omitempty"`
	Sent    int             `json:"sent"`
	Gone    int             `json:"gone"`
	Failed  int             `json:"failed"`
}

// Handle takes {"action":"send","user":"ann","message":...}, or with "group" or
// "connection" in the place of "user", and posts
//
//	{"action":"message","from":{"user":"bob","connection":"..."},"message":...}
//
// with "group" when it is for one. The user in from is there when an authorizer
// vouches for it: what a client says of itself is not passed on. With
// "exceptMe":true the sender is left out. The sender gets
//
//	{"action":"send","ok":true,"sent":1,"gone":0,"failed":0}
//
// with the "id" of its frame, if that had one, and with "ok":false and a
// "message" when it was wrong or somebody did not get it.
func (h *Handler) Handle(ctx context.Context, event function.Socket) (function.Answer, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	id := event.RequestContext.ConnectionID
	log := function.WithRequest(ctx, h.log).With("connectionId", id)
	var f frame
	if err := json.Unmarshal([]byte(event.Body), &f); err != nil {
		return function.Reply(result{Action: "send", Message: `the frame must be like {"action":"send","user":"ann","message":"hi"}`})
	}
	answer := result{Action: "send", ID: function.FrameID(f.ID)}
	target, err := h.target(&event, &f)
	if err != nil {
		log.Info("not sent", "reason", err.Error())
		answer.Message = err.Error()
		return function.Reply(answer)
	}
	payload, err := encode(envelope{Action: "message", From: from{function.User(&event), id}, Group: f.Group, Message: f.Message})
	if err != nil {
		return function.Answer{}, err
	}
	report, err := h.publisher.Publish(ctx, target, payload)
	answer.Sent, answer.Gone, answer.Failed = report.Sent, report.Gone, len(report.Undelivered())
	answer.OK = report.Complete()
	answer.Message = said(&report)
	log.Info("sent", "ok", answer.OK, "sent", answer.Sent, "gone", answer.Gone, "failed", answer.Failed, "error", err)
	return function.Reply(answer)
}

// target finds the receivers, or says what is wrong with the frame.
func (h *Handler) target(event *function.Socket, f *frame) (push.Target, error) {
	kind, name := "", ""
	for i, v := range []string{f.User, f.Group, f.Connection} {
		if v != "" && kind != "" {
			return nil, fmt.Errorf("give one of user, group and connection, not several")
		}
		if v != "" {
			kind, name = kinds[i], v
		}
	}
	switch {
	case kind == "":
		return nil, errors.New("to whom? give user, group or connection")
	case len(f.Message) == 0:
		return nil, errors.New(`the frame has no "message"`)
	case !slices.Contains(h.options.To, kind):
		return nil, fmt.Errorf("nothing may be sent to a %s here", kind)
	}
	if err := function.CheckName(name); err != nil {
		return nil, fmt.Errorf("the %s: %w", kind, err)
	}
	if kind == "group" && !h.options.Groups.Allow(event, function.User(event), name) {
		return nil, errors.New("the group may not be sent to")
	}
	target := map[string]func() push.Target{
		"user":       func() push.Target { return push.ToUser(name) },
		"group":      func() push.Target { return push.ToGroup(name) },
		"connection": func() push.Target { return push.Only(name) },
	}[kind]()
	if f.ExceptMe {
		target = push.Except(target, event.RequestContext.ConnectionID)
	}
	return target, nil
}

// said is what the sender may know of a failure: no connection of others, no
// words of AWS.
func said(r *push.Report) string {
	switch {
	case r.Complete():
		return ""
	case errors.Is(r.Err, push.ErrTooLarge):
		return fmt.Sprintf("the message is larger than %d bytes", push.MaxMessage)
	case r.Err != nil:
		return "not everybody could be reached; try again"
	}
	return "some have not got it"
}

// encode leaves the message's own bytes as they are, but for space between
// tokens.
func encode(e envelope) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
