package function

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// watchWorking is how often the warden looks at the processes of a sandbox that
	// works, watchGroups how often for new ones, and watchResting how
	// often it looks while none works, and at any folder. A look at all processes
	// of the machine takes some 13 µs for each, one at a known process 8.
	watchWorking = 100 * time.Millisecond
	watchGroups  = time.Second
	watchResting = 2 * time.Second
	// watchShare bounds what the warden costs on a machine with many processes
	// or a full folder: it rests so many times as long as a look took.
	watchShare = 50
)

// group is a process group's share of what the processes of the machine use.
type group struct {
	resident int64 // memory in bytes, pages that are shared counted for each
	pids     []int // does not change once others see the group
}

// warden looks after the memory and the folders of a host's sandboxes. It runs
// while there are any: often while one works, seldom otherwise. The zero value is
// ready.
type warden struct {
	touched atomic.Bool // an event came since the last look

	mu        sync.Mutex
	sandboxes map[*sandbox]struct{} // nil while the warden does not run
	wake      chan struct{}         // a token ends the rest before the next look
}

// add has a sandbox watched, from now on.
func (w *warden) add(s *sandbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched.Store(true)
	if w.sandboxes == nil {
		w.sandboxes, w.wake = make(map[*sandbox]struct{}), make(chan struct{}, 1)
		s.host.sandboxes.Go(w.run)
	}
	w.sandboxes[s] = struct{}{}
	w.wakeLocked()
}

func (w *warden) remove(s *sandbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sandboxes, s)
	if len(w.sandboxes) == 0 {
		w.wakeLocked()
	}
}

// touch tells that a sandbox gets an event or asks for one. It is called for
// each, so it does next to nothing while the warden is awake.
func (w *warden) touch() {
	if w.touched.Load() {
		return
	}
	w.touched.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakeLocked()
}

func (w *warden) wakeLocked() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look, or does not run
	}
}

// run looks until there is nothing to look after.
func (w *warden) run() {
	groups, folders := chore{every: watchGroups}, chore{every: watchResting}
	for {
		sandboxes := w.list()
		if sandboxes == nil {
			return
		}
		touched := w.touched.Swap(false)
		var working []*sandbox
		for _, s := range sandboxes {
			if s.function.pool.works(s) {
				working = append(working, s)
			}
		}
		began := time.Now()
		if !groups.do(func() { lookAtGroups(sandboxes) }) {
			lookAtMembers(working)
		}
		folders.do(func() {
			for _, s := range sandboxes {
				s.checkFolder()
			}
		})
		busy, pause := touched || len(working) > 0, watchResting
		if busy {
			pause = watchWorking
		}
		w.rest(max(pause, watchShare*time.Since(began)), busy)
	}
}

// chore is what is done from time to time.
type chore struct {
	every time.Duration
	due   time.Time
}

// do does it if it is time, and reports whether it did.
func (c *chore) do(it func()) bool {
	began := time.Now()
	if began.Before(c.due) {
		return false
	}
	it()
	c.due = time.Now().Add(max(c.every, watchShare*time.Since(began)))
	return true
}

// lookAtGroups finds the processes of each sandbox among those of the machine.
func lookAtGroups(sandboxes []*sandbox) {
	groups := make(map[int]*group, len(sandboxes))
	for _, s := range sandboxes {
		groups[s.usage.pid] = &group{}
	}
	if !readGroups(groups) {
		return
	}
	for _, s := range sandboxes {
		g := groups[s.usage.pid]
		s.usage.group.Store(g)
		s.checkMemory(g)
	}
}

// lookAtMembers looks at the processes that are known to belong to sandboxes.
func lookAtMembers(sandboxes []*sandbox) {
	for _, s := range sandboxes {
		var known []int
		if g := s.usage.group.Load(); g != nil {
			known = g.pids
		}
		if g, ok := readMembers(s.usage.pid, s.usage.status, known); ok {
			s.checkMemory(g)
		}
	}
}

// list returns the sandboxes, or nil when the warden has ended.
func (w *warden) list() []*sandbox {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sandboxes) == 0 {
		w.sandboxes = nil
		return nil
	}
	list := make([]*sandbox, 0, len(w.sandboxes))
	for s := range w.sandboxes {
		list = append(list, s)
	}
	return list
}

// rest waits before the next look. While a sandbox works only the end of the
// last one cuts it short; otherwise the next event does, too.
func (w *warden) rest(pause time.Duration, working bool) {
	w.mu.Lock()
	wake, none := w.wake, len(w.sandboxes) == 0
	w.mu.Unlock()
	if none {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-wake:
			if !working || w.empty() {
				return
			}
		}
	}
}

func (w *warden) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sandboxes) == 0
}

// works reports whether a sandbox starts, has an event, or has not asked for
// the next one yet.
func (p *pool) works(s *sandbox) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.standing.find(starting, running, finishing, lingering) != nil
}
