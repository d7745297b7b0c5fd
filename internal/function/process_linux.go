package function

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup puts a process into a session and a group of its own, so that a
// signal reaches its children too and no terminal does, and has the kernel kill
// it when Gatepost is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
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
