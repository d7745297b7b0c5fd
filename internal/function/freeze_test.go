package function

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
	"github.com/gatepost-dev/gatepost/stack"
)

// onlyLinux skips a test that looks at /proc.
func onlyLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes and their memory are looked at in /proc, which only Linux has: run this test there")
	}
}

// Work that nobody waits for, such as a lost goroutine, stops with the answer and
// goes on with the next event, unless the function is not to be frozen.
func TestLostWork(t *testing.T) {
	onlyLinux(t)
	for _, freeze := range []bool{true, false} {
		t.Run(fmt.Sprint(freeze), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "s")
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			f := acting("f", "lost", nil)
			f.Freeze = &freeze
			h := newTestHost(t, nil, f)
			h.invoke("f", `{"socket":"`+path+`"}`)
			listener.SetDeadline(time.Now().Add(patience))
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			ask := func(wait time.Duration) error {
				conn.SetDeadline(time.Now().Add(wait))
				_, err := in.ReadString('\n')
				return err
			}
			if freeze {
				h.awaitFrozen("f")
			}
			fmt.Fprintln(conn, "go on")
			if freeze {
				if err := ask(50 * time.Millisecond); err == nil {
					t.Fatal("work went on after the answer")
				}
				if n := h.Functions()[0].Frozen; n != 1 {
					t.Errorf("%d frozen", n)
				}
				h.invoke("f", `{}`)
			} else if n := h.Functions()[0].Frozen; n != 0 {
				t.Errorf("%d frozen", n)
			}
			if err := ask(patience); err != nil {
				t.Errorf("the work did not go on: %v", err)
			}
		})
	}
}

// lost leaves a goroutine behind that answers what it is asked.
func lost(o order) error {
	if o.Socket == "" {
		return nil
	}
	conn, err := net.Dial("unix", o.Socket)
	if err != nil {
		return err
	}
	go func() {
		question, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Fprint(conn, question)
	}()
	return nil
}

// Whatever a function is made of, it is frozen between its events.
func TestFrozenKinds(t *testing.T) {
	onlyLinux(t)
	t.Run("aws-lambda-go", func(t *testing.T) { freezes(t, acting("f", "echo", nil)) })
	t.Run("with an extension", func(t *testing.T) {
		freezes(t, acting("f", "sigterm", map[string]string{"GATEPOST_TEST_FILE": filepath.Join(t.TempDir(), "sign")}))
	})
	t.Run("several events at a time", func(t *testing.T) {
		freezes(t, acting("f", "echo", map[string]string{concurrencyVariable: "3"}))
	})
	t.Run("one event of several at a time", func(t *testing.T) {
		freezes(t, acting("f", "asks once", map[string]string{concurrencyVariable: "3"}))
	})
	t.Run("Go RPC", func(t *testing.T) {
		freezes(t, stack.Function{Name: "f", Runtime: runtimes.IDGo1x, Handler: "main", Code: oldSource(t), Timeout: 5 * time.Minute})
	})
	t.Run("Node.js", func(t *testing.T) {
		needs(t, "node", "nodejs")
		code := files(t, t.TempDir(), js(`exports.handler = async (event) => { setTimeout(() => {}, 1); return event }`))
		freezes(t, stack.Function{Name: "f", Runtime: "nodejs20.x", Handler: "index.handler", Code: code, Timeout: 20 * time.Second})
	})
	t.Run("Python", func(t *testing.T) {
		needs(t, "python3")
		code := files(t, t.TempDir(), py("def handler(event, context):\n    return event"))
		freezes(t, stack.Function{Name: "f", Runtime: "python3.11", Handler: "app.handler", Code: code, Timeout: 20 * time.Second})
	})
}

// freezes holds that one process takes one event after another, frozen between.
func freezes(t *testing.T, f stack.Function) {
	t.Helper()
	h := newTestHost(t, func(h *Host) { h.limits.linger = 10 * time.Millisecond }, f)
	if err := h.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h.invoke("f", "{}")
	pid := h.awaitFrozen("f")
	for range 3 {
		h.invoke("f", "{}")
		if next := h.awaitFrozen("f"); next != pid {
			t.Fatalf("process %d after %d", next, pid)
		}
	}
}

// A process that has one of several events is not frozen.
func TestNotFrozenWhileBusy(t *testing.T) {
	onlyLinux(t)
	gate := newGate(t)
	f := acting("f", "gate", map[string]string{"GATE": gate.path, concurrencyVariable: "2"})
	f.MaxConcurrency = 2 // one process: a second would start if its next question came late
	h := newTestHost(t, nil, f)
	var all sync.WaitGroup
	all.Go(func() { h.invoke("f", "{}") })
	gate.arrived(1)
	all.Go(func() { h.invoke("f", "{}") })
	pid := gate.arrived(1)[0]
	gate.waiting[0].Close()
	h.awaitInvoked()
	p := h.functions["f"].pool
	eventually(t, "one seat is idle", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.count[idle] == 1
	})
	if isStopped(t, pid) || h.Functions()[0].Frozen != 0 {
		t.Error("the process is frozen though it has an event")
	}
	gate.open()
	all.Wait()
	if h.awaitFrozen("f") != pid {
		t.Error("another process was started")
	}
}

// Init lasts until every extension has asked for its event.
func TestFrozenAfterItsExtensions(t *testing.T) {
	onlyLinux(t)
	p := newPuppet(t, nil)
	l := p.dial()
	l.send("POST /2020-01-01/extension/register HTTP/1.1\nLambda-Extension-Name: e\nContent-Length: 2\n\n{}")
	res, _ := l.receive()
	id := l.next()
	l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
	l.expect(202, "OK")
	p.result()
	l.send(askLine)
	pool := p.host.functions["f"].pool
	eventually(t, "the runtime has asked", func() bool {
		pool.mu.Lock()
		defer pool.mu.Unlock()
		return len(pool.idle) == 1
	})
	if p.host.Functions()[0].Frozen != 0 {
		t.Error("frozen before the extension had asked for its event")
	}
	p.dial().send("GET /2020-01-01/extension/event/next HTTP/1.1\nLambda-Extension-Identifier: %s\n\n", res.Header.Get("Lambda-Extension-Identifier"))
	p.host.awaitFrozen("f")
}

// A connection that ends when its process has just been frozen, and one with
// half a request, do no harm.
func TestFrozenWithOpenEnds(t *testing.T) {
	onlyLinux(t)
	p := newPuppet(t, nil)
	half, l := p.dial(), p.dial()
	half.send("POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\nContent-Length: 100\n\nhalf")
	answer := func(l *line, id string) {
		l.send("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\nContent-Length: 2\n\n42", id)
		l.expect(202, "OK")
		if r := p.result(); r.err != nil {
			t.Error(r.err)
		}
	}
	answer(l, l.next())
	l.send(askLine)
	pid := p.host.awaitFrozen("f")
	l.conn.Close()
	eventually(t, "the process goes on, for it must ask again", func() bool { return !isStopped(t, pid) })
	l = p.dial()
	l.send(askLine)
	p.host.awaitFrozen("f")
	p.invoke("{}")
	res, _ := l.receive()
	answer(l, res.Header.Get("Lambda-Runtime-Aws-Request-Id"))
}

// The children of a function are frozen with it; one that has left the session
// is not.
func TestFrozenChildren(t *testing.T) {
	onlyLinux(t)
	for name, away := range map[string]bool{"own group": false, "session of its own": true} {
		t.Run(name, func(t *testing.T) {
			watch := newWatch(t)
			h := newTestHost(t, nil, acting("f", "fork", nil))
			h.invoke("f", fmt.Sprintf(`{"socket":%q,"away":%v}`, watch.path, away))
			watch.started()
			// The one with a session of its own has no environment to be found by.
			t.Cleanup(func() { _ = syscall.Kill(watch.pid, syscall.SIGKILL) })
			h.awaitFrozen("f")
			if away {
				if isStopped(t, watch.pid) {
					t.Error("a process with a session of its own was stopped")
				}
				return
			}
			eventually(t, "the child is stopped", func() bool { return isStopped(t, watch.pid) })
			h.invoke("f", "{}")
			h.awaitFrozen("f")
			h.Close(context.Background())
			watch.ended()
		})
	}
}

// A frozen process is continued to end in peace, whatever ends it.
func TestFrozenEnds(t *testing.T) {
	onlyLinux(t)
	ends := map[string]struct {
		change func(*Host)
		end    func(h *testHost)
	}{
		"close": {nil, func(h *testHost) { h.Close(context.Background()) }},
		"idle":  {func(h *Host) { h.limits.idle = time.Second }, func(*testHost) {}},
		"renew": {nil, func(h *testHost) { h.functions["f"].pool.renew() }},
	}
	for name, tt := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "sign")
			h := newTestHost(t, func(h *Host) {
				h.limits.stop = patience // SIGKILL would come later
				if tt.change != nil {
					tt.change(h)
				}
			}, acting("f", "sigterm", map[string]string{"GATEPOST_TEST_FILE": file}))
			h.invoke("f", "{}")
			h.awaitFrozen("f")
			tt.end(h)
			eventually(t, "the process ends", func() bool { return len(h.processes("f")) == 0 })
			if sign, _ := os.ReadFile(file); string(sign) != "terminated" {
				t.Error("the frozen function did not see SIGTERM")
			}
		})
	}
}

// SIGKILL needs no SIGCONT.
func TestFrozenIsKilled(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, func(h *Host) { h.limits.stop = time.Hour }, acting("f", "deaf", nil))
	h.invoke("f", "{}")
	h.awaitFrozen("f")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
}

// A process that dies while it is frozen is replaced.
func TestFrozenDies(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, nil, acting("f", "pid", nil))
	first := h.invoke("f", "{}")
	pid := h.awaitFrozen("f")
	if strconv.Itoa(pid) != first {
		t.Fatalf("process %d answered as %s", pid, first)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end is noticed", func() bool { return len(h.processes("f")) == 0 })
	if second := h.invoke("f", "{}"); second == first {
		t.Errorf("process %s answered after its end", second)
	}
}

// A process may ask for its first event before Gatepost knows that it runs.
func TestFrozenAtItsStart(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, nil)
	p, err := startProcess(h.starter, command{argv: []string{os.Args[0]}, environment: []string{behaviourVariable + "=mute"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.wait()
	defer p.signal(syscall.SIGKILL)
	s := &sandbox{host: h.Host}
	s.standing.resting.Store(true)
	s.follow()
	s.started(p)
	eventually(t, "the process is stopped", func() bool { return isStopped(t, p.cmd.Process.Pid) })
	s.standing.resting.Store(false)
	s.follow()
	eventually(t, "the process goes on", func() bool { return !isStopped(t, p.cmd.Process.Pid) })
}

// Events that come just when a process is being frozen are not lost.
func TestFreezeRaces(t *testing.T) {
	for _, seats := range []string{"1", "3"} {
		f := acting("f", "echo", map[string]string{concurrencyVariable: seats})
		h := newTestHost(t, func(h *Host) { h.config.MaxSandboxes = 2 }, f)
		var all sync.WaitGroup
		for caller := range 4 {
			all.Go(func() {
				for i := range 250 {
					event := fmt.Sprintf(`{"caller":%d,"i":%d}`, caller, i)
					response, err := h.Invoke(context.Background(), "f", []byte(event))
					if err != nil || string(response) != event {
						t.Errorf("%s: got %s, %v", event, response, err)
						return
					}
					for range rand.IntN(3000) {
						runtime.Gosched()
					}
				}
			})
		}
		all.Wait()
	}
}

// What the host says counts where the function says nothing.
func TestFreezeSettings(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		host bool
		own  *bool
		want bool
	}{{false, nil, false}, {true, nil, true}, {false, &yes, true}, {true, &no, false}}
	for _, tt := range tests {
		f := acting("f", "echo", nil)
		f.Freeze = tt.own
		h := newTestHost(t, func(h *Host) { h.config.Freeze = tt.host }, f)
		if got := h.functions["f"].pool.freeze; got != tt.want {
			t.Errorf("host %v, function %v: %v", tt.host, tt.own, got)
		}
	}
}

// A status tells how many are frozen.
func TestFrozenStatus(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "echo", nil))
	h.invoke("f", "{}")
	eventually(t, "the status says so", func() bool { s := h.Functions()[0]; return s.Frozen == 1 && s.Busy == 0 })
	text, err := json.Marshal(h.Functions()[0])
	if err != nil || !strings.Contains(string(text), `"frozen":1`) {
		t.Errorf("%s, %v", text, err)
	}
}

// A process has a session and a group of its own.
func TestOwnSession(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "pid", nil))
	pid, err := strconv.Atoi(h.invoke("f", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := unix.Getsid(pid)
	group, err2 := unix.Getpgid(pid)
	if err != nil || err2 != nil || session != pid || group != pid {
		t.Errorf("process %d has the session %d and the group %d: %v %v", pid, session, group, err, err2)
	}
}
