package conn

import "sync"

// lineupChunk is how many places a loop over the lineup handles under one lock.
const lineupChunk = 256

// lineup is all connections in a row, in order of arrival as far as places do
// not become free meanwhile. Fan-out goes along it: the kernel's own memory of
// the sockets is in that order too, which makes a fan-out a fifth cheaper than
// going through a map. A connection keeps its place, so that a loop which lets go
// of the lock meets everyone who stays.
type lineup struct {
	mu     sync.RWMutex
	places []*Conn // nil is a free place
	free   []int   // free places; some may be beyond the end
	n      int
}

// add gives a connection a place, if it has none, and tells whether it did.
func (l *lineup) add(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place >= 0 {
		return false
	}
	l.n++
	c.place = l.freePlaceLocked()
	l.places[c.place] = c
	return true
}

func (l *lineup) freePlaceLocked() int {
	for len(l.free) > 0 {
		last := len(l.free) - 1
		place := l.free[last]
		l.free = l.free[:last]
		if place < len(l.places) {
			return place
		}
	}
	l.places = append(l.places, nil)
	return len(l.places) - 1
}

// remove frees a connection's place, if it has one, and tells whether it did.
func (l *lineup) remove(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place < 0 {
		return false
	}
	l.n--
	l.places[c.place] = nil
	l.free = append(l.free, c.place)
	c.place = -1
	l.shortenLocked()
	return true
}

// shortenLocked drops free places at the end, so that a peak is not paid for
// forever.
func (l *lineup) shortenLocked() {
	end := len(l.places)
	for end > 0 && l.places[end-1] == nil {
		end--
	}
	l.places = l.places[:end]
	if end == 0 {
		l.places, l.free = nil, nil
	}
}

func (l *lineup) len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.n
}

// chunk appends the connections from place at on to dst, a chunk of them at
// most. next is where to go on, or -1 at the end.
func (l *lineup) chunk(dst []*Conn, at int) (conns []*Conn, next int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	end := min(at+lineupChunk, len(l.places))
	for i := at; i < end; i++ {
		if c := l.places[i]; c != nil {
			dst = append(dst, c)
		}
	}
	if end >= len(l.places) {
		end = -1
	}
	return dst, end
}
