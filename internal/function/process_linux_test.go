package function

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The end of a child is seen through a pidfd, its stops are not, and it is left
// to be reaped.
func TestAwaitReadable(t *testing.T) {
	if fd, err := unix.PidfdOpen(unix.Getpid(), unix.PIDFD_NONBLOCK); err != nil {
		t.Skipf("the kernel has no pidfd that does not block; run on Linux 5.10 or newer with no filter on pidfd_open: %v", err)
	} else {
		unix.Close(fd)
	}
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
	for range 10 { // each is over when the kernel tells of it
		for sig, tells := range map[syscall.Signal]int{syscall.SIGSTOP: unix.WSTOPPED, syscall.SIGCONT: unix.WCONTINUED} {
			if hasEnded(cmd.Process.Pid) {
				t.Fatal("the child has ended by itself")
			}
			syscall.Kill(cmd.Process.Pid, sig)
			if sig == syscall.SIGSTOP {
				for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, tells, nil) == unix.EINTR {
				}
			}
		}
		syscall.Kill(cmd.Process.Pid, syscall.SIGCONT)
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
