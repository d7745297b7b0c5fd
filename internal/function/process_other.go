//go:build darwin || freebsd || netbsd || openbsd

package function

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup puts a process into a session and a group of its own, so that a
// signal reaches its children too and no terminal does. Only Linux can kill it
// when Gatepost is killed.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// slacken does nothing: only Linux has such a setting.
func slacken() {}

// queueUp does nothing: only Linux has such a policy.
func queueUp() {}

// awaitExit waits until a child has ended and leaves it as a zombie.
func awaitExit(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	exit := unix.Kevent_t{Fflags: unix.NOTE_EXIT}
	unix.SetKevent(&exit, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	for {
		_, err := unix.Kevent(queue, []unix.Kevent_t{exit}, make([]unix.Kevent_t, 1), nil)
		if err != unix.EINTR {
			return
		}
	}
}

// killMarked does nothing: only Linux tells the environment of a process.
func killMarked(marks []string) {}
