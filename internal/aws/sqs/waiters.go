package sqs

import (
	"context"
	"slices"
	"time"
)

// waiters are the receives that wait at a FIFO queue, in their order. One is woken
// at a time, and keeps its place when it finds nothing; when it leaves, with
// messages or without, it wakes the next. So the first one always knows when a
// group opens. The queue's lock guards them.
type waiters []*waiter

// waiter is one receive that waits, or has not waited yet.
type waiter struct {
	woken chan struct{} // has room for one; nil before it waits
	// until is when a group opens by itself, in milliseconds since the epoch.
	until int64
}

// join gives one a place behind the others, unless it has one.
func (w *waiters) join(one *waiter, until int64) {
	if one.until = until; one.woken == nil {
		one.woken = make(chan struct{}, 1)
		*w = append(*w, one)
	}
}

func (w *waiters) leave(one *waiter) {
	if one.woken != nil {
		*w = slices.DeleteFunc(*w, func(other *waiter) bool { return other == one })
		w.wake()
	}
}

// wake lets the first one look again.
func (w *waiters) wake() {
	if len(*w) > 0 {
		select {
		case (*w)[0].woken <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// sleep waits until it is worth looking again. It returns false when the deadline
// has passed, the caller has left (ctx) or the service closes.
func (w *waiter) sleep(ctx, service context.Context, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	if w.until != never {
		left = min(left, time.Until(time.UnixMilli(w.until)))
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-w.woken:
		return true
	case <-timer.C:
		return time.Now().Before(deadline)
	case <-ctx.Done():
	case <-service.Done():
	}
	return false
}
