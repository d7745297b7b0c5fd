package sns

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// maxAttempts is how many deliveries of one subscription may run at a time.
const maxAttempts = 16

// fetchWait is how long one look for messages waits for the first.
const fetchWait = 30 * time.Second

// pauseAfter is how long deliveries pause after a fault of the store, and
// buryAgain how long a message waits whose dead-letter queue does not take it.
const (
	pauseAfter = time.Second
	buryAgain  = time.Minute
)

// worker delivers what waits for one subscription.
type worker struct {
	*subscription
	// slots bounds the attempts that run.
	slots chan struct{}
	wait  sync.WaitGroup

	mu sync.Mutex
	// out are the messages that this process has fetched and not yet settled, by
	// their sequence. One that comes back meanwhile is known by it.
	out map[uint64]bus.Receipt
}

// deliver runs until ctx ends or the queue is gone. Attempts that have begun go
// on until they end or the service closes.
func (s *subscription) deliver(ctx context.Context) {
	w := &worker{subscription: s, slots: make(chan struct{}, maxAttempts), out: make(map[uint64]bus.Receipt)}
	keep, stop := context.WithCancel(context.Background())
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		w.keep(keep)
	}()
	if s.state().Topic.fifo() {
		newLanes(w).run(ctx)
	} else {
		w.run(ctx)
	}
	w.wait.Wait()
	stop()
	<-kept
}

// keep hides what is out for longer, again and again, so that only the end of
// the process brings it back.
func (w *worker) keep(ctx context.Context) {
	tick := time.NewTicker(w.service.config.ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := w.queue.Hide(ctx, w.service.config.ackWait, w.receipts()...); err != nil && ctx.Err() == nil {
				// It comes back while it is out, and is known by its sequence.
				w.service.config.Log.Debug("messages on their way cannot be hidden for longer", "subscription", w.state().arn(), "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (w *worker) receipts() []bus.Receipt {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]bus.Receipt, 0, len(w.out))
	for _, r := range w.out {
		all = append(all, r)
	}
	return all
}

// take notes that a message is out; false means that it was already.
func (w *worker) take(d bus.Delivery) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.out[d.Sequence]
	w.out[d.Sequence] = d.Receipt
	return !known
}

func (w *worker) leave(d bus.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.out, d.Sequence)
}

// run delivers messages in any order, each in a goroutine of its own.
func (w *worker) run(ctx context.Context) {
	for {
		n := acquire(ctx, w.slots)
		if n == 0 {
			return
		}
		got, ok := w.fetch(ctx, n)
		used := 0
		for _, d := range got {
			if !w.take(d) {
				continue
			}
			used++
			w.wait.Go(func() {
				defer release(w.slots, 1)
				w.attempt(d)
			})
		}
		release(w.slots, n-used)
		if !ok {
			return
		}
	}
}

// acquire takes one slot and whatever others are free; zero means that ctx has
// ended.
func acquire(ctx context.Context, slots chan struct{}) (n int) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; n < cap(slots); n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

func release(slots chan struct{}, n int) {
	for range n {
		<-slots
	}
}

// fetch waits for messages. It is not ok when there will be none any more.
func (w *worker) fetch(ctx context.Context, n int) (got []bus.Delivery, ok bool) {
	got, err := w.queue.Fetch(ctx, n, fetchWait)
	if err == nil {
		return got, true
	}
	if ctx.Err() != nil || errors.Is(err, bus.ErrNoQueue) || errors.Is(err, bus.ErrClosed) {
		return got, false
	}
	w.service.config.Log.Error("messages cannot be fetched; trying again", "subscription", w.state().arn(), "error", err)
	return got, pause(ctx, pauseAfter)
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// attempt makes one attempt at a message and settles it.
func (w *worker) attempt(d bus.Delivery) {
	defer w.leave(d)
	e := w.read(d)
	if e == nil {
		return
	}
	v, wait, err := w.try(w.service.ctx, e)
	if err != nil && w.service.ctx.Err() != nil {
		w.handBack(d)
		return
	}
	if v == again {
		w.retry(d, e, wait)
		return
	}
	w.finish(d, e, v, err)
}

// handBack makes a message whose attempt was cut short by the end of the service
// wait for the next start as if it had not been tried. A copy takes its place,
// since the message itself would come back only after a while.
func (w *worker) handBack(d bus.Delivery) {
	if err := w.queue.Publish(context.WithoutCancel(w.service.ctx), bus.Message{Data: d.Data}); err == nil {
		w.ack(d)
	}
}

// read opens a message; one that cannot be read is dropped. Earlier deliveries
// of the same copy were cut short when the process was killed, so they count as
// failed: a message that kills the process must come to an end.
func (w *worker) read(d bus.Delivery) *envelope {
	e, err := openEnvelope(d.Data)
	if err != nil {
		w.service.config.Log.Error("message cannot be read and is dropped", "subscription", w.state().arn(), "error", err)
		w.ack(d)
		return nil
	}
	e.Tries += max(d.Count-1, 0)
	return e
}

// try makes an attempt, or, with a message that is given up, the attempt to put
// it into the dead-letter queue, and says what follows. The error is that of
// the attempt.
func (w *worker) try(ctx context.Context, e *envelope) (verdict, time.Duration, error) {
	if e.Dead == "" {
		err := w.send(ctx, e)
		if err != nil {
			e.count(err)
		}
		v, wait := w.judge(e, err)
		if v != bury || ctx.Err() != nil {
			return v, wait, err
		}
		e.Dead = clip(err.Error())
	}
	target := w.state().deadLetter
	if target == "" || e.Kind == confirmation {
		return bury, 0, errors.New(e.Dead)
	}
	if err := w.sendToQueue(ctx, target, e); err != nil {
		e.Tries++
		if ctx.Err() == nil {
			w.service.config.Log.Error("message cannot be put into the dead-letter queue; it will be tried again",
				"subscription", w.state().arn(), "queue", target, "message", e.ID, "error", err)
		}
		return again, buryAgain, err
	}
	return bury, 0, errors.New(e.Dead)
}

// retry puts a copy with the counts as they are now into the queue, to come when
// the wait is over, in place of the message. That is how counts and waits outlive
// the process. If it is killed in between, the id keeps the copy the only one.
func (w *worker) retry(d bus.Delivery, e *envelope, wait time.Duration) {
	m := bus.Message{Data: e.seal(), ID: e.ID + "-" + strconv.Itoa(e.Tries)}
	if wait > 0 {
		m.At, m.Delayed = time.Now().Add(wait), uuid.New()
	}
	if err := w.queue.Publish(context.WithoutCancel(w.service.ctx), m); err != nil {
		// The message stays and comes back by itself.
		w.service.config.Log.Error("the next attempt cannot be stored", "subscription", w.state().arn(), "message", e.ID, "error", err)
		return
	}
	w.ack(d)
}

// finish settles a message that needs no further attempt.
func (w *worker) finish(d bus.Delivery, e *envelope, v verdict, err error) {
	cause := ""
	if err != nil {
		cause = err.Error()
	}
	w.report(e, v, cause)
	w.ack(d)
}

// ack removes a message. When that fails it comes back and is delivered twice,
// which "at least once" allows.
func (w *worker) ack(d bus.Delivery) {
	err := w.queue.Ack(context.Background(), d.Receipt)
	if err != nil && !errors.Is(err, bus.ErrNoQueue) && !errors.Is(err, bus.ErrClosed) {
		w.service.config.Log.Error("delivered message cannot be removed; it will be delivered again", "subscription", w.state().arn(), "error", err)
	}
}
