package function

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/stack"
)

// Functions have the slack that slacken gives them.
func TestFunctionsHaveSlack(t *testing.T) {
	if _, err := os.Stat("/proc/self/timerslack_ns"); err != nil {
		t.Skipf("the kernel tells no timer slack; run on Linux 4.6 or newer with /proc mounted and no filter on prctl: %v", err)
	}
	h := newTestHost(t, nil, stack.Function{Name: "f", Command: []string{"/bin/sh", "-c", "cat /proc/self/timerslack_ns"}, Timeout: time.Second})
	h.invokeError("f", `{}`)
	if got := strings.TrimSpace(h.awaitLine().Text); got != "500000" {
		t.Errorf("a function's timers may be %s ns late, want 500000", got)
	}
}

// Functions wait for their turn, the processes that they start included.
func TestFunctionsQueueUp(t *testing.T) {
	own := usualPolicy(t)
	h := newTestHost(t, nil, stack.Function{Name: "f", Command: []string{"/bin/sh", "-c", "cat /proc/self/stat"}, Timeout: time.Second})
	h.invokeError("f", `{}`)
	line := h.awaitLine().Text
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	const nice, policy = 19 - 3, 41 - 3 // proc_pid_stat(5) counts from 1; two fields are cut off
	if len(fields) <= policy || fields[policy] != "3" {
		t.Fatalf("the policy is not SCHED_BATCH (3): %s", line)
	}
	if want := strconv.Itoa(int(own.Nice)); fields[nice] != want {
		t.Errorf("the niceness is %s, want Gatepost's own, %s", fields[nice], want)
	}
}

// The thread that starts functions, with their policy and their slack, is used
// for nothing else, while it lives and afterwards.
func TestNobodyElseQueuesUp(t *testing.T) {
	usualPolicy(t)
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Skipf("the kernel tells no timer slack; run with no filter on prctl: %v", err)
	}
	s, err := newStarter()
	if err != nil {
		t.Fatal(err)
	}
	s.guard.close()
	check := func(when string) {
		// Each has a thread of its own, so all that the runtime has are used.
		var have, all sync.WaitGroup
		have.Add(100)
		for range 100 {
			all.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				have.Done()
				have.Wait()
				attr, err := unix.SchedGetAttr(0, 0)
				if now, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || attr.Policy != unix.SCHED_NORMAL || now != slack {
					t.Errorf("%s: a goroutine has the policy %v and a slack of %d ns: %v", when, attr, now, err)
				}
			})
		}
		all.Wait()
	}
	check("while functions may start")
	s.close()
	check("after that")
}

// usualPolicy skips a test where the kernel does not tell policies, or Gatepost
// was given another than the usual one, which it keeps.
func usualPolicy(t *testing.T) *unix.SchedAttr {
	t.Helper()
	own, err := unix.SchedGetAttr(0, 0)
	if err != nil || own.Policy != unix.SCHED_NORMAL {
		t.Skipf("the test has another policy than the usual one: run it without chrt, with no filter on sched_getattr: %v", err)
	}
	return own
}
