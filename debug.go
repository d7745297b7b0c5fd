package gatepost

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/stack"
)

// Debug says how a debugger gets at a function; see Config.Debug.
type Debug = function.Debug

// debugOf returns what is asked for by the names of the functions, checked: what
// cannot be debugged is told before anything starts.
func debugOf(s *stack.Stack, asked map[string]Debug, handlers map[string]Handler) (map[string]Debug, error) {
	found := make(map[string]Debug, len(asked))
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		f := functionOf(s, key)
		switch {
		case f == nil:
			errs = append(errs, fmt.Errorf("debug %s: the stack has no such function; it has %s", key, functionNames(s)))
		case handlers[f.Name] != nil:
			errs = append(errs, fmt.Errorf("debug %s: the function runs in this process; debug the program itself", key))
		default:
			errs = append(errs, function.CheckDebug(*f, asked[key]))
			found[f.Name] = asked[key]
		}
	}
	return found, errors.Join(errs...)
}

// patience is how long a client waits for the answer of a function that a
// debugger may stop.
const patience = 24 * time.Hour

// waitForDebuggers lets integrations wait for as long as a debugger may stop
// their functions. Others keep the time limits that they declare.
func waitForDebuggers(cfg *Config) {
	if len(cfg.Debug) == 0 {
		return
	}
	cfg.Limits.IntegrationTimeout = patience
	for i := range cfg.Stack.APIs {
		routes := slices.Clone(cfg.Stack.APIs[i].Routes)
		for j, r := range routes {
			if r.Integration == nil || r.Integration.Timeout == 0 {
				continue
			}
			if _, debugged := cfg.Debug[r.Integration.Function]; debugged {
				patient := *r.Integration
				patient.Timeout = 0
				routes[j].Integration = &patient
			}
		}
		cfg.Stack.APIs[i].Routes = routes
	}
}
