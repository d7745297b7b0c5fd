package gatepost_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// Handlers are found by name or by logical id, and what is wrong with them is
// told before anything starts.
func TestConfigHandlers(t *testing.T) {
	declared := &stack.Stack{Functions: []stack.Function{{Name: "chat", LogicalID: "Chat"}, {LogicalID: "Push"}}}
	good := gatepost.NewHandler(func(context.Context) error { return nil })
	tests := []struct {
		name     string
		handlers map[string]gatepost.Handler
		want     string
	}{
		{"by name", map[string]gatepost.Handler{"chat": good}, ""},
		{"by logical id", map[string]gatepost.Handler{"Chat": good, "Push": good}, ""},
		{"nobody's", map[string]gatepost.Handler{"chats": good}, `the stack has no function "chats"; it has chat, Push`},
		{"nil", map[string]gatepost.Handler{"chat": nil}, `the handler of the function "chat" is nil`},
		{"two", map[string]gatepost.Handler{"chat": good, "Chat": good}, "two handlers for the function chat"},
	}
	for _, tt := range tests {
		_, err := gatepost.New(gatepost.Config{Stack: declared, Handlers: tt.handlers})
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s: got no error, want %q", tt.name, tt.want)
		}
	}
	if declared.Functions[1].Name != "" || declared.Region != "" {
		t.Errorf("New has changed the caller's stack: %+v", declared)
	}
}
