package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// firstRead is the size of the one read that decides what a connection is, in
// bytes. A WebSocket handshake fits.
const firstRead = 4 << 10

// maxUndecided bounds the connections that have not yet said what they are.
// Past it new ones wait in the kernel's queue.
const maxUndecided = 20_000

// tlsHandshake is the first byte of every TLS connection: the record type of
// the client hello (RFC 8446 5.1). No HTTP method begins with it.
const tlsHandshake = 0x16

// The wait after an accept error that may pass (no descriptors left), doubled
// each time.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// Port serves TLS and plain connections on one listener. TLS and Handle must be
// set.
type Port struct {
	TLS *tls.Config
	// Handle gets each connection in a goroutine of its own and owns it: it
	// must close it and see to its own end; Serve does not wait for it. first
	// holds the bytes that were already read, never none for a plain
	// connection, nil for TLS, whose handshake is done. first belongs to Handle.
	Handle func(c net.Conn, first []byte)
	// Handshake bounds the wait for the first bytes, and then the TLS handshake.
	// Zero means 10 s.
	Handshake time.Duration
	// Log gets failed accepts; nil means slog.Default(). Failed handshakes are
	// logged at debug level: every port scan makes some.
	Log *slog.Logger
}

// Serve is Port.Serve with the defaults of a Port.
func Serve(ctx context.Context, ln net.Listener, tlsConf *tls.Config, handle func(c net.Conn, first []byte)) error {
	return (&Port{TLS: tlsConf, Handle: handle}).Serve(ctx, ln)
}

// Serve accepts connections until ctx ends, which is no error. It closes ln,
// closes the connections that are still undecided and returns when each of them
// is gone or handed over.
func (p *Port) Serve(ctx context.Context, ln net.Listener) error {
	s := &serving{port: p, places: make(chan struct{}, maxUndecided), undecided: newConnSet()}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	err := s.accept(ctx, ln)
	ln.Close()
	s.undecided.close()
	s.undecided.wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serving is one call of Serve.
type serving struct {
	port      *Port
	places    chan struct{} // a token for each undecided connection
	undecided *connSet
}

func (s *serving) accept(ctx context.Context, ln net.Listener) error {
	wait := minAcceptWait
	for {
		select {
		case s.places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := ln.Accept()
		if err == nil {
			wait = minAcceptWait
			s.start(c)
			continue
		}
		<-s.places
		if !temporary(err) {
			return fmt.Errorf("accept connections: %w", err)
		}
		s.logger().Warn("cannot accept a connection", "error", err, "retryIn", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, maxAcceptWait)
	}
}

// temporary reports errors of accept(2) that may pass: no descriptors or
// memory left, or a client that left while it waited.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *serving) start(c net.Conn) {
	if !s.undecided.add(c) {
		c.Close()
		<-s.places
		return
	}
	go s.decide(c)
}

// decide finds out what a connection is and hands it over in a goroutine that
// is not waited for. That one starts with a small stack, whatever a TLS
// handshake needed.
func (s *serving) decide(c net.Conn) {
	defer s.undecided.done()
	decided, first, err := s.port.open(c)
	open := s.undecided.remove(c)
	<-s.places
	if err != nil {
		s.logger().Debug("connection did not open", "peer", c.RemoteAddr(), "error", err)
	}
	if err != nil || !open {
		c.Close()
		return
	}
	go s.port.Handle(decided, first)
}

func (s *serving) logger() *slog.Logger {
	if s.port.Log != nil {
		return s.port.Log
	}
	return slog.Default()
}

var firstBuffers = sync.Pool{New: func() any { return new([firstRead]byte) }}

// open reads the first bytes and, where they begin a TLS connection, does the
// handshake. The bytes are copied out of the pooled buffer, so that a long-lived
// connection holds no more memory than what it sent.
func (p *Port) open(c net.Conn) (net.Conn, []byte, error) {
	timeout := p.Handshake
	if timeout <= 0 {
		timeout = handshakeTimeout
	}
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, nil, err
	}
	first, err := readFirst(c)
	if err != nil {
		return nil, nil, fmt.Errorf("read first bytes: %w", err)
	}
	if first[0] != tlsHandshake {
		return c, first, c.SetReadDeadline(time.Time{})
	}
	secure, err := handshake(c, first, p.TLS, timeout)
	return secure, nil, err
}

// readFirstBuffered is readFirst for what is no socket of the system's.
func readFirstBuffered(c net.Conn) ([]byte, error) {
	buffer := firstBuffers.Get().(*[firstRead]byte)
	defer firstBuffers.Put(buffer)
	n, err := io.ReadAtLeast(c, buffer[:], 1)
	return append([]byte(nil), buffer[:n]...), err
}

// handshake is the server's side of TLS on a connection of which some bytes
// were read already.
func handshake(c net.Conn, first []byte, conf *tls.Config, timeout time.Duration) (*tls.Conn, error) {
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	secure := tls.Server(replay(c, first), conf)
	if err := secure.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secure, c.SetDeadline(time.Time{})
}

// replay returns a connection that reads first and then c.
func replay(c net.Conn, first []byte) net.Conn {
	if len(first) == 0 {
		return c
	}
	return &replayConn{Conn: c, first: first}
}

type replayConn struct {
	net.Conn
	first []byte // nil when read
}

// Read reads what is left of the first bytes alone, then the connection.
func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}

// CloseWrite ends our direction of the connection, where that is possible.
func (c *replayConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
