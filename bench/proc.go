package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable tells a copy of this program which child to be.
const childVariable = "GATEPOST_BENCH_CHILD"

// children are the kinds of child processes. Each answers requests on standard
// input, one line of JSON each way, until it is closed.
var children = map[string]func() (handler, error){
	"client":   newClient,
	"floor":    newFloorServer,
	"gatepost": newGatepostServer,
	"gorilla":  newGorillaServer,

	"handshake-client":   newHandshakeClient,
	"handshake-floor":    newHandshakeFloor,
	"handshake-gatepost": newHandshakeGate,
	"handshake-gorilla":  newHandshakeGorilla,

	"invoke-floor":    newInvokeFloor,
	"invoke-gatepost": newInvokeGatepost,
	"invoke-http":     newInvokeHTTP,

	"post-client":       newPostClient,
	"post-floor":        newPostFloor,
	"post-gatepost":     newPostGate,
	"post-gatepost-tls": newPostGate,
	"post-http":         newPostHTTP,

	"queues-fifo":     newQueuesFIFO,
	"queues-file":     newQueuesFile,
	"queues-gatepost": newQueuesGatepost,
	"queues-slice":    newQueuesSlice,
	"queues-synced":   newQueuesSynced,

	"roundtrip-client":  newRoundtripClient,
	"roundtrip-floor":   newRoundtripFloor,
	"roundtrip-gorilla": newRoundtripGorilla,

	"tables-client":   newTablesClient,
	"tables-floor":    newTablesFloor,
	"tables-gatepost": newTablesGatepost,
	"tables-map":      newTablesMap,
	"tables-synced":   newTablesSynced,
}

// handler answers a child's requests.
type handler func(request) (answer, error)

// request is what the parent asks a child. Which fields count depends on Op.
type request struct {
	Op          string
	Address     string `json:",omitempty"`
	Connections int    `json:",omitempty"`
	Messages    int    `json:",omitempty"`
	Size        int    `json:",omitempty"`
	Bytes       int64  `json:",omitempty"`

	Posting *posting `json:",omitempty"`
	Calling *calling `json:",omitempty"`
}

// answer is what a child answers. Times are nanoseconds on CLOCK_MONOTONIC.
type answer struct {
	Error   string `json:",omitempty"`
	Address string `json:",omitempty"`
	CPU     int64  `json:",omitempty"` // spent so far, in nanoseconds
	Time    int64  `json:",omitempty"`
	Memory  int64  `json:",omitempty"` // resident bytes
	Bytes   int64  `json:",omitempty"`
	Mapped  int64  `json:",omitempty"` // the part of Memory that is pages of files
	Latency int64  `json:",omitempty"` // the median, in nanoseconds

	Posting *posting `json:",omitempty"`
	Calling *calling `json:",omitempty"`
}

// runChild makes this process the child that the environment asks for.
func runChild() bool {
	kind := os.Getenv(childVariable)
	if kind == "" {
		return false
	}
	if err := serveChild(kind); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n", kind, err)
		os.Exit(1)
	}
	return true
}

func serveChild(kind string) error {
	make, ok := children[kind]
	if !ok {
		return errors.New("no such child")
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	handle, err := make()
	if err != nil {
		return err
	}
	requests, err := pollableStdin()
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(requests), json.NewEncoder(os.Stdout)
	for {
		var req request
		if err := in.Decode(&req); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		ans, err := handle(req)
		if err != nil {
			ans.Error = err.Error()
		}
		if err := out.Encode(ans); err != nil {
			return err
		}
	}
}

// pollableStdin lets the runtime's poller wait for requests. A read that blocks
// its thread would keep the only P until the runtime's monitor takes it away,
// and the monitor's effort would be counted as the server's.
func pollableStdin() (io.Reader, error) {
	if err := unix.SetNonblock(unix.Stdin, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(unix.Stdin), "requests"), nil
}

// child is a running child process, seen from the parent.
type child struct {
	kind string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

// The cores that servers and load run on, where there are two.
const (
	serverCore = 0
	loadCore   = 1
)

// start runs a child, on one core if the machine has several.
func start(kind string, core int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+kind, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	slack := time.Duration(0)
	if kind == "invoke-gatepost" {
		slack = programSlack
	}
	if err := startLate(cmd, core, slack); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind, err)
	}
	return &child{kind, cmd, in, json.NewDecoder(bufio.NewReader(out))}, nil
}

// startOn starts a command with the affinity of its parent's thread, so that
// every thread of the child has it. The thread is never given back: a child
// dies with the thread that started it (Pdeathsig), not only with the process.
func startOn(cmd *exec.Cmd, core int) error { return startLate(cmd, core, 0) }

// programSlack is how late "gatepost dev" lets its timers be, and so its host of
// functions here. The floor and the peer have what the kernel gives everybody.
const programSlack = 500 * time.Microsecond

// startLate is startOn for a command whose timers may be so late; 0 leaves them.
func startLate(cmd *exec.Cmd, core int, slack time.Duration) error {
	starts <- startRequest{cmd, core, slack}
	return <-started
}

type startRequest struct {
	cmd   *exec.Cmd
	core  int
	slack time.Duration
}

var (
	starts  = make(chan startRequest)
	started = make(chan error)
)

func init() {
	go func() {
		runtime.LockOSThread()
		for r := range starts {
			started <- r.start()
		}
	}()
}

// start starts the command as a child of this thread, from which it has its
// slack.
func (r startRequest) start() error {
	if r.slack > 0 {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(r.slack), 0, 0, 0); err != nil {
			return err
		}
		defer unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // what the thread began with
	}
	return pinnedStart(r.cmd, r.core)
}

func pinnedStart(cmd *exec.Cmd, core int) error {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() < 2 || !all.IsSet(core) {
		return cmd.Start()
	}
	defer unix.SchedSetaffinity(0, &all)
	var one unix.CPUSet
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	return cmd.Start()
}

// ask sends a request and waits for the answer.
func (c *child) ask(req request) (answer, error) {
	var ans answer
	if err := json.NewEncoder(c.in).Encode(req); err != nil {
		return ans, fmt.Errorf("ask %s to %s: %w", c.kind, req.Op, err)
	}
	if err := c.out.Decode(&ans); err != nil {
		return ans, fmt.Errorf("answer of %s to %s: %w", c.kind, req.Op, err)
	}
	if ans.Error != "" {
		return ans, fmt.Errorf("%s: %s: %s", c.kind, req.Op, ans.Error)
	}
	return ans, nil
}

// stop ends the child and waits for it.
func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait()
}

// raiseFileLimit asks for as many descriptors as may be had.
func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}

// monotonic is the time on a clock that all processes share.
func monotonic() int64 { return clock(unix.CLOCK_MONOTONIC) }

func clock(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(err) // these clocks exist on every Linux
	}
	return ts.Nano()
}
