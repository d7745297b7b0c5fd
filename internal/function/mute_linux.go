//go:build linux && (amd64 || arm64)

package function

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalAction is the kernel's struct sigaction on these machines.
type signalAction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// noStops is SA_NOCLDSTOP.
const noStops = 1

// muteStops asks for no SIGCHLD when a child is stopped or continued, only when
// it ends (sigaction(2), SA_NOCLDSTOP). With it each event of a function that is
// frozen between events would interrupt two threads, for a signal that neither
// Gatepost nor Go's runtime has a use for. package signal cannot say that, and
// SIGCHLD must not be ignored: its children could not be waited for. A later
// signal.Notify for SIGCHLD brings the signals back, which costs nothing else.
func muteStops() {
	var action signalAction
	if signalAct(nil, &action) && action.flags&noStops == 0 {
		action.flags |= noStops
		signalAct(&action, nil)
	}
}

// signalAct sets what SIGCHLD does, or reads it.
func signalAct(to, from *signalAction) bool {
	_, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD),
		uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), unsafe.Sizeof(to.mask), 0, 0)
	return errno == 0
}
