package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// server is the other side, in memory, so that time can be faked. Each
// handshake waits until the test accepts or refuses it.
type server struct {
	t        *testing.T
	listener *pipes
	arrived  chan *arrival
}

// arrival is a handshake that waits for its answer.
type arrival struct {
	request *http.Request
	answer  chan int
	opened  chan *peer
}

// peer is a connection that was accepted.
type peer struct {
	t        *testing.T
	ws       *websocket.Conn
	received chan string
	ended    chan error
}

func newServer(t *testing.T) *server {
	s := &server{t: t, listener: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, arrived: make(chan *arrival, 16)}
	h := &http.Server{Handler: http.HandlerFunc(s.serve)}
	go h.Serve(s.listener)
	t.Cleanup(func() { h.Close() })
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	a := &arrival{request: r, answer: make(chan int, 1), opened: make(chan *peer, 1)}
	s.arrived <- a
	select {
	case status := <-a.answer:
		if status != http.StatusSwitchingProtocols {
			w.WriteHeader(status)
			return
		}
	case <-r.Context().Done():
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.t.Errorf("accept: %v", err)
		return
	}
	ws.SetReadLimit(1 << 20)
	p := &peer{t: s.t, ws: ws, received: make(chan string, 256), ended: make(chan error, 1)}
	a.opened <- p
	for {
		_, data, err := ws.Read(context.Background())
		if err != nil {
			p.ended <- err
			return
		}
		p.received <- string(data)
	}
}

// next is the next handshake; the test hangs, and fails, when none comes.
func (s *server) next() *arrival { return <-s.arrived }

func (s *server) accept() *peer {
	a := s.next()
	a.answer <- http.StatusSwitchingProtocols
	return <-a.opened
}

func (s *server) refuse(status int) { s.next().answer <- status }

func (p *peer) post(text string) {
	if err := p.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Errorf("post: %v", err)
	}
}

// client is an HTTP client that reaches the server.
func (s *server) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return s.listener.dial(ctx) },
	}}
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, errors.New("the server has ended")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }
