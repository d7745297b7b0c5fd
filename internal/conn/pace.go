package conn

import (
	"errors"
	"os"
	"time"
)

// How long a client may take for what it has begun: without these bounds a few
// bytes now and then would hold a buffer here for hours. The idle limit alone does
// not help, for every fragment renews it.
const (
	// stallLimit is for silence in the middle of a frame.
	stallLimit = 10 * time.Second
	// frameLimit is for a frame, from the first wait for its rest to its last
	// byte; it gets a second more for each paceSize of its payload.
	frameLimit = 30 * time.Second
	// gapLimit is for the time between two fragments of a message, whatever
	// control frames come between them.
	gapLimit = 30 * time.Second
	// messageLimit is for a fragmented message, from its first fragment to its
	// end; it gets a second more for each paceSize that has come.
	messageLimit = 2 * time.Minute
	// paceSize is the least that a client has to send in a second in the long
	// run, in bytes.
	paceSize = 64 << 10
)

// pace is when the frame and the message under way have begun, on the hub's
// clock. Nobody looks at a clock for a frame that has come whole.
type pace struct {
	// frameBegan is when the frame's rest was first waited for; 0 before.
	frameBegan int64
	// length is the frame's, once its header is known.
	length int64
	// messageBegan is when the message's first fragment, and lastFragment when
	// its newest, was complete; 0 when no fragmented message is under way.
	messageBegan, lastFragment int64
	// timed is true while a read deadline is set.
	timed bool
}

// frame begins a frame.
func (p *pace) frame() { p.frameBegan, p.length = 0, 0 }

// fragment notes a fragment that others will follow.
func (p *pace) fragment(now int64) {
	if p.messageBegan == 0 {
		p.messageBegan = now
	}
	p.lastFragment = now
}

// byFrame returns when the next read in the middle of a frame has to be done.
func (p *pace) byFrame(now int64) int64 {
	if p.frameBegan == 0 {
		p.frameBegan = now
	}
	return min(now+int64(stallLimit), p.frameBegan+atPace(frameLimit, p.length))
}

// byMessage returns when a fragmented message of which have bytes have come has
// to be done.
func (p *pace) byMessage(have int) int64 { return p.messageBegan + atPace(messageLimit, int64(have)) }

// atPace returns a limit for n bytes, in nanoseconds.
func atPace(limit time.Duration, n int64) int64 {
	return int64(limit + time.Duration(n/paceSize)*time.Second)
}

// paceFrame gives the next read in the middle of a frame its time.
func (c *Conn) paceFrame() {
	r := &c.in
	by := r.pace.byFrame(c.hub.now())
	if r.fragmented {
		by = min(by, r.pace.byMessage(len(r.message)))
	}
	r.pace.timed = true
	c.setReadDeadline(c.hub.at(by))
}

// paceFragment gives the wait for a message's next fragment its time, and all
// other waits between frames as long as they like.
func (c *Conn) paceFragment() {
	r := &c.in
	switch {
	case r.fragmented:
		by := min(r.pace.lastFragment+int64(gapLimit), r.pace.byMessage(len(r.message)))
		r.pace.timed = true
		c.setReadDeadline(c.hub.at(by))
	case r.pace.timed:
		r.pace.timed = false
		c.setReadDeadline(time.Time{})
	}
}

// overdue returns the breach that an exceeded deadline is, or any other error as
// it is.
func overdue(err error, skip int64) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &breach{Stalled, skip}
	}
	return err
}
