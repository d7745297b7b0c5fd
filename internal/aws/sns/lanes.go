package sns

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// maxHeld is how many messages of a FIFO topic's subscription are held in
// memory: those on their way and those behind them in their groups.
const maxHeld = 256

// lanes delivers a FIFO topic's messages, in order within each group: a message
// that fails holds up its group until it is delivered or given up, and no other.
type lanes struct {
	*worker
	room chan struct{}

	mu     sync.Mutex
	groups map[string][]held // those that have messages; each has a goroutine
}

// held is a message in its lane.
type held struct {
	bus.Delivery
	*envelope
}

func newLanes(w *worker) *lanes {
	return &lanes{worker: w, room: make(chan struct{}, maxHeld), groups: make(map[string][]held)}
}

func (l *lanes) run(ctx context.Context) {
	if !l.waitForFormer(ctx) {
		return
	}
	for {
		n := acquire(ctx, l.room)
		if n == 0 {
			return
		}
		got, ok := l.fetch(ctx, n)
		slices.SortFunc(got, func(a, b bus.Delivery) int { return cmp.Compare(a.Sequence, b.Sequence) })
		used := 0
		for _, d := range got {
			if !l.take(d) {
				continue
			}
			if e := l.read(d); e != nil {
				used++
				l.enqueue(ctx, held{d, e})
			} else {
				l.leave(d)
			}
		}
		release(l.room, n-used)
		if !ok {
			return
		}
	}
}

// formerPoll is how often waitForFormer looks.
const formerPoll = 200 * time.Millisecond

// waitForFormer waits, after a start, until the messages that a former process
// had out have come back, so that no later one overtakes them. They do within
// the queue's AckWait.
func (l *lanes) waitForFormer(ctx context.Context) bool {
	for {
		counts, err := l.queue.Counts(ctx)
		if err == nil && counts.Hidden == 0 {
			return true
		}
		if !pause(ctx, formerPoll) {
			return false
		}
	}
}

// enqueue puts a message at the end of its group's lane.
func (l *lanes) enqueue(ctx context.Context, h held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, busy := l.groups[h.Group]
	l.groups[h.Group] = append(lane, h)
	if !busy {
		l.wait.Go(func() { l.drive(ctx, h.Group) })
	}
}

// drive delivers one group's messages until there are none. When ctx or the
// service ends, it gives back what is left, last one first: what comes back
// is sorted when it is fetched.
func (l *lanes) drive(ctx context.Context, group string) {
	for {
		h, ok := l.head(group)
		if !ok {
			return
		}
		if !l.persist(ctx, h) {
			l.giveBack(group)
			return
		}
		l.leave(h.Delivery)
		l.pop(group)
		release(l.room, 1)
	}
}

func (l *lanes) head(group string) (held, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.groups[group]
	if len(lane) == 0 {
		delete(l.groups, group)
		return held{}, false
	}
	return lane[0], true
}

func (l *lanes) pop(group string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups[group] = l.groups[group][1:]
}

func (l *lanes) giveBack(group string) {
	l.mu.Lock()
	lane := l.groups[group]
	delete(l.groups, group)
	l.mu.Unlock()
	for _, h := range lane {
		l.leave(h.Delivery)
		l.queue.Return([]bus.Delivery{h.Delivery})
	}
	release(l.room, len(lane))
}

// persist tries a message until it is settled; false means that ctx or the
// service has ended before that.
func (l *lanes) persist(ctx context.Context, h held) bool {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		v, wait, err := l.try(l.service.ctx, h.envelope)
		release(l.slots, 1)
		if err != nil && l.service.ctx.Err() != nil {
			return false
		}
		if v != again {
			l.finish(h.Delivery, h.envelope, v, err)
			return true
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}
