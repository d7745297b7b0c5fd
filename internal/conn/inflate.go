package conn

import (
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// maxFinals bounds the blocks of a message that say that they are the last one.
// A message may have several (RFC 7692, section 7.2.1), but going on behind one
// costs more than a client should get for two bytes.
const maxFinals = 256

// deflatedBound returns how many bytes a message of n bytes may have when it is
// compressed: what the least able encoders make of content that does not
// compress, and some blocks that flush. More than that is waste.
func deflatedBound(n int) int { return n + n/4 + 1024 }

// inflater expands messages. It takes 45 KB, which is why it belongs to no
// connection.
type inflater struct {
	in    deflatedInput
	flate interface {
		io.Reader
		flate.Resetter
	}
	// finals is how many last blocks the message had.
	finals int
	// next is a byte that has no place yet.
	next [1]byte
}

var (
	inflating = newTurns()
	inflaters = sync.Pool{New: func() any {
		f := new(inflater)
		f.flate = flate.NewReader(&f.in).(interface {
			io.Reader
			flate.Resetter
		})
		return f
	}}
)

func borrowInflater(wire []byte) *inflater {
	f := inflaters.Get().(*inflater)
	f.in, f.finals = deflatedInput{rest: wire}, 0
	f.reset(nil)
	return f
}

func returnInflater(f *inflater) {
	f.in = deflatedInput{}
	inflaters.Put(f)
}

// reset begins a stream behind what the message has come to so far; nothing of
// an earlier message is in reach (RFC 7692, section 7.1.1.2).
func (f *inflater) reset(sofar []byte) {
	const window = 32 << 10
	f.flate.Reset(&f.in, sofar[max(0, len(sofar)-window):]) // never fails
}

// errDeflate says that a payload is not what RFC 7692, section 7.2.2 can expand.
var errDeflate = errors.New("the compressed data is not valid")

// endOfStream tells what the end of a stream means of which the message so far
// has come: whether the message is complete, or goes on with another stream.
func (f *inflater) endOfStream(sofar []byte) (complete bool, err error) {
	switch {
	case f.in.ended:
		if len(f.in.rest) > 0 {
			return false, errDeflate
		}
		return true, nil
	case len(f.in.rest) == 0:
		// The empty block that should follow a last one is missing. Some
		// encoders forget it, and nothing is.
		return true, nil
	case f.finals == maxFinals:
		return false, errDeflate
	}
	f.finals++
	f.reset(sofar)
	return false, nil
}

// deflatedInput is a message's payload and what belongs behind it.
type deflatedInput struct {
	rest []byte
	// ended: rest is of inflateEnd.
	ended bool
}

// inflateEnd is what RFC 7692, section 7.2.2 puts behind a payload, and an empty
// last block, so that the stream has an end.
var inflateEnd = []byte(deflateEnd + "\x01\x00\x00\xff\xff")

// next moves on to the end when the payload has been read.
func (in *deflatedInput) next() error {
	switch {
	case len(in.rest) > 0:
	case in.ended:
		return io.EOF
	default:
		in.rest, in.ended = inflateEnd, true
	}
	return nil
}

func (in *deflatedInput) Read(p []byte) (int, error) {
	if err := in.next(); err != nil {
		return 0, err
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

// ReadByte keeps compress/flate from reading more than it needs, so that we know
// where a stream has ended.
func (in *deflatedInput) ReadByte() (byte, error) {
	if err := in.next(); err != nil {
		return 0, err
	}
	b := in.rest[0]
	in.rest = in.rest[1:]
	return b, nil
}

// deliverDeflated hands over the message whose compressed payload is wire.
func (c *Conn) deliverDeflated(wire []byte) error {
	if err := c.inflate(wire); err != nil {
		return err
	}
	c.deliver(c.in.message)
	c.dropMessage()
	return nil
}

// deliverAssembled is deliverDeflated for a payload that is in the buffer of the
// message under way. While it is expanded both count against the hub's bound.
func (c *Conn) deliverAssembled() error {
	wire := c.in.message
	c.in.message = nil
	err := c.inflate(wire)
	c.dropBuffer(wire)
	if err != nil {
		return err
	}
	c.deliver(c.in.message)
	c.dropMessage()
	return nil
}

// inflate expands a payload into the buffer of the message under way, which
// grows with what comes out and not past Limits.MaxMessage, and judges the text.
func (c *Conn) inflate(wire []byte) error {
	inflating.begin()
	defer inflating.end()
	f := borrowInflater(wire)
	defer returnInflater(f)
	for complete := false; !complete; {
		err := c.inflateSome(f)
		if err == io.EOF {
			complete, err = f.endOfStream(c.in.message)
		}
		if err != nil {
			return asBreach(err)
		}
	}
	if !c.in.isText(true) {
		return &breach{BadText, 0}
	}
	return nil
}

// asBreach returns the breach that an error of inflateSome is.
func asBreach(err error) error {
	if b, ok := err.(*breach); ok {
		return b
	}
	return &breach{BadDeflate, 0}
}

// inflateSome adds the next part of a message.
func (c *Conn) inflateSome(f *inflater) error {
	r, limit := &c.in, bound(c.limits.MaxMessage)
	if room := r.message[len(r.message):min(limit, cap(r.message))]; len(room) > 0 {
		n, err := f.flate.Read(room)
		r.message = r.message[:len(r.message)+n]
		return err
	}
	// Whether the buffer has to grow, and may, is up to the next byte.
	n, err := f.flate.Read(f.next[:])
	switch {
	case n == 0:
		return err
	case len(r.message) == limit:
		return &breach{TooBig, 0}
	case !c.growMessage(limit):
		return &breach{Overloaded, 0}
	}
	r.message = append(r.message, f.next[0])
	return err
}
