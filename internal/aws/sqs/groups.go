package sqs

import (
	"container/heap"
	"math"
)

// The order of a FIFO queue, without its store, its lock and its clock: times
// are milliseconds since the epoch and given by the caller.

// never is later than every time.
const never = math.MaxInt64

// letter is a message of a FIFO queue without its body, which stays in the store.
type letter struct {
	// sequence is 0 while the store has not confirmed the message. Until then it
	// holds its place in its group, and nothing overtakes it.
	sequence  uint64
	id, dedup string
	group     *group
	stored    int64
	flight    flight
	// note is where the flight is stored; nil when the letter never flew.
	note *note

	next, previous *letter // in the group
	newer, older   *letter // in the queue
	gone           bool
}

// flight is what receives have made of a letter.
type flight struct {
	// Receives counts them; a receipt handle is good for the latest only.
	Receives int `json:"n"`
	// Forgiven is one receive that does not count, see load.
	Forgiven bool `json:"forgiven,omitempty"`
	// First and Last are the times of receives; until Until the letter is hidden.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	Until int64 `json:"until"`
}

// count is the ApproximateReceiveCount.
func (f *flight) count() int {
	if f.Forgiven {
		return f.Receives - 1
	}
	return f.Receives
}

// group is the letters of one MessageGroupId, in order.
type group struct {
	name        string
	first, last *letter
	// ready is when the group's first letter can be received, place where the
	// group stands in the heap.
	ready int64
	place int
}

// groups is the letters of a FIFO queue. A group from which a letter is hidden is
// locked: nothing of it can be received, whatever is sent to it meanwhile.
type groups struct {
	// delay is the queue's DelaySeconds, in milliseconds.
	delay      int64
	byName     map[string]*group
	bySequence map[uint64]*letter
	// heap has the group first that is ready first.
	heap           groupHeap
	oldest, newest *letter
}

func newGroups(delay int64) *groups {
	return &groups{delay: delay, byName: make(map[string]*group), bySequence: make(map[uint64]*letter)}
}

// add puts a letter at the end of its group.
func (s *groups) add(l *letter, name string, now int64) {
	g := s.byName[name]
	if g == nil {
		g = &group{name: name}
		s.byName[name] = g
		heap.Push(&s.heap, g)
	}
	l.group = g
	if l.previous = g.last; l.previous != nil {
		l.previous.next = l
	} else {
		g.first = l
	}
	g.last = l
	if l.older = s.newest; l.older != nil {
		l.older.newer = l
	} else {
		s.oldest = l
	}
	s.newest = l
	if l.sequence != 0 {
		s.bySequence[l.sequence] = l
	}
	if l == g.first {
		s.look(g, now)
	}
}

// settle gives a letter the number that the store has given it.
func (s *groups) settle(l *letter, sequence uint64, now int64) {
	l.sequence = sequence
	s.bySequence[sequence] = l
	if l == l.group.first {
		s.look(l.group, now)
	}
}

// remove takes letters out; a second time it does nothing.
func (s *groups) remove(now int64, letters ...*letter) {
	touched := make(map[*group]bool)
	for _, l := range letters {
		if !l.gone {
			s.unlink(l)
			touched[l.group] = true
		}
	}
	for g := range touched {
		s.look(g, now)
	}
}

func (s *groups) unlink(l *letter) {
	l.gone = true
	delete(s.bySequence, l.sequence)
	link(l.previous, l.next, &l.group.first, &l.group.last)
	if l.older != nil {
		l.older.newer = l.newer
	} else {
		s.oldest = l.newer
	}
	if l.newer != nil {
		l.newer.older = l.older
	} else {
		s.newest = l.older
	}
}

// link joins the neighbours of a letter that leaves its group.
func link(previous, next *letter, first, last **letter) {
	if previous != nil {
		previous.next = next
	} else {
		*first = next
	}
	if next != nil {
		next.previous = previous
	} else {
		*last = previous
	}
}

// hide hides letters until a time, as a receive or a change of visibility does.
func (s *groups) hide(until, now int64, letters ...*letter) {
	touched := make(map[*group]bool)
	for _, l := range letters {
		if !l.gone {
			l.flight.Until = until
			touched[l.group] = true
		}
	}
	for g := range touched {
		s.look(g, now)
	}
}

// visible reports whether the letter can be received once its group is open.
func (s *groups) visible(l *letter, now int64) bool {
	return l.sequence != 0 && l.flight.Until <= now && l.stored+s.delay <= now
}

// look finds out when a group is ready, and puts it in its place.
func (s *groups) look(g *group, now int64) {
	if g.first == nil {
		heap.Remove(&s.heap, g.place)
		delete(s.byName, g.name)
		return
	}
	g.ready = never
	if g.first.sequence != 0 {
		g.ready = max(g.first.stored+s.delay, s.lockedUntil(g, now))
	}
	heap.Fix(&s.heap, g.place)
}

// lockedUntil is when the last of a group's hidden letters can be seen again, or
// zero.
func (s *groups) lockedUntil(g *group, now int64) (until int64) {
	// Letters are received from the front, so those that fly stand there.
	for l := g.first; l != nil && l.flight != (flight{}); l = l.next {
		if l.flight.Until > now {
			until = max(until, l.flight.Until)
		}
	}
	return until
}

// lookAgain looks at every group, after a change of the delay.
func (s *groups) lookAgain(now int64) {
	for _, g := range s.byName {
		s.look(g, now)
	}
}

// next is when the first group is ready, or never.
func (s *groups) next() int64 {
	if len(s.heap) == 0 {
		return never
	}
	return s.heap[0].ready
}

// choose picks up to most letters to receive: of each open group, the one that was
// ready first before the others, as many as it has, in order. A letter that due
// names is not to be received but to go to the dead-letter queue; what follows it
// in its group waits until it is there.
func (s *groups) choose(most int, now int64, due func(*letter) bool) (live, dead []*letter) {
	var open []*group
	for len(live) < most && s.next() <= now {
		g := heap.Pop(&s.heap).(*group)
		open = append(open, g)
		for l := g.first; l != nil && len(live) < most && s.visible(l, now); l = l.next {
			if due(l) {
				if l == g.first {
					dead = append(dead, l)
				}
				break
			}
			live = append(live, l)
		}
	}
	for _, g := range open {
		heap.Push(&s.heap, g)
	}
	return live, dead
}

// count counts the letters that can be seen (in a locked group, too), are hidden,
// and wait for their delay.
func (s *groups) count(now int64) (ready, hidden, delayed int) {
	for l := s.oldest; l != nil; l = l.newer {
		switch {
		case l.sequence == 0:
		case l.flight.Until > now:
			hidden++
		case l.stored+s.delay > now:
			delayed++
		default:
			ready++
		}
	}
	return ready, hidden, delayed
}

// groupHeap is a heap.Interface, by time and then by age.
type groupHeap []*group

func (h groupHeap) Len() int { return len(h) }
func (h groupHeap) Less(i, j int) bool {
	if h[i].ready != h[j].ready {
		return h[i].ready < h[j].ready
	}
	return h[i].first != nil && h[j].first != nil && h[i].first.sequence < h[j].first.sequence
}
func (h groupHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
func (h *groupHeap) Push(x any) {
	g := x.(*group)
	g.place = len(*h)
	*h = append(*h, g)
}
func (h *groupHeap) Pop() any {
	old := *h
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return g
}
