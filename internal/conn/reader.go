package conn

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

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
	// deflated: that message is compressed.
	deflated bool
	// checked is how much of message is known to be UTF-8.
	checked int
	// pace is how long what is under way may still take.
	pace pace
	// queued is true when the reader has left something to be written.
	queued bool
}

func (r *reader) unread() []byte { return r.buf[r.pos:] }

// release gives all borrowed buffers back.
func (c *Conn) release() {
	c.dropMessage()
	returnRead(c.in.buf)
	c.in.buf, c.in.ahead = nil, nil
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
	r.pace.frame()
	if len(r.unread()) == 0 {
		if err := c.awaitFrame(); err != nil {
			return header{}, err
		}
	}
	for {
		b := r.unread()
		if len(b) >= 2 {
			if err := checkStart(b, c.compress); err != nil {
				return header{}, err
			}
		}
		h, size, err := parseHeader(b)
		if err != nil {
			return h, err
		}
		if size > 0 {
			r.pos += size
			r.pace.length = h.length
			return h, h.checkLength(size)
		}
		if err := c.readMore(); err != nil {
			return header{}, err
		}
	}
}

// awaitFrame waits between frames for the next one's first bytes, with no
// read buffer, and with no deadline but in the middle of a message.
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
	c.paceFragment()
	b, err := r.src.first()
	r.buf = b
	if err != nil && r.fragmented {
		return overdue(err, 0)
	}
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

// readSome reads at least one byte of a frame, in the time that it has.
func (c *Conn) readSome(p []byte) (int, error) {
	c.writeQueued()
	c.paceFrame()
	n, err := readAny(c.nc, p)
	if n > 0 {
		return n, nil
	}
	return 0, overdue(err, outOfStep)
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
	if r.deflated && h.op == ws.OpContinuation {
		h.deflated = true
	}
	if err := h.check(r.fragmented, len(r.message), c.limits); err != nil {
		return err
	}
	if h.fin && !r.fragmented && h.length <= readSize {
		payload, err := c.readWhole(h)
		switch {
		case err != nil:
			return err
		case h.deflated:
			return c.deliverDeflated(payload)
		case !utf8.Valid(payload):
			return &breach{BadText, 0}
		}
		c.deliver(payload)
		return nil
	}
	if err := c.assemble(h); err != nil {
		return err
	}
	if !h.fin {
		r.fragmented, r.deflated = true, h.deflated
		r.pace.fragment(c.hub.now())
		c.touch()
		return nil
	}
	r.fragmented, r.deflated, r.pace.messageBegan = false, false, 0
	if h.deflated {
		return c.deliverAssembled()
	}
	c.deliver(r.message)
	c.dropMessage()
	return nil
}

// deliver hands a complete text message to the handler; not when we are closing
// the connection, for then it has to end.
func (c *Conn) deliver(data []byte) {
	if c.Closing() && !c.seemsLost() {
		return
	}
	c.touch()
	c.shard.messagesIn.Add(1)
	c.shard.bytesIn.Add(uint64(len(data)))
	c.handler.Message(c, data)
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
		if c.limits.PingRenewsIdle {
			c.touch()
		}
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
