package main

import (
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/gatepost-dev/gatepost/push/function/authorizer"
	"github.com/gatepost-dev/gatepost/push/function/connect"
	"github.com/gatepost-dev/gatepost/push/function/disconnect"
	"github.com/gatepost-dev/gatepost/push/function/echo"
	"github.com/gatepost-dev/gatepost/push/function/fallback"
	"github.com/gatepost-dev/gatepost/push/function/membership"
	"github.com/gatepost-dev/gatepost/push/function/publish"
	"github.com/gatepost-dev/gatepost/push/function/send"
	"github.com/gatepost-dev/gatepost/push/function/sweep"
)

// builtIn are the push system's functions, by the name of their folder under
// push/cmd: the demo starts this program again as one of them.
var builtIn = map[string]func(){
	"connect":        connect.Main,
	"disconnect":     disconnect.Main,
	"default":        fallback.Main,
	"echo":           echo.Main,
	"publish":        publish.Main,
	"publish-topic":  publish.TopicMain,
	"publish-table":  publish.TableMain,
	"publish-stream": publish.StreamMain,
	"publish-http":   publish.RequestMain,
	"send":           send.Main,
	"join":           membership.JoinMain,
	"leave":          membership.LeaveMain,
	"authorizer":     authorizer.Main,
	"sweep":          sweep.Main,
}

// functionCommand is how the demo's sandboxes start: it serves the Lambda
// Runtime API named by its environment, as the function's own binary would.
type functionCommand struct {
	Name string `arg:"" help:"The function's name."`
}

// Run does not return while the sandbox lives.
func (c functionCommand) Run() error {
	main, ok := builtIn[c.Name]
	if !ok {
		return usageError{fmt.Errorf("there is no built-in function %q; there are: %s", c.Name, strings.Join(slices.Sorted(maps.Keys(builtIn)), ", "))}
	}
	// Signals end it at once, as any function's program; until here they were caught.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	main()
	return nil
}
