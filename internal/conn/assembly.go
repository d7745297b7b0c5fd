package conn

import (
	"sync/atomic"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// assemblyBudget bounds the buffers of all messages under way in one hub, in
// bytes: what clients make a node hold that have begun a message and do not end
// it. 2,000 of them with 128 KB each. Frames of up to 4 KB that are a message of
// their own are not counted; they need no such buffer.
const assemblyBudget = 256 << 20

// budget is a bound on memory that many share.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take counts n bytes in, unless that would exceed the limit.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.give(n)
		return false
	}
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// assemble appends a frame's payload to the message under way. The buffer grows
// with what has come, not with what the header promises.
func (c *Conn) assemble(h header) error {
	r := &c.in
	start, end := len(r.message), len(r.message)+int(h.length)
	for len(r.message) < end {
		if len(r.message) == cap(r.message) && !c.growMessage(end) {
			return &breach{Overloaded, int64(end - len(r.message))}
		}
		at := len(r.message)
		n, err := c.readInto(r.message[at:min(end, cap(r.message))])
		if err != nil {
			return err
		}
		r.message = r.message[:at+n]
	}
	ws.Cipher(r.message[start:], h.mask, 0)
	if !h.deflated && !r.isText(h.fin) {
		return &breach{BadText, 0}
	}
	return nil
}

// growMessage doubles the buffer of the message under way, as far as the frame
// that ends at end may need it, and returns false when the hub has no memory for
// that.
func (c *Conn) growMessage(end int) bool {
	r := &c.in
	class := assemblyClass(min(end, len(r.message)+max(len(r.message), readSize)))
	if !c.hub.assembling.take(1<<class - cap(r.message)) {
		return false
	}
	r.message = growAssembly(r.message, class)
	return true
}

// dropMessage gives the buffer of the message under way back.
func (c *Conn) dropMessage() {
	r := &c.in
	c.dropBuffer(r.message)
	r.message, r.checked = nil, 0
}

func (c *Conn) dropBuffer(b []byte) {
	c.hub.assembling.give(cap(b))
	returnAssembly(b)
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

// isText tells whether the message under way is UTF-8, or, when more fragments
// follow, may still become so: RFC 6455, section 8.1, lets us fail at the first
// wrong byte or at the end, and we do with the fragment that it is in. What came
// with earlier fragments is not looked at again.
func (r *reader) isText(complete bool) bool {
	fresh := r.message[r.checked:]
	if !complete {
		fresh = fresh[:len(fresh)-begun(fresh)]
	}
	r.checked += len(fresh)
	return utf8.Valid(fresh)
}

// begun returns how many bytes at the end of b are the beginning of a character
// whose rest is missing.
func begun(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
