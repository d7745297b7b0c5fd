package send

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// endpoint notes who got what. c9 is broken.
type endpoint struct {
	mu  sync.Mutex
	got map[string]string
}

func (e *endpoint) Post(_ context.Context, id string, data []byte) error {
	if id == "c9" {
		return errors.New("arn:aws:secret is broken")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got[id] = string(data)
	return nil
}

func TestHandle(t *testing.T) {
	all := Options{To: kinds, Groups: allowed(t, "*")}
	for _, tt := range []struct {
		name, body, want string
		options          Options
		authorizer       any
		got              map[string]string
	}{
		{name: "to a user", body: `{"action":"send","user":"ann","message":{"a" : "<1>"}}`, want: `{"action":"send","ok":true,"sent":2,"gone":0,"failed":0}`,
			got: map[string]string{"c1": `{"action":"message","from":{"connection":"c3"},"message":{"a":"<1>"}}`, "c2": `{"action":"message","from":{"connection":"c3"},"message":{"a":"<1>"}}`}},
		{name: "from somebody who is known", body: `{"user":"ann","message":1.50,"id":"x"}`, authorizer: map[string]any{"principalId": "bob"},
			want: `{"action":"send","id":"x","ok":true,"sent":2,"gone":0,"failed":0}`,
			got:  map[string]string{"c1": `{"action":"message","from":{"user":"bob","connection":"c3"},"message":1.50}`, "c2": `{"action":"message","from":{"user":"bob","connection":"c3"},"message":1.50}`}},
		{name: "to a group, oneself included", body: `{"group":"blue","message":null}`, want: `{"action":"send","ok":true,"sent":2,"gone":0,"failed":0}`,
			got: map[string]string{"c1": `{"action":"message","from":{"connection":"c3"},"group":"blue","message":null}`, "c3": `{"action":"message","from":{"connection":"c3"},"group":"blue","message":null}`}},
		{name: "to a group without oneself", body: `{"group":"blue","message":"x","exceptMe":true}`, want: `{"action":"send","ok":true,"sent":1,"gone":0,"failed":0}`,
			got: map[string]string{"c1": `{"action":"message","from":{"connection":"c3"},"group":"blue","message":"x"}`}},
		{name: "to a connection", body: `{"connection":"c2","message":"x"}`, want: `{"action":"send","ok":true,"sent":1,"gone":0,"failed":0}`,
			got: map[string]string{"c2": `{"action":"message","from":{"connection":"c3"},"message":"x"}`}},
		{name: "to nobody", body: `{"user":"eve","message":"x"}`, want: `{"action":"send","ok":true,"sent":0,"gone":0,"failed":0}`},
		{name: "somebody fails, and nothing of why is told", body: `{"connection":"c9","message":"x"}`, want: `{"action":"send","ok":false,"message":"some have not got it","sent":0,"gone":0,"failed":1}`},
		{name: "no receiver", body: `{"message":"x"}`, want: `"to whom? give user, group or connection"`},
		{name: "two receivers", body: `{"user":"a","group":"b","message":"x"}`, want: `"give one of user, group and connection, not several"`},
		{name: "no message", body: `{"user":"a","id":4}`, want: `{"action":"send","id":4,"ok":false,"message":"the frame has no \"message\"","sent":0,"gone":0,"failed":0}`},
		{name: "no JSON", body: `hello`, want: `the frame must be like`},
		{name: "a strange name", body: `{"group":"a,b","message":1}`, want: `"the group: the name has a comma`},
		{name: "a kind that is not allowed", body: `{"user":"ann","message":1}`, options: Options{To: []string{"group"}}, want: `"nothing may be sent to a user here"`},
		{name: "a group that is not allowed", body: `{"group":"staff","message":1}`, options: Options{To: kinds, Groups: allowed(t, "room-*")}, want: `"the group may not be sent to"`},
		{name: "too large", body: `{"user":"ann","message":"` + strings.Repeat("x", push.MaxMessage) + `"}`, want: `"the message is larger than 131072 bytes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.options.To == nil {
				tt.options = all
			}
			e := &endpoint{got: map[string]string{}}
			var log bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&log, nil))
			in := function.Socket{Body: tt.body}
			in.RequestContext.ConnectionID, in.RequestContext.Authorizer = "c3", tt.authorizer
			out, err := New(&push.Publisher{Roster: rows(t), Poster: e, Log: logger}, tt.options, logger).Handle(t.Context(), in)
			if err != nil || out.StatusCode != 200 || !strings.Contains(out.Body, tt.want) {
				t.Errorf("answered %.300s, %v; want %s", out.Body, err, tt.want)
			}
			if !maps.Equal(e.got, tt.got) {
				t.Errorf("posted %v, want %v", e.got, tt.got)
			}
			if strings.Contains(log.String(), "<1>") || strings.Contains(log.String(), "xxx") {
				t.Errorf("the payload is logged: %.300s", log.String())
			}
		})
	}
}

func allowed(t *testing.T, patterns string) function.Groups {
	t.Helper()
	return function.NewGroups(function.NewEnvironment(func(string) (string, bool) { return patterns, true }))
}

func rows(t *testing.T) push.Roster {
	t.Helper()
	m := push.NewMemory(push.MemoryOptions{})
	then := time.Now().Add(-time.Minute)
	for _, c := range []push.Connection{
		{ID: "c1", User: "ann", Groups: []string{"blue"}}, {ID: "c2", User: "ann"}, {ID: "c3", User: "bob", Groups: []string{"blue"}},
	} {
		c.ConnectedAt = then
		if err := m.Add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestBuildChecksSendTo(t *testing.T) {
	settings := map[string]string{"AWS_REGION": "eu-west-1", "TABLE_NAME": "t", "CALLBACK_URL": "https://x.example/main", "SEND_TO": "user, room"}
	env := function.NewEnvironment(func(name string) (string, bool) { v, ok := settings[name]; return v, ok })
	if _, err := build(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(env.Problems(), `SEND_TO is "user,room": it must hold some of user, group, connection, with commas between them.`) {
		t.Errorf("problems %q", env.Problems())
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(`{"user":"ann","message":{}}`)
	f.Add(`{"group":"a\u0000","message":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		h := New(&push.Publisher{Roster: push.NewMemory(push.MemoryOptions{}), Poster: &endpoint{got: map[string]string{}}}, Options{To: kinds}, slog.New(slog.DiscardHandler))
		out, err := h.Handle(t.Context(), function.Socket{Body: body})
		if err != nil || !strings.HasPrefix(out.Body, `{"action":"send"`) || len(out.Body) > 2000 {
			t.Errorf("answered %.300s, %v", out.Body, err)
		}
	})
}
