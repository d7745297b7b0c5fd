package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// kernelSlack is how late the kernel lets timers be that nobody has set
	// otherwise (PR_SET_TIMERSLACK in prctl(2)).
	kernelSlack = 50 * time.Microsecond
	// ownSlack is how late ours may be.
	ownSlack = 500 * time.Microsecond
)

// slacken lets the timers of this process be later than usual, and begins the
// program again: the thread with which Go's runtime watches over the others is
// there before main is, and only what a thread starts has its slack. That thread
// looks every 20 µs while there is work. On a virtual machine of two cores these
// looks cost a message's way through a function an eighth of its time. None of
// our own timers needs to be exact to a millisecond. Where the kernel does not
// let us, or somebody else has set another slack, all stays as it is.
func slacken() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || now != int(kernelSlack) {
		return
	}
	if unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ownSlack), 0, 0, 0) == nil {
		// It returns only when it fails.
		_ = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
}
