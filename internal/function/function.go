package function

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// function is one function of the host.
type function struct {
	host *Host
	spec stack.Function
	arn  string
	pool *pool
	// debugger is what it runs under, or nil. debugged is true when there is one:
	// what stops a function by the clock leaves it alone.
	debugger *debugger
	debugged bool
	// local is set for a function that runs in this process; its pool stays empty.
	local *inProcess
	// logging is how it logs, for the feed; nil is plain text.
	logging *telemetry.Logging

	invocations, errors atomic.Uint64

	mu      sync.Mutex
	state   State
	program program
	took    time.Duration // the last build
	failed  error         // why the last build failed, or nil
}

// program is what a sandbox runs.
type program struct {
	argv []string
	root string // the folder of the code; "" for a command without one
	how  string // for people: "go build", "executable", "command", "node 22.11.0"
	sum  fingerprint
	// runtimeDir is the folder of the Runtime API client that Gatepost brings,
	// and environment what that runtime sets; none for other programs.
	runtimeDir  string
	environment map[string]string
	// rpc says that the program may know nothing but Go's RPC.
	rpc bool
}

// taskRoot is the working directory: the code's folder, as on Lambda, or the
// sandbox's own.
func (p program) taskRoot(own string) string {
	if p.root != "" {
		return p.root
	}
	return own
}

func newFunction(h *Host, spec stack.Function) *function {
	f := &function{host: h, spec: spec, arn: spec.ARN, state: NotBuilt}
	if f.spec.Timeout <= 0 {
		f.spec.Timeout = defaultTimeout
	}
	if f.spec.MemoryMB <= 0 {
		f.spec.MemoryMB = defaultMemory
	}
	if f.spec.EphemeralMB <= 0 {
		f.spec.EphemeralMB = defaultStorage
	}
	if l := spec.Logging; l.JSON() {
		f.logging = &telemetry.Logging{JSON: true, WarnOnly: l.SystemLevel == "WARN"}
	}
	if f.arn == "" {
		f.arn = fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", h.config.Region, h.config.Account, spec.Name)
	}
	f.pool = f.newPool()
	return f
}

func (f *function) newPool() *pool {
	seats, sandboxes, most := f.maxEvents(), f.host.config.MaxSandboxes, f.spec.MaxConcurrency
	if most > 0 {
		seats = min(seats, most)
		sandboxes = most / seats
	}
	l := f.host.limits
	return &pool{
		limits: poolLimits{sandboxes: sandboxes, seats: seats, reserved: most, waiting: l.waiting, init: l.init,
			run: f.spec.Timeout, idle: l.idle, linger: l.linger},
		freeze:    f.freezes(),
		launch:    f.launch,
		stop:      (*sandbox).stop,
		kill:      (*sandbox).kill,
		finish:    f.finish,
		follow:    (*sandbox).follow,
		sandboxes: make(map[*sandbox]struct{}),
	}
}

// freezes reports whether processes without an event are stopped.
func (f *function) freezes() bool {
	if own := f.spec.Freeze; own != nil {
		return *own
	}
	return f.host.config.Freeze
}

const (
	// concurrencyVariable is how many events at a time a process may ask for.
	// Lambda sets it on its managed instances; aws-lambda-go then asks that
	// often.
	concurrencyVariable = "AWS_LAMBDA_MAX_CONCURRENCY"
	// maxEventsLimit is the most that Lambda lets it be.
	maxEventsLimit = 1600
)

// maxEvents returns how many events one process of the function may have at one
// time: 1, unless its environment says otherwise. Gatepost's own Runtime API
// clients and Go's RPC ask for one at a time.
func (f *function) maxEvents() int {
	if runtime, err := runtimes.Parse(f.spec.Runtime); err == nil && runtime.Family != runtimes.Provided {
		return 1
	}
	text, own := f.spec.Environment[concurrencyVariable]
	if !own {
		text = f.host.config.Environment[concurrencyVariable]
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxEventsLimit)
}

// launch starts a sandbox of the program as it is now.
func (f *function) launch() *sandbox {
	f.mu.Lock()
	s := &sandbox{host: f.host, function: f, program: f.program, stream: logStream(time.Now())}
	f.mu.Unlock()
	live := s.run
	if f.debugged && !f.debugger.inspect {
		live = s.runDebugged
	}
	f.host.sandboxes.Go(live)
	return s
}

// useCommand makes the function runnable without a build.
func (f *function) useCommand() error {
	argv := append([]string(nil), f.spec.Command...)
	if filepath.Base(argv[0]) != argv[0] {
		// The process's working directory is another one than ours.
		path, err := filepath.Abs(argv[0])
		if err != nil {
			return fmt.Errorf("find the command of function %s: %w", f.spec.Name, err)
		}
		argv[0] = path
	}
	root := f.spec.Code
	if root != "" && !isFolder(root) {
		root = filepath.Dir(root)
	}
	f.use(program{argv: argv, root: root, how: "command", rpc: f.spec.Runtime == runtimes.IDGo1x}, 0)
	return nil
}

// use makes the program the one that sandboxes run from now on. When it has
// changed, those of the old one end after their answers. It reports whether
// there was a program before, and whether it was another.
func (f *function) use(p program, took time.Duration) (before, replaced bool) {
	p = f.underDebugger(p)
	f.mu.Lock()
	before = f.program.argv != nil
	replaced = before && (f.program.sum != p.sum || !slices.Equal(f.program.argv, p.argv))
	f.state, f.program, f.took, f.failed = Ready, p, took, nil
	f.mu.Unlock()
	if replaced {
		f.pool.renew()
	}
	return before, replaced
}

// fail notes that there is nothing to run, and why; or, when there was a program
// before, which it reports, that this is not the code as it is now.
func (f *function) fail(why error, took time.Duration) (before bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before = f.program.argv != nil
	if !before {
		f.state = Failed
	}
	f.took, f.failed = took, why
	return before
}

// building notes that a build is under way. What was built before stays in use.
func (f *function) building() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != Ready {
		f.state = Building
	}
}

// unrunnable returns why the function cannot be invoked, or nil.
func (f *function) unrunnable() *failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.state {
	case Ready:
		return nil
	case Failed:
		return &failure{typ: typeUnbuilt, text: f.failed.Error()}
	default:
		return &failure{typ: typeUnbuilt, text: "the function has not been built yet"}
	}
}

// begin hands the invocation to a sandbox, to the queue, or to its end.
func (f *function) begin(inv *invocation) {
	if len(inv.event) > maxPayload {
		f.finish(nil, inv, nil, &failure{typ: typeEventSize, text: fmt.Sprintf(
			"%d byte payload is too large for the RequestResponse invocation type (limit %d bytes)", len(inv.event), maxPayload)})
		return
	}
	if f.spec.Throttled {
		f.finish(nil, inv, nil, &failure{refusal: fmt.Errorf("%w: the function's reserved concurrency is 0", apigw.ErrThrottled)})
		return
	}
	if why := f.unrunnable(); why != nil {
		f.finish(nil, inv, nil, why)
		return
	}
	if f.local != nil {
		f.local.submit(inv)
		return
	}
	if r := f.pool.submit(inv); r != nil {
		r.deliver(inv)
	}
}

// giveUp leaves an invocation whose caller waits no longer, unless it has ended
// at this moment.
func (f *function) giveUp(inv *invocation, err error) ([]byte, error) {
	select {
	case <-inv.done:
		return inv.response, inv.err
	default:
	}
	if f.pool.abandon(inv) || f.local != nil && f.local.abandon(inv) {
		f.finish(nil, inv, nil, &failure{refusal: fmt.Errorf("no sandbox became free in time: %w", err)})
	}
	return nil, gaveUp(f.spec.Name, err)
}

func gaveUp(function string, err error) error {
	return fmt.Errorf("wait for function %s: %w", function, err)
}

// finish is end for those who hold a lock, or may.
func (f *function) finish(s *sandbox, inv *invocation, response []byte, why *failure) {
	if s != nil {
		s.logs.drain()
	}
	f.end(s, inv, response, why)
	inv.tellApart()
}

// end publishes the outcome of an invocation, whose lines have been given out,
// and wakes who waits for it; to call tell is left to its caller. A nil sandbox
// means that none had it. It is called once for every invocation.
func (f *function) end(s *sandbox, inv *invocation, response []byte, why *failure) {
	e := telemetry.Event{
		Time: time.Now(), Kind: telemetry.Invoked, Function: f.spec.Name, RequestID: inv.id, Bytes: len(inv.event), Logging: f.logging,
	}
	if !inv.begun.IsZero() {
		e.Duration = e.Time.Sub(inv.begun)
		if why != nil && why.typ == typeTimeout {
			e.Duration = f.spec.Timeout // to the millisecond, as on Lambda
		}
	}
	if inv.cold > 0 {
		e.Text = fmt.Sprintf("cold start %d ms", inv.cold.Milliseconds())
	}
	f.invocations.Add(1)
	if s != nil && why == nil {
		if why = s.outgrown(e.Duration, e.Time); why != nil {
			response, e.Time = nil, time.Now() // the log has a line more
		}
	}
	if why != nil {
		f.errors.Add(1)
		inv.err = why.about(f.spec.Name, inv.id)
		e.Failed = true
		e.Text = joinText(e.Text, errorText(inv.err))
	}
	e.Report = f.report(s, inv, e.Duration, e.Time, why)
	inv.response = response
	f.host.config.Feed.Record(e)
	close(inv.done)
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (f *function) status() Status {
	size := f.pool.size()
	if f.local != nil {
		size.busy = f.local.busy()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	st := Status{
		Name: f.spec.Name, Runtime: f.spec.Runtime, State: f.state, How: f.program.how, Build: f.took,
		Sandboxes: size.sandboxes, Busy: size.busy, Frozen: size.frozen, Invocations: f.invocations.Load(), Errors: f.errors.Load(),
	}
	if f.debugged {
		st.Debugger = f.debugger.address
	}
	if f.failed != nil {
		st.Failure = f.failed.Error()
	}
	return st
}
