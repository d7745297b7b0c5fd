package function

import (
	"bytes"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gatepost-dev/gatepost/internal/nonblock"
)

const (
	// maxLine is the longest log line in bytes; a longer one is split.
	maxLine = 64 << 10
	// pipeCapacity is what a pipe holds by default on Linux. All that a process
	// wrote before a certain moment is among the next pipeCapacity bytes.
	pipeCapacity = 64 << 10
	// logGrace is how long the pipe may stay open once the process group is
	// dead. Only a process that left the group can hold it.
	logGrace = 100 * time.Millisecond
)

// logs reads what one sandbox writes to standard output and standard error,
// which share one pipe, and gives it out line by line. Emit must not block: the
// reader keeps the pipe empty, so a flood of lines never stops the function.
//
// A goroutine reads whenever there is something. Whoever ends an invocation
// reads as well, in drain: so every line that was written before an answer
// carries that answer's request id and is given out before the answer is.
type logs struct {
	pipe *os.File
	raw  syscall.RawConn
	emit func(requestID string, line []byte)
	done chan struct{}
	init sync.Once        // the lines of the init phase
	once func(fd uintptr) // readSome, made once: drain runs for every event

	mu        sync.Mutex
	requestID string
	partial   []byte // a line without its end, at most maxLine
	cut       bool   // the line went out so far because it was too long
	scratch   []byte // made with the first output: most functions write none
}

// newLogs starts reading and returns the end of the pipe that the process
// writes to. The caller closes it once the process has it.
func newLogs(emit func(requestID string, line []byte)) (*logs, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	raw, err := r.SyscallConn()
	if err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	l := &logs{pipe: r, raw: raw, emit: emit, done: make(chan struct{})}
	l.once = func(fd uintptr) { l.readSome(fd) }
	go l.read()
	return l, w, nil
}

// read gives out lines until the pipe ends.
func (l *logs) read() {
	defer close(l.done)
	// The callback runs again whenever the pipe has become readable. It must
	// not return before the pipe is empty, or it is not called for the rest.
	// The error says that close gave up waiting.
	_ = l.raw.Read(func(fd uintptr) bool {
		for {
			if left := l.readSome(fd); left != more {
				return left == ended
			}
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

// What is left in a pipe after a read.
type left int

const (
	more  left = iota
	empty      // for now
	ended      // nobody has the other end open
)

// readSome gives out what is there, at most about pipeCapacity bytes.
func (l *logs) readSome(fd uintptr) left {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scratch == nil {
		l.scratch = make([]byte, 16<<10)
	}
	for got := 0; got < pipeCapacity; {
		n, err := nonblock.Read(fd, l.scratch)
		switch {
		case err == syscall.EAGAIN:
			return empty
		case err != nil || n == 0:
			return ended
		default:
			got += n
			l.splitLocked(l.scratch[:n])
		}
	}
	return more
}

// splitLocked gives out the whole lines of data and keeps the rest.
func (l *logs) splitLocked(data []byte) {
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if room := maxLine - len(l.partial); len(line) > room {
			line, rest, whole = data[:room], data[room:], false
		}
		l.partial = append(l.partial, line...)
		data = rest
		switch {
		case whole && l.cut && len(l.partial) == 0: // the end of a line given out already
		case whole || len(l.partial) == maxLine:
			l.emitLocked()
		}
		l.cut = !whole && len(l.partial) == 0
	}
}

func (l *logs) emitLocked() {
	l.emit(l.requestID, bytes.TrimSuffix(l.partial, []byte("\r")))
	l.partial = l.partial[:0]
}

func (l *logs) flushLocked() {
	if len(l.partial) > 0 {
		l.emitLocked()
	}
}

// begin names the invocation that the lines from now on belong to.
func (l *logs) begin(requestID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requestID = requestID
}

// current returns the invocation that lines belong to now; "" is none.
func (l *logs) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requestID
}

// ready gives out what the sandbox wrote before it asked for its first event:
// those lines belong to no invocation, as on Lambda. It may be called for each.
func (l *logs) ready() { l.init.Do(l.drain) }

// drain gives out everything that was written before the call.
func (l *logs) drain() {
	// The error says that the pipe is closed: then all has been given out.
	_ = l.raw.Control(l.once)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

// close waits for the last line and closes the pipe. The processes that wrote
// to it are dead, or have logGrace left to be heard.
func (l *logs) close() {
	// Without a deadline the wait would be for a process that left its group.
	_ = l.pipe.SetReadDeadline(time.Now().Add(logGrace))
	<-l.done
	l.pipe.Close()
}
