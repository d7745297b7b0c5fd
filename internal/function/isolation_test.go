package function

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

func init() {
	behaviours["keep"] = handle(keep)
	behaviours["keep at start"] = func() { keep(300); handle(func() {})() }
	behaviours["keep as a child"] = func() { keep(300); time.Sleep(time.Hour) }
	behaviours["child keeps"] = handle(func() (string, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{behaviourVariable + "=keep as a child"}
		return "the child ended", cmd.Run()
	})
	behaviours["files"] = handle(func(mb int) error {
		for i := range mb {
			name := filepath.Join(os.TempDir(), fmt.Sprint("folder", i), "file")
			if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
}

// limited declares a function with the least memory that Lambda has.
func limited(name, behaviour string) stack.Function {
	f := acting(name, behaviour, nil)
	f.MemoryMB = 128
	f.Timeout = time.Minute
	return f
}

// A function that leaks memory past its limit is killed as on Lambda, and
// nobody else notices.
func TestMemoryLimit(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, nil, limited("leak", "keep"), acting("other", "pid", nil))
	var stop atomic.Bool
	done := make(chan string)
	go func() { // the other has one sandbox all along
		first := h.invoke("other", "{}")
		for !stop.Load() {
			if pid := h.invoke("other", "{}"); pid != first {
				first += " " + pid
				break
			}
		}
		done <- first
	}()
	for range 2 { // the second time in a new sandbox
		h.invoke("leak", "20")
		e := h.invokeError("leak", "300")
		if want := "RequestId: " + e.RequestID + " Error: Runtime exited with error: signal: killed"; e.Type != "Runtime.ExitError" || e.Message != want {
			t.Errorf("%s: %s", e.Type, e.Message)
		}
		log := h.config.Feed.Logs(telemetry.Query{RequestID: e.RequestID})
		if r := log[len(log)-1].Report; r == nil || r.MaxMemoryMB != 128 || r.MemoryMB != 128 || r.Status != telemetry.Errored || r.ErrorType != "Runtime.ExitError" {
			t.Errorf("report %+v", r)
		}
		said := false
		for _, line := range log {
			said = said || strings.HasPrefix(line.Text, "gatepost: the function used ") && strings.HasSuffix(line.Text, "more than its MemorySize of 128 MB, and was killed")
		}
		if !said {
			t.Error("the log does not say why")
		}
	}
	stop.Store(true)
	if pids := <-done; strings.Contains(pids, " ") {
		t.Errorf("the other function ran in %s", pids)
	}
}

func TestNoMemoryLimit(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, func(h *Host) { h.config.NoMemoryLimit = true }, limited("leak", "keep"))
	for range 2 {
		h.invoke("leak", "150")
	}
	lookAtGroups(h.warden.list())
	h.invoke("leak", "0")
	h.awaitInvoked()
	h.awaitInvoked()
	if r := h.awaitInvoked().Report; r.MaxMemoryMB < 300 {
		t.Errorf("%+v", r)
	}
}

// Memory counts wherever it is in the process group, and before the first event.
func TestMemoryLimitOfChildrenAndInit(t *testing.T) {
	onlyLinux(t)
	h := newTestHost(t, nil, limited("parent", "child keeps"), limited("init", "keep at start"))
	for _, name := range []string{"parent", "init"} {
		if e := h.invokeError(name, "{}"); e.Type != "Runtime.ExitError" || !strings.HasSuffix(e.Message, "signal: killed") {
			t.Errorf("%s: %s %s", name, e.Type, e.Message)
		}
	}
}

func TestTheFolderHasAQuota(t *testing.T) {
	f := acting("f", "files", nil)
	f.EphemeralMB = 20
	h := newTestHost(t, nil, f)
	h.invoke("f", "10")
	sandbox := h.warden.list()[0]
	sandbox.checkFolder()
	if sandbox.usage.passed.Load() != nil {
		t.Fatal("10 MB of 20 are too much")
	}
	// 10 MB more, by others; the warden comes by within some seconds.
	if err := os.WriteFile(filepath.Join(sandbox.dir, "more"), make([]byte, 11<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	line := h.awaitLine()
	if want := "gatepost: the function's temporary folder holds 21 MB, more than its EphemeralStorage of 20 MB; its sandbox was ended"; line.Text != want {
		t.Errorf("%q", line.Text)
	}
	h.invoke("f", "10") // in a new sandbox, with an empty folder
}

// A running invocation of a sandbox whose folder is full fails with a sentence.
func TestTheFolderIsFullDuringAnInvocation(t *testing.T) {
	f := acting("f", "sleep", nil)
	f.EphemeralMB, f.Timeout = 1, time.Minute
	h := newTestHost(t, nil, f)
	h.invoke("f", "{}")
	sandbox := h.warden.list()[0]
	failed := make(chan *Error)
	go func() { failed <- h.invokeError("f", fmt.Sprintf(`{"sleep":%d}`, time.Hour)) }()
	if err := os.WriteFile(filepath.Join(sandbox.dir, "big"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	e := <-failed
	if e.Type != "Gatepost.StorageFull" || !strings.Contains(e.Message, "more than its EphemeralStorage of 1 MB") {
		t.Errorf("%s: %s", e.Type, e.Message)
	}
}

func TestFolderSizeIsBounded(t *testing.T) {
	dir := t.TempDir()
	if size := folderSize(filepath.Join(dir, "none")); size != 0 {
		t.Errorf("no folder has %d bytes", size)
	}
	if err := os.Symlink("/", filepath.Join(dir, "all")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if size := folderSize(dir); size < 100<<10 || size > 200<<10 {
		t.Errorf("a link and a file of 100 KB have %d bytes", size)
	}
}

// The warden ends with the last sandbox and begins again with the next.
func TestWardenComesAndGoes(t *testing.T) {
	f := acting("f", "pid", nil)
	h := newTestHost(t, func(h *Host) { h.limits.idle = 10 * time.Millisecond }, f)
	seen := make(map[string]bool)
	for began := time.Now(); len(seen) < 3; {
		seen[h.invoke("f", "{}")] = true
		for h.Functions()[0].Sandboxes > 0 && time.Since(began) < 20*time.Second {
		}
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := h.warden.list(); list != nil {
		t.Errorf("%d sandboxes are watched after the end", len(list))
	}
}

// Two may find a bound passed at the same time, the warden and the answer: to
// either the reason is in the log when it goes on.
func TestTheReasonIsInTheLogFirst(t *testing.T) {
	h := newTestHost(t, nil, acting("f", "files", nil))
	h.invoke("f", "1")
	h.awaitInvoked()
	s := h.warden.list()[0]
	pool := h.functions["f"].pool
	pool.mu.Lock() // holds up whoever is first
	told := make(chan bool, 2)
	for range 2 {
		go func() {
			s.end(passed{why: exited("signal: killed")}, "the reason")
			told <- slices.ContainsFunc(h.config.Feed.Recent(100), func(e telemetry.Event) bool { return e.Text == "gatepost: the reason" })
		}()
	}
	for range 1000 { // so that both are there, or one comes back too early
		runtime.Gosched()
	}
	pool.mu.Unlock()
	for range 2 {
		if !<-told {
			t.Error("one went on before the reason was in the log")
		}
	}
}
