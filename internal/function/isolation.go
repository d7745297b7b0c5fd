package function

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The bounds of a sandbox beside its time limit. Limits of the system itself
// (rlimits) are set on the process as soon as it runs: its open files, its core
// dumps, and the size of a file. RLIMIT_NPROC is left alone because it counts all
// processes of the user. Memory and the temporary folder have no such limit for
// a whole process group; a warden looks after them.
//
// None of this is a wall: a function runs as the user who runs Gatepost, and
// may do what that user may. docs/isolation.md says so.

const (
	// defaultStorage is Lambda's default EphemeralStorage in MB.
	defaultStorage = 512
	// maxOpenFiles is how many files a process of a function may have open, as on
	// Lambda ("Lambda quotas"); each event beyond the first that it may have at a
	// time adds filesPerSeat.
	maxOpenFiles = 1024
	filesPerSeat = 2
	// maxCounted bounds how many files of a temporary folder are counted. What
	// is beyond them is not seen.
	maxCounted = 20_000
)

const (
	// worthReading is how long an invocation must have taken for its peak to be
	// read at its end: then the reading costs less than a hundredth.
	worthReading = time.Millisecond
	// readAgain is how old a reading must be for any other to read it again.
	readAgain = 100 * time.Millisecond
)

// usage is what is known of a sandbox's memory, and whether it has passed a
// bound.
type usage struct {
	pid int // of its process, and so the id of its group
	// status is where the process's own peak stands; nil where there is none.
	// It belongs to the process, not to whoever gets its id later.
	status *os.File
	peak   atomic.Int64          // the most memory so far, in bytes
	spared atomic.Int64          // the peak that was looked into last, and found to be no leak
	read   atomic.Int64          // when the process's own peak was read last, in Unix nanoseconds
	group  atomic.Pointer[group] // as it was at the last look at all processes
	// ending is done once, by whoever finds the bound passed first; passed is
	// set when that is done and told.
	ending sync.Once
	passed atomic.Pointer[passed]
}

// passed is a bound that a sandbox has passed: why its process was killed.
type passed struct {
	why    failure
	memory bool
}

// note remembers a peak.
func (u *usage) note(bytes int64) {
	for {
		was := u.peak.Load()
		if bytes <= was || u.peak.CompareAndSwap(was, bytes) {
			return
		}
	}
}

// peakAfter returns the most memory that the sandbox has used so far, in bytes,
// after an invocation that took so long. It reads the process's own peak if the
// invocation was long enough for that not to count, or the last reading is old:
// a reading takes 8 µs. So the figure after a short invocation may be 100 ms
// old; and since Lambda too reports the peak of the whole sandbox, what it
// misses is in the next report.
func (u *usage) peakAfter(took time.Duration, now time.Time) int64 {
	at, last := now.UnixNano(), u.read.Load()
	if at != last && (took >= worthReading || last == 0 || at-last >= int64(readAgain)) {
		u.read.Store(at)
		if peak, ok := readPeak(u.status); ok {
			u.note(peak)
		}
	}
	return u.peak.Load()
}

// memoryMB returns the figure for a report: in MB, as on Lambda never more than
// the limit, and exactly that when the limit has ended the sandbox.
func (s *sandbox) memoryMB(took time.Duration, now time.Time) int {
	mb := int((s.usage.peakAfter(took, now) + 1<<20 - 1) >> 20)
	limit := s.function.spec.MemoryMB
	if p := s.usage.passed.Load(); p != nil && p.memory {
		return limit
	}
	if s.unlimited() {
		return mb
	}
	return min(mb, limit)
}

// unlimited reports whether the function may use more than its MemoryMB: a
// debugger's own memory counts to its function's.
func (s *sandbox) unlimited() bool {
	return s.host.config.NoMemoryLimit || s.function.debugged
}

// bound sets the limits of a process that has just started, and has it watched.
// Between its start and this there are some ten microseconds: less than any
// program needs to get to its own code. A program that raises its limit of open
// files right then, as Go's do, at worst keeps the one it had.
func (s *sandbox) bound(p *process) {
	s.usage.pid = p.cmd.Process.Pid
	files := maxOpenFiles
	if seats := s.function.pool.limits.seats; seats > 1 {
		files += filesPerSeat * seats
	}
	if err := limitProcess(s.usage.pid, uint64(files), uint64(s.function.spec.EphemeralMB)<<20); err != nil {
		s.host.log.Warn("a function runs without the limits of a process", "function", s.function.spec.Name, "error", err)
	}
	s.usage.status = openPeak(s.usage.pid)
	s.host.warden.add(s)
}

// unbound ends the watch over a process that has ended, and returns why it did:
// the bound that it had passed, or what is said otherwise.
func (s *sandbox) unbound(otherwise failure) failure {
	s.host.warden.remove(s)
	s.usage.status.Close() // nil is fine, and nobody waits for the error
	if p := s.usage.passed.Load(); p != nil {
		return p.why
	}
	return otherwise
}

// end ends a sandbox that has passed a bound. The sentence goes into its log, and
// is there when end returns, also to somebody who has found the same a moment
// later and goes on to end the invocation.
func (s *sandbox) end(p passed, sentence string) {
	s.usage.ending.Do(func() {
		s.function.pool.retire(s) // before anybody knows, so that no event comes any more
		s.logLine(s.logs.current(), []byte("gatepost: "+sentence))
		s.usage.passed.Store(&p)
		s.kill()
	})
}

// checkMemory ends the sandbox if its group uses more memory than it may.
func (s *sandbox) checkMemory(g *group) {
	s.usage.note(g.resident)
	limit := int64(s.function.spec.MemoryMB) << 20
	if s.unlimited() || g.resident <= limit {
		return
	}
	// Pages that are shared, or only a copy of a file, are in it several times or
	// need not be.
	if own, ok := ownMemory(g.pids); ok && own <= limit {
		return
	}
	s.end(passed{exited("signal: killed"), true}, fmt.Sprintf("the function used %d MB of memory, more than its MemorySize of %d MB, and was killed",
		g.resident>>20, limit>>20))
}

// outgrown ends a sandbox that uses more memory than it may when it answers:
// some programs fill theirs between two looks of the warden. It returns why that
// answer does not count, or nil.
func (s *sandbox) outgrown(took time.Duration, now time.Time) *failure {
	peak := s.usage.peakAfter(took, now)
	if s.host.config.NoMemoryLimit || peak <= int64(s.function.spec.MemoryMB)<<20 || peak <= s.usage.spared.Load() {
		return nil
	}
	s.usage.spared.Store(peak)
	s.checkMemory(&group{resident: peak, pids: []int{s.usage.pid}})
	if p := s.usage.passed.Load(); p != nil {
		return &p.why
	}
	return nil
}

// typeStorage is Gatepost's own: on Lambda a write fails when the folder is full.
const typeStorage = "Gatepost.StorageFull"

// checkFolder ends the sandbox if its temporary folder holds more than it may.
func (s *sandbox) checkFolder() {
	limit := int64(s.function.spec.EphemeralMB) << 20
	size := folderSize(s.dir)
	if size <= limit {
		return
	}
	sentence := fmt.Sprintf("the function's temporary folder holds %d MB, more than its EphemeralStorage of %d MB; its sandbox was ended",
		size>>20, limit>>20)
	s.end(passed{failure{typ: typeStorage, text: sentence}, false}, sentence)
}

// folderSize returns how many bytes of disk the files of a folder take. What
// goes away meanwhile does not count.
func folderSize(dir string) (size int64) {
	counted := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if counted++; counted > maxCounted {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size += diskSize(info)
		}
		return nil
	})
	return size
}

func diskSize(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}
