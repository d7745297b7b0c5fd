package function

import (
	"slices"
	"time"
)

// The steps of pool. All but the timers' callbacks need its mutex.

// assignLocked gives an event to a sandbox that is not in the idle list and
// returns who must deliver it.
func (p *pool) assignLocked(s *sandbox, inv *invocation) receiver {
	inv.begun = time.Now()
	inv.deadline = inv.begun.Add(p.limits.run)
	if !s.seat.used {
		s.seat.used = true
		inv.cold = s.seat.initTook
	}
	s.seat.current = inv
	// Whoever delivers calls Done; no sandbox is taken apart before that.
	s.deliveries.Add(1)
	p.setLocked(s, running, inv.deadline)
	r := s.seat.receiver
	s.seat.receiver = nil
	return r
}

// startedLocked notes that a sandbox's init is over.
func (p *pool) startedLocked(s *sandbox) {
	s.seat.asked = true
	s.seat.initTook = time.Since(s.seat.launched)
	p.broken, p.failures = nil, 0
}

// failedLocked notes a failed start and tells the first who waits. Sandboxes
// that were started together and fail together count as one failure.
func (p *pool) failedLocked(s *sandbox, why failure) {
	if s.seat.failure != nil {
		why = *s.seat.failure
	}
	if s.seat.launched.After(p.failed) {
		p.failures++
	}
	p.failed = time.Now()
	p.broken = &why
	if len(p.queue) > 0 {
		p.finish(nil, p.queue[0], nil, &why)
		p.queue = slices.Delete(p.queue, 0, 1)
	}
}

// hopelessLocked reports whether no sandbox lives and none may be started yet.
func (p *pool) hopelessLocked() bool {
	return len(p.seats) == p.count[ending] && p.backingOffLocked()
}

func (p *pool) backingOffLocked() bool {
	return p.broken != nil && time.Since(p.failed) < backoff(p.failures)
}

// growLocked starts as many sandboxes as the queue needs and the limit allows.
// A sandbox that has just answered counts as one that the first in the queue
// can have: it asks for its next event within a fraction of a millisecond. If
// it does not, nudge stops counting on it.
func (p *pool) growLocked() {
	if p.closed || len(p.queue) == 0 {
		return
	}
	if p.backingOffLocked() {
		if p.hopelessLocked() {
			p.failQueueLocked(p.broken)
		}
		return
	}
	need := len(p.queue) - p.count[starting] - p.count[finishing]
	for range min(need, p.limits.sandboxes-len(p.seats)) {
		p.launchLocked()
	}
	if p.count[finishing] > 0 && !p.nudging && len(p.seats) < p.limits.sandboxes {
		p.nudging = true
		time.AfterFunc(p.limits.linger, p.nudge)
	}
}

func (p *pool) launchLocked() {
	s := p.launch()
	s.seat.launched = time.Now()
	p.seats[s] = struct{}{}
	p.count[starting]++
	p.limitLocked(s, s.seat.launched.Add(p.limits.init))
}

// nudge stops counting on sandboxes that answered a while ago.
func (p *pool) nudge() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudging = false
	for s := range p.seats {
		if s.seat.state == finishing && time.Since(s.seat.answered) >= p.limits.linger {
			p.setLocked(s, lingering, s.seat.deadline)
		}
	}
	p.growLocked()
}

// setLocked moves a sandbox to a state that ends at the deadline.
func (p *pool) setLocked(s *sandbox, to state, deadline time.Time) {
	p.count[s.seat.state]--
	p.count[to]++
	s.seat.state = to
	p.limitLocked(s, deadline)
}

// limitLocked sets the deadline of the state. The timer is touched only when it
// would fire too late: moving it for every event would cost more than the rest
// of the bookkeeping, so it fires early at times and is armed again.
func (p *pool) limitLocked(s *sandbox, deadline time.Time) {
	s.seat.deadline = deadline
	if !s.seat.wake.IsZero() && !s.seat.wake.After(deadline) {
		return
	}
	s.seat.wake = deadline
	if s.seat.timer == nil {
		s.seat.timer = time.AfterFunc(time.Until(deadline), func() { p.expire(s) })
		return
	}
	s.seat.timer.Reset(time.Until(deadline))
}

// expire ends a sandbox whose state has lasted too long.
func (p *pool) expire(s *sandbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.seat.wake = time.Time{}
	if s.seat.state == ending {
		return
	}
	if time.Now().Before(s.seat.deadline) {
		p.limitLocked(s, s.seat.deadline)
		return
	}
	was := s.seat.state
	p.endLocked(s)
	if was == idle {
		p.stop(s)
		return
	}
	p.kill(s)
	if was == starting {
		why := initTimedOut(p.limits.init)
		s.seat.failure = &why
	}
	if inv := s.seat.current; inv != nil {
		s.seat.current = nil
		why := timedOut(p.limits.run)
		p.finish(s, inv, nil, &why)
	}
}

// endLocked takes a sandbox out of circulation. It may be called twice.
func (p *pool) endLocked(s *sandbox) {
	if s.seat.state == ending {
		return
	}
	if s.seat.state == idle {
		p.removeIdleLocked(s)
	}
	p.count[s.seat.state]--
	p.count[ending]++
	s.seat.state = ending
	s.seat.receiver = nil
}

func (p *pool) removeIdleLocked(s *sandbox) {
	i := slices.Index(p.idle, s)
	p.idle = slices.Delete(p.idle, i, i+1)
}

// failQueueLocked fails everything that waits.
func (p *pool) failQueueLocked(why *failure) {
	for _, inv := range p.queue {
		p.finish(nil, inv, nil, why)
	}
	p.queue = nil
}
