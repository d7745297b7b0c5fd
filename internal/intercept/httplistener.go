package intercept

import (
	"net"
	"sync"
)

// HTTPListener is a net.Listener that is fed by hand, so that an http.Server
// can serve connections that turned out to be its own. All methods may be
// called together.
type HTTPListener struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

// NewHTTPListener returns a listener that tells addr as its address.
func NewHTTPListener(addr net.Addr) *HTTPListener {
	l := &HTTPListener{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

// Hand gives a connection to Accept and waits until it is taken. The server
// reads first, which belongs to it from then on, before the connection. After
// Close the error is net.ErrClosed, and the connection stays the caller's.
func (l *HTTPListener) Hand(c net.Conn, first []byte) error {
	select {
	case <-l.closed:
		return net.ErrClosed
	default:
	}
	select {
	case l.conns <- replay(c, first):
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

// Accept waits for the next connection. After Close its error is net.ErrClosed.
func (l *HTTPListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close wakes Accept and Hand. It may be called twice.
func (l *HTTPListener) Close() error {
	l.close()
	return nil
}

// Addr is the address that NewHTTPListener was given.
func (l *HTTPListener) Addr() net.Addr { return l.addr }
