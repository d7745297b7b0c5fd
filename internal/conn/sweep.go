package conn

import (
	"context"
	"time"
)

// Run ends connections that are idle, old, or full for too long, until ctx
// ends. It looks at all of them at an interval of an eighth of the shortest
// limit, at most once a second or so, and so closes late by that much, never
// early. Without Run there are no such limits.
func (h *Hub) Run(ctx context.Context) {
	tick := time.NewTicker(h.sweepInterval())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.sweep()
		}
	}
}

func (h *Hub) sweepInterval() time.Duration {
	interval := time.Second
	for _, limit := range []time.Duration{h.limits.Idle, h.limits.MaxAge, h.limits.WriteStall} {
		if limit > 0 {
			interval = min(interval, limit/8)
		}
	}
	return max(interval, 5*time.Millisecond)
}

func (h *Hub) sweep() {
	now := h.now()
	for c := range h.All() {
		c.judge(now)
	}
}

// judge applies the limits of time to one connection.
func (c *Conn) judge(now int64) {
	switch {
	case c.Closing():
		c.judgeClosing()
	case exceeded(now-c.born, c.limits.MaxAge):
		c.close(Age)
	case exceeded(now-c.lastActive.Load(), c.limits.Idle):
		c.close(Idle)
	default:
		c.judgeFull(now)
	}
}

func exceeded(nanos int64, limit time.Duration) bool {
	return limit > 0 && nanos >= int64(limit)
}

// judgeFull ends a connection that has refused messages for WriteStall and has
// not drained to half since: a client that reads just enough not to stall.
func (c *Conn) judgeFull(now int64) {
	c.mu.Lock()
	full := c.fullSince != 0 && exceeded(now-c.fullSince, c.limits.WriteStall)
	c.mu.Unlock()
	if full {
		c.reset(Slow)
	}
}

// judgeClosing closes the socket of a connection whose reader is held up by its
// handler beyond the time that a goodbye may take.
func (c *Conn) judgeClosing() {
	c.mu.Lock()
	by := c.closeBy.Add(answerLimit)
	c.mu.Unlock()
	if time.Now().After(by) {
		c.shut()
	}
}
