package function

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// debuggee is the program that Delve has started. The descriptor means this
// process and no other that may get its id later.
type debuggee struct{ pid, fd int }

// findDebuggee finds the living child of a process that leads a process group and
// runs another program than its parent: Delve has a copy of itself as a child
// too. It returns nil when there is none.
func findDebuggee(parent int) *debuggee {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !isDebuggee(pid, parent) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// It may have become another one's id before it was opened.
		if isDebuggee(pid, parent) {
			return &debuggee{pid, fd}
		}
		unix.Close(fd)
	}
	return nil
}

func isDebuggee(pid, parent int) bool {
	state, ppid, group := processStat(pid)
	return ppid == parent && group == pid && state != 'Z' && state != 'X' && programOf(pid) != programOf(parent)
}

// processStat reads /proc/PID/stat (proc(5)); zeros when there is none.
func processStat(pid int) (state byte, parent, group int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name, in parentheses, can hold anything.
	end := bytes.LastIndexByte(text, ')')
	if err != nil || end < 0 {
		return 0, 0, 0
	}
	if _, err := fmt.Sscanf(string(text[end+1:]), " %c %d %d", &state, &parent, &group); err != nil {
		return 0, 0, 0
	}
	return state, parent, group
}

func programOf(pid int) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return path
}

// alive reports whether the process has not ended.
func (d *debuggee) alive() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, 0)
	return err == unix.EINTR || err == nil && n == 0
}

// kill ends the process and its group, if it has not ended and been waited for.
func (d *debuggee) kill() {
	if unix.PidfdSendSignal(d.fd, unix.SIGKILL, nil, 0) == nil {
		_ = unix.Kill(-d.pid, unix.SIGKILL)
	}
}

func (d *debuggee) close() { unix.Close(d.fd) }
