package function

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// Debug says how a debugger gets at a function: a Go program runs under Delve,
// JavaScript with Node.js's inspector. Such a function has one sandbox, which is
// started after the build, gets one event at a time, and has no time limits.
type Debug struct {
	// Address is the loopback host:port to listen on, or the port alone; port 0
	// takes a free one. Empty means DefaultDelve or DefaultInspector.
	Address string
	// Wait stops the function before its first line, until a debugger has it go
	// on. Otherwise it runs, and a debugger may come at any time.
	Wait bool
}

// Where debuggers listen by default: what VS Code and GoLand ask for, and what
// Node.js takes itself.
const (
	DefaultDelve     = "127.0.0.1:2345"
	DefaultInspector = "127.0.0.1:9229"
)

// InstallDelve is the command that installs Delve.
const InstallDelve = "go install github.com/go-delve/delve/cmd/dlv@latest"

// unlimited is the time limit of what a debugger may stop. Deadlines that
// functions are told have to be moments.
const unlimited = 365 * 24 * time.Hour

// debugger is what a debugged function runs under.
type debugger struct {
	address string // host:port, with a port
	wait    bool
	inspect bool   // Node.js's own; Delve otherwise
	delve   string // the path of Delve
}

// CheckDebug says, before anything starts, why a function cannot be debugged on
// this machine. It is nil when nothing is known against it.
func CheckDebug(spec stack.Function, d Debug) error {
	_, err := newDebugger(spec, d)
	return err
}

// newDebugger finds what a function can be debugged with.
func newDebugger(spec stack.Function, d Debug) (*debugger, error) {
	found := &debugger{wait: d.Wait}
	fallback := DefaultDelve
	runtime, err := runtimes.Parse(spec.Runtime)
	switch {
	case err == nil && runtime.Family == runtimes.Python:
		return nil, fmt.Errorf("function %s is Python, which cannot be debugged here: Go programs run under Delve, and JavaScript with Node.js's inspector", spec.Name)
	case err == nil && runtime.Family == runtimes.Node && len(spec.Command) == 0:
		found.inspect, fallback = true, DefaultInspector
	default:
		if found.delve, err = findDelve(); err != nil {
			return nil, fmt.Errorf("function %s cannot be debugged: %w", spec.Name, err)
		}
	}
	if found.address, err = debugAddress(d.Address, fallback); err != nil {
		return nil, fmt.Errorf("function %s cannot be debugged at %q: %w", spec.Name, d.Address, err)
	}
	return found, nil
}

// findDelve looks on the PATH and where the go command installs.
func findDelve() (string, error) {
	if path, err := exec.LookPath("dlv"); err == nil {
		return filepath.Abs(path)
	}
	places := []string{os.Getenv("GOBIN")}
	for _, root := range filepath.SplitList(os.Getenv("GOPATH")) {
		places = append(places, filepath.Join(root, "bin"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, filepath.Join(home, "go", "bin"))
	}
	for _, place := range places {
		if path, err := exec.LookPath(filepath.Join(place, "dlv")); err == nil && filepath.IsAbs(path) {
			return path, nil
		}
	}
	return "", errors.New("there is no Delve (dlv) on the PATH; install it with: " + InstallDelve)
}

// debugAddress completes an address. Whoever reaches a debugger can run anything,
// so it is for this machine alone.
func debugAddress(given, fallback string) (string, error) {
	address := given
	if address == "" {
		address = fallback
	}
	if !strings.Contains(address, ":") {
		address = "127.0.0.1:" + address
	}
	tcp, err := net.ResolveTCPAddr("tcp", address)
	switch {
	case err != nil:
		return "", fmt.Errorf("it is not HOST:PORT or a port: %w", err)
	case !tcp.IP.IsLoopback():
		return "", errors.New("the address must be on loopback, because whoever reaches a debugger can run anything; from another machine, use an SSH tunnel")
	}
	return tcp.String(), nil
}

// debug puts a function that the configuration names under a debugger.
func (f *function) debug() error {
	d, asked := f.host.config.Debug[f.spec.Name]
	if !asked {
		return nil
	}
	found, err := newDebugger(f.spec, d)
	if err != nil {
		return err
	}
	// The address must be known before the debugger has told it.
	listener, err := net.Listen("tcp", found.address)
	if err != nil {
		return fmt.Errorf("the debugger of function %s needs %s: %w; choose another address", f.spec.Name, found.address, err)
	}
	found.address = listener.Addr().String()
	listener.Close()
	if len(f.spec.Command) > 0 {
		path, err := exec.LookPath(f.spec.Command[0])
		if err == nil {
			err = checkDebuggable(path)
		}
		if err != nil {
			return fmt.Errorf("function %s: %w", f.spec.Name, err)
		}
	}
	f.debugger, f.debugged = found, true
	l := &f.pool.limits
	l.sandboxes, l.seats, l.init, l.run, l.idle = 1, 1, unlimited, unlimited, unlimited
	f.pool.freeze = false // a debugger talks to its process at any time
	return nil
}

// underDebugger returns what a sandbox runs of a program: the debugger, if the
// function has one.
func (f *function) underDebugger(p program) program {
	switch d := f.debugger; {
	case d == nil:
	case d.inspect:
		flag := "--inspect="
		if d.wait {
			flag = "--inspect-brk="
		}
		p.argv = slices.Insert(slices.Clone(p.argv), 1, flag+d.address)
		p.how += ", with the inspector"
	default:
		argv := []string{d.delve, "exec", p.argv[0], "--headless", "--listen=" + d.address, "--api-version=2", "--accept-multiclient"}
		if !d.wait {
			argv = append(argv, "--continue")
		}
		p.argv = append(append(argv, "--"), p.argv[1:]...)
		p.how += ", under Delve"
	}
	return p
}

// checkDebuggable refuses programs that Delve cannot show anything of.
func checkDebuggable(path string) error {
	if _, err := buildinfo.ReadFile(path); err != nil {
		return fmt.Errorf("%s cannot be debugged, because it is not a Go program", path)
	}
	file, err := elf.Open(path)
	if err != nil {
		return nil // another system's format, which Delve itself looks into
	}
	defer file.Close()
	if file.Section(".debug_info") == nil && file.Section(".zdebug_info") == nil {
		return fmt.Errorf("%s cannot be debugged, because it has no debug information; build it without -ldflags=-s or -w, and with -gcflags='all=-N -l'", path)
	}
	return nil
}

// startDebugged starts the sandboxes of the debugged functions, so that a
// debugger can come before the first event does.
func (h *Host) startDebugged() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.order {
		if f.debugged && f.unrunnable() == nil {
			f.pool.start()
		}
	}
}

// start starts a sandbox if there is none.
func (p *pool) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && len(p.sandboxes) == 0 {
		p.launchLocked()
	}
}

// Pauses between two looks at what Delve has started: until there is a program,
// and then whether it lives.
const (
	debuggeePause = 20 * time.Millisecond
	// restartGrace is how long Delve may take to start a program anew.
	restartGrace = 2 * time.Second
)

// runDebugged is run for a sandbox whose process is Delve.
func (s *sandbox) runDebugged() {
	over := make(chan struct{})
	var follower sync.WaitGroup
	follower.Go(func() { s.followDebuggee(over) })
	s.run()
	close(over)
	follower.Wait()
}

// followDebuggee looks after the program that Delve has started. Delve gives it a
// process group of its own, so what ends the sandbox's group does not reach it,
// and a Delve that is killed leaves it behind; a Delve whose program has ended
// stays, and the event in it would never end.
func (s *sandbox) followDebuggee(over <-chan struct{}) {
	guard := s.host.starter.guard
	var restart <-chan time.Time // when nobody waits for another program any more
	for {
		d := s.awaitDebuggee(over, restart)
		if d == nil {
			s.stop() // it has stopped already unless it was restart that fired
			return
		}
		guard.began(d.pid, s.mark())
		d.await(over)
		d.kill()
		guard.ended(d.pid, s.mark())
		d.close()
		restart = time.After(restartGrace)
	}
}

// awaitDebuggee waits for Delve's program. It returns nil when Delve has ended,
// or when the time is up.
func (s *sandbox) awaitDebuggee(over <-chan struct{}, up <-chan time.Time) *debuggee {
	tick := time.NewTicker(debuggeePause)
	defer tick.Stop()
	for {
		if pid := s.pid(); pid != 0 {
			if d := findDebuggee(pid); d != nil {
				return d
			}
		}
		select {
		case <-over:
			return nil
		case <-up:
			return nil
		case <-tick.C:
		}
	}
}

// pid is the id of the sandbox's process, or 0 before it has one.
func (s *sandbox) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}

// await returns when the program has ended, or Delve has.
func (d *debuggee) await(over <-chan struct{}) {
	tick := time.NewTicker(debuggeePause)
	defer tick.Stop()
	for d.alive() {
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}
