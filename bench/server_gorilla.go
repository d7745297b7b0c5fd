package main

import (
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// gorillaServer is the peer: gorilla/websocket with prepared messages.
type gorillaServer struct {
	upgrader websocket.Upgrader

	mu    sync.Mutex
	conns []*websocket.Conn
}

func newGorillaServer() (handler, error) { return serve(&gorillaServer{}) }

func (s *gorillaServer) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, http.HandlerFunc(s.upgrade))
	return l.Addr().String(), nil
}

func (s *gorillaServer) upgrade(w http.ResponseWriter, r *http.Request) {
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return
		}
	}
}

func (s *gorillaServer) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *gorillaServer) push(messages, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range messages {
		m, err := websocket.NewPreparedMessage(websocket.TextMessage, payload(i, size))
		if err != nil {
			return err
		}
		for _, c := range s.conns {
			if err := c.WritePreparedMessage(m); err != nil {
				return err
			}
		}
	}
	return nil
}
