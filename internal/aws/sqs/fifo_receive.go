package sqs

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// holdFor is how long a message is hidden while it is moved to another queue, and
// after a move that failed.
const holdFor = 30 * time.Second

// receive takes letters until there are some to hand out, moving what has been
// received too often out of the way.
func (l *fifo) receive(ctx context.Context, in receiving) ([]Message, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	deadline := time.Now().Add(in.wait)
	place := new(waiter)
	defer l.leave(place)
	for {
		got, err := l.find(in, place)
		if err != nil {
			return nil, err
		}
		for _, x := range got.dead {
			l.bury(ctx, x)
		}
		switch {
		case len(got.live) > 0:
			messages, err := l.handOut(ctx, got)
			if err != nil || len(messages) > 0 {
				return messages, err
			}
			// All of them were too old: look again.
		case len(got.dead) > 0: // they made room
		case !place.sleep(ctx, l.queue.service.ctx, deadline):
			return nil, ctx.Err()
		}
	}
}

// found is what one look for messages found.
type found struct {
	live, dead []*letter
	// written waits until it is stored that the live ones were received.
	written func() error
}

// find takes letters, or, when there are none, a place among those who wait.
func (l *fifo) find(in receiving, place *waiter) (got found, err error) {
	now, err := l.lock()
	if err != nil {
		return got, err
	}
	defer l.mu.Unlock()
	until := now + in.visibility.Milliseconds()
	if got.live = l.attempts.repeat(in.attempt, now, until); got.live != nil {
		l.order.hide(until, now, got.live...)
		got.written = l.noteFlights(got.live)
		return got, nil
	}
	limit := math.MaxInt
	if policy := l.queue.record().Settings.Redrive; policy != nil {
		limit = policy.MaxReceiveCount
	}
	got.live, got.dead = l.order.choose(in.most, now, func(x *letter) bool { return x.flight.count() >= limit })
	l.order.hide(now+holdFor.Milliseconds(), now, got.dead...)
	if len(got.live) > 0 {
		for _, x := range got.live {
			x.fly(now)
		}
		l.order.hide(until, now, got.live...)
		l.attempts.add(in.attempt, got.live, now, until)
		got.written = l.noteFlights(got.live)
		l.waiters.wake() // there may be more
	} else if len(got.dead) == 0 {
		l.waiters.join(place, l.order.next())
	}
	return got, nil
}

// fly counts a receive.
func (x *letter) fly(now int64) {
	f := &x.flight
	f.Receives++
	if f.Last = now; f.First == 0 {
		f.First = now
	}
}

// leave gives up a place among those who wait.
func (l *fifo) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiters.leave(w)
}

// handOut makes messages of letters, unless the caller has left by then: they go
// back and the receive counts for nothing.
func (l *fifo) handOut(ctx context.Context, got found) ([]Message, error) {
	flights := make([]flight, len(got.live))
	l.mu.Lock()
	for i, x := range got.live {
		flights[i] = x.flight
	}
	l.mu.Unlock()
	envelopes, err := l.read(ctx, got.live)
	err = errors.Join(err, got.written())
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		l.takeBack(got.live)
		return nil, err
	}
	var messages []Message
	r := l.queue.record()
	for i, e := range envelopes {
		if e == nil {
			continue
		}
		f := flights[i]
		handle := l.queue.service.seal.wrap(r.ID, bus.Receipt{Sequence: got.live[i].sequence, AckSubject: strconv.Itoa(f.Receives)})
		m := e.message(handle, f.count(), time.UnixMilli(f.First))
		m.Attributes["SequenceNumber"] = sequenceNumber(got.live[i].sequence)
		messages = append(messages, m)
	}
	return messages, nil
}

// read fetches the bodies of letters. One that the bus has dropped, as it was too
// old, is nil and forgotten.
func (l *fifo) read(ctx context.Context, letters []*letter) ([]*envelope, error) {
	sequences := make([]uint64, len(letters))
	for i, x := range letters {
		sequences[i] = x.sequence
	}
	stored, err := l.journal.Read(context.WithoutCancel(ctx), sequences...)
	if err != nil {
		return nil, err
	}
	all := make([]*envelope, len(letters))
	for i, r := range stored {
		if r == nil {
			l.forget(letters[i])
		} else if all[i], err = openEnvelope(r.Data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// takeBack undoes a receive that reached nobody. It is not waited for: if the
// process is killed now, the messages come back after their visibility timeout.
func (l *fifo) takeBack(letters []*letter) {
	now, err := l.lock()
	if err != nil {
		return
	}
	for _, x := range letters {
		if x.flight.Receives--; x.flight.Receives == 0 {
			x.flight.First = 0
		}
	}
	l.order.hide(now, now, letters...)
	written := l.noteFlights(letters)
	l.waiters.wake()
	l.mu.Unlock()
	written() // an error changes nothing here
}

// forget drops letters whose messages are gone.
func (l *fifo) forget(letters ...*letter) {
	l.mu.Lock()
	var idle []uint64
	for _, x := range letters {
		idle = append(idle, l.release(x.note)...)
		x.note = nil
	}
	l.order.remove(milliseconds(), letters...)
	l.waiters.wake()
	l.mu.Unlock()
	l.sweep(idle)
}

// letterOf finds the letter of a receipt handle. It is nil when the message is gone;
// current says that the handle is that of its latest receive and the message is
// still hidden. Call with mu held.
func (l *fifo) letterOf(handle string, now int64) (x *letter, current bool, err error) {
	r, err := l.queue.receipt(handle)
	if err != nil {
		return nil, false, err
	}
	receive, err := strconv.Atoi(r.AckSubject)
	if err != nil {
		return nil, false, errHandle(handle)
	}
	x = l.order.bySequence[r.Sequence]
	return x, x != nil && x.flight.Receives == receive && x.flight.Until > now, nil
}

// remove refuses handles whose time is over, as FIFO queues do: the message may
// have gone to somebody else.
func (l *fifo) remove(ctx context.Context, handles []string) []error {
	errs := make([]error, len(handles))
	now, err := l.lock()
	if err != nil {
		return fillErrors(errs, err)
	}
	var letters []*letter
	for i, handle := range handles {
		x, current, err := l.letterOf(handle, now)
		switch {
		case err != nil:
			errs[i] = err
		case x != nil && !current:
			errs[i] = invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", clip(handle))
		case x != nil:
			letters = append(letters, x)
		}
	}
	written := l.noteDeleted(letters, now)
	l.mu.Unlock()
	if err := l.finish(ctx, letters, written); err != nil {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	return errs
}

func fillErrors(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// noteDeleted begins to store that letters were deleted, for those that must be
// remembered. Call with mu held.
func (l *fifo) noteDeleted(letters []*letter, now int64) *bus.Receipts {
	var text noteText
	for _, x := range letters {
		k := &known{Group: x.group.name, Dedup: x.dedup}
		if earlier := l.memory.find(k, now); earlier != nil && earlier.Sequence == x.sequence {
			text.Deleted = append(text.Deleted, earlier)
		}
	}
	if text.Deleted == nil {
		return nil
	}
	return l.journal.Append(text.entry())
}

// finish deletes letters from the store, once it is stored what was deleted, and
// then opens their groups.
func (l *fifo) finish(ctx context.Context, letters []*letter, written *bus.Receipts) error {
	if written != nil {
		if w := written.Wait()[0]; w.Err != nil {
			return w.Err
		}
	}
	sequences := make([]uint64, len(letters))
	for i, x := range letters {
		sequences[i] = x.sequence
	}
	if err := l.journal.Delete(context.WithoutCancel(ctx), sequences...); err != nil {
		return err
	}
	l.forget(letters...)
	return nil
}

func (l *fifo) hide(_ context.Context, handle string, d time.Duration) error {
	now, err := l.lock()
	if err != nil {
		return err
	}
	x, current, err := l.letterOf(handle, now)
	switch {
	case err != nil:
	case x == nil:
		err = errGone(handle)
	case !current:
		err = errNotInflight()
	default:
		err = checkFlight(time.UnixMilli(x.flight.Last), time.UnixMilli(x.flight.Until), d)
	}
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.order.hide(now+d.Milliseconds(), now, x)
	written := l.noteFlights([]*letter{x})
	l.waiters.wake()
	l.mu.Unlock()
	return written()
}

// bury moves a letter to the dead-letter queue.
func (l *fifo) bury(ctx context.Context, x *letter) {
	all, err := l.read(ctx, []*letter{x})
	if err != nil || all[0] == nil {
		return // it is tried again
	}
	r := l.queue.record()
	l.queue.bury(ctx, l.held(x, all[0], &r))
}

// held makes of a letter something to move.
func (l *fifo) held(x *letter, e *envelope, r *record) held {
	return held{
		envelope: e, move: r.ID + "-" + strconv.FormatUint(x.sequence, 10),
		done: func(ctx context.Context) error {
			now, err := l.lock()
			if err != nil {
				return err
			}
			written := l.noteDeleted([]*letter{x}, now)
			l.mu.Unlock()
			return l.finish(ctx, []*letter{x}, written)
		},
		back: func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			now := milliseconds()
			l.order.hide(now, now, x)
			l.waiters.wake()
		},
	}
}

func (l *fifo) take(ctx context.Context, most int) ([]held, error) {
	now, err := l.lock()
	if err != nil {
		return nil, err
	}
	letters, _ := l.order.choose(most, now, func(*letter) bool { return false })
	l.order.hide(now+holdFor.Milliseconds(), now, letters...)
	l.mu.Unlock()
	envelopes, err := l.read(ctx, letters)
	if err != nil {
		return nil, err
	}
	r := l.queue.record()
	var all []held
	for i, e := range envelopes {
		if e != nil {
			all = append(all, l.held(letters[i], e, &r))
		}
	}
	return all, nil
}
