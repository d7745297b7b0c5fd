//go:build linux && (amd64 || arm64)

package function

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// A process that is stopped and continued sends no signal to Gatepost, its end
// does, and its ends are still told.
func TestMuteStops(t *testing.T) {
	got := make(chan os.Signal, 16)
	signal.Notify(got, syscall.SIGCHLD)
	defer signal.Stop(got)
	muteStops()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, s := range []os.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if n := len(got); n != 0 {
		t.Errorf("%d signals SIGCHLD for six stops and continues, want none", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if cmd.Wait(); cmd.ProcessState == nil || cmd.ProcessState.Success() {
		t.Errorf("the end of the process is told as %v", cmd.ProcessState)
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Error("no SIGCHLD for the end of the process")
	}
}
