package function

import (
	"slices"
	"time"
)

// The steps of pool. All but the timers' callbacks need its mutex.

// assignLocked gives an event to a seat that is not in the idle list and
// returns who must deliver it.
func (p *pool) assignLocked(t *seat, inv *invocation) receiver {
	inv.begun = time.Now()
	inv.deadline = inv.begun.Add(p.limits.run)
	s := t.sandbox
	if !s.standing.used {
		s.standing.used = true
		inv.cold = s.standing.initTook
	}
	t.current = inv
	// Whoever delivers calls Done; no sandbox is taken apart before that.
	s.deliveries.Add(1)
	p.setLocked(t, running, inv.deadline)
	r := t.receiver
	t.receiver = nil
	p.turnLocked(s)
	return r
}

// askingLocked returns the seat for which a sandbox asks: one that is to ask,
// or one more where it may have one; otherwise one that has asked, or has an
// event, already. It is nil when the sandbox may not ask.
func (p *pool) askingLocked(s *sandbox) *seat {
	if s.standing.ending || s.standing.failure != nil && !s.standing.asked {
		return nil
	}
	if t := s.standing.find(starting, finishing, lingering); t != nil {
		return t
	}
	if len(s.standing.seats) < p.limits.seats {
		return p.addSeatLocked(s, lingering)
	}
	if t := s.standing.find(idle); t != nil || p.limits.seats > 1 {
		return t
	}
	return s.standing.find(running)
}

func (p *pool) addSeatLocked(s *sandbox, in state) *seat {
	t := &seat{sandbox: s, state: in}
	s.standing.seats = append(s.standing.seats, t)
	s.standing.full = s.standing.full || len(s.standing.seats) == p.limits.seats
	p.count[in]++
	return t
}

// dropLocked takes away a seat of a sandbox that has others.
func (p *pool) dropLocked(t *seat) {
	if t.state == idle {
		p.removeIdleLocked(t)
	}
	p.count[t.state]--
	t.state, t.receiver = ending, nil
	t.timer.Stop()
	seats := t.sandbox.standing.seats
	i := slices.Index(seats, t)
	t.sandbox.standing.seats = slices.Delete(seats, i, i+1)
	p.turnLocked(t.sandbox)
}

// parkLocked deals with a seat that asks when its sandbox is stale: the last
// one ends the sandbox, the others wait without getting anything. It reports
// whether the seat waits.
func (p *pool) parkLocked(t *seat) bool {
	s := t.sandbox
	p.count[t.state]--
	p.count[ending]++
	t.state = ending
	if !s.standing.idleOrStarting() {
		return true
	}
	p.endLocked(s)
	p.stop(s)
	p.growLocked()
	return false
}

// startedLocked notes that a sandbox's init is over.
func (p *pool) startedLocked(s *sandbox) {
	s.standing.asked = true
	s.standing.initTook = time.Since(s.standing.launched)
	p.broken, p.failures = nil, 0
	if p.limits.seats > 1 {
		// Its other seats are counted on, but not for long.
		p.nudgeLocked()
		time.AfterFunc(p.limits.linger, func() { p.filled(s) })
	}
}

// failedLocked notes a failed start and tells the first who waits. Sandboxes
// that were started together and fail together count as one failure. An init
// that is too slow is no failure at first: it is begun again with the function's
// time limit, if that is longer ("Init phase" in the Lambda developer guide).
func (p *pool) failedLocked(s *sandbox, why failure) *failedStart {
	if s.standing.failure != nil {
		why = *s.standing.failure
	}
	if why.typ == typeTimeout && s.standing.patience == p.limits.init && p.limits.run > p.limits.init {
		p.patient = true
		return nil
	}
	if s.standing.launched.After(p.failed) {
		p.failures++
	}
	p.failed = time.Now()
	p.broken = &why
	if len(p.queue) > 0 {
		p.finish(nil, p.queue[0], nil, &why)
		p.queue = slices.Delete(p.queue, 0, 1)
	}
	return &failedStart{why: why, pause: backoff(p.failures)}
}

// hopelessLocked reports whether no sandbox lives and none may be started yet.
func (p *pool) hopelessLocked() bool {
	for s := range p.sandboxes {
		if !s.standing.ending {
			return false
		}
	}
	return p.backingOffLocked()
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
	need := len(p.queue) - p.count[starting]*p.limits.seats - p.count[finishing]
	need = (need + p.limits.seats - 1) / p.limits.seats // in sandboxes
	for range min(need, p.limits.sandboxes-len(p.sandboxes)) {
		p.launchLocked()
	}
	if p.count[finishing] > 0 && len(p.sandboxes) < p.limits.sandboxes {
		p.nudgeLocked()
	}
}

func (p *pool) launchLocked() {
	s := p.launch()
	s.standing.launched = time.Now()
	p.sandboxes[s] = struct{}{}
	s.standing.patience = p.limits.init
	if p.patient {
		s.standing.patience = max(p.limits.init, p.limits.run)
	}
	p.limitLocked(p.addSeatLocked(s, starting), s.standing.launched.Add(s.standing.patience))
}

// nudgeLocked has nudge called in a while.
func (p *pool) nudgeLocked() {
	if !p.nudging {
		p.nudging = true
		time.AfterFunc(p.limits.linger, p.nudge)
	}
}

// nudge stops counting on seats that answered a while ago.
func (p *pool) nudge() {
	p.mu.Lock()
	defer p.unlock()
	p.nudging = false
	for s := range p.sandboxes {
		for _, t := range s.standing.seats {
			if t.state == finishing && time.Since(t.answered) >= p.limits.linger {
				p.setLocked(t, lingering, t.deadline)
			}
		}
	}
	p.growLocked()
}

// setLocked moves a seat to a state that ends at the deadline.
func (p *pool) setLocked(t *seat, to state, deadline time.Time) {
	p.count[t.state]--
	p.count[to]++
	t.state = to
	p.limitLocked(t, deadline)
}

// limitLocked sets the deadline of the state. The timer is touched only when it
// would fire too late: moving it for every event would cost more than the rest
// of the bookkeeping, so it fires early at times and is armed again.
func (p *pool) limitLocked(t *seat, deadline time.Time) {
	t.deadline = deadline
	if !t.wake.IsZero() && !t.wake.After(deadline) {
		return
	}
	t.wake = deadline
	if t.timer == nil {
		t.timer = time.AfterFunc(time.Until(deadline), func() { p.expire(t) })
		return
	}
	t.timer.Reset(time.Until(deadline))
}

// expire deals with a seat whose state has lasted too long.
func (p *pool) expire(t *seat) {
	p.mu.Lock()
	defer p.unlock()
	t.wake = time.Time{}
	switch {
	case t.state == ending:
	case time.Now().Before(t.deadline):
		p.limitLocked(t, t.deadline)
	case t.state == idle && !t.sandbox.standing.unused(p.limits.idle):
		p.limitLocked(t, time.Now().Add(p.limits.idle))
	case len(t.sandbox.standing.seats) > 1 && (t.state == finishing || t.state == lingering):
		p.dropLocked(t) // it may have no use for so many
	default:
		p.expireLocked(t)
	}
}

// expireLocked ends the sandbox of a seat whose state has lasted too long.
func (p *pool) expireLocked(t *seat) {
	s, was := t.sandbox, t.state
	p.endLocked(s)
	if was == idle {
		p.stop(s)
		return
	}
	p.kill(s)
	if was == starting {
		why := initTimedOut(s.standing.patience)
		s.standing.failure = &why
	}
	if inv := t.current; inv != nil {
		t.current = nil
		why := timedOut(p.limits.run)
		p.finish(s, inv, nil, &why)
	}
}

// endLocked takes a sandbox out of circulation. It may be called twice.
func (p *pool) endLocked(s *sandbox) {
	if s.standing.ending {
		return
	}
	s.standing.ending = true
	// Whoever has a process end continues it, so nobody need be told.
	s.standing.resting.Store(false)
	for _, t := range s.standing.seats {
		if t.state == idle {
			p.removeIdleLocked(t)
		}
		p.count[t.state]--
		p.count[ending]++
		t.state, t.receiver = ending, nil
	}
}

func (p *pool) removeIdleLocked(t *seat) {
	i := slices.Index(p.idle, t)
	p.idle = slices.Delete(p.idle, i, i+1)
}

// failQueueLocked fails everything that waits.
func (p *pool) failQueueLocked(why *failure) {
	for _, inv := range p.queue {
		p.finish(nil, inv, nil, why)
	}
	p.queue = nil
}
