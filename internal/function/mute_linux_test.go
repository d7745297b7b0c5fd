//go:build linux && (amd64 || arm64)

package function

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that is stopped and continued sends no signal to Gatepost, its end
// does, and its ends are still told.
func TestMuteStops(t *testing.T) {
	got := make(chan os.Signal, 16)
	const mark = syscall.SIGWINCH // comes after a SIGCHLD that is pending
	signal.Notify(got, syscall.SIGCHLD, mark)
	defer signal.Stop(got)
	muteStops()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, change := range []struct {
			signal syscall.Signal
			state  int
		}{{syscall.SIGSTOP, unix.WSTOPPED}, {syscall.SIGCONT, unix.WCONTINUED}} {
			if err := cmd.Process.Signal(change.signal); err != nil {
				t.Fatal(err)
			}
			if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, change.state, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := syscall.Kill(os.Getpid(), mark); err != nil {
		t.Fatal(err)
	}
	if first := <-got; first != mark {
		t.Errorf("a signal %v for six stops and continues, want none", first)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if cmd.Wait(); cmd.ProcessState == nil || cmd.ProcessState.Success() {
		t.Errorf("the end of the process is told as %v", cmd.ProcessState)
	}
	select {
	case last := <-got:
		if last != syscall.SIGCHLD {
			t.Errorf("the end of the process sends %v, want SIGCHLD", last)
		}
	case <-time.After(10 * time.Second):
		t.Error("no SIGCHLD for the end of the process")
	}
}
