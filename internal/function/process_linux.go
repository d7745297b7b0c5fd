package function

import (
	"os"
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
const functionSlack = 500 * time.Microsecond

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

// queueUp has the processes that this thread starts wait for their turn: with
// SCHED_BATCH (sched(7)) a process that is woken does not push aside the one that
// runs, which is often the gateway that has just written to it and has more to do.
// So the gateway hands on all that has come before the functions go on, and where
// there are fewer cores than functions, a message costs a sixth less. Their
// share of the processor stays the same. Who has chosen another policy for
// Gatepost keeps it.
func queueUp() {
	now, err := unix.SchedGetAttr(0, 0)
	if err != nil || now.Policy != unix.SCHED_NORMAL {
		return
	}
	// Without it all is slower and nothing is wrong.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH, Nice: now.Nice, Size: unix.SizeofSchedAttr}, 0)
}

// awaitExit waits until a child has ended and leaves it as a zombie. A thread
// in waitid(2) is woken by the kernel whenever its child is stopped or continued,
// that is twice for each event of a function that is frozen between events. So
// the end comes through a pidfd, which nothing else makes readable.
func awaitExit(pid int) {
	if awaitReadable(pid) == nil {
		return
	}
	for { // no pidfd, or none that does not block: Linux before 5.10
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// awaitReadable waits for the end of a child in the poller of Go's runtime, which
// takes no thread. It fails where there is no such descriptor.
func awaitReadable(pid int) error {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(uintptr) bool { return hasEnded(pid) })
}

// hasEnded reports whether a child is a zombie, or none of ours.
func hasEnded(pid int) bool {
	var what unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &what, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && what.Signo != 0 || err == unix.ECHILD
}
