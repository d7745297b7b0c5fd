// Package nonblock reads and writes descriptors that never block without telling
// Go's scheduler.
//
// Go announces each system call to its scheduler, in case it blocks, and the
// first one after a pause wakes the thread that looks after blocked calls. It
// then looks every 20 µs for a while. A socket in the runtime's poller never
// blocks, so that is for nothing, and where a message is three short calls with
// a pause before each it is a good part of what the message costs. What is long
// by itself (large) is announced as ever.
package nonblock

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// large is how many bytes the kernel copies at most in a call that the scheduler
// is not told of: some 10 µs.
const large = 64 << 10

// Read reads what a descriptor has, at most len(b) bytes, which must not be none:
// read(2), again when a signal has interrupted it. The error is syscall.EAGAIN
// when there is nothing for now; no bytes and no error are the end. The
// descriptor must have O_NONBLOCK, as all of package net have.
func Read(fd uintptr, b []byte) (int, error) { return retry(read, fd, b) }

// Write writes what a descriptor takes: write(2), again when a signal has
// interrupted it. The error is syscall.EAGAIN when it takes nothing for now. The
// descriptor must have O_NONBLOCK.
func Write(fd uintptr, b []byte) (int, error) { return retry(write, fd, b) }

func retry(call func(fd uintptr, b []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		n, err := call(fd, b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func readAnnounced(fd uintptr, b []byte) (int, error)  { return syscall.Read(int(fd), b) }
func writeAnnounced(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }

// Conn is a TCP connection whose Read and Write do as this package does; all else
// is the TCPConn's own, ReadFrom and WriteTo with which io.Copy goes past them
// included. Read is for one goroutine at a time, all else for several. It must be
// made by NewConn.
type Conn struct {
	*net.TCPConn
	raw     syscall.RawConn
	reading attempt

	mu      sync.Mutex
	writing attempt
}

// attempt is one Read or Write; do is bound once, so that none allocates.
type attempt struct {
	do   func(fd uintptr) (settled bool)
	b    []byte
	done int
	err  error
}

// NewConn returns the connection as a Conn, which closes it. It fails for one
// that package net has not made.
func NewConn(c *net.TCPConn) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	n := &Conn{TCPConn: c, raw: raw}
	n.reading.do, n.writing.do = n.reading.read, n.writing.write
	return n, nil
}

// Read is io.Reader's. Deadlines and Close end it as they end a net.Conn's.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return c.reading.run(c.raw.Read, b)
}

// Write is io.Writer's. Deadlines and Close end it as they end a net.Conn's.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing.run(c.raw.Write, b)
}

// run has do try until it is settled, within the runtime's poller.
func (a *attempt) run(within func(func(uintptr) bool) error, b []byte) (int, error) {
	a.b, a.done, a.err = b, 0, nil
	if err := within(a.do); err != nil {
		a.err = err
	}
	a.b = nil
	return a.done, a.err
}

func (a *attempt) read(fd uintptr) bool {
	n, err := Read(fd, a.b)
	switch {
	case err == syscall.EAGAIN:
		return false
	case err == nil && n == 0:
		err = io.EOF
	}
	a.done, a.err = max(n, 0), err
	return true
}

func (a *attempt) write(fd uintptr) bool {
	for a.done < len(a.b) {
		n, err := Write(fd, a.b[a.done:])
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			a.err = err
			return true
		}
		a.done += n
	}
	return true
}
