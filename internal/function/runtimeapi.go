package function

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/nonblock"
)

const (
	// maxPayload is the largest event, and maxResponse the largest response, in
	// bytes ("Lambda quotas": 6 MB each; the extra 100 bytes are in Lambda's
	// own message).
	maxPayload  = 6 << 20
	maxResponse = maxPayload + 100
	// maxConns bounds a sandbox's connections to its Runtime API, beside one
	// for each event that it may have more than one. Clients use one or two;
	// past the bound a new one is closed at once.
	maxConns = 32
	// connGrace is how long connections may stay open once the process is dead.
	// Those of a dead process end by themselves: only another process that got
	// hold of one can keep it open.
	connGrace = 100 * time.Millisecond
)

var tooLargeMessage = fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", maxResponse)

// runtimeAPI is the Runtime API (version 2018-06-01) of one sandbox: an HTTP
// server on a loopback port of its own, so that whoever asks is known. AWS's
// protocol has no authentication; the port number is told to nobody else.
//
// An answer is one write. An event is written by whoever has it, straight onto
// the connection on which the sandbox asked for it.
type runtimeAPI struct {
	sandbox  *sandbox
	listener *net.TCPListener
	// eventHead is the part of an event's head that never changes.
	eventHead []byte
	tasks     sync.WaitGroup

	mu         sync.Mutex
	conns      map[*apiConn]struct{}
	extensions extensions
	closed     bool
}

// newRuntimeAPI opens the port. Nobody is answered before begin.
func newRuntimeAPI(s *sandbox) (*runtimeAPI, error) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("open a port for the Runtime API: %w", err)
	}
	a := &runtimeAPI{
		sandbox:  s,
		listener: listener,
		eventHead: []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" +
			"Lambda-Runtime-Invoked-Function-Arn: " + s.function.arn + "\r\nLambda-Runtime-Aws-Request-Id: "),
		conns: make(map[*apiConn]struct{}),
	}
	return a, nil
}

// begin answers the process, once all is known of it. What it asked before that
// waits in the kernel.
func (a *runtimeAPI) begin() { a.tasks.Go(a.accept) }

// address is the value of AWS_LAMBDA_RUNTIME_API.
func (a *runtimeAPI) address() string { return a.listener.Addr().String() }

func (a *runtimeAPI) accept() {
	for {
		tcp, err := a.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors are left, for the moment
			time.Sleep(10 * time.Millisecond)
			continue
		}
		nc, err := nonblock.NewConn(tcp)
		if err != nil { // never: package net has made it
			tcp.Close()
			continue
		}
		c := &apiConn{api: a, net: nc, in: newRequestReader(nc)}
		if !a.add(c) {
			nc.Close()
		}
	}
}

func (a *runtimeAPI) add(c *apiConn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || len(a.conns) >= maxConns+a.sandbox.function.pool.limits.seats-1 {
		return false
	}
	a.conns[c] = struct{}{}
	a.tasks.Go(func() {
		c.serve()
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.conns, c)
	})
	return true
}

// close ends the server of a process that is dead, after reading what the
// process has sent, and waits for every connection.
func (a *runtimeAPI) close() {
	a.listener.Close()
	a.mu.Lock()
	a.closed = true
	for c := range a.conns {
		// It fails on a closed connection, which is what it is for.
		_ = c.net.SetDeadline(time.Now().Add(connGrace))
	}
	a.mu.Unlock()
	a.tasks.Wait()
}

// appendEvent appends the answer that carries an event, up to its body.
func (a *runtimeAPI) appendEvent(b []byte, inv *invocation) []byte {
	b = append(b, a.eventHead...)
	b = append(b, inv.id...)
	b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, inv.deadline.UnixMilli(), 10)
	b = append(b, "\r\nLambda-Runtime-Trace-Id: "...)
	b = appendTraceID(b, inv.begun)
	if inv.clientContext != nil {
		b = append(b, "\r\nLambda-Runtime-Client-Context: "...)
		b = append(b, inv.clientContext...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(inv.event)), 10)
	return append(b, "\r\n\r\n"...)
}
