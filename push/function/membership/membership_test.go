package membership

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// broken is a roster that takes nothing.
type broken struct{ *push.Memory }

func (broken) Join(context.Context, string, string) error {
	return errors.New("throttled in arn:aws:x")
}

func TestHandle(t *testing.T) {
	for _, tt := range []struct {
		name, action, id, body, want string
		groups                       string
		authorizer                   any
		broken                       bool
		in                           bool // the connection is in the group afterwards
	}{
		{name: "join", action: "join", id: "c1", body: `{"group":"blue","id":"q1"}`, want: `{"action":"join","id":"q1","ok":true,"group":"blue"}`, in: true},
		{name: "leave", action: "leave", id: "c2", body: `{"group":"blue"}`, want: `{"action":"leave","ok":true,"group":"blue"}`},
		{name: "leave where one is not", action: "leave", id: "c1", body: `{"group":"blue"}`, want: `{"action":"leave","ok":true,"group":"blue"}`},
		{name: "leaving is always allowed", action: "leave", id: "c2", body: `{"group":"blue"}`, groups: "none", want: `{"action":"leave","ok":true,"group":"blue"}`},
		{name: "join what is not allowed", action: "join", id: "c1", body: `{"group":"blue"}`, groups: "room-*", want: `{"action":"join","ok":false,"message":"the group may not be entered"}`},
		{name: "join what the authorizer allows", action: "join", id: "c1", body: `{"group":"blue"}`, groups: "none", authorizer: map[string]any{"groups": "red,blue"}, want: `{"action":"join","ok":true,"group":"blue"}`, in: true},
		{name: "join one's own", action: "join", id: "c1", body: `{"group":"blue"}`, groups: "{user}", authorizer: map[string]any{"user": "blue"}, want: `{"action":"join","ok":true,"group":"blue"}`, in: true},
		{name: "nobody knows the connection", action: "join", id: "c9", body: `{"group":"blue"}`, want: `{"action":"join","ok":false,"group":"blue","message":"this connection is not known; connect again"}`},
		{name: "the table fails, and nothing of it is told", action: "join", id: "c1", body: `{"group":"blue"}`, broken: true, want: `{"action":"join","ok":false,"group":"blue","message":"the group could not be changed; try again"}`},
		{name: "no group", action: "join", id: "c1", body: `{}`, want: `{"action":"join","ok":false,"message":"the group: the name is empty"}`},
		{name: "no JSON", action: "join", id: "c1", body: `blue`, want: `{"action":"join","ok":false,"message":"the frame must be like {\"action\":\"join\",\"group\":\"news\"}"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			memory := push.NewMemory(push.MemoryOptions{})
			for id, groups := range map[string][]string{"c1": nil, "c2": {"blue"}} {
				if err := memory.Add(t.Context(), push.Connection{ID: id, Groups: groups}); err != nil {
					t.Fatal(err)
				}
			}
			var roster push.Roster = memory
			if tt.broken {
				roster = broken{memory}
			}
			groups := function.NewGroups(function.NewEnvironment(func(string) (string, bool) { return tt.groups, true }))
			in := function.Socket{Body: tt.body}
			in.RequestContext.ConnectionID, in.RequestContext.Authorizer = tt.id, tt.authorizer
			out, err := New(tt.action, roster, groups, slog.New(slog.DiscardHandler)).Handle(t.Context(), in)
			if err != nil || out.Body != tt.want {
				t.Errorf("answered %s, %v; want %s", out.Body, err, tt.want)
			}
			found := false
			for c, err := range memory.ByGroup(t.Context(), "blue") {
				found = found || err == nil && c.ID == tt.id
			}
			if found != tt.in {
				t.Errorf("in the group: %v, want %v", found, tt.in)
			}
		})
	}
}
