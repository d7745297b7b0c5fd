package main

import (
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/envfile"
	"github.com/gatepost-dev/gatepost/stack"
)

// variables reads --env-file and --env into Config.Override: files first, each
// in its order, then the command line.
func (p places) variables(s *stack.Stack) (map[string]map[string]string, error) {
	all := make(map[string]map[string]string)
	for _, path := range p.EnvFile {
		settings, err := envfile.Read(path)
		if err != nil {
			return nil, err
		}
		for _, v := range settings {
			if err := set(all, s, v); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, v.Line, err)
			}
		}
	}
	for _, arg := range p.Env {
		key, value, ok := strings.Cut(arg, "=")
		function, name, dotted := strings.Cut(key, ".")
		if !dotted {
			function, name = "", key
		}
		if !ok || name == "" || dotted && function == "" {
			return nil, usageError{fmt.Errorf("--env %q is not FUNCTION.NAME=VALUE, nor NAME=VALUE for all functions", key)}
		}
		if err := set(all, s, envfile.Setting{Function: function, Name: name, Value: value}); err != nil {
			return nil, fmt.Errorf("--env %s: %w", key, err)
		}
	}
	return all, nil
}

// set adds one variable. The function is by its name from here on, so that the
// last of several values wins, whichever way they call it.
func set(all map[string]map[string]string, s *stack.Stack, v envfile.Setting) error {
	if v.Function != "" {
		f := s.FindFunction(v.Function)
		if f == nil {
			return fmt.Errorf("the template declares no function %q; it declares %s", v.Function, functionNames(s))
		}
		v.Function = f.Name
	}
	if err := stack.CheckVariable(v.Name, v.Value); err != nil {
		return fmt.Errorf("the variable %s: %w", v.Name, err)
	}
	if all[v.Function] == nil {
		all[v.Function] = make(map[string]string)
	}
	all[v.Function][v.Name] = v.Value
	return nil
}

// functionNames lists functions by name, and by logical id where that is
// another.
func functionNames(s *stack.Stack) string {
	var list []string
	for _, f := range s.Functions {
		name := f.Name
		if f.LogicalID != "" && f.LogicalID != f.Name {
			name += " (" + f.LogicalID + ")"
		}
		list = append(list, name)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
