package runtimes

import (
	"errors"
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"time"
)

// The messages as aws-lambda-go 1.17 has them.
type (
	OldRequest struct {
		Payload            []byte
		RequestId          string
		XAmznTraceId       string
		Deadline           struct{ Seconds, Nanos int64 }
		InvokedFunctionArn string
		ClientContext      []byte
	}
	OldResponse struct {
		Payload []byte
		Error   *OldError
	}
	OldError struct {
		Message, Type string
		StackTrace    []*OldFrame
		ShouldExit    bool
	}
	OldFrame struct {
		Path  string
		Line  int32
		Label string
	}
)

// Function is the service of a function.
type Function struct{}

// Ping answers nothing.
func (Function) Ping(struct{}, *struct{}) error { return nil }

// Invoke echoes, fails, floods or refuses.
func (Function) Invoke(q *OldRequest, s *OldResponse) error {
	switch string(q.Payload) {
	case "fail":
		s.Error = &OldError{"m", "T", []*OldFrame{{"p", 7, "l"}}, true}
	case "flood":
		s.Payload = make([]byte, 2*maxReply)
	case "refuse":
		return errors.New("no")
	default:
		s.Payload = []byte(strings.Join([]string{string(q.Payload), q.RequestId, q.XAmznTraceId, q.InvokedFunctionArn, time.Unix(q.Deadline.Seconds, q.Deadline.Nanos).UTC().String()}, " "))
	}
	return nil
}

// listen serves connections until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}

func newFunction(t *testing.T) *RPC {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(Function{}); err != nil {
		t.Fatal(err)
	}
	r, err := DialRPC(listen(t, func(c net.Conn) { server.ServeConn(c) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestRPC(t *testing.T) {
	r := newFunction(t)
	for range 3 {
		s, err := r.Invoke(&InvokeRequest{Payload: []byte("p"), RequestId: "i", XAmznTraceId: "x", InvokedFunctionArn: "a", Deadline: Timestamp{5, 6}})
		if err != nil || s.Error != nil || string(s.Payload) != "p i x a 1970-01-01 00:00:05.000000006 +0000 UTC" {
			t.Fatalf("got %+v, %v", s, err)
		}
	}
	s, err := r.Invoke(&InvokeRequest{Payload: []byte("fail")})
	if err != nil || s.Error == nil {
		t.Fatalf("got %+v, %v", s, err)
	}
	if e := s.Error; e.Message != "m" || e.Type != "T" || !e.ShouldExit || len(e.StackTrace) != 1 || e.StackTrace[0] != (StackFrame{"p", 7, "l"}) {
		t.Errorf("got %+v", e)
	}
	if _, err := r.Invoke(&InvokeRequest{Payload: []byte("refuse")}); err == nil || !strings.Contains(err.Error(), "invoke the function: no") {
		t.Error(err)
	}
	if _, err := r.Invoke(&InvokeRequest{Payload: []byte("flood")}); !errors.Is(err, ErrReplyTooLarge) {
		t.Error(err)
	}
	if beyond := -r.budget.left.Load(); beyond > 0 {
		t.Errorf("%d bytes were read beyond the bound", beyond)
	}
	r.Close()
	if _, err := r.Invoke(&InvokeRequest{}); err == nil {
		t.Error("a closed connection works")
	}
}

// A program that is there but speaks otherwise is no function.
func TestDialRPCRefusals(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"closes":   func(c net.Conn) { c.Close() },
		"nonsense": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); io.Copy(io.Discard, c) },
		"endless": func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		},
		"silent": func(c net.Conn) { io.Copy(io.Discard, c) },
	} {
		if r, err := DialRPC(listen(t, serve)); err == nil {
			t.Errorf("%s: was taken for a function", name)
			r.Close()
		}
	}
	if _, err := DialRPC("127.0.0.1:1"); err == nil {
		t.Error("nobody was taken for a function")
	}
}

// FuzzReply holds that nothing that a process sends makes the caller panic.
func FuzzReply(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte{0x03, 0x01, 0x02, 0x03})
	f.Add([]byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, reply []byte) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() {
			go io.Copy(io.Discard, theirs)
			theirs.Write(reply)
			theirs.Close()
		}()
		r := &RPC{budget: &budget{Conn: ours}}
		r.budget.left.Store(maxReply)
		r.client = rpc.NewClient(r.budget)
		defer r.Close()
		if s, err := r.Invoke(&InvokeRequest{Payload: []byte("p")}); err == nil && s == nil {
			t.Fatal("neither a response nor an error")
		}
	})
}
