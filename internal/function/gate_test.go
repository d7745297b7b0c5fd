package function

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what takes no time but on a busy machine.
const patience = 20 * time.Second

// gate is where functions wait until the test lets them go on: each connects,
// tells its process id, and waits for the other side to end the connection.
type gate struct {
	t        *testing.T
	path     string
	listener *net.UnixListener
	waiting  []net.Conn
}

func newGate(t *testing.T) *gate {
	path := filepath.Join(t.TempDir(), "gate")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t, path: path, listener: listener}
	t.Cleanup(g.open)
	return g
}

// arrived waits for n more to come, and returns their process ids.
func (g *gate) arrived(n int) (pids []int) {
	g.t.Helper()
	for range n {
		g.listener.SetDeadline(time.Now().Add(patience))
		conn, err := g.listener.Accept()
		if err != nil {
			g.t.Fatal(err)
		}
		g.waiting = append(g.waiting, conn)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			g.t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			g.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// open lets all go on who wait, and who come later.
func (g *gate) open() {
	g.listener.Close()
	for _, conn := range g.waiting {
		conn.Close()
	}
	g.waiting = nil
}

// passGate waits at the gate $GATE.
func passGate() (int, error) {
	conn, err := net.Dial("unix", os.Getenv("GATE"))
	if err == nil {
		fmt.Fprintln(conn, os.Getpid())
		conn.Read(make([]byte, 1))
		conn.Close()
	}
	return os.Getpid(), nil
}

// stray starts a process with a session of its own that waits at the gate too.
func stray() {
	if os.Getenv("STRAY") == "" {
		return
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), behaviourVariable+"=stray")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Start()
}

// eventually waits for something that is about to be.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// awaitQueue waits until so many invocations wait for a sandbox.
func (p *pool) awaitQueue(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d invocations wait", n), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.queue) == n
	})
}

// processes returns the ids of a function's processes.
func (h *testHost) processes(function string) (pids []int) {
	p := h.functions[function].pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.sandboxes {
		s.mu.Lock()
		if s.process != nil {
			pids = append(pids, s.process.cmd.Process.Pid)
		}
		s.mu.Unlock()
	}
	return pids
}

// isStopped reports whether a process is stopped, all of its threads included.
func isStopped(t testing.TB, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			return false
		}
		// "1234 (name) T ...", where the name may hold anything.
		if _, rest, _ := strings.Cut(string(stat[max(strings.LastIndexByte(string(stat), ')'), 0):]), " "); !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return len(threads) > 0
}

// awaitFrozen waits until a function has one process and that is stopped, and
// returns its id.
func (h *testHost) awaitFrozen(function string) (pid int) {
	h.t.Helper()
	eventually(h.t, "function "+function+" is frozen", func() bool {
		pids := h.processes(function)
		if len(pids) != 1 || !isStopped(h.t, pids[0]) {
			return false
		}
		pid = pids[0]
		return true
	})
	return pid
}
