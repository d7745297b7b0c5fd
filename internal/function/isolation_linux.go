package function

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitProcess sets the limits of a process. It lowers only: what the user has
// less of stays.
func limitProcess(pid int, files, fileSize uint64) error {
	return errors.Join(
		lower(pid, unix.RLIMIT_NOFILE, files),
		lower(pid, unix.RLIMIT_CORE, 0),
		lower(pid, unix.RLIMIT_FSIZE, fileSize),
	)
}

func lower(pid, resource int, to uint64) error {
	var has unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &has); err != nil {
		return fmt.Errorf("read a limit of process %d: %w", pid, err)
	}
	limit := unix.Rlimit{Cur: min(has.Max, to), Max: min(has.Max, to)}
	if err := unix.Prlimit(pid, resource, &limit, nil); err != nil {
		return fmt.Errorf("set a limit of process %d: %w", pid, err)
	}
	return nil
}

// openPeak opens where the peak of a process stands, or returns nil.
func openPeak(pid int) *os.File {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return nil
	}
	return f
}

// buffers are for files of /proc, of which one reading gives a whole.
var buffers = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// readPeak returns the most memory that a process has had resident, in bytes
// (VmHWM, proc_pid_status(5)); ok is false once it has ended.
func readPeak(status *os.File) (size int64, ok bool) {
	if status == nil {
		return 0, false
	}
	buf := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buf)
	// The line is in the first half. The kernel writes the file anew for each
	// call, and to read up to its end would take two.
	n, _ := status.ReadAt(buf[:peakPart], 0)
	if size, ok = kilobytes(buf[:n], "\nVmHWM:"); ok || n < peakPart {
		return size, ok
	}
	n, _ = status.ReadAt(buf[:], 0)
	return kilobytes(buf[:n], "\nVmHWM:")
}

// peakPart is how much of a status file holds its VmHWM, unless the process is
// in dozens of groups.
const peakPart = 640

// kilobytes returns the size in bytes that stands behind a name, given as a
// number of kB.
func kilobytes(text []byte, name string) (size int64, ok bool) {
	_, rest, found := bytes.Cut(text, []byte(name))
	if !found {
		return 0, false
	}
	line, _, _ := bytes.Cut(rest, []byte(" kB"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>10 {
		return 0, false
	}
	return n << 10, true
}

// readGroups fills in what the process groups use, which are keyed by the id of
// their first process; a process that left its group for one of its own still
// counts while it is in the session. It takes some 13 µs a process of the machine.
func readGroups(groups map[int]*group) bool {
	dir, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false
	}
	buf := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buf)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		n := readSmall("/proc/"+name+"/stat", buf[:])
		p, ok := parseStat(buf[:n])
		if !ok {
			continue
		}
		g := groups[p.group]
		if g == nil {
			g = groups[p.session]
		}
		if g != nil {
			g.resident += p.resident
			g.pids = append(g.pids, pid)
		}
	}
	return true
}

// readMembers returns what a group uses of which the first process and perhaps
// others are known. ok is false once the first has ended.
func readMembers(leader int, status *os.File, known []int) (g *group, ok bool) {
	if status == nil {
		return nil, false
	}
	buf := buffers.Get().(*[8 << 10]byte)
	defer buffers.Put(buf)
	n, _ := status.ReadAt(buf[:], 0)
	g = &group{pids: []int{leader}}
	if g.resident, ok = kilobytes(buf[:n], "\nVmRSS:"); !ok {
		return nil, false
	}
	for _, pid := range known {
		if pid == leader {
			continue
		}
		n := readSmall("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
		// The id may be somebody else's by now.
		if p, ok := parseStat(buf[:n]); ok && (p.group == leader || p.session == leader) {
			g.resident += p.resident
			g.pids = append(g.pids, pid)
		}
	}
	return g, true
}

// readSmall reads a file of /proc. A process that has ended has none.
func readSmall(path string, buf []byte) int {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, buf)
	if err != nil {
		return 0
	}
	return n
}

// processNumbers is what counts of /proc/PID/stat.
type processNumbers struct {
	group, session int
	resident       int64 // in bytes
}

// The places of fields in proc_pid_stat(5), counted from the state, which is
// behind the name: that may contain anything.
const (
	statGroup    = 2
	statSession  = 3
	statResident = 21
)

var pageSize = int64(os.Getpagesize())

func parseStat(text []byte) (p processNumbers, ok bool) {
	i := bytes.LastIndexByte(text, ')')
	if i < 0 {
		return p, false
	}
	for i, field := range bytes.Fields(text[i+1:]) {
		switch i {
		case statGroup, statSession, statResident:
		default:
			continue
		}
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return p, false
		}
		switch i {
		case statGroup:
			p.group = int(n)
		case statSession:
			p.session = int(n)
		case statResident:
			p.resident = n * pageSize
			return p, n >= 0 && n <= math.MaxInt64/pageSize
		}
	}
	return p, false
}

// ownMemory returns the memory of processes that cannot be had back from them:
// pages that are no copies of files, each shared one once. ok is false where the
// kernel does not tell.
func ownMemory(pids []int) (size int64, ok bool) {
	for _, pid := range pids {
		buf := buffers.Get().(*[8 << 10]byte)
		n := readSmall("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", buf[:])
		anonymous, ok1 := kilobytes(buf[:n], "\nPss_Anon:")
		shared, ok2 := kilobytes(buf[:n], "\nPss_Shmem:")
		buffers.Put(buf)
		switch {
		case ok1 && ok2:
			size += anonymous + shared
		case n > 0: // an older kernel; one that has ended has nothing to read
			return 0, false
		}
	}
	return size, len(pids) > 0
}
