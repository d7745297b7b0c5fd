package conn

import (
	"bytes"
	"compress/flate"
	"runtime"
	"sync"

	"github.com/gobwas/ws"
)

const (
	// deflateFrom is the smallest message that is worth compressing, in bytes.
	// Smaller ones fit a packet anyway.
	deflateFrom = 512
	// keepDeflated bounds the output buffers that go back to their pool.
	keepDeflated = 256 << 10
	// deflatedBit is the bit of a message's first frame that says that it is
	// compressed (RFC 7692, section 6.1).
	deflatedBit = 0x40
)

// deflateEnd is how a flush ends: with an empty block, of which all but the
// first bits is cut off and added again by who reads (RFC 7692, sections 7.2.1
// and 7.2.2).
const deflateEnd = "\x00\x00\xff\xff"

// turns bounds how many goroutines do something that takes nothing but the
// processor and much memory: more at once would not be faster.
type turns chan struct{}

func newTurns() turns { return make(turns, runtime.GOMAXPROCS(0)) }

func (t turns) begin() { t <- struct{}{} }
func (t turns) end()   { <-t }

// deflater compresses messages. It takes 1.2 MB, which is why it belongs to no
// connection.
type deflater struct {
	out   bytes.Buffer
	flate *flate.Writer
}

var (
	deflating = newTurns()
	deflaters = sync.Pool{New: func() any {
		d := new(deflater)
		d.flate, _ = flate.NewWriter(&d.out, flate.BestSpeed) // fails for an unknown level only
		return d
	}}
)

func returnDeflater(d *deflater) {
	if d.out.Cap() <= keepDeflated {
		deflaters.Put(d)
	}
}

// deflate returns the payload of a message in frames as RFC 7692, section 7.2.1
// has it compressed, until the next call. Nothing of an earlier message is used
// (section 7.1.1.1).
func (d *deflater) deflate(wire []byte) []byte {
	d.out.Reset()
	d.flate.Reset(&d.out)
	for len(wire) > 0 {
		h, size, _ := parseHeader(wire) // our own
		d.flate.Write(wire[size : size+int(h.length)])
		wire = wire[size+int(h.length):]
	}
	d.flate.Flush()
	return bytes.TrimSuffix(d.out.Bytes(), []byte(deflateEnd))
}

// deflatedForm is a message's compressed form, which the first one makes who
// needs it.
type deflatedForm struct {
	once sync.Once
	// message is the plain one when compression does not make it smaller.
	message *Prepared
}

// formFor returns the form of the message in which the connection gets it.
func (m *Prepared) formFor(c *Conn) *Prepared {
	if !c.compress {
		return m
	}
	return m.smallest()
}

// smallest returns the message or its compressed form, whichever has fewer bytes.
// However many ask, it is compressed once.
func (m *Prepared) smallest() *Prepared {
	if m.payload < deflateFrom {
		return m
	}
	if m.deflated.Load() == nil {
		m.deflated.CompareAndSwap(nil, new(deflatedForm))
	}
	form := m.deflated.Load()
	form.once.Do(func() { form.message = m.deflate() })
	return form.message
}

// shrink returns a borrowed message, or its compressed form in place of it.
func (m *Prepared) shrink() *Prepared {
	if m.payload < deflateFrom {
		return m
	}
	small := m.deflate()
	if small != m {
		returnMessage(m)
	}
	return small
}

// deflate returns a compressed form of its own, or the message itself when that
// has no more bytes.
func (m *Prepared) deflate() *Prepared {
	first, _, _ := parseHeader(m.wire)
	maxFrame := 0 // what is in one frame fits one when it is smaller, too
	if !first.fin {
		maxFrame = int(first.length)
	}
	deflating.begin()
	defer deflating.end()
	d := deflaters.Get().(*deflater)
	defer returnDeflater(d)
	payload := d.deflate(m.wire)
	if framedSize(len(payload), maxFrame) >= len(m.wire) {
		return m
	}
	return &Prepared{wire: frameDeflated(first.op, payload, maxFrame), payload: m.payload}
}

// frameDeflated returns the frames of a message with a compressed payload.
func frameDeflated(op ws.OpCode, payload []byte, maxFrame int) []byte {
	wire := appendFrames(make([]byte, 0, framedSize(len(payload), maxFrame)), op, payload, maxFrame)
	wire[0] |= deflatedBit
	return wire
}
