package function

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The end of a child is seen through a pidfd, its stops are not, and it is left
// to be reaped.
func TestAwaitReadable(t *testing.T) {
	skipWithoutPidfd(t)
	cmd := exec.Command("/bin/sh", "-c", "read line; exit 7")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	ended := make(chan error, 1)
	go func() { ended <- awaitReadable(cmd.Process.Pid) }()
	for _, change := range slices.Repeat([]struct {
		signal syscall.Signal
		state  int
	}{{syscall.SIGSTOP, unix.WSTOPPED}, {syscall.SIGCONT, unix.WCONTINUED}}, 10) {
		if hasEnded(cmd.Process.Pid) {
			t.Fatal("the child has ended by itself")
		}
		if err := cmd.Process.Signal(change.signal); err != nil {
			t.Fatal(err)
		}
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, change.state, nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("a stop was taken for the end: %v", err)
	default:
	}
	input.Close()
	if err := <-ended; err != nil {
		t.Fatalf("the end was not seen through a descriptor: %v", err)
	}
	if !hasEnded(cmd.Process.Pid) {
		t.Error("the child is no zombie any more")
	}
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.ExitCode() != 7 {
		t.Errorf("the child left %v to be reaped, want exit status 7", exit)
	}
	if !hasEnded(cmd.Process.Pid) {
		t.Error("who is no child is waited for")
	}
	if err := awaitReadable(cmd.Process.Pid); err == nil {
		t.Error("a descriptor was opened for who is no child")
	}
}

// No thread of Gatepost waits for a function's process: each stop and continue
// would wake it.
func TestNoThreadWaits(t *testing.T) {
	skipWithoutPidfd(t)
	h := newTestHost(t, nil, acting("f", "echo", nil))
	h.invoke("f", `{}`)
	child := fmt.Sprintf(" %#x ", h.processes("f")[0])
	threads, err := filepath.Glob("/proc/self/task/*/syscall")
	if err != nil || len(threads) == 0 {
		t.Skipf("the kernel does not tell what threads wait for; run with CONFIG_HAVE_ARCH_TRACEHOOK and /proc mounted: %v", err)
	}
	for _, thread := range threads {
		call, err := os.ReadFile(thread) // one that has ended is none
		number, _, _ := strings.Cut(string(call), " ")
		if err == nil && (number == strconv.Itoa(unix.SYS_WAITID) || number == strconv.Itoa(unix.SYS_WAIT4)) && strings.Contains(string(call), child) {
			t.Errorf("%s: %s: it waits for the function's process", thread, call)
		}
	}
}

func skipWithoutPidfd(t *testing.T) {
	t.Helper()
	fd, err := unix.PidfdOpen(unix.Getpid(), unix.PIDFD_NONBLOCK)
	if err != nil {
		t.Skipf("the kernel has no pidfd that does not block; run on Linux 5.10 or newer with no filter on pidfd_open: %v", err)
	}
	unix.Close(fd)
}
