package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"
)

// postServer is a variant of a server that takes posts for connections.
type postServer interface {
	listen() (address string, err error)
	// posting tells how to reach the connections.
	posting() (*posting, error)
}

// takePosts answers the parent's requests to a postServer.
func takePosts(s postServer) (handler, error) {
	address, err := s.listen()
	if err != nil {
		return nil, err
	}
	return profiled(func(r request) (answer, error) {
		switch r.Op {
		case "address":
			return answer{Address: address}, nil
		case "posting":
			p, err := s.posting()
			if err == nil && len(p.IDs) != r.Connections {
				err = fmt.Errorf("%d of %d connections are open", len(p.IDs), r.Connections)
			}
			return answer{Posting: p}, err
		case "cpu":
			if m, ok := s.(meter); ok {
				return answer{CPU: m.cpu()}, nil
			}
			return answer{CPU: clock(unix.CLOCK_PROCESS_CPUTIME_ID)}, nil
		}
		return answer{}, errors.New("unknown request")
	}), nil
}

func newPostGate() (handler, error) { return takePosts(&gate{}) }

func (g *gate) posting() (*posting, error) {
	ids, err := g.ids()
	return &posting{IDs: ids, Credentials: g.credentials}, err
}

// postHTTP is the peer: what one writes with net/http and gorilla in an hour,
// without signatures, limits, ids or counters.
type postHTTP struct {
	upgrader websocket.Upgrader

	mu    sync.Mutex
	conns map[string]*receiver
}

// receiver is a connection with the mutex that gorilla leaves to its users.
type receiver struct {
	mu   sync.Mutex
	conn *websocket.Conn
}

func newPostHTTP() (handler, error) { return takePosts(&postHTTP{conns: make(map[string]*receiver)}) }

func (s *postHTTP) listen() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /main", s.upgrade)
	mux.HandleFunc("POST /main/@connections/{id}", s.post)
	go must("serve", func() error { return http.Serve(l, mux) })
	return l.Addr().String(), nil
}

func (s *postHTTP) upgrade(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock() // until it is found, as the client may post at once
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err == nil {
		s.conns[r.UserAgent()] = &receiver{conn: c}
	}
	s.mu.Unlock()
	for err == nil {
		_, _, err = c.ReadMessage()
	}
}

func (s *postHTTP) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	to := s.conns[path.Base(r.URL.Path)]
	s.mu.Unlock()
	if err != nil || to == nil {
		http.Error(w, "gone", http.StatusGone)
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if err := to.conn.WriteMessage(websocket.TextMessage, body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *postHTTP) posting() (*posting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &posting{IDs: numbers(len(s.conns))}, nil
}

// numbers are ids of a server that takes the clients' own.
func numbers(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	return ids
}
