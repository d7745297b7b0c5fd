package sqs

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// maxInFlight is how many messages of a queue may be hidden at a time (SQS
// developer guide, "Message quotas"; both kinds of queues).
const maxInFlight = 120_000

// standard is the line of a standard queue: a work queue of the bus.
type standard struct {
	queue *queue
	work  *bus.WorkQueue
}

func (l *standard) send(ctx context.Context, messages []*envelope) []sent {
	results := make([]sent, len(messages))
	out := make([]bus.Message, len(messages))
	for i, e := range messages {
		results[i].id, out[i].Data = e.ID, e.seal()
		if e.delay > 0 {
			out[i].At, out[i].Delayed = time.UnixMilli(e.Sent).Add(e.delay), e.ID
		}
	}
	if len(out) == 1 {
		results[0].err = l.work.Publish(ctx, out[0])
		return results
	}
	for i, err := range l.work.PublishAll(ctx, out) {
		results[i].err = err
	}
	return results
}

// opened is a delivery whose envelope was read.
type opened struct {
	bus.Delivery
	*envelope
}

// receive fetches until there is a message to hand out, moving what has been
// received too often out of the way.
func (l *standard) receive(ctx context.Context, in receiving) ([]Message, error) {
	if l.work.Hides(maxInFlight) {
		return nil, errOverLimit()
	}
	fetch, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.queue.service.ctx, cancel)()
	deadline := time.Now().Add(in.wait)
	for {
		got, err := l.work.Fetch(fetch, in.most, time.Until(deadline))
		if err != nil && ctx.Err() == nil && fetch.Err() != nil {
			return nil, nil // the service closes: nothing to receive any more
		}
		if err != nil || len(got) == 0 {
			return nil, err
		}
		if live := l.bury(ctx, l.open(ctx, got)); len(live) > 0 {
			return l.handOut(ctx, live, in.visibility)
		}
	}
}

// open reads deliveries, and drops what has grown too old: the bus counts a
// message's age from the end of its delay and from its move.
func (l *standard) open(ctx context.Context, got []bus.Delivery) []opened {
	r := l.queue.record()
	oldest := time.Now().Add(-r.Settings.Retention).UnixMilli()
	all := make([]opened, 0, len(got))
	var expired []bus.Receipt
	for _, d := range got {
		e, err := openEnvelope(d.Data)
		switch {
		case err != nil:
			l.queue.service.config.Log.Error("message cannot be read", "queue", r.Address.Name, "sequence", d.Sequence, "error", err)
		case e.Sent < oldest:
			expired = append(expired, d.Receipt)
		default:
			all = append(all, opened{d, e})
		}
	}
	if err := l.work.Ack(ctx, expired...); err != nil {
		l.queue.service.config.Log.Error("messages past their retention cannot be dropped", "queue", r.Address.Name, "error", err)
	}
	return all
}

// handOut hides deliveries and makes messages of them, unless the caller has
// left by then: they go back.
func (l *standard) handOut(ctx context.Context, got []opened, visibility time.Duration) ([]Message, error) {
	var err error
	if visibility != l.work.Config().AckWait {
		err = l.work.Hide(ctx, visibility, receiptsOf(got)...)
	}
	if ctx.Err() != nil {
		for _, o := range got {
			l.work.Return([]bus.Delivery{o.Delivery})
		}
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	messages := make([]Message, len(got))
	for i, o := range got {
		handle := l.queue.service.seal.wrap(l.queue.record().ID, o.Receipt)
		messages[i] = o.message(handle, o.Count, o.First)
	}
	return messages, nil
}

func receiptsOf(got []opened) []bus.Receipt {
	all := make([]bus.Receipt, len(got))
	for i, o := range got {
		all[i] = o.Receipt
	}
	return all
}

// bury moves the deliveries that exceed the redrive policy's count to the
// dead-letter queue and returns the others. One that cannot be moved stays
// hidden and is tried again when it comes back.
func (l *standard) bury(ctx context.Context, got []opened) (live []opened) {
	r := l.queue.record()
	if r.Settings.Redrive == nil {
		return got
	}
	for _, o := range got {
		if o.Count <= r.Settings.Redrive.MaxReceiveCount {
			live = append(live, o)
			continue
		}
		l.queue.bury(ctx, o.held(l, &r))
	}
	return live
}

// held makes of a delivery something to move.
func (o opened) held(l *standard, r *record) held {
	return held{
		envelope: o.envelope, move: r.ID + "-" + strconv.FormatUint(o.Sequence, 10),
		done: func(ctx context.Context) error { return l.work.Ack(ctx, o.Receipt) },
		back: func() { l.work.Return([]bus.Delivery{o.Delivery}) },
	}
}

func (l *standard) take(ctx context.Context, most int) ([]held, error) {
	got, err := l.work.Fetch(ctx, most, 0)
	r := l.queue.record()
	var all []held
	for _, o := range l.open(ctx, got) {
		all = append(all, o.held(l, &r))
	}
	return all, err
}

func (l *standard) accept(ctx context.Context, e *envelope, move string) error {
	return l.work.Publish(ctx, bus.Message{Data: e.seal(), ID: move})
}

func (l *standard) remove(ctx context.Context, handles []string) []error {
	errs := make([]error, len(handles))
	receipts := make([]bus.Receipt, 0, len(handles))
	for i, handle := range handles {
		var r bus.Receipt
		if r, errs[i] = l.queue.receipt(handle); errs[i] == nil {
			receipts = append(receipts, r)
		}
	}
	if err := l.work.Ack(ctx, receipts...); err != nil {
		for i := range errs {
			errs[i] = errors.Join(errs[i], err)
		}
	}
	return errs
}

func (l *standard) hide(ctx context.Context, handle string, d time.Duration) error {
	r, err := l.queue.receipt(handle)
	if err != nil {
		return err
	}
	if err := l.checkInflight(ctx, r, handle, d); err != nil {
		return err
	}
	return l.work.Hide(ctx, d, r)
}

// checkInflight refuses what SQS refuses: a message that is visible again,
// deleted, or would be hidden for more than 12 hours by one receive. Of a message
// that a former process handed out only its presence is known.
func (l *standard) checkInflight(ctx context.Context, r bus.Receipt, handle string, d time.Duration) error {
	lease, ok := l.work.Lease(r.Sequence)
	if ok {
		return checkFlight(lease.Last, lease.Until, d)
	}
	held, err := l.work.Holds(ctx, r.Sequence)
	if err == nil && !held {
		return errGone(handle)
	}
	return err
}

// checkFlight checks a change of a message that was received last and is hidden
// until then.
func checkFlight(last, until time.Time, d time.Duration) error {
	now := time.Now()
	switch {
	case !until.After(now):
		return errNotInflight()
	case now.Add(d).After(last.Add(maxVisibility + time.Second)):
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].", d/time.Second)
	}
	return nil
}

func errGone(handle string) *awswire.Error {
	return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", clip(handle))
}

func (l *standard) counts(ctx context.Context) (bus.Counts, error) { return l.work.Counts(ctx) }
func (l *standard) purge(ctx context.Context) error                { return l.work.Purge(ctx) }
func (l *standard) update(ctx context.Context, r record) error {
	return l.work.Update(ctx, r.busConfig())
}
func (l *standard) drop(ctx context.Context) error { return l.work.Delete(ctx) }
