package eventsource

import (
	"context"
	"sync"
	"time"
)

// The figures of Lambda's scaling ("Scaling and concurrency for SQS event source
// mappings" in the developer guide).
const (
	// startingPollers is how many batches of a queue run at once at first.
	startingPollers = 5
	// fewestPollers is where an idle queue ends.
	fewestPollers = 2
	// growEvery is how long all must be at work before there is one more: 300
	// more a minute.
	growEvery = 200 * time.Millisecond
)

// pollers bounds the batches that run at once: more while the queue is busy,
// fewer while it is idle or the function fails.
type pollers struct {
	mu          sync.Mutex // guards limit and used
	limit, used int
	most        int
	// freed has a token when a place has become free.
	freed chan struct{}
}

func newPollers(most int) *pollers {
	return &pollers{limit: min(startingPollers, most), most: most, freed: make(chan struct{}, 1)}
}

// take waits for a place, and is false when ctx ends before there is one.
func (p *pollers) take(ctx context.Context) bool {
	grow := time.NewTimer(growEvery)
	defer grow.Stop()
	for !p.tryTake() {
		select {
		case <-p.freed:
		case <-grow.C:
			p.resize(1)
			grow.Reset(growEvery)
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

func (p *pollers) tryTake() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used >= p.limit {
		return false
	}
	p.used++
	return true
}

func (p *pollers) release() {
	p.mu.Lock()
	p.used--
	p.mu.Unlock()
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// resize changes how many there may be, within the bounds.
func (p *pollers) resize(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = max(min(p.limit+by, p.most), min(fewestPollers, p.most))
}
