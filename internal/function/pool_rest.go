package function

// How sandboxes come to rest. DESIGN.md says why this order is right.

// unlock gives the mutex back and tells the sandboxes whose resting has changed
// meanwhile.
func (p *pool) unlock() {
	turned := p.turned
	p.turned = nil
	p.mu.Unlock()
	for _, s := range turned {
		p.follow(s)
	}
}

// turnLocked notes whether a sandbox rests. It follows each step by which that
// may have changed; the mutex must be given back by unlock.
func (p *pool) turnLocked(s *sandbox) {
	if rest := p.freeze && s.standing.restful(); rest != s.standing.resting.Load() {
		s.standing.resting.Store(rest)
		p.turned = append(p.turned, s)
	}
}

// restful reports whether a sandbox has nothing to do: all of its seats and all
// of its extensions have asked for an event, and there was none for them.
func (s *standing) restful() bool {
	if s.ending || !s.asked || !s.full || s.owing > 0 {
		return false
	}
	return s.find(starting, running, finishing, lingering, ending) == nil
}

// filled tells that a sandbox has had time to ask for all the events that it
// wants at a time.
func (p *pool) filled(s *sandbox) {
	p.mu.Lock()
	defer p.unlock()
	s.standing.full = true
	p.turnLocked(s)
}

// owe tells that a sandbox has an extension, which will ask for its event: on
// Lambda the init phase lasts until then.
func (p *pool) owe(s *sandbox) {
	p.mu.Lock()
	defer p.unlock()
	s.standing.owing++
	p.turnLocked(s)
}

// settle tells that an extension has asked for its event.
func (p *pool) settle(s *sandbox) {
	p.mu.Lock()
	defer p.unlock()
	s.standing.owing--
	p.turnLocked(s)
}
