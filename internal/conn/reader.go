package conn

import (
	"errors"
	"os"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// stallLimit is how long a client may be silent in the middle of a frame. The
// whole of a frame is bounded by Limits.Idle, which only complete frames renew.
const stallLimit = 10 * time.Second

// reader is the state of a connection's reading side. Only the goroutine in
// Serve touches it.
type reader struct {
	src source
	// ahead is what came right behind the handshake and has not been looked at.
	ahead []byte
	// buf is borrowed and nil between frames; buf[pos:] has not been looked at.
	buf []byte
	pos int
	// message is the beginning of a message, borrowed, while fragmented is true
	// or a frame too large for buf is coming in.
	message    []byte
	fragmented bool
	// timed is true while a read deadline for the middle of a frame is set.
	timed bool
	// queued is true when the reader has left something to be written.
	queued bool
}

func (r *reader) unread() []byte { return r.buf[r.pos:] }

// release gives all borrowed buffers back.
func (r *reader) release() {
	returnRead(r.buf)
	returnAssembly(r.message)
	r.buf, r.message, r.ahead = nil, nil, nil
}

// readFrames reads until something ends the connection: a *breach, a
// *clientClose, or an error of the transport.
func (c *Conn) readFrames() error {
	for {
		h, err := c.readHeader()
		if err != nil {
			return err
		}
		if h.op.IsControl() {
			err = c.readControl(h)
		} else {
			err = c.readData(h)
		}
		if err != nil {
			return err
		}
	}
}

// readHeader returns the next frame's header, judged as far as it can be alone.
func (c *Conn) readHeader() (header, error) {
	r := &c.in
	if len(r.unread()) == 0 {
		if err := c.awaitFrame(); err != nil {
			return header{}, err
		}
	}
	for {
		b := r.unread()
		if len(b) >= 2 {
			if err := checkStart(b); err != nil {
				return header{}, err
			}
		}
		h, size, err := parseHeader(b)
		if err != nil || size > 0 {
			r.pos += size
			return h, err
		}
		if err := c.readMore(); err != nil {
			return header{}, err
		}
	}
}

// awaitFrame waits between frames for the next one's first bytes, with no
// buffer and no deadline.
func (c *Conn) awaitFrame() error {
	r := &c.in
	returnRead(r.buf)
	r.buf, r.pos = nil, 0
	if len(r.ahead) > 0 {
		r.buf = borrowRead()[:0]
		c.takeAhead()
		return nil
	}
	c.writeQueued()
	if r.timed {
		r.timed = false
		c.setReadDeadline(time.Time{})
	}
	b, err := r.src.first()
	r.buf = b
	return err
}

// takeAhead moves bytes that came with the handshake to the read buffer.
func (c *Conn) takeAhead() {
	r := &c.in
	n := copy(r.buf[len(r.buf):readSize], r.ahead)
	r.buf = r.buf[:len(r.buf)+n]
	r.ahead = r.ahead[n:]
}

// readMore adds to the read buffer in the middle of a frame.
func (c *Conn) readMore() error {
	r := &c.in
	if r.pos > 0 {
		n := copy(r.buf, r.unread())
		r.buf, r.pos = r.buf[:n], 0
	}
	if len(r.ahead) > 0 {
		c.takeAhead()
		return nil
	}
	n, err := c.readSome(r.buf[len(r.buf):readSize])
	r.buf = r.buf[:len(r.buf)+n]
	return err
}

// readSome reads at least one byte of a frame, within the stall limit.
func (c *Conn) readSome(p []byte) (int, error) {
	c.writeQueued()
	c.in.timed = true
	c.setReadDeadline(time.Now().Add(stallLimit))
	n, err := readAny(c.nc, p)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, &breach{Stalled, outOfStep}
	}
	return 0, err
}

// readWhole returns a payload that fits the read buffer, in place and unmasked.
func (c *Conn) readWhole(h header) ([]byte, error) {
	r, n := &c.in, int(h.length)
	for len(r.unread()) < n {
		if err := c.readMore(); err != nil {
			return nil, err
		}
	}
	payload := r.unread()[:n]
	r.pos += n
	ws.Cipher(payload, h.mask, 0)
	return payload, nil
}

func (c *Conn) readData(h header) error {
	r := &c.in
	if err := h.check(r.fragmented, len(r.message), c.limits); err != nil {
		return err
	}
	if h.fin && !r.fragmented && h.length <= readSize {
		payload, err := c.readWhole(h)
		if err != nil {
			return err
		}
		return c.deliver(payload)
	}
	if err := c.assemble(h); err != nil {
		return err
	}
	if r.fragmented = !h.fin; r.fragmented {
		c.touch()
		return nil
	}
	err := c.deliver(r.message)
	returnAssembly(r.message)
	r.message = nil
	return err
}

// assemble appends a frame's payload to the message under way. The buffer grows
// with what has come, not with what the header promises.
func (c *Conn) assemble(h header) error {
	r := &c.in
	start, end := len(r.message), len(r.message)+int(h.length)
	for len(r.message) < end {
		missing := end - len(r.message)
		if len(r.message) == cap(r.message) {
			r.message = growAssembly(r.message, min(missing, max(len(r.message), readSize)))
		}
		at := len(r.message)
		room := r.message[at:min(end, cap(r.message))]
		n, err := c.readInto(room)
		if err != nil {
			return err
		}
		r.message = r.message[:at+n]
	}
	ws.Cipher(r.message[start:], h.mask, 0)
	return nil
}

// readInto reads payload past the read buffer when that is empty.
func (c *Conn) readInto(p []byte) (int, error) {
	r := &c.in
	if b := r.unread(); len(b) > 0 {
		n := copy(p, b)
		r.pos += n
		return n, nil
	}
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	return c.readSome(p)
}

// deliver hands a complete text message to the handler; not when we are closing
// the connection, for then it has to end.
func (c *Conn) deliver(data []byte) error {
	if !utf8.Valid(data) {
		return &breach{BadText, 0}
	}
	if c.Closing() && !c.seemsLost() {
		return nil
	}
	c.touch()
	c.shard.messagesIn.Add(1)
	c.shard.bytesIn.Add(uint64(len(data)))
	c.handler.Message(c, data)
	return nil
}

// clientClose is the end of reading by the client's close frame.
type clientClose struct{ why Reason }

func (*clientClose) Error() string { return "the client closed" }

func (c *Conn) readControl(h header) error {
	payload, err := c.readWhole(h)
	if err != nil {
		return err
	}
	switch h.op {
	case ws.OpPing:
		c.queuePong(payload)
	case ws.OpClose:
		why, err := parseClose(payload)
		if err != nil {
			return err
		}
		return &clientClose{why}
	}
	return nil
}

// discard reads on after a breach, judging nothing, until the client's close
// frame or the end of the transport: the read deadline is set by then. Closing
// a socket with unread bytes would reset it, and the client might never see why
// it was closed.
func (c *Conn) discard(skip int64) {
	r := &c.in
	if r.buf == nil {
		r.buf = borrowRead()[:0]
	}
	for {
		n := min(skip, int64(len(r.unread())))
		r.pos += int(n)
		skip -= n
		if skip == 0 {
			h, size, err := parseHeader(r.unread())
			if err != nil || size > 0 && h.op == ws.OpClose {
				return
			}
			if size > 0 {
				r.pos += size
				skip = h.length
				continue
			}
		}
		if c.discardMore() != nil {
			return
		}
	}
}

func (c *Conn) discardMore() error {
	r := &c.in
	n := copy(r.buf, r.unread())
	r.buf, r.pos = r.buf[:n], 0
	if len(r.ahead) > 0 {
		c.takeAhead()
		return nil
	}
	n, err := readAny(c.nc, r.buf[len(r.buf):readSize])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}
