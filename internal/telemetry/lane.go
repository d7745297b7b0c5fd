package telemetry

// lane holds the events of one source, oldest first, in a ring that grows and
// shrinks with them.
type lane struct {
	name  string
	ring  []Event // its length is a power of two
	first int     // where the oldest is
	n     int
	bytes int
}

// smallestRing is the size of a lane's first ring.
const smallestRing = 16

// at returns the event that came i-th of those that are left.
func (l *lane) at(i int) *Event { return &l.ring[(l.first+i)&(len(l.ring)-1)] }

func (l *lane) push(e *Event) {
	if l.n == len(l.ring) {
		l.resize(max(smallestRing, 2*len(l.ring)))
	}
	l.n++
	*l.at(l.n - 1) = *e
	l.bytes += e.size()
}

// drop forgets the oldest event and returns its size.
func (l *lane) drop() int {
	oldest := l.at(0)
	size := oldest.size()
	*oldest = Event{}
	l.first = (l.first + 1) & (len(l.ring) - 1)
	l.n--
	l.bytes -= size
	if len(l.ring) > smallestRing && l.n <= len(l.ring)/4 {
		l.resize(len(l.ring) / 2)
	}
	return size
}

func (l *lane) resize(size int) {
	ring := make([]Event, size)
	for i := range l.n {
		ring[i] = *l.at(i)
	}
	l.ring, l.first = ring, 0
}
