package gatepost

import (
	"context"
	"sync"
)

// tasks are what runs by itself, each under a name: the mappings and the timers
// of schedules. A task takes the place of the one of the same name.
type tasks struct {
	mu    sync.Mutex
	ctx   context.Context // all of them end with it
	stops context.CancelFunc
	group *sync.WaitGroup
	named map[string]*task
}

// task is one that runs or has run.
type task struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// begin lets tasks start; they count in the group. It returns what end ends.
func (t *tasks) begin(group *sync.WaitGroup) context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.stops = context.WithCancel(context.Background())
	t.group, t.named = group, make(map[string]*task)
	return t.ctx
}

// start runs a task. The one of this name is told to end, and has ended when run
// is called.
func (t *tasks) start(name string, run func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil { // nobody may join the group any more
		return
	}
	before := t.named[name]
	if before != nil {
		before.stop()
	}
	ctx, stop := context.WithCancel(t.ctx)
	now := &task{stop, make(chan struct{})}
	t.named[name] = now
	t.group.Go(func() {
		defer close(now.ended)
		defer stop()
		if before != nil {
			<-before.ended
		}
		run(ctx)
	})
}

// stop tells a task to end, if there is one of this name.
func (t *tasks) stop(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.named[name]; now != nil {
		now.stop() // it stays: the next one of the name waits for it
	}
}

// end tells all tasks to end and lets no other start.
func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stops()
}
