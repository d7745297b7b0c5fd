package function

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/stack"
)

// Replace gives a function other settings, and other code where those say so.
// Events that it has, or that wait for it, end as they would have; all others go
// to the new one. Where only settings differ nothing is built.
//
// When code that differs cannot be built, progress is told and the error says
// why, and the function stays as it is; Rebuild of its name tries this
// specification again. A function under a debugger cannot be replaced. progress
// may be nil. Replace may be called together with anything.
func (h *Host) Replace(ctx context.Context, spec stack.Function, progress func(BuildResult)) error {
	if err := check(spec); err != nil {
		return err
	}
	h.building.Lock()
	defer h.building.Unlock()
	return h.replace(ctx, spec, h.newBuilder(progress))
}

// ReplaceHandler is Replace for a function that runs in this process, before and
// afterwards.
func (h *Host) ReplaceHandler(spec stack.Function, handler Handler) error {
	f, err := h.newHandler(spec, handler)
	if err != nil {
		return err
	}
	old, err := h.known(spec.Name)
	if err != nil {
		return err
	}
	return h.swap(old, f)
}

// Remove ends a function: events that it has, or that wait for it, end as they
// would have, and there is no such function for others. It may be called together
// with anything.
func (h *Host) Remove(name string) error {
	h.building.Lock()
	defer h.building.Unlock()
	f, err := h.known(name)
	if err != nil {
		return err
	}
	h.mu.Lock()
	delete(h.functions, name)
	delete(h.wanted, name)
	h.order = slices.DeleteFunc(h.order, func(g *function) bool { return g == f })
	h.leaveLocked(f)
	h.mu.Unlock()
	f.pool.drain()
	return nil
}

func (h *Host) known(name string) (*function, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	switch f := h.functions[name]; {
	case h.down:
		return nil, fmt.Errorf("change function %s: %s", name, hostClosed.text)
	case f == nil:
		return nil, fmt.Errorf("there is no function %s", name)
	case f.debugged:
		return nil, fmt.Errorf("function %s runs under a debugger, and can be changed after a restart only", name)
	default:
		return f, nil
	}
}

// replace is Replace while nothing else is built.
func (h *Host) replace(ctx context.Context, spec stack.Function, b *builder) error {
	old, err := h.known(spec.Name)
	if err != nil {
		return err
	}
	f := newFunction(h, spec)
	switch p := old.runs(); {
	case len(spec.Command) > 0:
		err = f.useCommand()
	case p.argv != nil && len(old.spec.Command) == 0 && groupKey(&spec) == groupKey(&old.spec):
		f.takeOver(old)
	default:
		err = h.buildAnew(ctx, b, old, f)
	}
	if err != nil {
		return err
	}
	return h.swap(old, f)
}

// takeOver gives a function the program of another, with what is known of it.
func (f *function) takeOver(old *function) {
	old.mu.Lock()
	defer old.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.program, f.took, f.failed = old.state, old.program, old.took, old.failed
}

// runs is what a function's sandboxes run.
func (f *function) runs() program {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.program
}

// buildAnew builds a function that is to take the place of another. Where there
// is nothing that runs, one that cannot be built takes it too: it answers with
// the reason.
func (h *Host) buildAnew(ctx context.Context, b *builder, old, f *function) error {
	begun := time.Now()
	p, err := b.prepare(ctx, &f.spec, false)
	took := time.Since(begun)
	result := BuildResult{Function: f.spec.Name, How: p.how, Duration: took, Before: old.runs().argv != nil}
	if err != nil {
		result.Err = fmt.Errorf("function %s: %w", f.spec.Name, err)
		f.fail(err, took)
		old.fail(err, took)
	} else {
		f.use(p, took)
		result.Replaced = result.Before
	}
	b.report(result)
	if err == nil || !result.Before {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wanted == nil {
		h.wanted = make(map[string]stack.Function)
	}
	h.wanted[f.spec.Name] = f.spec
	return result.Err
}

// swap puts a function in another's place and has that end its events.
func (h *Host) swap(old, f *function) error {
	f.invocations.Store(old.invocations.Load())
	f.errors.Store(old.errors.Load())
	h.mu.Lock()
	if h.down {
		h.mu.Unlock()
		return fmt.Errorf("change function %s: %s", f.spec.Name, hostClosed.text)
	}
	h.functions[f.spec.Name] = f
	h.order[slices.Index(h.order, old)] = f
	delete(h.wanted, f.spec.Name)
	h.leaveLocked(old)
	h.mu.Unlock()
	old.pool.drain()
	return nil
}

// leaveLocked notes a function that ends its events, and forgets those that have.
func (h *Host) leaveLocked(f *function) {
	h.leaving = slices.DeleteFunc(h.leaving, func(g *function) bool { return g.pool.left() && (g.local == nil || g.local.busy() == 0) })
	h.leaving = append(h.leaving, f)
}

// all are the functions, and those that others have replaced and that may still
// have events.
func (h *Host) allLocked() []*function { return slices.Concat(h.order, h.leaving) }

// rebuildWanted builds what has other settings since a build that failed, and
// returns the names.
func (h *Host) rebuildWanted(ctx context.Context, b *builder, names []string) (done []string) {
	for _, name := range names {
		h.mu.RLock()
		spec, wanted := h.wanted[name]
		h.mu.RUnlock()
		if wanted {
			_ = h.replace(ctx, spec, b) // the builder has reported it
			done = append(done, name)
		}
	}
	return done
}

// drain has a pool end: each sandbox after its events, once none waits. What is
// handed in nevertheless is still run.
func (p *pool) drain() {
	p.mu.Lock()
	defer p.unlock()
	p.draining = true
	for s := range p.sandboxes {
		if len(p.queue) == 0 && !s.standing.ending && s.standing.idleOrStarting() {
			p.endLocked(s)
			p.stop(s)
		}
	}
}

// left reports whether a pool that drains has come to its end.
func (p *pool) left() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.draining && len(p.sandboxes) == 0 && len(p.queue) == 0
}
