// Package function owns the functions of a stack: it builds them, runs each in
// a bounded pool of sandboxes (a sandbox is one process), hands them events
// through the Lambda Runtime API, and publishes their log lines. A function can
// also be a handler of this process.
//
// The first names to know are Host, which the rest of Gatepost uses, pool,
// which decides which sandbox gets which event, sandbox, which lives the life
// of a process, and runtimeAPI, which talks to it.
package function

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// AWS's defaults for a function.
const (
	defaultTimeout = 3 * time.Second
	defaultMemory  = 128
)

// Config says where and how functions run. The zero value runs commands; to
// build Go source, CacheDir must be set.
type Config struct {
	// Region and Account are told to the functions; empty means us-east-1 and
	// 123456789012.
	Region, Account string
	// Environment is given to every function: endpoints, proxy, CA bundle,
	// credentials. A function's own Environment wins, and Lambda's reserved
	// variables win over both.
	Environment map[string]string
	// CacheDir is where built binaries are kept from one run to the next.
	CacheDir string
	// SandboxDir holds the temporary folders of the sandboxes. It is the host's
	// alone: the first sandbox empties it of what a host that was killed has
	// left. Empty means folders of their own in the system's place.
	SandboxDir string
	// Freeze stops the processes of a sandbox that has answered and asked for its
	// next event, until that comes, as Lambda does. A function's own Freeze wins.
	Freeze bool
	// MaxSandboxes bounds the processes of one function that sets no
	// MaxConcurrency; zero means 10.
	MaxSandboxes int
	// NoMemoryLimit lets functions use more memory than their MemoryMB. Without
	// it one that does is killed, as on Lambda; on Linux only.
	NoMemoryLimit bool
	// Debug names the functions that run under a debugger.
	Debug map[string]Debug
	// Feed gets an event for every log line and every invocation; nil drops
	// them.
	Feed *telemetry.Feed
	// Log gets what the host itself does, all of it at level Debug but for
	// what went wrong; nil drops it. The functions' lines do not go there.
	Log *slog.Logger
	// Output gets the functions' log lines for people to read, as
	// "function requestid | line"; nil drops them. It may be slow: lines that
	// it cannot take are left out and counted.
	Output io.Writer
}

// limits are the host's bounds that only tests change.
type limits struct {
	waiting                  int
	init, idle, linger, stop time.Duration
	// close bounds Close.
	close time.Duration
}

// defaultLimits: Lambda gives the init phase 10 s and the shutdown phase 500 ms.
// The others are Gatepost's own; linger is about what a new sandbox takes.
func defaultLimits() limits {
	return limits{waiting: 1000, init: 10 * time.Second, idle: 10 * time.Minute, linger: 20 * time.Millisecond,
		stop: 500 * time.Millisecond, close: 10 * time.Second}
}

// Host runs functions. Its methods may be called together.
type Host struct {
	config    Config
	limits    limits
	log       *slog.Logger
	starter   *starter
	ports     ports
	strays    strays
	output    *output
	warden    warden
	sandboxes sync.WaitGroup
	closing   sync.Once
	closed    chan struct{} // closed when nothing runs any more
	closeErr  error         // set before closed is closed

	building sync.Mutex // one Build at a time

	cleaning sync.Once // SandboxDir is made, and empty
	cleanErr error

	mu        sync.RWMutex
	functions map[string]*function
	order     []*function // as added
	// leaving are functions that were replaced or removed and have events yet;
	// wanted is what could not be built to replace what runs, by name.
	leaving []*function
	wanted  map[string]stack.Function
	down    bool // Close was called
	// held, while Renew runs, is closed when invocations may begin again.
	held chan struct{}
	// entering counts invocations that are past held and not with their function
	// yet.
	entering atomic.Int64
}

// NewHost returns a host without functions. It must be closed.
func NewHost(cfg Config) *Host {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	if cfg.MaxSandboxes <= 0 {
		cfg.MaxSandboxes = 10
	}
	cfg.Environment = maps.Clone(cfg.Environment)
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	starter, err := newStarter()
	if err != nil {
		log.Warn("children that functions start will outlive a Gatepost that is killed", "error", err)
	}
	return &Host{
		config:    cfg,
		limits:    defaultLimits(),
		log:       log,
		starter:   starter,
		output:    newOutput(cfg.Output),
		closed:    make(chan struct{}),
		functions: make(map[string]*function),
	}
}

// sandboxFolder makes the temporary folder of one sandbox.
func (h *Host) sandboxFolder() (string, error) {
	h.cleaning.Do(func() {
		if dir := h.config.SandboxDir; dir != "" {
			h.cleanErr = errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
		}
	})
	if h.cleanErr != nil {
		return "", h.cleanErr
	}
	return os.MkdirTemp(h.config.SandboxDir, "gatepost-sandbox-")
}

// Add makes a function known. It starts and builds nothing: a function with a
// Command can be invoked at once, any other after Build. A second function of
// the same name and an unsupported runtime are errors.
func (h *Host) Add(spec stack.Function) error {
	if err := check(spec); err != nil {
		return err
	}
	f := newFunction(h, spec)
	if err := f.debug(); err != nil {
		return err
	}
	if len(spec.Command) > 0 {
		if err := f.useCommand(); err != nil {
			return err
		}
	}
	return h.insert(f)
}

// insert makes a function known under its name.
func (h *Host) insert(f *function) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := f.spec.Name
	if h.down {
		return fmt.Errorf("add function %s: %s", name, hostClosed.text)
	}
	if h.functions[name] != nil {
		return fmt.Errorf("there are two functions named %q; names must be unique", name)
	}
	h.functions[name] = f
	h.order = append(h.order, f)
	return nil
}

func check(spec stack.Function) error {
	switch {
	case spec.Name == "":
		return errors.New("a function has no name")
	case strings.ContainsFunc(spec.Name+spec.ARN, unicode.IsControl):
		return fmt.Errorf("the name or ARN of function %q contains control characters", spec.Name)
	case len(spec.Command) > 0:
		return nil
	case spec.Code == "" && spec.Inline == "":
		return fmt.Errorf("function %s has neither code nor a command", spec.Name)
	}
	if _, err := runtimes.Parse(spec.Runtime); err != nil {
		return fmt.Errorf("function %s: %w", spec.Name, err)
	}
	return nil
}

// Invoke runs a function with an event and returns its response, as Lambda's
// Invoke with the invocation type RequestResponse does. The event must not be
// changed any more, not even after Invoke; the response belongs to the caller.
//
// Errors: *Error (which is apigw.ErrFunction) when the function failed or
// could not run, apigw.ErrThrottled when too many invocations wait for a
// sandbox, and the context's error when that ends first. In the last case a
// function that has the event already works on until its own time limit, as on
// Lambda, and its sandbox is used again after that.
func (h *Host) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	return h.InvokeCall(ctx, function, Call{Event: event})
}

// Call is an invocation of which the caller knows more than the event.
type Call struct {
	// RequestID is the id that the function and its log lines get; "" makes one.
	// It has no control characters.
	RequestID string
	Event     []byte
	// ClientContext is a JSON object in one line for the header
	// Lambda-Runtime-Client-Context; nil for none.
	ClientContext []byte
}

// InvokeThen is Invoke for a caller that does not wait: it returns when the
// function or its queue has the event, and then is called once with what Invoke
// would have returned, in another goroutine or before InvokeThen returns. Where
// Invoke costs the change to a goroutine that waits, and for which the runtime
// may wake another thread, then is called by whoever has read the function's
// answer: it must neither wait nor take long.
func (h *Host) InvokeThen(ctx context.Context, function string, event []byte, then func(response []byte, err error)) {
	h.mu.RLock()
	f := h.functions[function]
	h.mu.RUnlock()
	if f == nil || ctx.Err() != nil {
		then(h.Invoke(ctx, function, event)) // it says why not
		return
	}
	if held := h.enter(); held != nil {
		go func() { then(h.Invoke(ctx, function, event)) }()
		return
	}
	defer h.entering.Add(-1)
	inv := newInvocation(Call{Event: event})
	inv.then = then
	inv.unwatch = context.AfterFunc(ctx, func() {
		if inv.told.CompareAndSwap(false, true) {
			then(f.giveUp(inv, ctx.Err()))
		}
	})
	f.begin(inv)
}

// InvokeCall is Invoke for such a call.
func (h *Host) InvokeCall(ctx context.Context, function string, c Call) ([]byte, error) {
	h.mu.RLock()
	f := h.functions[function]
	h.mu.RUnlock()
	inv := newInvocation(c)
	if f == nil {
		return nil, failure{typ: typeUnknown, text: "there is no such function"}.about(function, inv.id)
	}
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(function, err)
	}
	if err := h.admit(ctx, f, inv); err != nil {
		return nil, gaveUp(function, err)
	}
	select {
	case <-inv.done:
		return inv.response, inv.err
	case <-ctx.Done():
		return f.giveUp(inv, ctx.Err())
	}
}

// Functions returns the state of every function, in the order of Add.
func (h *Host) Functions() []Status {
	h.mu.RLock()
	order := slices.Clone(h.order)
	h.mu.RUnlock()
	out := make([]Status, len(order))
	for i, f := range order {
		out[i] = f.status()
	}
	return out
}

// State says whether a function can be invoked.
type State string

// The states of a function.
const (
	NotBuilt State = "not built"
	Building State = "building"
	Ready    State = "ready"
	Failed   State = "failed"
)

// Status is what a host tells of one function.
type Status struct {
	Name    string `json:"name"`
	Runtime string `json:"runtime,omitempty"`
	State   State  `json:"state"`
	// How is "go build", "executable", "command" or "in process", or the interpreter and its
	// version, such as "node 20.20.2 in place of 22"; "make" and "zip" are put
	// before it where the code comes from there. It is empty before Build.
	How string `json:"how,omitempty"`
	// Build is how long the last build took.
	Build time.Duration `json:"build,omitempty"`
	// Debugger is host:port of the function's debugger, if it has one.
	Debugger string `json:"debugger,omitempty"`
	// Failure is why the last build failed, or "". In the state Ready an earlier
	// program runs on.
	Failure string `json:"failure,omitempty"`
	// Sandboxes is the number of processes, Busy how many of them have an event,
	// Frozen how many are stopped until they get one. Of a function in this
	// process, Busy is how many of its handlers have an event.
	Sandboxes int `json:"sandboxes"`
	Busy      int `json:"busy"`
	Frozen    int `json:"frozen"`
	// Invocations counts those that have ended, Errors those that failed.
	Invocations uint64 `json:"invocations"`
	Errors      uint64 `json:"errors"`
}

// Close ends all functions and waits until no process is left: SIGTERM to
// every process group, SIGKILL after half a second or when ctx ends. Invocations
// that run or wait then fail, so callers finish theirs first. It returns when
// all are gone, which takes no two seconds unless the machine is overloaded, and
// after ten with an error if something was left. It may be called again.
func (h *Host) Close(ctx context.Context) error {
	h.closing.Do(func() { go h.shutDown() })
	select {
	case <-h.closed:
	case <-ctx.Done():
		h.eachPool((*pool).killAll)
		<-h.closed
	}
	return h.closeErr
}

func (h *Host) eachPool(do func(*pool)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, f := range h.allLocked() {
		do(f.pool)
	}
}

// shutDown ends everything, or gives up after the limit.
func (h *Host) shutDown() {
	defer close(h.closed)
	limit := time.NewTimer(h.limits.close)
	defer limit.Stop()
	h.mu.Lock()
	h.down = true
	h.mu.Unlock()
	h.eachPool((*pool).close)
	h.closeHandlers()
	if !waitUntil(&h.sandboxes, limit.C) {
		h.closeErr = fmt.Errorf("a function's process did not end within %v of being told to", h.limits.close)
		return
	}
	h.starter.close()
	select {
	case <-h.output.close():
	case <-limit.C:
		h.closeErr = fmt.Errorf("the last log lines could not be written within %v", h.limits.close)
	}
}

// waitUntil waits for the group and reports whether it ended before the limit.
func waitUntil(group *sync.WaitGroup, limit <-chan time.Time) bool {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		group.Wait()
	}()
	select {
	case <-ended:
		return true
	case <-limit:
		return false
	}
}
