//go:build darwin || freebsd || netbsd || openbsd

package function

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// debuggee is the program that Delve has started.
type debuggee struct{ pid int }

// findDebuggee finds the descendant of a process that leads a process group and
// is neither Delve's own nor the system's debug server. It returns nil when
// there is none.
func findDebuggee(parent int) *debuggee {
	out, err := exec.Command("ps", "-axo", "pid=,ppid=,pgid=,comm=").Output()
	if err != nil {
		return nil
	}
	family := map[string]bool{strconv.Itoa(parent): true}
	// Children come after their parents, but for ids that have wrapped around.
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || !family[f[1]] {
			continue
		}
		family[f[0]] = true
		name := filepath.Base(f[3])
		if pid, err := strconv.Atoi(f[0]); err == nil && f[2] == f[0] && name != "dlv" && name != "debugserver" && name != "lldb-server" {
			return &debuggee{pid}
		}
	}
	return nil
}

// alive reports whether the process has not ended.
func (d *debuggee) alive() bool { return unix.Kill(d.pid, 0) == nil }

// kill ends the process and its group.
func (d *debuggee) kill() {
	if d.alive() {
		_ = unix.Kill(-d.pid, unix.SIGKILL)
	}
}

func (d *debuggee) close() {}
