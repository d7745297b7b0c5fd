package conn

import (
	"errors"
	"os"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

const (
	// maxPongs bounds the pongs that wait; past it only the newest ping is
	// answered, as RFC 6455, section 5.5.3 allows.
	maxPongs = 16
	// streamWrite is what one write to a connection other than a plain socket
	// takes at most; it has Limits.WriteStall to leave. One TLS record.
	streamWrite = 16 << 10
	// directWrites is how often a sender writes for others, who add while it is
	// writing, before it hands the connection to the hub's flushers.
	directWrites = 4
)

// Send sends one message: text when the payload is UTF-8, otherwise binary,
// in frames of at most Limits.MaxFrame. It copies the payload as far as needed
// and never waits for the client. nil means that the message is on its way in
// order, not that the client has read it.
//
// Errors: apigw.ErrGone when the connection is closing, apigw.ErrBacklog when
// Limits.MaxPending bytes are waiting (64 are added for each message),
// apigw.ErrTooLarge over MaxMessage.
func (c *Conn) Send(payload []byte) error {
	if len(payload) > bound(c.limits.MaxMessage) {
		return apigw.ErrTooLarge
	}
	if c.closing.Load() {
		return apigw.ErrGone
	}
	m := borrowMessage(payload, c.limits.MaxFrame)
	if c.compress {
		m = m.shrink()
	}
	err := c.send(m)
	if err != nil {
		returnMessage(m)
	}
	return err
}

// SendPrepared is Send for a message that was framed before.
func (c *Conn) SendPrepared(m *Prepared) error { return c.send(m.formFor(c)) }

func (c *Conn) send(m *Prepared) error {
	size := m.payload // m may be gone after the write
	write, err := c.enqueue(m, c.hub.now())
	if err != nil {
		c.shard.refused.Add(1)
		return err
	}
	c.shard.countOut(1, size)
	if write {
		c.write()
	}
	return nil
}

// enqueue appends a message to what is pending. write tells that the caller has
// the writer's role now and must see to the writing.
func (c *Conn) enqueue(m *Prepared, now int64) (write bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return false, apigw.ErrGone
	}
	if !c.roomLocked(len(m.wire), now) {
		return false, apigw.ErrBacklog
	}
	c.lastActive.Store(now)
	if !c.out.empty() {
		m = m.slim()
	}
	c.out.push(m)
	write = !c.writing
	c.writing = true
	return write, nil
}

// roomLocked tells whether n bytes may be added. They count with what a waiting
// message costs besides, so that many small ones are bounded, too. A single
// message may be larger than the bound when nothing else waits.
func (c *Conn) roomLocked(n int, now int64) bool {
	if c.out.empty() || c.out.cost()+n+overhead <= c.limits.MaxPending {
		return true
	}
	if c.fullSince == 0 {
		c.fullSince = now
	}
	return false
}

// queuePong answers a ping. The pong is written before the reader waits again,
// in one write with others.
func (c *Conn) queuePong(payload []byte) {
	c.in.queued = true
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing.Load():
	case c.out.pongs < maxPongs:
		c.out.push(newPong(payload))
	default:
		c.lastPing = newPong(payload)
	}
}

// writeQueued writes what the reader's side has queued: the greeting, and pongs.
func (c *Conn) writeQueued() {
	if !c.in.queued {
		return
	}
	c.in.queued = false
	c.mu.Lock()
	write := !c.writing && !c.out.empty()
	if write {
		c.writing = true
	}
	c.mu.Unlock()
	if write {
		c.write()
	}
}

// write is for whoever has just got the writer's role. It never blocks: what
// the socket does not take at once is left to a goroutine.
func (c *Conn) write() {
	if !c.sock.plain() {
		go c.drainStream()
		return
	}
	for range directWrites {
		switch c.writeOnce() {
		case settled:
			return
		case socketFull:
			go c.drainSocket()
			return
		}
	}
	c.hub.ready.add(c)
}

// outcome is how one write has ended.
type outcome int

const (
	settled    outcome = iota // nothing is pending: the writer's role is over
	moreToDo                  // more has been added meanwhile
	socketFull                // the rest has to wait for the client
)

func (c *Conn) writeOnce() outcome {
	n, full, err := c.sock.write(c, false)
	return c.wrote(n, full, err)
}

// pending returns what to write next, and the buffer from gatherBuffers that it
// is in, if any. Of several messages it takes at most limit bytes.
func (c *Conn) pending(limit int) ([]byte, *[gatherSize]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.out.alone(); b != nil || c.out.empty() {
		return b, nil
	}
	scratch := gatherBuffers.Get().(*[gatherSize]byte)
	return c.out.gather(scratch[:limit]), scratch
}

// wrote books a write by the holder of the writer's role.
func (c *Conn) wrote(n int, full bool, err error) outcome {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.reset(Slow)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failLocked(Lost)
	}
	if !c.broken {
		c.out.consume(n)
		c.roomAgainLocked()
	}
	switch {
	case c.out.empty():
		c.settleLocked()
		return settled
	case full:
		return socketFull
	default:
		return moreToDo
	}
}

// roomAgainLocked notes that a full connection has drained to half, and answers
// the newest ping when pongs have left.
func (c *Conn) roomAgainLocked() {
	if c.out.cost() <= c.limits.MaxPending/2 {
		c.fullSince = 0
	}
	if c.lastPing != nil && c.out.pongs < maxPongs {
		c.out.push(c.lastPing)
		c.lastPing = nil
	}
}

// settleLocked gives the writer's role back.
func (c *Conn) settleLocked() {
	c.writing = false
	if c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
	switch {
	case c.broken:
	case c.closing.Load():
		c.nc.SetReadDeadline(time.Now().Add(answerLimit))
	case c.timed:
		c.timed = false
		c.nc.SetWriteDeadline(time.Time{})
	}
}

// awaitWriter returns when nobody has the writer's role any more: at once, or
// at the latest when closeBy has passed.
func (c *Conn) awaitWriter() {
	for quiet := c.untilQuiet(); quiet != nil; quiet = c.untilQuiet() {
		<-quiet
	}
}

// untilQuiet returns nil when nobody has the writer's role, or else what is
// closed at the end of it.
func (c *Conn) untilQuiet() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing && c.quiet == nil {
		c.quiet = make(chan struct{})
	}
	return c.quiet
}

// drainSocket has the writer's role while the socket is full.
func (c *Conn) drainSocket() {
	for {
		c.armWrite()
		n, _, err := c.sock.write(c, true)
		if c.wrote(n, false, err) == settled {
			return
		}
	}
}

// drainStream has the writer's role while anything is pending on a connection
// that knows no non-blocking writes.
func (c *Conn) drainStream() {
	for {
		c.armWrite()
		n, err := c.writeStream()
		if c.wrote(n, false, err) == settled {
			return
		}
	}
}

func (c *Conn) writeStream() (int, error) {
	b, scratch := c.pending(streamWrite)
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.nc.Write(b[:min(len(b), streamWrite)])
	if scratch != nil {
		gatherBuffers.Put(scratch)
	}
	return n, err
}

// armWrite gives the next write its time: Limits.WriteStall, or what is left of
// closing.
func (c *Conn) armWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var by time.Time
	if c.limits.WriteStall > 0 {
		by = time.Now().Add(c.limits.WriteStall)
	}
	if c.closing.Load() && (by.IsZero() || c.closeBy.Before(by)) {
		by = c.closeBy
	}
	c.timed = true
	c.nc.SetWriteDeadline(by)
}
