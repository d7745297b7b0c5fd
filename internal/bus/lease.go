package bus

import (
	"context"
	"sync"
	"time"
)

// Lease says what this process knows of a message that was fetched and not
// acknowledged.
type Lease struct {
	// Count is how many deliveries of the message reached somebody.
	Count int
	// First and Last are when the first and the latest of them were fetched.
	First, Last time.Time
	// Until is when the message comes back.
	Until time.Time
}

// leases remembers the messages of one queue that are out. It is needed beside
// the server's own books because those count a delivery whose receiver left in
// that moment, do not tell hidden messages from those that wait to be fetched
// again, and forget when a message was first fetched.
type leases struct {
	mu  sync.Mutex
	out map[uint64]Lease
	// before is the queue's last sequence when this process opened it: of later
	// messages it has seen every delivery.
	before uint64
	opened time.Time
	// pruneAt is the size past which what has expired is looked for.
	pruneAt int
}

// minPrune keeps small queues from ever being pruned.
const minPrune = 4096

func newLeases(before uint64) *leases {
	return &leases{out: make(map[uint64]Lease), before: before, opened: time.Now(), pruneAt: minPrune}
}

// take notes a delivery that the server calls the n-th.
//
// Of a message from before this process one delivery is forgiven: it was most
// likely cut short by the end of the former process, which is no fault of the
// message, and with a limit of one it would count as failed without ever having
// been tried. Only one, lest a message that kills the process live for ever.
func (l *leases) take(sequence uint64, n int, until time.Time) Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	lease, known := l.out[sequence]
	if !known {
		lease.First = now
		if sequence <= l.before {
			lease.Count = max(0, n-2)
		}
	}
	lease.Count++
	lease.Last, lease.Until = now, until
	l.out[sequence] = lease
	return lease
}

// undo takes back a delivery that reached nobody.
func (l *leases) undo(sequence uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease := l.out[sequence]
	lease.Count--
	lease.Until = time.Now()
	l.out[sequence] = lease
}

func (l *leases) hide(receipts []Receipt, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range receipts {
		if lease, ok := l.out[r.Sequence]; ok {
			lease.Until = until
			l.out[r.Sequence] = lease
		}
	}
}

func (l *leases) end(receipts []Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range receipts {
		delete(l.out, r.Sequence)
	}
}

func (l *leases) get(sequence uint64) (Lease, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease, ok := l.out[sequence]
	return lease, ok
}

// hidden counts the messages that this process hides.
func (l *leases) hidden() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, lease := range l.out {
		if lease.Until.After(now) {
			n++
		}
	}
	return n
}

func (l *leases) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out)
}

// full reports whether it is time to prune.
func (l *leases) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.out) > l.pruneAt
}

// prune forgets the messages below first, the oldest that the queue still has.
func (l *leases) prune(first uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sequence := range l.out {
		if sequence < first {
			delete(l.out, sequence)
		}
	}
	l.pruneAt = max(minPrune, 2*len(l.out))
}

// prune looks for leases of messages that are not in the queue any more.
func (q *WorkQueue) prune(ctx context.Context) error {
	info, err := q.stream.Info(ctx)
	if err != nil {
		return err
	}
	q.leases.prune(info.State.FirstSeq)
	return nil
}

// Lease returns what is known of a message that is out. False means that it is
// gone, was never fetched, or was fetched by a former process only.
func (q *WorkQueue) Lease(sequence uint64) (Lease, bool) { return q.leases.get(sequence) }

// Hides reports whether this process hides n messages or more. It is cheap while
// fewer are out.
func (q *WorkQueue) Hides(n int) bool { return q.leases.size() >= n && q.leases.hidden() >= n }
