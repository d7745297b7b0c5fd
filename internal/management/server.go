package management

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// The times and sizes that a client of a Server is held to.
const (
	// idleLimit is how long a connection may wait for its next request, at
	// least; at most twice that.
	idleLimit = 2 * time.Minute
	// requestLimit is how long a request may take to come in whole.
	requestLimit = 30 * time.Second
	// answerLimit is how long one answer may take to leave, at least; at most
	// twice that.
	answerLimit = 15 * time.Second
)

// Server serves HTTP/1.1 to a handler of small requests and small answers. It
// exists for speed: an answer is one write, and nothing runs beside the
// connection's own goroutine, which makes a post to a client a quarter cheaper
// than with http.Server. Requests are read by net/http's own reader; an answer
// is kept whole until the handler has returned, so it can be no stream.
//
// Handler must be set; nothing changes while it serves. Hand and Close may be
// called together.
type Server struct {
	Handler http.Handler
	// Limits gives MaxHead and MaxMessage; zero there means
	// apigw.DefaultLimits'.
	Limits apigw.Limits
	// Log gets panics of the handler; nil means slog.Default().
	Log *slog.Logger

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
	work   sync.WaitGroup
}

// Hand gives the server a connection and the bytes that were read from it
// already, which it copies. After Close the error is http.ErrServerClosed, and
// the connection stays the caller's.
func (s *Server) Hand(c net.Conn, read []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return http.ErrServerClosed
	}
	if s.conns == nil {
		s.conns = make(map[net.Conn]struct{})
	}
	s.conns[c] = struct{}{}
	x := newExchange(s, c, bytes.Clone(read))
	s.work.Go(func() {
		defer s.forget(c)
		for x.next() {
		}
	})
	return nil
}

func (s *Server) forget(c net.Conn) {
	CloseGently(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Close closes all connections and waits until their handlers have returned.
// It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

func (s *Server) limits() apigw.Limits {
	l := apigw.DefaultLimits()
	if s.Limits.MaxHead > 0 {
		l.MaxHead = s.Limits.MaxHead
	}
	if s.Limits.MaxMessage > 0 {
		l.MaxMessage = s.Limits.MaxMessage
	}
	return l
}

// exchange reads the requests of one connection and writes their answers. It
// is the handler's http.ResponseWriter.
type exchange struct {
	server *Server
	limits apigw.Limits
	conn   net.Conn
	remote string
	source source
	in     reader
	// readBy and writeBy are the deadlines that the connection has.
	readBy, writeBy time.Time

	header http.Header
	status int
	body   bytes.Buffer
	out    []byte
}

func newExchange(s *Server, c net.Conn, read []byte) *exchange {
	x := &exchange{server: s, limits: s.limits(), conn: c, remote: c.RemoteAddr().String(), header: make(http.Header)}
	x.source = source{read: read, conn: c}
	x.in.Reset(&x.source)
	return x
}

// next deals with one request and reports whether another may follow.
func (x *exchange) next() (more bool) {
	if !x.await() {
		return false
	}
	x.source.left = x.limits.MaxHead - x.in.Buffered()
	r, err := http.ReadRequest(&x.in.Reader)
	if err != nil {
		x.refuse(err)
		return false
	}
	if r.Host == "" || r.ProtoMajor != 1 {
		x.answerError(http.StatusBadRequest)
		return false
	}
	x.source.left = x.limits.MaxMessage + maxDrain
	r.RemoteAddr = x.remote
	if r.ContentLength != 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		r.Body = &awaitedBody{ReadCloser: r.Body, x: x}
	}
	if !x.handle(r) {
		return false
	}
	last := r.Close || !r.ProtoAtLeast(1, 1) || !drained(r.Body) || x.source.ended
	return x.answer(r.Method, last) && !last
}

// await waits for the first byte of a request, and gives the rest of it its
// time unless all of it has come.
func (x *exchange) await() bool {
	now := time.Now()
	if x.in.Buffered() == 0 {
		if x.readBy.Before(now.Add(idleLimit)) {
			x.readBy = now.Add(2 * idleLimit)
			x.conn.SetReadDeadline(x.readBy)
		}
		x.source.left = x.limits.MaxHead
		if _, err := x.in.Peek(1); err != nil {
			return false
		}
	}
	if !x.in.holdsRequest() {
		x.readBy = time.Now().Add(requestLimit)
		x.conn.SetReadDeadline(x.readBy)
	}
	return true
}

// refuse answers a request that could not be read.
func (x *exchange) refuse(err error) {
	switch {
	case errors.Is(err, io.EOF):
	case x.source.left <= 0:
		x.answerError(http.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.answerError(http.StatusRequestTimeout)
	default:
		x.answerError(http.StatusBadRequest)
	}
}

func (x *exchange) answerError(status int) {
	x.begin()
	x.header["Content-Type"] = jsonType
	x.status = status
	x.body.WriteString(`{"message":"` + http.StatusText(status) + `"}`)
	x.answer("", true)
}

// handle runs the handler. A panic of it ends the connection and is logged.
func (x *exchange) handle(r *http.Request) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			log := x.server.Log
			if log == nil {
				log = slog.Default()
			}
			log.Error("panic while serving a request", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	x.begin()
	x.server.Handler.ServeHTTP(x, r)
	return true
}

func (x *exchange) begin() {
	clear(x.header)
	x.status = 0
	x.body.Reset()
}

// awaitedBody is the body of a client that sends it only once it is asked to
// (RFC 9110 section 10.1.1): the handler's first Read asks. So a client whose
// request is refused for its head does not send it at all.
type awaitedBody struct {
	io.ReadCloser
	x     *exchange
	asked bool
}

func (b *awaitedBody) Read(p []byte) (int, error) {
	if !b.asked {
		b.asked = true
		b.x.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
	return b.ReadCloser.Read(p)
}

// drained reads what the handler has left of a body, within the source's
// bound, and reports whether that was all of it.
func drained(body io.ReadCloser) bool {
	if awaited, ok := body.(*awaitedBody); ok && !awaited.asked {
		return false
	}
	_, err := io.Copy(io.Discard, body)
	return err == nil
}

// Header is of http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader is of http.ResponseWriter; the first call counts.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
}

// Write is of http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	return x.body.Write(b)
}

// answer writes the answer in one piece and reports whether it has left.
func (x *exchange) answer(method string, last bool) bool {
	x.WriteHeader(http.StatusOK)
	x.out = appendHead(x.out[:0], x.status, x.header, x.body.Len(), last)
	if method != http.MethodHead && x.status != http.StatusNoContent {
		x.out = append(x.out, x.body.Bytes()...)
	}
	return x.write(x.out)
}

func (x *exchange) write(b []byte) bool {
	if now := time.Now(); x.writeBy.Before(now.Add(answerLimit)) {
		x.writeBy = now.Add(2 * answerLimit)
		x.conn.SetWriteDeadline(x.writeBy)
	}
	_, err := x.conn.Write(b)
	return err == nil
}
