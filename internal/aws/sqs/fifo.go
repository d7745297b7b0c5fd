package sqs

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// fifo is the line of a FIFO queue: a journal of the bus with the messages and
// with notes on what became of them, and the order of both in memory.
type fifo struct {
	queue   *queue
	journal *bus.Journal

	// sending is held for reading by sends until the store has answered, and for
	// writing by a purge, which must know what was there before it.
	sending sync.RWMutex

	// mu guards what follows. What changes the journal is handed to it with mu
	// held, so that the journal has everything in the same order, and waited for
	// without.
	mu       sync.Mutex
	order    *groups
	memory   *memory
	attempts attempts
	waiters  waiters
	dropped  bool
}

func milliseconds() int64 { return time.Now().UnixMilli() }

// lock locks mu, unless the queue is gone, and lets go of what is too old.
func (l *fifo) lock() (now int64, err error) {
	l.mu.Lock()
	if l.dropped {
		l.mu.Unlock()
		return 0, errNoQueue()
	}
	now = milliseconds()
	l.expire(now)
	return now, nil
}

// expire forgets letters past the queue's retention; the bus deletes them by
// itself. A FIFO queue's message has its age since its last move.
func (l *fifo) expire(now int64) {
	oldest := now - l.queue.record().Settings.Retention.Milliseconds()
	for x := l.order.oldest; x != nil && x.stored < oldest; x = l.order.oldest {
		l.order.remove(now, x)
		l.release(x.note)
	}
}

// sending is a message on its way into the journal.
type sending struct {
	*known
	letter *letter
	// repeated is a message that was sent before, or is being sent.
	repeated bool
}

func (l *fifo) send(ctx context.Context, messages []*envelope) []sent {
	results := make([]sent, len(messages))
	l.sending.RLock()
	defer l.sending.RUnlock()
	now, err := l.lock()
	if err != nil {
		for i := range results {
			results[i].err = err
		}
		return results
	}
	out := make([]sending, len(messages))
	var entries []bus.Entry
	for i, e := range messages {
		k := &known{Group: e.Group, Dedup: e.Dedup, ID: e.ID, At: e.Sent, settled: make(chan struct{})}
		if earlier := l.memory.find(k, now); earlier != nil {
			out[i] = sending{known: earlier, repeated: true}
			continue
		}
		l.memory.add(k)
		x := &letter{id: e.ID, dedup: e.Dedup, stored: now}
		l.order.add(x, e.Group, now)
		out[i] = sending{known: k, letter: x}
		entries = append(entries, bus.Entry{Data: e.seal()})
	}
	receipts := l.journal.Append(entries...)
	l.mu.Unlock()
	l.settle(out, receipts.Wait())
	for i, o := range out {
		results[i] = o.result(ctx)
	}
	return results
}

// settle files the store's answers.
func (l *fifo) settle(out []sending, written []bus.Written) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := milliseconds()
	for _, o := range out {
		if o.repeated {
			continue
		}
		w := written[0]
		written = written[1:]
		if o.err = w.Err; w.Err != nil {
			l.memory.forget(o.known)
			l.order.remove(now, o.letter)
		} else {
			o.Sequence = w.Sequence
			l.order.settle(o.letter, w.Sequence, now)
		}
		close(o.settled)
	}
	l.waiters.wake()
}

// result waits for the store's answer to an earlier message like this one. A
// repeated message is accepted, with the id of the first.
func (o sending) result(ctx context.Context) sent {
	if o.settled != nil {
		select {
		case <-o.settled:
		case <-ctx.Done():
			return sent{err: ctx.Err()}
		}
	}
	return sent{id: o.ID, sequence: sequenceNumber(o.Sequence), err: o.err}
}

// sequenceNumber makes of a message's place in the journal a number like SQS's,
// of twenty digits.
func sequenceNumber(sequence uint64) string {
	digits := strconv.FormatUint(sequence, 10)
	const base = "18800000000000000000"
	return base[:len(base)-len(digits)] + digits
}

// accept does not ask whether the message was sent before: what moves was sent
// once, and must not be lost because its like went the same way.
func (l *fifo) accept(_ context.Context, e *envelope, move string) error {
	l.sending.RLock()
	defer l.sending.RUnlock()
	now, err := l.lock()
	if err != nil {
		return err
	}
	x := &letter{id: e.ID, dedup: e.Dedup, stored: now}
	l.order.add(x, e.Group, now)
	receipts := l.journal.Append(bus.Entry{Data: e.seal(), ID: move})
	l.mu.Unlock()
	w := receipts.Wait()[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.Err != nil || w.Duplicate {
		l.order.remove(milliseconds(), x)
	} else {
		l.order.settle(x, w.Sequence, milliseconds())
	}
	l.waiters.wake()
	return w.Err
}

func (l *fifo) counts(context.Context) (bus.Counts, error) {
	now, err := l.lock()
	if err != nil {
		return bus.Counts{}, err
	}
	defer l.mu.Unlock()
	ready, hidden, delayed := l.order.count(now)
	return bus.Counts{Ready: ready, Hidden: hidden, Delayed: delayed}, nil
}

// purge keeps what was sent in mind, so that it is not sent again.
func (l *fifo) purge(ctx context.Context) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	if _, err := l.lock(); err != nil {
		return err
	}
	defer l.mu.Unlock()
	if err := l.journal.Purge(ctx); err != nil {
		return err
	}
	for x := l.order.oldest; x != nil; x = x.newer {
		x.gone = true
	}
	l.order, l.attempts = newGroups(l.order.delay), attempts{}
	return nil
}

// forgetSent lets everything be sent again.
func (l *fifo) forgetSent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.memory = newMemory(l.memory.perGroup)
}

func (l *fifo) update(ctx context.Context, r record) error {
	now, err := l.lock()
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if err := l.journal.Update(ctx, r.journalConfig()); err != nil {
		return err
	}
	l.memory.rescope(r.Settings.FIFO.perGroup())
	if delay := r.Settings.Delay.Milliseconds(); delay != l.order.delay {
		l.order.delay = delay
		l.order.lookAgain(now)
	}
	l.waiters.wake()
	return nil
}

func (l *fifo) drop(ctx context.Context) error {
	if _, err := l.lock(); err != nil {
		return err
	}
	defer l.mu.Unlock()
	if err := l.journal.Drop(ctx); err != nil {
		return err
	}
	l.dropped = true
	l.waiters.wake()
	return nil
}
