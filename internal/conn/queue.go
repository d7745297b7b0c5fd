package conn

// queue holds the frames that wait to be written to one connection, in order.
// One frame costs no memory of its own; an empty queue holds none. The zero
// value is empty. Conn.mu guards it.
type queue struct {
	first *Prepared
	rest  []*Prepared // after first
	// written is how much of first has been written.
	written int
	// bytes is how much is waiting in all.
	bytes int
	// pongs is how many waiting frames are pongs.
	pongs int32
}

func (q *queue) empty() bool { return q.first == nil }

// overhead is what a waiting message costs beyond its bytes.
const overhead = 64

// cost is how much memory the waiting messages take, about.
func (q *queue) cost() int {
	if q.first == nil {
		return 0
	}
	return q.bytes + overhead*(1+len(q.rest))
}

func (q *queue) push(m *Prepared) {
	q.bytes += len(m.wire)
	if m.kind == pong {
		q.pongs++
	}
	if q.first == nil {
		q.first = m
		return
	}
	if q.rest == nil {
		q.rest = make([]*Prepared, 0, 8)
	}
	q.rest = append(q.rest, m)
}

// alone returns the rest of the first frame when there is no point in copying
// it together with others: it has no successor, or is large.
func (q *queue) alone() []byte {
	if q.first == nil {
		return nil
	}
	b := q.first.wire[q.written:]
	if len(q.rest) == 0 || len(b) >= gatherSize {
		return b
	}
	return nil
}

// gather copies the beginning of the queue into dst, as much as fits, and
// returns it.
func (q *queue) gather(dst []byte) []byte {
	n := copy(dst, q.first.wire[q.written:])
	for _, m := range q.rest {
		if n == len(dst) {
			break
		}
		n += copy(dst[n:], m.wire)
	}
	return dst[:n]
}

// consume drops the n bytes that have been written. Only the writer may call it:
// buffers go back to their pool.
func (q *queue) consume(n int) {
	q.bytes -= n
	n += q.written
	done := 0
	for q.first != nil && n >= len(q.first.wire) {
		n -= len(q.first.wire)
		q.release(q.first)
		q.first = nil
		if done < len(q.rest) {
			q.first = q.rest[done]
			q.rest[done] = nil
			done++
		}
	}
	q.written = n
	q.advance(done)
}

// advance drops what has left the front of rest. A queue that never runs dry
// does not grow by that: append moves what is left when the slice has come to
// its end.
func (q *queue) advance(done int) {
	switch {
	case done == 0:
	case done == len(q.rest):
		q.rest = nil
	default:
		q.rest = q.rest[done:]
	}
}

func (q *queue) release(m *Prepared) {
	switch m.kind {
	case pong:
		q.pongs--
	case pooled:
		returnMessage(m)
	}
}

// drop forgets everything. Nothing goes back to a pool: a writer may still be
// reading what it was given.
func (q *queue) drop() { *q = queue{} }
