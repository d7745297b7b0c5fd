package conn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"time"
)

const (
	// drainPace is how many clients a second a drain tells to go, for they will
	// come back at once, elsewhere: as many as API Gateway lets an account open
	// ("Quotas for WebSocket APIs" in the developer guide).
	drainPace = 500
	// drainStep is how often it tells some.
	drainStep = 10 * time.Millisecond
)

// ErrDrainInHandler is what Drain returns to a Handler, for whose own
// connection it would wait forever.
var ErrDrainInHandler = errors.New("conn: Drain was called by a Handler, which it would wait for; call it in a goroutine of its own")

// Drain closes all connections with the reason, and every one that comes later,
// and waits until all calls of Serve have returned, their handlers' Closed
// included, or ctx ends. A drained hub stays so.
//
// So that the clients do not all come back in the same moment, they are told in
// random order, 500 a second, or faster: within a quarter of the time that ctx
// leaves. Those that wait for their turn are served meanwhile. When ctx ends the
// rest is told at once.
//
// A Handler's Message or Closed that calls Drain, of whatever hub, gets
// ErrDrainInHandler, and nothing is closed. One that waits for a goroutine which
// drains its hub waits until ctx ends: that cannot be seen here.
func (h *Hub) Drain(ctx context.Context, why Reason) error {
	if calledByHandler() {
		return ErrDrainInHandler
	}
	empty := h.beginDrain(why)
	h.tell(ctx, slices.Collect(h.All()), why, empty)
	select {
	case <-empty:
		h.ready.wait()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain %d connections: %w", h.Len(), ctx.Err())
	}
}

// beginDrain turns newcomers away from now on. What it returns is closed when
// the last call of Serve has returned.
func (h *Hub) beginDrain(why Reason) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining == nil {
		h.draining = &why
	}
	if h.serving > 0 && h.empty != nil {
		return h.empty
	}
	empty := make(chan struct{})
	if h.serving == 0 {
		close(empty)
	} else {
		h.empty = empty
	}
	return empty
}

// tell closes connections in random order, an equal part of them at each step.
func (h *Hub) tell(ctx context.Context, conns []*Conn, why Reason, empty <-chan struct{}) {
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	steps := drainSteps(ctx, len(conns))
	for step, told := 1, 0; ; step++ {
		until := len(conns) * step / steps
		for _, c := range conns[told:until] {
			c.close(why)
		}
		if told = until; step == steps {
			return
		}
		select {
		case <-tick.C:
		case <-empty:
			return // they have left by themselves
		case <-ctx.Done(): // the other steps follow without a pause
		}
	}
}

// drainSteps returns in how many steps to tell n connections.
func drainSteps(ctx context.Context, n int) int {
	spread := time.Duration(n) * time.Second / drainPace
	if end, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(end)/4)
	}
	return max(1, int(spread/drainStep))
}

// serveName is what the runtime calls Serve.
var serveName = runtime.FuncForPC(reflect.ValueOf((*Conn).Serve).Pointer()).Name()

// calledByHandler tells whether this goroutine is in a call of Serve, which
// calls handlers.
func calledByHandler() bool {
	callers := make([]uintptr, 64)
	n := runtime.Callers(1, callers)
	for n == len(callers) {
		callers = make([]uintptr, 2*len(callers))
		n = runtime.Callers(1, callers)
	}
	frames := runtime.CallersFrames(callers[:n])
	for {
		frame, more := frames.Next()
		if frame.Function == serveName {
			return true
		}
		if !more {
			return false
		}
	}
}
