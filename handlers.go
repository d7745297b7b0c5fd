package gatepost

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/stack"
)

// Handler is a function of the stack that runs in this process; see
// Config.Handlers.
type Handler = function.Handler

// NewHandler makes a Handler of a function that aws-lambda-go's lambda.Start would
// take, such as
//
//	func(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error)
//
// A function of another form fails every event with the reason, as on Lambda.
//
// What lambda.NewHandler returns is a Handler too, but gets one event at a time:
// it returns bytes that its next event's response overwrites.
func NewHandler(fn any) Handler { return function.NewHandler(fn) }

// handlersOf returns the handlers by the names of their functions.
func handlersOf(s *stack.Stack, given map[string]Handler) (map[string]Handler, error) {
	found := make(map[string]Handler, len(given))
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		f := functionOf(s, key)
		switch {
		case f == nil:
			errs = append(errs, fmt.Errorf("Config.Handlers: the stack has no function %q; it has %s", key, functionNames(s)))
		case given[key] == nil:
			errs = append(errs, fmt.Errorf("Config.Handlers: the handler of the function %q is nil", key))
		case found[f.Name] != nil:
			errs = append(errs, fmt.Errorf("Config.Handlers has two handlers for the function %s", f.Name))
		default:
			found[f.Name] = given[key]
		}
	}
	return found, errors.Join(errs...)
}

// functionOf returns the function of a name or, where there is none, of a
// logical id, or nil.
func functionOf(s *stack.Stack, key string) *stack.Function {
	if f := s.Function(key); f != nil {
		return f
	}
	for i := range s.Functions {
		if s.Functions[i].LogicalID == key {
			return &s.Functions[i]
		}
	}
	return nil
}

func functionNames(s *stack.Stack) string {
	if len(s.Functions) == 0 {
		return "none"
	}
	names := make([]string, len(s.Functions))
	for i := range s.Functions {
		names[i] = s.Functions[i].Name
	}
	return strings.Join(names, ", ")
}

// addFunction makes a function of the stack known to the host.
func (h *house) addFunction(f stack.Function) error {
	if handler := h.cfg.Handlers[f.Name]; handler != nil {
		return h.functions.AddHandler(f, handler)
	}
	f.Environment = h.environment(f)
	return h.functions.Add(f)
}

// Environment returns the variables that lead AWS SDKs here: the endpoints, the
// region, the certificates, and credentials that the management endpoint takes.
// Function processes get them; a handler in this process makes its clients of
// them. It may be called after Ready. The values are secrets.
func (s *Server) Environment() map[string]string {
	return intercept.Environment(s.house.surroundings(), nil)
}
