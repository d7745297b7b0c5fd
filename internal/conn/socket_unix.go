//go:build unix

package conn

import (
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/gatepost-dev/gatepost/internal/nonblock"
)

// socket reads and writes a descriptor within the runtime's poller. Reads are
// the reader's alone; writes belong to whoever has the writer's role. The zero
// value stands for a connection that is no plain socket.
type socket struct {
	raw     syscall.RawConn
	tryRead func(fd uintptr) bool // read, bound once
	got     []byte
	err     error
}

// init makes s the ways past net.Conn that a plain socket allows, and returns
// false for everything else. The type must be exactly the socket's: a wrapper
// may hold bytes back that the descriptor does not have.
func (s *socket) init(nc net.Conn) bool {
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	s.raw, s.tryRead = raw, s.read
	return true
}

// plain tells whether there is a plain socket.
func (s *socket) plain() bool { return s.raw != nil }

// first is a source's: the descriptor is tried with a borrowed buffer, which
// goes back before the reader parks.
func (s *socket) first() ([]byte, error) {
	if err := s.raw.Read(s.tryRead); err != nil {
		return nil, err
	}
	got, err := s.got, s.err
	s.got, s.err = nil, nil
	return got, err
}

// read tries the descriptor once and returns whether that settled it. It has to
// try before the first wait, too: the poller reports only what arrives after
// the last attempt.
func (s *socket) read(fd uintptr) bool {
	b := borrowRead()
	n, err := nonblock.Read(fd, b)
	switch {
	case n > 0:
		s.got = b[:n]
		return true
	case err == syscall.EAGAIN:
		returnRead(b)
		return false
	case err == nil:
		err = io.EOF
	}
	s.err = err
	returnRead(b)
	return true
}

// attempt is one try to write what a connection has pending.
type attempt struct {
	c *Conn
	// wait: hold out until the descriptor takes something.
	wait bool
	do   func(fd uintptr) bool // write, bound once
	n    int
	full bool
	err  error
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.do = a.write
	return a
}}

// write offers the connection's pending bytes to the descriptor once. Full
// means that it took less than was offered, so that another try would be in
// vain. With wait it does not return before something was taken, the write
// deadline has passed, or the descriptor was closed; no buffer is held
// meanwhile.
func (s *socket) write(c *Conn, wait bool) (n int, full bool, err error) {
	a := attempts.Get().(*attempt)
	a.c, a.wait, a.n, a.full, a.err = c, wait, 0, false, nil
	err = s.raw.Write(a.do)
	n, full = a.n, a.full
	if err == nil {
		err = a.err
	}
	a.c = nil
	attempts.Put(a)
	return n, full, err
}

func (a *attempt) write(fd uintptr) bool {
	b, scratch := a.c.pending(gatherSize)
	n, err := nonblock.Write(fd, b)
	if scratch != nil {
		gatherBuffers.Put(scratch)
	}
	if err == syscall.EAGAIN {
		a.full = true
		return !a.wait
	}
	a.n, a.err = max(n, 0), err
	a.full = a.n < len(b)
	return true
}
