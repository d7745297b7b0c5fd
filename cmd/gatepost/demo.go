package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/push/deploy"
	"github.com/gatepost-dev/gatepost/stack"
)

type demoCommand struct {
	places
	Parameter []string `short:"p" sep:"none" placeholder:"KEY=VALUE" help:"A parameter of the demo's template; may be repeated."`
}

// Help gives the example.
func (demoCommand) Help() string {
	return `Runs a WebSocket API whose Go functions keep a roster of connections in a table, and a queue whose messages go to every connection: the system of push/deploy/sam. The functions are compiled into Gatepost and run as processes of their own. Data is kept in .gatepost in the working directory.

Example:
  gatepost demo`
}

// Run runs the embedded template, with this program as each function.
func (c demoCommand) Run(ctx context.Context, std streams) error {
	s, err := demoStack(c.Parameter)
	if err != nil {
		return err
	}
	data := c.Data
	if data == "" {
		data = instance.Folder
	}
	return running{places: c.places, from: "the built-in demo", data: data}.serve(ctx, std, s)
}

// demoStack is the embedded template with this program as every function's
// command.
func demoStack(arguments []string) (*stack.Stack, error) {
	parameters, err := pairs(arguments)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program's own file: %w", err)
	}
	s, err := template.LoadBytes("template.yaml", deploy.SAM, "", template.Options{StackName: "demo", Parameters: parameters})
	if err != nil {
		return nil, fmt.Errorf("load the built-in template: %w", err)
	}
	for i := range s.Functions {
		name := filepath.Base(s.Functions[i].Code)
		if _, ok := builtIn[name]; !ok {
			return nil, fmt.Errorf("the built-in template declares the function %s, which is not built in", name)
		}
		// Nothing of the code's folder is needed, and it need not exist.
		s.Functions[i].Code, s.Functions[i].Command = "", []string{self, "function", name}
	}
	return s, nil
}
