package function

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup puts a process into a session and a group of its own, so that a
// signal reaches its children too and no terminal does, and has the kernel kill
// it when Gatepost is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// functionSlack is how late the timers of functions may be.
const functionSlack = 300 * time.Microsecond

// slacken lets the timers of this thread, and of the processes that it starts,
// be later than the 50 µs after which the kernel fires them at the latest
// (PR_SET_TIMERSLACK in prctl(2)). Go's runtime looks every 20 µs after what a
// working process does; where the processes are more than the cores, these looks
// cost a sixth of all that the machine does. What a handler waits for is in
// whole milliseconds.
func slacken() {
	// Without it all is slower and nothing is wrong.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(functionSlack), 0, 0, 0)
}

// awaitExit waits until a child has ended and leaves it as a zombie.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}
