package function

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// state is where a sandbox stands between two events.
type state uint8

const (
	starting  state = iota // its process has not asked for an event yet
	idle                   // it waits for an event
	running                // it has an event and has not answered
	finishing              // it has answered and will ask again in a moment
	lingering              // it has answered and is slow to ask again
	ending                 // it gets no more events; its process ends
	states                 // how many states there are
)

// receiver takes events for a sandbox that is idle.
type receiver interface {
	// deliver hands over the event. What becomes of it is told to the pool, by
	// answer or gone; deliver itself reports nothing.
	deliver(*invocation)
}

// seat is the pool's knowledge of one sandbox, guarded by the pool's mutex.
type seat struct {
	state    state
	current  *invocation // the event that is not answered yet, or nil
	receiver receiver    // idle: who takes the next event
	asked    bool        // it has asked for an event, so its init is over
	used     bool        // it has had an event
	stale    bool        // its binary was replaced: it ends after its answer
	failure  *failure    // why its init failed, as far as is known

	launched time.Time
	initTook time.Duration
	answered time.Time // finishing: since when
	deadline time.Time // when the state has lasted too long
	wake     time.Time // when timer fires; zero while it is not armed
	timer    *time.Timer
}

// poolLimits are the bounds of a pool.
type poolLimits struct {
	sandboxes int           // processes at one time
	waiting   int           // invocations that wait for a sandbox
	init      time.Duration // from the start of a process to its first question
	run       time.Duration // one invocation
	idle      time.Duration // without an event
	linger    time.Duration // how long a queued invocation counts on a sandbox that has answered
}

// pool decides which sandbox gets which event. It does no I/O: it acts through
// four functions, which must return at once and not call back.
type pool struct {
	limits poolLimits
	// launch starts a sandbox.
	launch func() *sandbox
	// stop ends a sandbox in peace, kill ends it now. Both may be called twice.
	stop, kill func(*sandbox)
	// finish publishes an outcome: of one that a sandbox had (why is nil when it
	// was a success), or, with a nil sandbox, of one that never got one.
	finish func(s *sandbox, inv *invocation, response []byte, why *failure)

	mu     sync.Mutex
	seats  map[*sandbox]struct{} // every sandbox whose process may live
	count  [states]int           // seats by state
	idle   []*sandbox            // the most recently used last
	queue  []*invocation         // first come, first served
	closed bool
	// broken is why the last sandbox did not start; nil after one did.
	broken   *failure
	failures int       // failed starts in a row
	failed   time.Time // the last of them
	nudging  bool      // nudge will be called
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
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 && !p.closed {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return p.assignLocked(s, inv)
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
	case len(p.queue) >= p.limits.waiting:
		return &failure{refusal: fmt.Errorf("%w: %d sandboxes are busy and %d invocations wait",
			apigw.ErrThrottled, len(p.seats), len(p.queue))}
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
// the caller must deliver, or nil when the sandbox is idle now and r will be
// used later. ok is false when the sandbox may not ask: it has not answered
// yet, or it is to end.
func (p *pool) ready(s *sandbox, r receiver) (inv *invocation, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s.seat.state {
	case running, ending:
		return nil, false
	case idle: // asked again over another connection: the newest counts
		s.seat.receiver = r
		return nil, true
	case starting:
		p.startedLocked(s)
	}
	if s.seat.stale {
		p.endLocked(s)
		p.stop(s)
		p.growLocked()
		return nil, false
	}
	s.seat.receiver = r
	if len(p.queue) > 0 {
		inv = p.queue[0]
		p.queue = slices.Delete(p.queue, 0, 1)
		p.assignLocked(s, inv)
		return inv, true
	}
	p.setLocked(s, idle, time.Now().Add(p.limits.idle))
	p.idle = append(p.idle, s)
	return nil, true
}

// leave tells that a receiver is gone, and reports whether its sandbox was
// waiting for an event through it. If so, the sandbox must ask again.
func (p *pool) leave(s *sandbox, r receiver) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.seat.state != idle || s.seat.receiver != r {
		return false
	}
	p.removeIdleLocked(s)
	p.setLocked(s, lingering, time.Now().Add(p.limits.run))
	return true
}

// answer takes the invocation with this id from its sandbox, which has
// answered it, or returns nil when the sandbox does not work on it. An answer
// that was sent before the process ended counts while the process is ending.
func (p *pool) answer(s *sandbox, id []byte) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	inv := s.seat.current
	if inv == nil || inv.id != string(id) {
		return nil
	}
	s.seat.current = nil
	if s.seat.state == running {
		s.seat.answered = time.Now()
		// The rest of the time limit stays for what the function does between
		// its answer and its next question.
		p.setLocked(s, finishing, s.seat.deadline)
	}
	return inv
}

// initFailed notes the error that a runtime posts before it gives up, and
// reports whether it came in time.
func (p *pool) initFailed(s *sandbox, why failure) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.seat.asked || s.seat.failure != nil {
		return false
	}
	s.seat.failure = &why
	return true
}

// retire tells that a sandbox's process has ended: it gets no more events.
func (p *pool) retire(s *sandbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(s)
}

// gone tells that nothing is left of a sandbox and why its process ended. It is
// called once.
func (p *pool) gone(s *sandbox, why failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(s)
	s.seat.timer.Stop()
	delete(p.seats, s)
	p.count[ending]--
	if p.closed {
		why = hostClosed
	}
	if inv := s.seat.current; inv != nil {
		s.seat.current = nil
		p.finish(s, inv, nil, &why)
	}
	if !s.seat.asked && !s.seat.stale && !p.closed {
		p.failedLocked(s, why)
	}
	p.growLocked()
}

// close fails what waits, refuses what comes, and ends all sandboxes in peace.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.failQueueLocked(&hostClosed)
	for s := range p.seats {
		p.stop(s)
	}
}

// killAll ends all sandboxes now.
func (p *pool) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.seats {
		p.kill(s)
	}
}

// renew ends every sandbox of the binary so far, each after its answer.
func (p *pool) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken, p.failures = nil, 0
	for s := range p.seats {
		s.seat.stale = true
		if s.seat.state == idle || s.seat.state == starting {
			p.endLocked(s)
			p.stop(s)
		}
	}
	p.growLocked()
}

// size returns the number of sandboxes and how many of them are busy.
func (p *pool) size() (sandboxes, busy int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seats), p.count[running] + p.count[finishing] + p.count[lingering]
}
