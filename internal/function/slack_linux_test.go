package function

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatepost-dev/gatepost/stack"
)

// Functions have the slack that slacken gives them, and Gatepost has its own.
func TestFunctionsHaveSlack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if _, missing := os.Stat("/proc/self/timerslack_ns"); err != nil || missing != nil {
		t.Skipf("the kernel tells no timer slack; run on Linux 4.6 or newer with /proc mounted and no filter on prctl: %v", err)
	}
	h := newTestHost(t, nil, stack.Function{Name: "f", Command: []string{"/bin/sh", "-c", "cat /proc/self/timerslack_ns"}, Timeout: time.Second})
	h.invokeError("f", `{}`)
	if got := strings.TrimSpace(h.awaitLine().Text); got != "500000" {
		t.Errorf("a function's timers may be %s ns late, want 500000", got)
	}
	if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); now != own {
		t.Errorf("the slack of the test changed from %d ns to %d: %v", own, now, err)
	}
}

// Functions wait for their turn, the processes that they start included; Gatepost
// does not.
func TestFunctionsQueueUp(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := unix.SchedGetAttr(0, 0)
	if err != nil || own.Policy != unix.SCHED_NORMAL {
		t.Skipf("the test has another policy than the usual one: run it without chrt, with no filter on sched_getattr: %v", err)
	}
	h := newTestHost(t, nil, stack.Function{Name: "f", Command: []string{"/bin/sh", "-c", "cat /proc/self/stat"}, Timeout: time.Second})
	h.invokeError("f", `{}`)
	line := h.awaitLine().Text
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	const nice, policy = 19 - 3, 41 - 3 // proc_pid_stat(5) counts from 1; two fields are cut off
	if len(fields) <= policy || fields[policy] != "3" {
		t.Errorf("the policy is not SCHED_BATCH (3): %s", line)
	}
	if len(fields) > nice && own.Nice == 0 && fields[nice] != "0" {
		t.Errorf("the niceness is %s, want Gatepost's own, 0", fields[nice])
	}
	if now, err := unix.SchedGetAttr(0, 0); err != nil || now.Policy != unix.SCHED_NORMAL {
		t.Errorf("the test's own policy changed to %+v: %v", now, err)
	}
}
