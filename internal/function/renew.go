package function

import (
	"context"
	"slices"
	"time"
)

// restPoll is how often Rest and Renew look whether functions have ended.
const restPoll = 2 * time.Millisecond

// renewed is why an invocation failed that Renew did not wait for any longer.
var renewed = failure{typ: typeExit, text: "the state was reset while the function had the event, or before it got it"}

// Renewal says what Renew leaves alone. The zero value leaves nothing.
type Renewal struct {
	// KeepIdle leaves processes without an event as they are.
	KeepIdle bool
}

// Renewed is what Renew has done.
type Renewed struct {
	// Sandboxes is how many processes were ended, CutOff how many invocations.
	Sandboxes, CutOff int
}

// Rest returns when no function has an event and none waits for a place, or when
// ctx ends. Functions under a debugger do not count.
func (h *Host) Rest(ctx context.Context) {
	until(ctx, func() bool {
		return h.entering.Load() == 0 && !slices.ContainsFunc(h.renewable(), func(f *function) bool { return f.pending() > 0 })
	})
}

// until returns when something is so, or when ctx ends.
func until(ctx context.Context, so func() bool) {
	tick := time.NewTicker(restPoll)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Renew begins no invocation until it returns, gives those under way until ctx
// ends, and cuts off the rest. Then it ends all processes, so that nothing that a
// function has in memory outlives it, runs meanwhile, and lets invocations begin,
// those that have come in the meantime first. Functions under a debugger go on as
// they are; a handler of this process that does not heed its context does, too.
// One Renew at a time.
func (h *Host) Renew(ctx context.Context, how Renewal, meanwhile func()) (done Renewed) {
	open := h.hold()
	defer open()
	h.Rest(ctx)
	var gone []func() bool
	for _, f := range h.renewable() {
		if f.local != nil {
			done.CutOff += f.local.cutOff()
			continue
		}
		ended, cut := f.pool.renewNow(how.KeepIdle)
		done.Sandboxes += len(ended)
		done.CutOff += cut
		gone = append(gone, func() bool { return f.pool.hasNone(ended) })
	}
	h.waitForEnds(gone)
	meanwhile()
	return done
}

// hold keeps invocations from beginning until open is called.
func (h *Host) hold() (open func()) {
	held := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = held
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held = nil
		close(held)
	}
}

// admit begins an invocation as soon as none are held.
func (h *Host) admit(ctx context.Context, f *function, inv *invocation) error {
	for {
		held := h.enter()
		if held == nil {
			f.begin(inv)
			h.entering.Add(-1)
			return nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// enter counts an invocation in that is about to begin, unless they are held.
func (h *Host) enter() (held <-chan struct{}) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.held == nil {
		h.entering.Add(1)
	}
	return h.held
}

// renewable are the functions that no debugger has, those included that others
// have replaced and that end their events.
func (h *Host) renewable() []*function {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.DeleteFunc(h.allLocked(), func(f *function) bool { return f.debugged })
}

// waitForEnds waits until processes that were told to end are gone: a kill takes
// no time, and a process that catches SIGTERM has the limit of a stop.
func (h *Host) waitForEnds(gone []func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*h.limits.stop)
	defer cancel()
	until(ctx, func() bool { return !slices.ContainsFunc(gone, func(all func() bool) bool { return !all() }) })
}

// pending is how many events the function has or that wait for it.
func (f *function) pending() int {
	if f.local != nil {
		return f.local.pending()
	}
	return f.pool.pending()
}

func (p *pool) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[running] + p.count[finishing] + p.count[lingering] + len(p.queue)
}

// renewNow ends every sandbox, or every one with an event, and fails what waits
// or runs. It returns the sandboxes and the number of events.
func (p *pool) renewNow(keepIdle bool) (ended []*sandbox, cut int) {
	p.mu.Lock()
	defer p.unlock()
	p.broken, p.failures, p.patient = nil, 0, false
	cut = len(p.queue)
	p.failQueueLocked(&renewed)
	for s := range p.sandboxes {
		rests := s.standing.idleOrStarting()
		if s.standing.ending || rests && keepIdle {
			continue
		}
		ended = append(ended, s)
		s.standing.stale = true
		p.endLocked(s)
		if rests {
			p.stop(s)
			continue
		}
		p.kill(s)
		for _, t := range s.standing.seats {
			if inv := t.current; inv != nil {
				t.current = nil
				cut++
				p.finish(s, inv, nil, &renewed)
			}
		}
	}
	return ended, cut
}

// hasNone reports whether none of these sandboxes is left.
func (p *pool) hasNone(of []*sandbox) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(of, func(s *sandbox) bool { _, there := p.sandboxes[s]; return there })
}

func (p *inProcess) pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running.Len() + len(p.queue)
}

// cutOff fails what waits and ends the contexts of what runs.
func (p *inProcess) cutOff() int {
	p.mu.Lock()
	queue := p.queue
	p.queue = nil
	running := 0
	for e := p.running.Front(); e != nil; e = e.Next() {
		e.Value.(*call).cancel()
		running++
	}
	p.mu.Unlock()
	for _, inv := range queue {
		p.function.finish(nil, inv, nil, &renewed)
	}
	return len(queue) + running
}
