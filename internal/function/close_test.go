package function

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// Every process of a sandbox ends with it.
func TestChildrenEnd(t *testing.T) {
	ends := map[string]func(h *testHost){
		"close":   func(h *testHost) { h.Close(context.Background()) },
		"timeout": func(h *testHost) { h.invokeError("f", `{"sleep":3600000000000}`) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watch := newWatch(t)
			f := acting("f", "fork", nil)
			f.Timeout = 2 * time.Second
			h := newTestHost(t, nil, f)
			h.invoke("f", `{"socket":"`+watch.path+`"}`)
			watch.started()
			end(h)
			watch.ended()
		})
	}
}

// Those that have left its session as well, as daemons do.
func TestStraysEnd(t *testing.T) {
	onlyLinux(t)
	const sandboxes = 5
	gate := newGate(t)
	f := acting("f", "gate", map[string]string{"GATE": gate.path, "STRAY": "1"})
	f.Timeout = time.Minute
	h := newTestHost(t, nil, f, acting("other", "pid", nil))
	h.invoke("other", "{}")
	var all sync.WaitGroup
	for range sandboxes {
		all.Go(func() { h.Invoke(context.Background(), "f", []byte("{}")) })
	}
	gate.arrived(2 * sandboxes) // each with a stray
	h.functions["f"].pool.killAll()
	for _, conn := range gate.waiting {
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a stray lives on")
		}
	}
	all.Wait()
	if n := len(h.processes("other")); n != 1 {
		t.Errorf("%d processes of another function", n)
	}
}

// Nothing outlives a Gatepost that is killed: neither the functions' processes
// nor their children, and no frozen ones of either.
func TestKilledHost(t *testing.T) {
	tests := []struct {
		behaviour    string
		freeze, away bool
	}{{"mute", false, false}, {"fork", false, false}, {"holds", true, false}, {"fork", true, false}, {"fork", true, true}}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s, frozen %v, away %v", tt.behaviour, tt.freeze, tt.away), func(t *testing.T) {
			if tt.freeze {
				onlyLinux(t)
			}
			watch := newWatch(t)
			host := exec.Command(os.Args[0], watch.path, tt.behaviour, strconv.FormatBool(tt.freeze), strconv.FormatBool(tt.away))
			host.Env = append(os.Environ(), behaviourVariable+"=host", "TMPDIR="+t.TempDir())
			host.Stderr = os.Stderr
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			watch.started()
			if tt.freeze && !tt.away {
				eventually(t, "the process is stopped", func() bool { return isStopped(t, watch.pid) })
			}
			host.Process.Kill()
			host.Wait()
			watch.ended()
		})
	}
}

// The guard kills what is left, and nothing that has ended before.
func TestGuard(t *testing.T) {
	g, err := newGuard()
	if err != nil {
		t.Fatal(err)
	}
	var sleepers [3]*exec.Cmd
	for i := range sleepers {
		sleepers[i] = exec.Command("sleep", "1000")
		sleepers[i].SysProcAttr = ownGroup()
		if err := sleepers[i].Start(); err != nil {
			t.Fatal(err)
		}
		g.began(sleepers[i].Process.Pid, "A=[$b]")
	}
	g.ended(sleepers[1].Process.Pid, "A=[$b]")
	g.close()
	for _, i := range []int{0, 2} {
		if err := sleepers[i].Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("group %d: %v, want it killed", i, err)
		}
	}
	if err := sleepers[1].Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a group that had been taken off the list: %v", err)
	}
	sleepers[1].Process.Kill()
	sleepers[1].Wait()
	g.close() // may be called twice
	g.began(1, "")
}

// watch tells when a process with behaviour hold begins and ends.
type watch struct {
	t        *testing.T
	path     string
	listener net.Listener
	lines    *bufio.Reader
	pid      int // of the process that holds the socket
}

func newWatch(t *testing.T) *watch {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return &watch{t: t, path: path, listener: listener}
}

func (w *watch) started() {
	w.t.Helper()
	w.listener.(*net.UnixListener).SetDeadline(time.Now().Add(10 * time.Second))
	conn, err := w.listener.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	w.lines = bufio.NewReader(conn)
	line, err := w.lines.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	if w.pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watch) ended() {
	w.t.Helper()
	if _, err := w.lines.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Error("the process still lives")
	}
}

func TestClose(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sign")
	deaf := acting("deaf", "deaf", nil)
	polite := acting("polite", "sigterm", map[string]string{"GATEPOST_TEST_FILE": file})
	temp := acting("temp", "temp", nil)
	before := goroutines()
	h := newTestHost(t, nil, deaf, polite, temp, acting("busy", "sleep", nil))
	h.invoke("deaf", "{}")
	h.invoke("polite", "{}")
	var folder string
	if err := json.Unmarshal([]byte(h.invoke("temp", "{}")), &folder); err != nil {
		t.Fatal(err)
	}
	busy := make(chan error)
	go func() {
		_, err := h.Invoke(context.Background(), "busy", []byte(`{"sleep":3600000000000}`))
		busy <- err
	}()
	for h.Functions()[3].Busy == 0 {
		runtime.Gosched()
	}
	begun := time.Now()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > h.limits.close {
		t.Errorf("Close took %v", took)
	}
	if err := <-busy; !errors.Is(err, apigw.ErrFunction) || !strings.Contains(err.Error(), "the function host is closed") {
		t.Errorf("the running invocation ended with %v", err)
	}
	if sign, _ := os.ReadFile(file); string(sign) != "terminated" {
		t.Error("the function did not see SIGTERM")
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sandbox's folder %s: %v", folder, err)
	}
	if e := h.invokeError("deaf", "{}"); e.Type != typeClosed {
		t.Error(e)
	}
	if err := h.Add(acting("late", "echo", nil)); err == nil {
		t.Error("a closed host took a function")
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, s := range h.Functions() {
		if s.Sandboxes != 0 {
			t.Errorf("%+v", s)
		}
	}
	// The last goroutine tells that it is done a moment before it is gone.
	for deadline := time.Now().Add(5 * time.Second); goroutines() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines before, %d after:\n%s", before, goroutines(), stacks())
		}
	}
}

// A context that has ended makes Close kill at once.
func TestCloseNow(t *testing.T) {
	h := newTestHost(t, func(h *Host) { h.limits.stop = time.Hour }, acting("deaf", "deaf", nil))
	h.invoke("deaf", "{}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// goroutines counts those of the host's making.
func goroutines() int {
	return strings.Count(stacks(), "created by github.com/gatepost-dev/gatepost/internal/function.")
}
