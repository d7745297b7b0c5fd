package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/stack"
)

// debugging are the flags that put functions under a debugger.
type debugging struct {
	Debug     []string `sep:"none" placeholder:"FUNCTION[=ADDRESS]" help:"Run a function under a debugger that listens on ADDRESS, HOST:PORT or a port: Go under Delve (127.0.0.1:2345), Node.js with its inspector (127.0.0.1:9229). May be repeated."`
	DebugWait bool     `help:"Stop each debugged function before its first line, until a debugger has it go on."`
}

// asked reads --debug. The second function without an address takes the port
// after the first one's, and so on.
func (d debugging) asked(s *stack.Stack) (map[string]gatepost.Debug, error) {
	if d.DebugWait && len(d.Debug) == 0 {
		return nil, usageError{fmt.Errorf("--debug-wait is for functions that --debug names, and there is none")}
	}
	all := make(map[string]gatepost.Debug)
	next := make(map[string]int) // ports, by the first one's address
	for _, arg := range d.Debug {
		name, address, given := strings.Cut(arg, "=")
		if name == "" || given && address == "" {
			return nil, usageError{fmt.Errorf("--debug %q is not FUNCTION or FUNCTION=ADDRESS", arg)}
		}
		if _, twice := all[name]; twice {
			return nil, usageError{fmt.Errorf("--debug names the function %s twice", name)}
		}
		if !given {
			address = nextAddress(defaultAddress(s, name), next)
		}
		all[name] = gatepost.Debug{Address: address, Wait: d.DebugWait}
	}
	return all, nil
}

// defaultAddress is where the debugger of a function listens.
func defaultAddress(s *stack.Stack, name string) string {
	for _, f := range s.Functions {
		if (f.Name == name || f.LogicalID == name) && strings.HasPrefix(f.Runtime, "nodejs") {
			return function.DefaultInspector
		}
	}
	return function.DefaultDelve
}

// nextAddress counts the ports that were given out after a first one.
func nextAddress(first string, given map[string]int) string {
	host, text, _ := net.SplitHostPort(first)
	port, _ := strconv.Atoi(text) // it is one of the two constants
	port += given[first]
	given[first]++
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// printDebuggers says where the debuggers are and how to get at them.
func printDebuggers(out io.Writer, functions []gatepost.FunctionStatus) {
	for _, f := range functions {
		if f.Debugger == "" || f.State == function.Failed {
			continue
		}
		_, port, _ := net.SplitHostPort(f.Debugger)
		fmt.Fprintf(out, "\nThe debugger of %s listens on %s; the function has no time limit and one sandbox:\n", f.Name, f.Debugger)
		if strings.HasPrefix(f.Runtime, "nodejs") {
			fmt.Fprintf(out, "  Chrome    chrome://inspect, with %s among its targets\n", f.Debugger)
			fmt.Fprintf(out, "  VS Code   {\"type\": \"node\", \"request\": \"attach\", \"name\": %q, \"port\": %s}\n", f.Name, port)
			fmt.Fprintf(out, "  terminal  node inspect %s\n", f.Debugger)
			continue
		}
		fmt.Fprintf(out, "  terminal  dlv connect %s\n", f.Debugger)
		fmt.Fprintf(out, "  VS Code   {\"type\": \"go\", \"request\": \"attach\", \"mode\": \"remote\", \"name\": %q, \"host\": \"127.0.0.1\", \"port\": %s}\n", f.Name, port)
		fmt.Fprintf(out, "  GoLand    Run > Edit Configurations > Go Remote, port %s\n", port)
	}
}
