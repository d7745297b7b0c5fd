package function

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/nonblock"
)

// apiConn is one connection of a sandbox's process to its Runtime API.
type apiConn struct {
	api *runtimeAPI
	net *nonblock.Conn
	in  *requestReader
	out []byte // for the answers of serve; events have buffers of their own
	// parked is true while the last question, for an event, has no answer.
	parked bool
}

// serve reads and answers requests until the connection ends.
func (c *apiConn) serve() {
	defer c.net.Close()
	err := c.serveAll()
	if err == nil || err == io.EOF {
		return
	}
	if e, ok := errors.AsType[*protocolError](err); ok {
		// The client may be gone: a failed write says nothing new.
		_ = c.answer(e.status, errorPayload(e.kind, e.message), "Connection: close")
	}
	c.linger()
}

// linger lets the client read the last answer: a connection that is closed
// before all has been read from it is reset, and the answer may be lost.
func (c *apiConn) linger() {
	_ = c.net.CloseWrite()
	_ = c.net.SetReadDeadline(time.Now().Add(connGrace))
	_, _ = io.CopyN(io.Discard, c.net, 8<<20)
}

// serveAll returns nil when both sides are done, and else why the connection
// cannot be used any more.
func (c *apiConn) serveAll() error {
	for {
		req, err := c.in.head()
		if c.parked {
			c.parked = false
			// A request before the answer to the last one cannot be told apart
			// from the end of a client that gave up: both end the connection.
			if c.pool().leave(c.api.sandbox, c) {
				return nil
			}
		}
		if err == nil {
			err = c.handle(req)
		}
		if err != nil || req.close && !c.parked {
			return err
		}
	}
}

func (c *apiConn) pool() *pool { return c.api.sandbox.function.pool }

// The paths of the Runtime API and of that part of the Extensions API with
// which aws-lambda-go asks for SIGTERM.
const (
	pathNext      = "/2018-06-01/runtime/invocation/next"
	pathInitError = "/2018-06-01/runtime/init/error"
	pathPrefix    = "/2018-06-01/runtime/invocation/"
	pathRegister  = "/2020-01-01/extension/register"
	pathEvent     = "/2020-01-01/extension/event/next"
)

// handle reads the request's body and answers it. An error ends the connection.
func (c *apiConn) handle(req *request) error {
	if req.expects && (req.chunked || req.length > 0) {
		if _, err := c.net.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return err
		}
	}
	body, err := c.in.body(maxResponse)
	tooLarge := err == errTooLarge || err == errEndless
	if err != nil && !tooLarge {
		return err
	}
	if answerErr := c.dispatch(req, body, tooLarge); answerErr != nil || err != errEndless {
		return answerErr
	}
	return errEndless
}

// dispatch answers a request whose body has been read.
func (c *apiConn) dispatch(req *request, body []byte, tooLarge bool) error {
	method, route, id := matchRoute(req.path)
	switch {
	case route == nil && tooLarge:
		return c.answer(http.StatusRequestEntityTooLarge, errorPayload("RequestEntityTooLarge", tooLargeMessage))
	case route == nil:
		return c.answer(http.StatusNotFound, errorPayload("NotFound", "the Runtime API has no such path"))
	case string(req.method) != method:
		return c.answer(http.StatusMethodNotAllowed, errorPayload("MethodNotAllowed", "this path takes "+method))
	}
	return route(c, req, id, body, tooLarge)
}

// route answers one kind of request. The id is the one in the path; tooLarge
// says that there was a body, but a larger one than is allowed.
type route func(c *apiConn, req *request, id, body []byte, tooLarge bool) error

func matchRoute(path []byte) (method string, r route, id []byte) {
	switch string(path) {
	case pathNext:
		return http.MethodGet, (*apiConn).next, nil
	case pathInitError:
		return http.MethodPost, (*apiConn).initError, nil
	case pathRegister:
		return http.MethodPost, (*apiConn).register, nil
	case pathEvent:
		return http.MethodGet, (*apiConn).extensionEvent, nil
	}
	rest, ok := bytes.CutPrefix(path, []byte(pathPrefix))
	id, action, _ := bytes.Cut(rest, []byte("/"))
	switch {
	case !ok:
		return "", nil, nil
	case string(action) == "response":
		return http.MethodPost, (*apiConn).response, id
	case string(action) == "error":
		return http.MethodPost, (*apiConn).invocationError, id
	}
	return "", nil, nil
}

// next asks for an event. The answer is written by deliver, now or later.
func (c *apiConn) next(req *request, _, _ []byte, _ bool) error {
	s := c.api.sandbox
	s.logs.ready()
	s.attribute("")
	c.parked = true
	inv, ok := c.pool().ready(s, c)
	switch {
	case inv != nil:
		c.parked = false
		c.deliver(inv)
	case !ok:
		c.parked = false
		return c.forbidden(invalidTransition("Running", "Ready"))
	}
	return nil
}

// response takes the result of the running invocation.
func (c *apiConn) response(req *request, id, body []byte, tooLarge bool) error {
	inv := c.pool().answer(c.api.sandbox, id)
	switch {
	case inv == nil:
		return c.refuse(id, "InvocationResponse")
	case len(req.mode) > 0 && !is(req.mode, "streaming"):
		c.finish(inv, nil, &failure{typ: typeResponseMode, text: "Invalid function response mode"})
		return c.answer(http.StatusBadRequest, errorPayload("InvalidFunctionResponseMode", "Invalid function response mode"))
	case tooLarge:
		why := responseTooLarge()
		c.finish(inv, nil, &why)
		return c.answer(http.StatusRequestEntityTooLarge, errorPayload("RequestEntityTooLarge", tooLargeMessage))
	case len(req.errorType) > 0:
		// A streamed response that failed on its way says so in its trailers.
		// What cannot be decoded leaves the type to tell.
		text, _ := base64.StdEncoding.DecodeString(string(req.errorBody))
		why := posted(string(req.errorType), text)
		c.finish(inv, nil, &why)
	default:
		// The runtime first: while it reads the 202 and asks for its next event,
		// this goroutine tells the caller. The other way round costs a tenth more.
		// It may ask over another connection, and what it writes then belongs to no
		// invocation: so what it has written is read before.
		c.api.sandbox.logs.drain()
		err := c.accepted()
		c.end(inv, body, nil)
		return err
	}
	return c.accepted()
}

// invocationError takes the failure of the running invocation.
func (c *apiConn) invocationError(req *request, id, body []byte, _ bool) error {
	inv := c.pool().answer(c.api.sandbox, id)
	if inv == nil {
		return c.refuse(id, "InvocationErrorResponse")
	}
	why := posted(string(req.errorType), body)
	c.finish(inv, nil, &why)
	return c.accepted()
}

func (c *apiConn) finish(inv *invocation, response []byte, why *failure) {
	c.api.sandbox.logs.drain()
	c.end(inv, response, why)
}

// end is finish once all that the function has written is given out.
func (c *apiConn) end(inv *invocation, response []byte, why *failure) {
	c.api.sandbox.function.end(c.api.sandbox, inv, response, why)
	if len(response) > smallResponse {
		inv.tellApart()
	} else {
		inv.tell()
	}
}

// initError takes the reason why the runtime gives up before its first event.
// The process is expected to exit; its time limit is the one of its init.
func (c *apiConn) initError(req *request, _, body []byte, _ bool) error {
	if !c.pool().initFailed(c.api.sandbox, posted(string(req.errorType), body)) {
		return c.forbidden(invalidTransition("Ready", "InitError"))
	}
	err := c.accepted()
	c.api.sandbox.stop()
	return err
}

// refuse answers a result for an id that the sandbox does not work on: it has
// answered it already, or never had it.
func (c *apiConn) refuse(id []byte, state string) error {
	if c.pool().hasAnswered(c.api.sandbox, id) {
		return c.forbidden(invalidTransition("RuntimeResponseSentState", state))
	}
	return c.answer(http.StatusBadRequest, errorPayload("InvalidRequestID", "Invalid request ID"))
}

// invalidTransition is how Lambda refuses what does not come at its time.
func invalidTransition(from, to string) (kind, message string) {
	return "InvalidStateTransition", fmt.Sprintf("State transition from %s to %s failed for runtime. Error: State transition is not allowed", from, to)
}

var acceptedAnswer = []byte("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n")

func (c *apiConn) accepted() error {
	_, err := c.net.Write(acceptedAnswer)
	return err
}

// answer writes an answer in one piece.
func (c *apiConn) answer(status int, body []byte, headers ...string) error {
	c.out = fmt.Appendf(c.out[:0], "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		status, http.StatusText(status), len(body))
	for _, h := range headers {
		c.out = append(append(c.out, h...), "\r\n"...)
	}
	c.out = append(append(c.out, "\r\n"...), body...)
	_, err := c.net.Write(c.out)
	return err
}

// eventBuffers hold heads and small events on their way out.
var eventBuffers = sync.Pool{New: func() any { return new([]byte) }}

// smallEvent is the largest event in bytes that is copied behind its head and
// written by the goroutine that invokes: it always fits into the socket's
// buffer, so the write does not wait for the function to read.
const smallEvent = 16 << 10

// smallResponse is the largest response in bytes with which the goroutine that
// has read it goes on; with others its sandbox does not wait.
const smallResponse = 64 << 10

// deliver writes an event to the sandbox. When the write fails the process is
// dead or not in its senses; the end of the process or the time limit tells.
func (c *apiConn) deliver(inv *invocation) {
	s := c.api.sandbox
	s.attribute(inv.id)
	if len(inv.event) > smallEvent {
		go func() {
			defer s.deliveries.Done()
			head := net.Buffers{c.api.appendEvent(nil, inv), inv.event}
			_, _ = head.WriteTo(c.net.TCPConn)
		}()
		return
	}
	defer s.deliveries.Done()
	buf := eventBuffers.Get().(*[]byte)
	*buf = append(c.api.appendEvent((*buf)[:0], inv), inv.event...)
	_, _ = c.net.Write(*buf)
	eventBuffers.Put(buf)
}
