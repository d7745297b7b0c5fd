package function

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// maxEnvironment is how much of a process's environment is read, in bytes.
	maxEnvironment = 1 << 20
	// maxSearches is how often processes are looked through while each time one is
	// found: it may have started another one.
	maxSearches = 5
)

// killMarked kills the processes that have one of the marks in their environment.
func killMarked(marks []string) {
	for range maxSearches {
		if !killMarkedOnce(marks) {
			return
		}
	}
}

func killMarkedOnce(marks []string) (found bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !isMarked(pid, marks) {
			continue
		}
		found = killIfMarked(pid, marks) || found
	}
	return found
}

// killIfMarked looks again once it holds the process, not only its number: that
// may have been given to another one meanwhile.
func killIfMarked(pid int, marks []string) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return isMarked(pid, marks) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// isMarked reports whether a process has one of the marks. Those of other users
// cannot be looked at, and one that has ended has no environment any more.
func isMarked(pid int, marks []string) bool {
	file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	defer file.Close()
	environment, err := io.ReadAll(io.LimitReader(file, maxEnvironment))
	if err != nil {
		return false
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if slices.Contains(marks, string(variable)) {
			return true
		}
	}
	return false
}
