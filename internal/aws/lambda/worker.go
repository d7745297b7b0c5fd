package lambda

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// fetchWait is how long one look for invocations waits for the first, and
// pauseAfter how long a poller pauses after a fault of the store.
const (
	fetchWait  = 30 * time.Second
	pauseAfter = time.Second
)

// firstBackoff and mostBackoff are Lambda's waits before a function that could
// not be invoked is tried again: they double.
const (
	firstBackoff = time.Second
	mostBackoff  = 5 * time.Minute
)

func backoff(n int) time.Duration {
	return min(firstBackoff<<min(max(n-1, 0), 16), mostBackoff)
}

// worker runs the asynchronous invocations of one function.
type worker struct {
	*Service
	function string
	queue    queue
	round    round
}

// pollLocked starts as many pollers as invocations of the function may run at a
// time.
func (s *Service) pollLocked(function string, q queue) {
	w := &worker{s, function, q, s.round}
	for range s.config.Concurrency {
		s.pollers.Go(w.poll)
	}
}

// poll runs one invocation after the other until Close or Reset.
func (w *worker) poll() {
	for w.round.taking.Err() == nil {
		got, err := w.queue.Fetch(w.round.taking, 1, fetchWait)
		for _, d := range got {
			w.attempt(d)
		}
		if err == nil || w.round.taking.Err() != nil {
			continue
		}
		if errors.Is(err, bus.ErrNoQueue) || errors.Is(err, bus.ErrClosed) {
			return
		}
		w.config.Log.Error("asynchronous invocations cannot be fetched; trying again", "function", w.function, "error", err)
		pause(w.round.taking, pauseAfter)
	}
}

// pause waits until the time is over or ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// step is what follows from an attempt.
type step int

const (
	finished  step = iota
	postponed      // it goes on after a wait
	cutOff         // the attempt ended with the service: nothing has happened
)

// attempt takes an invocation as far as it gets now.
func (w *worker) attempt(d bus.Delivery) {
	e, err := openEnvelope(d.Data)
	if err != nil {
		w.config.Log.Error("an asynchronous invocation cannot be read and is dropped", "function", w.function, "error", err)
		w.ack(d)
		return
	}
	// Earlier deliveries of the same copy ended when the process was killed. They
	// count, so that an event that kills it comes to an end; the bus forgives
	// one.
	lost := max(d.Count-1, 0)
	e.Attempts, e.Faults = e.Attempts+lost, e.Faults+lost
	release := w.hold(d)
	next, wait := w.advance(w.round.running, e)
	release()
	switch next {
	case finished:
		w.ack(d)
	case postponed:
		w.postpone(d, e, wait)
	case cutOff:
		w.giveBack(d)
	}
}

// giveBack returns a delivery that was cut off. At the end of the service it
// waits until nobody fetches any more: a poller that is about to stop would be
// sent it, and each such delivery would count as an attempt after the next start.
func (w *worker) giveBack(d bus.Delivery) {
	back := func() { w.queue.Return([]bus.Delivery{d}) }
	if w.running.Err() == nil { // a reset
		back()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backs = append(w.backs, back)
}

// hold keeps an invocation hidden for as long as the attempt takes, so that only
// the end of the process brings it back.
func (w *worker) hold(d bus.Delivery) (release func()) {
	ctx, stop := context.WithCancel(context.Background())
	var held sync.WaitGroup
	held.Go(func() {
		tick := time.NewTicker(ackWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := w.queue.Hide(ctx, ackWait, d.Receipt); err != nil && ctx.Err() == nil {
					w.config.Log.Debug("a running invocation may come back and run twice", "function", w.function, "error", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		stop()
		held.Wait()
	}
}

// advance invokes the function unless it has been for the last time, and then
// tells the destinations.
func (w *worker) advance(ctx context.Context, e *envelope) (step, time.Duration) {
	if e.Outcome == nil {
		o, wait, err := w.invoke(ctx, e)
		if err != nil {
			return cutOff, 0
		}
		if o == nil {
			return postponed, wait
		}
		e.Outcome = o
	}
	return w.tell(ctx, e)
}

// invoke makes one attempt. Without an outcome there is another one after the wait.
// The error is ctx's.
func (w *worker) invoke(ctx context.Context, e *envelope) (*outcome, time.Duration, error) {
	settings, _ := w.configOf(w.function)
	switch {
	case w.left(e) <= 0:
		return w.ended(eventAgeExceeded, false), 0, nil
	case e.Faults > settings.retries():
		return w.ended(retriesExhausted, false), 0, nil
	}
	response, err := w.run(ctx, e)
	if err == nil {
		e.Attempts++
		e.response = response
		return w.ended(succeeded, true), 0, nil
	}
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	payload, failed := functionError(err)
	if !failed {
		e.Waits++
		return nil, min(backoff(e.Waits), w.left(e)), nil
	}
	e.Attempts, e.Faults, e.Waits = e.Attempts+1, e.Faults+1, 0
	if e.Faults > settings.retries() {
		e.response = payload
		return w.ended(retriesExhausted, true), 0, nil
	}
	return nil, min(w.retryWait(e.Faults), w.left(e)), nil
}

// left is how long an invocation may still wait.
func (w *worker) left(e *envelope) time.Duration {
	settings, _ := w.configOf(w.function)
	return settings.age() - time.Since(e.Accepted)
}

// run invokes the function. One that is not there is no fault of the event: a
// template that is being worked on may have it again soon.
func (w *worker) run(ctx context.Context, e *envelope) ([]byte, error) {
	known := false
	for _, f := range w.config.Functions.List() {
		known = known || f.Name == w.function
	}
	if !known {
		w.config.Log.Warn("an asynchronous invocation waits for a function that is not there", "function", w.function, "requestId", e.ID)
		return nil, ErrNoFunction
	}
	response, err := w.config.Functions.Invoke(ctx, w.function, Invocation{RequestID: e.ID, Event: e.event, ClientContext: e.ClientContext})
	if _, failed := functionError(err); err != nil && !failed && !errors.Is(err, apigw.ErrThrottled) && ctx.Err() == nil {
		w.config.Log.Error("a function could not be invoked; trying again", "function", w.function, "requestId", e.ID, "error", err)
	}
	return response, err
}

// retryWait is the wait before the n-th retry.
func (w *worker) retryWait(n int) time.Duration {
	waits := w.config.Retries
	if len(waits) == 0 {
		return 0
	}
	return waits[min(n, len(waits))-1]
}

// postpone puts a copy with the counts as they are now into the queue, to come
// when the wait is over, in place of the delivery. That is how counts and waits
// outlive the process. If it is killed in between, the id keeps the copy the only
// one.
func (w *worker) postpone(d bus.Delivery, e *envelope, wait time.Duration) {
	e.Round++
	m := bus.Message{Data: e.seal(), ID: e.ID + "-" + strconv.Itoa(e.Round)}
	if len(m.Data) > bus.MaxPayload { // a response is too large to be kept
		e.response = nil
		m.Data = e.seal()
	}
	if wait > 0 {
		m.At, m.Delayed = time.Now().Add(wait), uuid.New()
	}
	if err := w.queue.Publish(context.Background(), m); err != nil {
		// The delivery comes back by itself.
		w.config.Log.Error("the next attempt of an invocation cannot be stored", "function", w.function, "requestId", e.ID, "error", err)
		return
	}
	w.ack(d)
}

// ack removes a delivery. When that fails it comes back and runs twice, which
// Lambda's callers must expect anyway.
func (w *worker) ack(d bus.Delivery) {
	if err := w.queue.Ack(context.Background(), d.Receipt); err != nil && !cutShort(err) && !errors.Is(err, bus.ErrNoQueue) {
		w.config.Log.Error("a finished invocation cannot be removed and will run again", "function", w.function, "error", err)
	}
}
