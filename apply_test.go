package gatepost_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/stack"
)

// chat is a system whose functions run in the test's process.
func chat() *stack.Stack {
	proxy := func(function string) *apigw.Integration {
		return &apigw.Integration{Type: apigw.AWSProxy, Function: function}
	}
	return &stack.Stack{
		APIs:      []apigw.API{{Name: "chat", Routes: []apigw.Route{{Key: "one", TwoWay: true, Integration: proxy("one")}}}},
		Functions: []stack.Function{{Name: "one"}, {Name: "two"}},
		Tables:    []stack.Table{keyed("roster", "PK")},
		Queues:    []stack.Queue{{Name: "jobs", ARN: "arn:aws:sqs:us-east-1:000000000000:jobs", Retention: time.Hour, MaxMessageSize: 1 << 10, VisibilityTimeout: time.Minute}},
	}
}

func keyed(table, attribute string) stack.Table {
	return stack.Table{Name: table, ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/" + table,
		Key: []stack.KeyElement{{Attribute: attribute, Type: "HASH"}}, Attributes: []stack.Attribute{{Name: attribute, Type: "S"}}}
}

func word(text string) gatepost.Handler {
	return gatepost.NewHandler(func() (map[string]any, error) { return map[string]any{"statusCode": 200, "body": text}, nil })
}

// running runs a stack until the test ends.
func running(t *testing.T, s *stack.Stack) *gatepost.Server {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	return serve(t, gatepost.Config{Stack: s, Data: t.TempDir(), Ephemeral: true,
		Handlers: map[string]gatepost.Handler{"one": word("one"), "two": word("two")}})
}

// talk asks over a socket that is open.
func talk(t *testing.T, ws *websocket.Conn, action string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"action":%q}`, action)); err != nil {
		t.Fatal(err)
	}
	_, frame, err := ws.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(frame)
}

// apply applies a change of chat and returns the lines that it gives.
func apply(t *testing.T, server *gatepost.Server, change func(*stack.Stack)) []string {
	t.Helper()
	next := chat()
	change(next)
	applied, err := server.Apply(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range applied {
		lines = append(lines, a.String())
	}
	return lines
}

func TestApplyFollowsRoutesOverAnOpenSocket(t *testing.T) {
	server := running(t, chat())
	ws, _, err := websocket.Dial(t.Context(), server.Addresses()[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if got := talk(t, ws, "one"); got != "one" {
		t.Errorf("answered %s", got)
	}
	got := apply(t, server, func(s *stack.Stack) {
		s.APIs[0].Routes = []apigw.Route{
			{Key: "one", TwoWay: true, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "two"}},
			{Key: "two", TwoWay: true, Integration: &apigw.Integration{Type: apigw.AWSProxy, Function: "two"}},
		}
	})
	if want := []string{"~ route one -> two (integration)", "+ route two -> two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := talk(t, ws, "one") + talk(t, ws, "two"); got != "twotwo" {
		t.Errorf("answered %s", got)
	}
	if got := apply(t, server, func(*stack.Stack) {}); !slices.Equal(got, []string{"~ route one -> one (integration)", "- route two"}) {
		t.Errorf("got %q", got)
	}
	if got := talk(t, ws, "two"); !strings.HasPrefix(got, `{"message": "Forbidden"`) {
		t.Errorf("a route that has gone answers %s", got)
	}
	if got := apply(t, server, func(*stack.Stack) {}); got != nil {
		t.Errorf("the same stack changes %q", got)
	}
}

func TestApplyHoldsBackWhatNeedsANewStart(t *testing.T) {
	server := running(t, chat())
	for _, tt := range []struct {
		name   string
		change func(*stack.Stack)
		want   string // the beginning of the only line
	}{
		{"another API", func(s *stack.Stack) { s.APIs = append(s.APIs, apigw.API{Name: "more"}) }, "! + API more: it gets its port at the next start"},
		{"an API less", func(s *stack.Stack) { s.APIs = nil }, "! - API chat: it is served until the next start"},
		{"another id", func(s *stack.Stack) { s.APIs[0].ID = "abcdefghij" }, "! ~ API chat: its id, its stage's name"},
		{"another stage", func(s *stack.Stack) { s.APIs[0].Stage.Name = "other" }, "! ~ API chat: its id, its stage's name"},
		{"another key", func(s *stack.Stack) { s.Tables[0] = keyed("roster", "id") }, "! ~ table roster (key, attributes): set up table roster: the data folder has it with the key"},
	} {
		for range 2 { // what was held back is told again
			if got := apply(t, server, tt.change); len(got) != 1 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
	}
	if got := len(server.Addresses()); got != 1 {
		t.Errorf("%d APIs are served", got)
	}
}

func TestApplyKeepsWhatIsStored(t *testing.T) {
	server := running(t, chat())
	got := apply(t, server, func(s *stack.Stack) {
		s.Tables, s.Queues = []stack.Table{keyed("notes", "PK")}, nil
	})
	want := []string{"+ table notes", "- table roster: kept with what is in it", "- queue jobs: kept with what is in it"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestApplyRefusesAsNewDoes(t *testing.T) {
	server := running(t, chat())
	for name, change := range map[string]func(*stack.Stack){
		"that leads nowhere": func(s *stack.Stack) { s.APIs[0].Routes[0].Integration.Function = "nobody" },
		"without a function that has a handler": func(s *stack.Stack) {
			s.Functions, s.APIs[0].Routes = s.Functions[1:], nil
		},
		"of another region": func(s *stack.Stack) { s.Region = "eu-west-1"; s.Tables, s.Queues = nil, nil },
	} {
		next := chat()
		change(next)
		if applied, err := server.Apply(t.Context(), next); err == nil || applied != nil {
			t.Errorf("a stack %s: %v, %v", name, applied, err)
		}
	}
	if got := apply(t, server, func(*stack.Stack) {}); got != nil {
		t.Errorf("after errors %q is different", got)
	}
}

// TestApplyWhileEverythingEnds is for the race detector: Apply comes together
// with calls, with others of its kind, and with the end.
func TestApplyWhileEverythingEnds(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s := chat()
	server, err := gatepost.New(gatepost.Config{
		Stack: s, Data: t.TempDir(), Gateway: "127.0.0.1:0", AWS: "127.0.0.1:0", Console: "127.0.0.1:0", Ephemeral: true,
		Handlers: map[string]gatepost.Handler{"one": word("one"), "two": word("two")},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	<-server.Ready()
	done := make(chan struct{})
	for i := range 2 {
		go func() {
			defer func() { done <- struct{}{} }()
			for j := range 20 {
				next := chat()
				next.Functions[0].Timeout = time.Duration(1+(i+j)%3) * time.Second
				next.Mappings = []stack.EventSourceMapping{{SourceARN: next.Queues[0].ARN, Function: "two", BatchSize: 1 + j%10}}
				next.Schedules = []stack.Schedule{{Name: "tick", ARN: "arn:aws:events:us-east-1:000000000000:rule/tick", Expression: fmt.Sprintf("rate(%d minutes)", 2+j)}}
				if _, err := server.Apply(t.Context(), next); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				if j == 10 {
					cancel()
				}
			}
		}()
	}
	<-done
	<-done
	if err := <-ended; err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}
