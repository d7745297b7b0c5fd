package function

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// state is where a seat stands between two events.
type state uint8

const (
	starting  state = iota // its process has not asked for an event yet
	idle                   // it waits for an event
	running                // it has an event and has not answered
	finishing              // it has answered and will ask again in a moment
	lingering              // it has answered and is slow to ask again
	ending                 // it gets no more events
	states                 // how many states there are
)

// receiver takes events for a seat that is idle.
type receiver interface {
	// deliver hands over the event. What becomes of it is told to the pool, by
	// answer or gone; deliver itself reports nothing.
	deliver(*invocation)
}

// seat is a place for one event in a sandbox, guarded by the pool's mutex. A
// sandbox has one, and more only when its process asks for several events at a
// time and may.
type seat struct {
	sandbox  *sandbox
	state    state
	current  *invocation // the event that is not answered yet, or nil
	last     string      // the id of the last event that was answered
	receiver receiver    // idle: who takes the next event

	answered time.Time // finishing: since when
	deadline time.Time // when the state has lasted too long
	wake     time.Time // when timer fires; zero while it is not armed
	timer    *time.Timer
}

// standing is the pool's knowledge of a sandbox as a whole, guarded by the
// pool's mutex.
type standing struct {
	seats   []*seat  // at least one
	asked   bool     // it has asked for an event, so its init is over
	full    bool     // it asks for no more events at a time than it has seats
	owing   int      // its extensions that have not asked for their event yet
	used    bool     // it has had an event
	stale   bool     // its program was replaced: it ends after its answers
	ending  bool     // it gets no more events; its process ends
	failure *failure // why its init failed, as far as is known

	launched time.Time
	patience time.Duration // how long its init may take
	initTook time.Duration
	rested   time.Time // when one of its seats became idle last

	// resting says that it has nothing to do, so its process is to be frozen. It
	// is written under the pool's mutex and read without it, by follow.
	resting atomic.Bool
}

// idleOrStarting reports whether no seat has an event or is about to ask.
func (s *standing) idleOrStarting() bool {
	return !slices.ContainsFunc(s.seats, func(t *seat) bool {
		return t.state == running || t.state == finishing || t.state == lingering
	})
}

// unused reports whether all seats have been idle for so long.
func (s *standing) unused(long time.Duration) bool {
	return s.find(starting, running, finishing, lingering) == nil && time.Since(s.rested) >= long
}

// find returns a seat in one of the states, or nil.
func (s *standing) find(states ...state) *seat {
	for _, t := range s.seats {
		if slices.Contains(states, t.state) {
			return t
		}
	}
	return nil
}

// poolLimits are the bounds of a pool.
type poolLimits struct {
	sandboxes int           // processes at one time
	seats     int           // events that one process may have at one time; at least 1
	reserved  int           // events at one time, those that wait counted; 0 means no such bound
	waiting   int           // invocations that wait for a sandbox
	init      time.Duration // from the start of a process to its first question
	run       time.Duration // one invocation
	idle      time.Duration // without an event
	linger    time.Duration // how long a queued invocation counts on a sandbox that has answered
}

// pool decides which sandbox gets which event, and which one rests. It does no
// I/O: it acts through five functions, which must return at once and not call
// back.
type pool struct {
	limits poolLimits
	freeze bool // sandboxes with nothing to do rest
	// launch starts a sandbox.
	launch func() *sandbox
	// stop ends a sandbox in peace, kill ends it now. Both may be called twice.
	stop, kill func(*sandbox)
	// finish publishes an outcome: of one that a sandbox had (why is nil when it
	// was a success), or, with a nil sandbox, of one that never got one.
	finish func(s *sandbox, inv *invocation, response []byte, why *failure)
	// follow has a sandbox's process do as standing.resting says at that moment.
	// It is called without the mutex, after each change and before the method
	// returns that made the change: so an event is delivered to nobody who rests.
	follow func(*sandbox)

	mu        sync.Mutex
	sandboxes map[*sandbox]struct{} // every one whose process may live
	count     [states]int           // their seats by state
	idle      []*seat               // the most recently used last
	queue     []*invocation         // first come, first served
	closed    bool
	draining  bool // another has its place: sandboxes without an event end
	// broken is why the last sandbox did not start; nil after one did.
	broken   *failure
	failures int        // failed starts in a row
	failed   time.Time  // the last of them
	patient  bool       // an init was too slow: further ones have the run limit
	nudging  bool       // nudge will be called
	turned   []*sandbox // their resting has changed: unlock tells them
}

// backoff returns how long nobody tries again after a number of failed starts
// in a row: 100 ms, doubling, up to 10 s.
func backoff(failures int) time.Duration {
	return min(100*time.Millisecond<<min(max(failures-1, 0), 10), 10*time.Second)
}

// submit hands in an invocation. The caller must deliver it to the receiver, if
// there is one. Otherwise it waits for a sandbox, or has failed already: with
// apigw.ErrThrottled when too many wait, or with the reason why no sandbox
// starts.
func (p *pool) submit(inv *invocation) receiver {
	p.mu.Lock()
	defer p.unlock()
	if n := len(p.idle); n > 0 && !p.closed {
		t := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return p.assignLocked(t, inv)
	}
	if why := p.refusalLocked(); why != nil {
		p.finish(nil, inv, nil, why)
		return nil
	}
	p.queue = append(p.queue, inv)
	p.growLocked()
	return nil
}

// refusalLocked returns why an invocation cannot even wait, or nil.
func (p *pool) refusalLocked() *failure {
	switch {
	case p.closed:
		return &hostClosed
	case p.hopelessLocked():
		return p.broken
	case p.limits.reserved > 0 && p.count[running]+len(p.queue) >= p.limits.reserved:
		return &failure{refusal: fmt.Errorf("%w: the function has reserved concurrency for %d events at a time",
			apigw.ErrThrottled, p.limits.reserved)}
	case len(p.queue) >= p.limits.waiting:
		return &failure{refusal: fmt.Errorf("%w: %d sandboxes are busy and %d invocations wait",
			apigw.ErrThrottled, len(p.sandboxes), len(p.queue))}
	}
	return nil
}

// abandon takes back an invocation that still waits for a sandbox, and reports
// whether it did. One that has a sandbox runs on, as it does on Lambda.
func (p *pool) abandon(inv *invocation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, inv)
	if i < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, i, i+1)
	return true
}

// ready tells that a sandbox asks for an event. It returns an invocation that
// the caller must deliver, or nil when there is none now and r will be used
// later. ok is false when the sandbox may not ask: it is to end, or has as many
// events as it may have.
//
// A sandbox that may have one event and asks before it has answered gets that
// one again, as on Lambda: its connection may have broken.
func (p *pool) ready(s *sandbox, r receiver) (inv *invocation, ok bool) {
	p.mu.Lock()
	defer p.unlock()
	t := p.askingLocked(s)
	switch {
	case t == nil:
		return nil, false
	case t.state == idle: // asked again over another connection: the newest counts
		t.receiver = r
		return nil, true
	case t.state == running:
		s.deliveries.Add(1)
		return t.current, true
	}
	if !s.standing.asked {
		p.startedLocked(s)
	}
	if s.standing.stale || p.draining && len(p.queue) == 0 {
		return nil, p.parkLocked(t)
	}
	t.receiver = r
	if len(p.queue) > 0 {
		inv = p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		p.assignLocked(t, inv)
		return inv, true
	}
	now := time.Now()
	s.standing.rested = now
	p.setLocked(t, idle, now.Add(p.limits.idle))
	p.idle = append(p.idle, t)
	p.turnLocked(s)
	return nil, true
}

// hasAsked reports whether a sandbox's init is over.
func (p *pool) hasAsked(s *sandbox) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.standing.asked
}

// leave tells that a receiver is gone, and reports whether its sandbox was
// waiting for an event through it. If so, the sandbox must ask again.
func (p *pool) leave(s *sandbox, r receiver) bool {
	p.mu.Lock()
	defer p.unlock()
	for _, t := range s.standing.seats {
		if t.state != idle || t.receiver != r {
			continue
		}
		if len(s.standing.seats) > 1 {
			p.dropLocked(t)
			return true
		}
		p.removeIdleLocked(t)
		p.setLocked(t, lingering, time.Now().Add(p.limits.run))
		p.turnLocked(s)
		return true
	}
	return false
}

// answer takes the invocation with this id from its sandbox, which has
// answered it, or returns nil when the sandbox does not work on it. An answer
// that was sent before the process ended counts while the process is ending.
func (p *pool) answer(s *sandbox, id []byte) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range s.standing.seats {
		inv := t.current
		if inv == nil || inv.id != string(id) {
			continue
		}
		t.current, t.last = nil, inv.id
		if t.state == running {
			t.answered = time.Now()
			// The rest of the time limit stays for what the function does
			// between its answer and its next question.
			p.setLocked(t, finishing, t.deadline)
		}
		return inv
	}
	return nil
}

// hasAnswered reports whether the invocation with this id is the one that a
// sandbox has answered last and has asked for no other since.
func (p *pool) hasAnswered(s *sandbox, id []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(s.standing.seats, func(t *seat) bool {
		return (t.state == finishing || t.state == lingering) && t.last == string(id)
	})
}

// initFailed notes the error that a runtime posts before it gives up, and
// reports whether it came in time.
func (p *pool) initFailed(s *sandbox, why failure) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.standing.asked || s.standing.failure != nil {
		return false
	}
	s.standing.failure = &why
	return true
}

// retire tells that a sandbox's process has ended: it gets no more events.
func (p *pool) retire(s *sandbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(s)
}

// gone tells that nothing is left of a sandbox and why its process ended. It is
// called once. It returns what is known of a start that failed, or nil.
func (p *pool) gone(s *sandbox, why failure) (failed *failedStart) {
	p.mu.Lock()
	defer p.unlock()
	p.endLocked(s)
	delete(p.sandboxes, s)
	if p.closed {
		why = hostClosed
	}
	for _, t := range s.standing.seats {
		if t.timer != nil {
			t.timer.Stop()
		}
		p.count[ending]--
		if inv := t.current; inv != nil {
			t.current = nil
			p.finish(s, inv, nil, &why)
		}
	}
	if !s.standing.asked && !s.standing.stale && !p.closed {
		failed = p.failedLocked(s, why)
	}
	p.growLocked()
	return failed
}

// failedStart is why a process ended before it asked for an event, and how long
// nobody tries again.
type failedStart struct {
	why   failure
	pause time.Duration
}

// close fails what waits, refuses what comes, and ends all sandboxes in peace.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.failQueueLocked(&hostClosed)
	for s := range p.sandboxes {
		p.stop(s)
	}
}

// killAll ends all sandboxes now.
func (p *pool) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.sandboxes {
		p.kill(s)
	}
}

// renew ends every sandbox of the program so far, each after its answers.
func (p *pool) renew() {
	p.mu.Lock()
	defer p.unlock()
	p.broken, p.failures, p.patient = nil, 0, false
	for s := range p.sandboxes {
		s.standing.stale = true
		if !s.standing.ending && s.standing.idleOrStarting() {
			p.endLocked(s)
			p.stop(s)
		}
	}
	p.growLocked()
}

// poolSize counts sandboxes.
type poolSize struct{ sandboxes, busy, frozen int }

func (p *pool) size() poolSize {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := poolSize{sandboxes: len(p.sandboxes)}
	for s := range p.sandboxes {
		if !s.standing.idleOrStarting() {
			n.busy++
		}
		if s.standing.resting.Load() {
			n.frozen++
		}
	}
	return n
}
