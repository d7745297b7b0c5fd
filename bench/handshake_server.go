package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"
)

// greeter is a variant of a server that upgrades connections.
type greeter interface {
	listen() (address string, err error)
	// open returns the number of connections.
	open() int
}

// closer is a greeter that closes connections only when it is told to: all of
// their clients have said goodbye.
type closer interface{ closeAll() error }

// greet answers the parent's requests to a greeter.
func greet(g greeter) (handler, error) {
	address, err := g.listen()
	if err != nil {
		return nil, err
	}
	return profiled(func(r request) (answer, error) {
		switch r.Op {
		case "address":
			return answer{Address: address}, nil
		case "cpu":
			if open := g.open(); open != r.Connections {
				return answer{}, fmt.Errorf("%d of %d connections are open", open, r.Connections)
			}
			return answer{CPU: clock(unix.CLOCK_PROCESS_CPUTIME_ID)}, nil
		case "empty":
			return answer{}, empty(g)
		}
		return answer{}, errors.New("unknown request")
	}), nil
}

// empty waits until all connections are closed.
func empty(g greeter) error {
	if c, ok := g.(closer); ok {
		return c.closeAll()
	}
	for end := time.Now().Add(10 * time.Second); g.open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d connections are still open 10 s after the goodbye", g.open())
		}
	}
	return nil
}

func newHandshakeGate() (handler, error) { return greet(&gate{}) }

// handshakeFloor accepts, reads a head and writes a ready-made answer, one
// connection after the other.
type handshakeFloor struct {
	mu    sync.Mutex
	conns []net.Conn
}

func newHandshakeFloor() (handler, error) { return greet(&handshakeFloor{}) }

func (s *handshakeFloor) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go must("accept", func() error { return s.accept(l) })
	return l.Addr().String(), nil
}

func (s *handshakeFloor) accept(l net.Listener) error {
	head, ready := make([]byte, 1024), []byte(upgradeAnswer)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := c.Read(head); err != nil { // the whole request is one small segment
			return err
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		if _, err := c.Write(ready); err != nil {
			return err
		}
	}
}

func (s *handshakeFloor) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *handshakeFloor) closeAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame, goodbye := make([]byte, 64), []byte{0x88, 2, 0x03, 0xe8}
	for _, c := range s.conns {
		if _, err := c.Read(frame); err != nil {
			return err
		}
		if _, err := c.Write(goodbye); err != nil {
			return err
		}
		c.Close()
	}
	s.conns = s.conns[:0]
	return nil
}

// handshakeGorilla is the peer: gorilla's Upgrade over net/http.
type handshakeGorilla struct {
	upgrader websocket.Upgrader
	conns    atomic.Int64
}

func newHandshakeGorilla() (handler, error) { return greet(&handshakeGorilla{}) }

func (s *handshakeGorilla) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go must("serve", func() error { return http.Serve(l, http.HandlerFunc(s.upgrade)) })
	return l.Addr().String(), nil
}

func (s *handshakeGorilla) open() int { return int(s.conns.Load()) }

func (s *handshakeGorilla) upgrade(w http.ResponseWriter, r *http.Request) {
	s.conns.Add(1)
	defer s.conns.Add(-1)
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return // its close handler has answered the goodbye
		}
	}
}
