package conn

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

const (
	// flushLimit bounds how long pending messages and the close frame behind
	// them may take to leave once a connection is closing.
	flushLimit = 5 * time.Second
	// answerLimit is how long we then wait for the client's own close frame
	// (RFC 6455, section 7.1.1 has the server close the socket first, but only
	// when both have said goodbye).
	answerLimit = time.Second
)

// Handler is told what happens on a connection. One Handler usually serves many
// connections.
type Handler interface {
	// Message: a complete text message has come. data is valid only until
	// Message returns. The connection's reader calls it, one at a time; while it
	// blocks, the client is slowed down by TCP.
	Message(c *Conn, data []byte)
	// Closed: the connection has ended, has left the hub and writes nothing any
	// more. It is called exactly once, as the last thing that Serve does.
	Closed(c *Conn, why Reason)
}

// Options is what a Conn is made from. Handler and Limits are required.
type Options struct {
	ID       apigw.ConnectionID
	Identity apigw.Identity
	// ConnectedAt is when the handshake was complete; zero means now. MaxAge
	// counts from New all the same.
	ConnectedAt time.Time
	// Limits bound frames, messages, pending bytes and times. A time of zero is
	// no limit. Nor is a MaxFrame or MaxMessage of zero, but for 64 MiB, past
	// which nothing goes.
	Limits  apigw.Limits
	Handler Handler
	// Greeting, if any, is what Serve writes before all else, as it is: the
	// handshake's answer. So the connection is in the hub before the client
	// knows that it is open, and no message can overtake the answer. It must not
	// be changed any more.
	Greeting []byte
	// Compress: permessage-deflate is in the 101, as NegotiateDeflate has
	// answered. Messages of 512 bytes and more then go out compressed when that
	// makes them smaller, and the client may compress its own. MaxFrame bounds what
	// a frame has on the wire, MaxMessage what a message expands to.
	Compress bool
	// Hub is the hub that Serve enters the connection into; nil means one of its
	// own.
	Hub *Hub
}

// Conn is one WebSocket connection. All methods but Serve may be called by
// anybody, together, and after the end.
type Conn struct {
	// What fan-out touches comes first, in two cache lines: at ten thousand
	// connections, memory is what it waits for.

	mu  sync.Mutex
	out queue
	// closing is set, under mu, when the connection takes no more messages.
	closing atomic.Bool
	// writing is true while a goroutine has the writer's role, or the connection
	// is in the ready queue, where a flusher will take the role.
	writing bool
	// timed is true while the writer has a deadline set.
	timed bool
	// broken: the transport has failed, and nothing is written any more.
	broken bool
	// compress never changes.
	compress bool
	// fullSince is when a message was first refused for want of room, on the
	// hub's clock; 0 when there is room.
	fullSince int64
	// lastPing answers the newest ping when too many pongs wait already.
	lastPing *Prepared
	// quiet, if somebody waits for it, is closed when writing becomes false.
	quiet chan struct{}

	// nextReady links the hub's ready queue, whose mutex guards it.
	nextReady  *Conn
	lastActive atomic.Int64 // on the hub's clock
	limits     *apigw.Limits
	sock       socket

	// why and closeBy are guarded by mu.
	why Reason
	// closeBy is when the close frame has to have left; zero while open.
	closeBy time.Time

	id          apigw.ConnectionID
	nc          net.Conn
	handler     Handler
	hub         *Hub
	shard       *shard
	identity    apigw.Identity
	connectedAt time.Time
	born        int64 // on the hub's clock
	// place is where the connection stands in the hub's lineup, or -1; the
	// lineup's mutex guards it.
	place int

	in reader // the goroutine in Serve only
}

// New returns a connection over a socket whose handshake is complete but for
// Options.Greeting. It starts and registers nothing: Serve does.
//
// Hand over the *net.TCPConn itself where there is one: everything else, a
// *tls.Conn for example, is served over net.Conn's methods, which costs a
// goroutine whenever something is written.
func New(nc net.Conn, opts Options) *Conn {
	if opts.Hub == nil {
		opts.Hub = NewHub(opts.Limits)
	}
	c := &Conn{
		id: opts.ID, nc: nc, handler: opts.Handler, compress: opts.Compress,
		hub: opts.Hub, shard: opts.Hub.shard(opts.ID), limits: &opts.Hub.limits,
		identity: opts.Identity, connectedAt: opts.ConnectedAt,
		born: opts.Hub.now(), place: -1,
	}
	if opts.Limits != opts.Hub.limits {
		own := opts.Limits
		c.limits = &own
	}
	if c.connectedAt.IsZero() {
		c.connectedAt = time.Now()
	}
	c.lastActive.Store(c.born)
	if len(opts.Greeting) > 0 {
		c.out.push(&Prepared{wire: opts.Greeting})
		c.in.queued = true
	}
	if c.sock.init(nc) {
		c.in.src = &c.sock
	} else {
		c.in.src = &streamSource{nc: nc}
	}
	return c
}

// ID returns the connection's id.
func (c *Conn) ID() apigw.ConnectionID { return c.id }

// Info returns what GET @connections tells. LastActiveAt is when the last data
// frame came, or the last message was taken for the client; control frames do
// not count, but for pings where Limits.PingRenewsIdle is set.
func (c *Conn) Info() apigw.ConnectionInfo {
	silent := time.Duration(c.hub.now() - c.lastActive.Load())
	return apigw.ConnectionInfo{
		ID: c.id, ConnectedAt: c.connectedAt, LastActiveAt: time.Now().Add(-silent), Identity: c.identity,
	}
}

// Closing tells whether the connection is closing or has ended.
func (c *Conn) Closing() bool { return c.closing.Load() }

func (c *Conn) touch() { c.lastActive.Store(c.hub.now()) }

// Serve enters the connection into its hub and reads until it has ended; it
// returns when the writer is done, the socket closed, and Handler.Closed
// called. buffered is what arrived right behind the handshake; Serve reads it
// before the socket and does not change it. Call it once, in a goroutine with
// nothing deep below it: the stack is what an idle connection costs.
func (c *Conn) Serve(buffered []byte) {
	c.in.ahead = buffered
	c.hub.enter(c)
	defer c.hub.leave()
	c.writeQueued()
	c.conclude(c.readFrames())
	c.goodbye()
}

// conclude turns the end of reading into the connection's end.
func (c *Conn) conclude(err error) {
	switch err := err.(type) {
	case *clientClose:
		c.close(err.why)
	case *breach:
		c.dropMessage()
		c.close(err.why)
		if err.skip != nothingFollows {
			c.discard(err.skip)
		}
	default:
		c.fail(Lost)
	}
}

// goodbye is the one path by which connections end, whatever ended them.
func (c *Conn) goodbye() {
	c.release()
	why, broken := c.ending()
	if broken {
		c.shut()
	}
	c.awaitWriter()
	c.nc.Close()
	c.hub.Remove(c)
	c.hub.countClosed(why)
	c.handler.Closed(c, why)
}

func (c *Conn) ending() (why Reason, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why, c.broken
}

// Close ends the connection: no message is taken any more, and a close frame
// with the reason follows what is pending. It returns without waiting, may be
// called twice, and only the first reason counts. Serve returns when the client
// has answered, or soon: 5 s for what is pending and 1 s for the answer.
func (c *Conn) Close(why Reason) { c.close(why) }

// close is Close and tells whether this call was the first.
func (c *Conn) close(why Reason) bool {
	c.mu.Lock()
	if c.closing.Load() {
		c.correctLocked(why)
		c.mu.Unlock()
		return false
	}
	c.closing.Store(true)
	c.why = why
	c.closeBy = time.Now().Add(flushLimit)
	c.nc.SetReadDeadline(c.closeBy.Add(answerLimit))
	c.nc.SetWriteDeadline(c.closeBy)
	c.lastPing = nil
	if frame := why.closeFrame(); frame != nil {
		c.out.push(&Prepared{wire: frame})
	}
	write := !c.writing
	c.writing = true
	c.mu.Unlock()
	if write {
		c.write()
	}
	return true
}

// correctLocked lets a client's own close frame explain a connection that
// seemed lost to the writer: browsers close the socket right behind the frame.
func (c *Conn) correctLocked(why Reason) {
	if c.why.Name == Lost.Name && why.Name == "client" {
		c.why = why
	}
}

// seemsLost tells whether the writer alone has failed, so that what the client
// sent before may still come.
func (c *Conn) seemsLost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why.Name == Lost.Name
}

// fail ends a connection whose transport is gone.
func (c *Conn) fail(why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		c.failLocked(why)
	}
}

// failLocked ends the writing side; what is pending is dropped. The reader goes
// on for a moment: the client's close frame may have come before the failure.
func (c *Conn) failLocked(why Reason) {
	now := time.Now()
	if !c.closing.Swap(true) {
		c.why = why
		c.closeBy = now
	}
	c.broken = true
	c.out.drop()
	c.lastPing = nil
	c.nc.SetReadDeadline(now.Add(answerLimit))
}

// reset ends a connection whose client does not read: without a word, for there
// is no room for one, and without leaving the kernel to try for minutes to
// deliver what the socket's buffer holds.
//
// Nothing closes a socket under mu: closing waits for the system calls on it,
// and those of the writer take mu.
func (c *Conn) reset(why Reason) {
	c.mu.Lock()
	c.failLocked(why)
	c.mu.Unlock()
	if tcp, ok := transport(c.nc).(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.shut()
}

// shut closes the socket at once: under TLS without the alert that a stuck
// client would make wait.
func (c *Conn) shut() { transport(c.nc).Close() }

// transport returns the connection below TLS.
func transport(nc net.Conn) net.Conn {
	if tls, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return tls.NetConn()
	}
	return nc
}

// setReadDeadline is for the reader, whose deadlines give way to the closing
// one.
func (c *Conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		c.nc.SetReadDeadline(t)
	}
}
