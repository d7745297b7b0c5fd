package intercept

import (
	"net"
	"sync"
)

// connSet is connections that are at work, so that they can all be ended and
// waited for.
type connSet struct {
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

func newConnSet() *connSet { return &connSet{conns: make(map[net.Conn]struct{})} }

// add takes a connection in. False means that the set is closed.
func (s *connSet) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	s.conns[c] = struct{}{}
	return true
}

// remove takes a connection out and reports whether the set is still open. Its
// work ends with the call of done.
func (s *connSet) remove(c net.Conn) (open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	return !s.closed
}

func (s *connSet) done() { s.running.Done() }

func (s *connSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// close closes every connection, which wakes its goroutine, and lets no more in.
func (s *connSet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
}

// wait returns when the work of every connection is done. Call close first.
func (s *connSet) wait() { s.running.Wait() }
