package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/function/runtimes"
)

// bridge is the Runtime API client of a function in Go that has none of its
// own: it takes events from the pool as a connection to the Runtime API does,
// and calls the function by Go's RPC. A function of the runtime go1.x may turn
// out to have a client; then the bridge has nothing to do.
type bridge struct {
	sandbox *sandbox
	port    int
	// events holds the one event that the sandbox has, on its way to run.
	events chan *invocation
	ended  chan struct{} // closed when the process has ended
	done   chan struct{} // closed when run has returned

	mu  sync.Mutex
	rpc *runtimes.RPC // nil until the function has answered a ping
}

// newBridge finds a port for the function to listen on.
func newBridge(s *sandbox) (*bridge, error) {
	port, err := s.host.ports.take()
	if err != nil {
		return nil, err
	}
	return &bridge{sandbox: s, port: port, events: make(chan *invocation, 1),
		ended: make(chan struct{}), done: make(chan struct{})}, nil
}

// run lives as long as the process does.
func (b *bridge) run() {
	defer close(b.done)
	rpc := b.connect()
	if rpc == nil {
		return
	}
	defer rpc.Close()
	for b.ask() {
		select {
		case inv := <-b.events:
			if !b.invoke(rpc, inv) {
				return
			}
		case <-b.ended:
			return
		}
	}
}

// pingPause is the pause between two attempts to reach the function. Most
// functions listen after a few milliseconds.
const pingPause = 2 * time.Millisecond

// connect pings until the function answers. It returns nil when the process has
// ended, or when it has asked the Runtime API. The pool bounds the time.
func (b *bridge) connect() *runtimes.RPC {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))
	for {
		if rpc, err := runtimes.DialRPC(address); err == nil {
			if !b.keep(rpc) {
				rpc.Close()
				return nil
			}
			return rpc
		}
		select {
		case <-b.ended:
			return nil
		case <-time.After(pingPause):
		}
		if b.sandbox.function.pool.hasAsked(b.sandbox) {
			return nil
		}
	}
}

// keep makes the connection known to close, unless that was called already.
func (b *bridge) keep(rpc *runtimes.RPC) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.ended:
		return false
	default:
		b.rpc = rpc
		return true
	}
}

// ask asks for an event, which comes by deliver, and reports whether one may.
func (b *bridge) ask() bool {
	b.sandbox.attribute("")
	inv, ok := b.sandbox.function.pool.ready(b.sandbox, b)
	if inv != nil {
		b.deliver(inv)
	}
	return ok
}

// deliver hands an event to run.
func (b *bridge) deliver(inv *invocation) {
	defer b.sandbox.deliveries.Done()
	b.sandbox.attribute(inv.id)
	b.events <- inv
}

// invoke calls the function with an event, publishes what comes of it, and
// reports whether the process can have another one.
func (b *bridge) invoke(rpc *runtimes.RPC, inv *invocation) bool {
	f := b.sandbox.function
	response, err := rpc.Invoke(requestOf(f, inv))
	if err != nil && !errors.Is(err, runtimes.ErrReplyTooLarge) {
		// The process has ended, which is told by that, or it is of no use.
		b.sandbox.stop()
		return false
	}
	answered := f.pool.answer(b.sandbox, []byte(inv.id))
	if answered == nil { // too late
		return false
	}
	switch {
	case err != nil || len(response.Payload) > maxResponse:
		why := responseTooLarge()
		f.finish(b.sandbox, answered, nil, &why)
	case response.Error != nil:
		why := rpcFailure(response.Error)
		b.end(response.Error.ShouldExit)
		f.finish(b.sandbox, answered, nil, &why)
		return !response.Error.ShouldExit
	default:
		f.finish(b.sandbox, answered, response.Payload, nil)
	}
	b.end(err != nil)
	return err == nil
}

// end ends the process of a function that must not go on.
func (b *bridge) end(must bool) {
	if must {
		b.sandbox.function.pool.retire(b.sandbox)
		b.sandbox.stop()
	}
}

func requestOf(f *function, inv *invocation) *runtimes.InvokeRequest {
	return &runtimes.InvokeRequest{
		Payload:            inv.event,
		RequestId:          inv.id,
		XAmznTraceId:       string(appendTraceID(nil, inv.begun)),
		Deadline:           runtimes.Timestamp{Seconds: inv.deadline.Unix(), Nanos: int64(inv.deadline.Nanosecond())},
		InvokedFunctionArn: f.arn,
	}
}

// rpcFailure is the error of a function, with its stack trace as the payload.
func rpcFailure(e *runtimes.InvokeError) failure {
	// Texts and numbers always marshal.
	payload, _ := json.Marshal(e)
	why := posted("", payload)
	return why
}

// close ends the bridge of a process that has ended. An answer that the process
// has sent still counts: its end is the end of the connection.
func (b *bridge) close() {
	b.mu.Lock()
	close(b.ended)
	rpc := b.rpc
	b.mu.Unlock()
	if rpc != nil {
		// Only another process that got hold of the connection keeps it open.
		defer time.AfterFunc(connGrace, rpc.Close).Stop()
	}
	<-b.done
	b.sandbox.host.ports.giveBack(b.port)
}

// ports are the ports of this host's functions that serve RPC. The system may
// give one out again before the function has it; no two functions of one host
// must have the same.
type ports struct {
	mu    sync.Mutex
	taken map[int]struct{}
}

// take finds a free port.
func (p *ports) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 100 {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a port for the function: %w", err)
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		if _, taken := p.taken[port]; taken {
			continue
		}
		if p.taken == nil {
			p.taken = make(map[int]struct{})
		}
		p.taken[port] = struct{}{}
		return port, nil
	}
	return 0, errors.New("find a port for the function: the system gives out none but taken ones")
}

func (p *ports) giveBack(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}
