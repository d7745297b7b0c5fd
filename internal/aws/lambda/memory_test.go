package lambda

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// memory is the store of a bus as far as the queue of one function needs it: it
// outlives the processes that use it. Its time is that of synctest's bubble.
type memory struct {
	mu      sync.Mutex
	next    uint64
	items   map[uint64]*item
	ids     map[string]bool
	changed chan struct{} // closed and replaced at every change
}

type item struct {
	data  []byte
	until time.Time // hidden before
	count int
}

func newMemory() *memory {
	return &memory{items: make(map[uint64]*item), ids: make(map[string]bool), changed: make(chan struct{})}
}

func (m *memory) changedLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// process is one process's way to the store. Nothing that a killed process does
// arrives.
type process struct {
	*memory
	killed  bool
	refusal error // of Publish
	// lingers is how long a Fetch goes on after the end of its context, fetching
	// how many of them are under way, and tooEarly how many deliveries came back
	// while one was.
	lingers            time.Duration
	fetching, tooEarly int
}

// refuse makes Publish fail.
func (p *process) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = err
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	p.changedLocked()
}

func (p *process) do(f func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return bus.ErrClosed
	}
	f()
	p.changedLocked()
	return nil
}

func (p *process) Publish(_ context.Context, m bus.Message) error {
	var refusal error
	err := p.do(func() {
		if refusal = p.refusal; refusal == nil && len(m.Data) > bus.MaxPayload {
			refusal = bus.ErrTooLarge
		}
		if refusal != nil {
			return
		}
		if m.ID != "" && p.ids[m.ID] {
			return
		}
		p.ids[m.ID] = m.ID != ""
		p.next++
		p.items[p.next] = &item{data: bytes.Clone(m.Data), until: m.At}
	})
	return errors.Join(refusal, err)
}

func (p *process) Ack(_ context.Context, receipts ...bus.Receipt) error {
	return p.do(func() {
		for _, r := range receipts {
			delete(p.items, r.Sequence)
		}
	})
}

func (p *process) Hide(_ context.Context, d time.Duration, receipts ...bus.Receipt) error {
	return p.do(func() {
		for _, r := range receipts {
			if it := p.items[r.Sequence]; it != nil {
				it.until = time.Now().Add(d)
			}
		}
	})
}

func (p *process) Return(deliveries []bus.Delivery) {
	p.do(func() {
		if p.fetching > 0 {
			p.tooEarly += len(deliveries)
		}
		for _, d := range deliveries {
			if it := p.items[d.Sequence]; it != nil {
				it.until, it.count = time.Now(), it.count-1
			}
		}
	})
}

func (p *process) Fetch(ctx context.Context, _ int, wait time.Duration) ([]bus.Delivery, error) {
	end := time.NewTimer(wait)
	defer end.Stop()
	p.fetches(+1)
	defer p.fetches(-1)
	for {
		p.mu.Lock()
		if p.killed {
			p.mu.Unlock()
			return nil, bus.ErrClosed
		}
		d, soonest := p.takeLocked()
		changed := p.changed
		p.mu.Unlock()
		if d != nil {
			return []bus.Delivery{*d}, nil
		}
		ready := time.NewTimer(time.Until(soonest))
		select {
		case <-ready.C:
		case <-changed:
		case <-end.C:
			return nil, nil
		case <-ctx.Done():
			time.Sleep(p.lingers)
			return nil, ctx.Err()
		}
		ready.Stop()
	}
}

func (p *process) fetches(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetching += n
}

// takeLocked takes the oldest message that is ready, or says when there will be
// one.
func (p *process) takeLocked() (d *bus.Delivery, soonest time.Time) {
	now := time.Now()
	soonest = now.Add(time.Hour)
	var at uint64
	for sequence, it := range p.items {
		switch {
		case it.until.After(now):
			if it.until.Before(soonest) {
				soonest = it.until
			}
		case at == 0 || sequence < at:
			at = sequence
		}
	}
	if at == 0 {
		return nil, soonest
	}
	it := p.items[at]
	it.until = now.Add(ackWait)
	it.count++
	return &bus.Delivery{Receipt: bus.Receipt{Sequence: at}, Data: bytes.Clone(it.data), Lease: bus.Lease{Count: it.count}}, soonest
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}

// run starts a process on a store, in a bubble of synctest. Its functions are
// someFunctions.
func run(t testing.TB, m *memory, change func(*Config, *functions)) (*Service, *functions, *process) {
	t.Helper()
	p := &process{memory: m}
	s, fs := p.run(t, change)
	return s, fs, p
}

func (p *process) run(t testing.TB, change func(*Config, *functions)) (*Service, *functions) {
	t.Helper()
	fs := someFunctions()
	cfg := Config{Functions: fs, Region: region, Account: account, Log: quiet()}
	if change != nil {
		change(&cfg, fs)
	}
	s, err := newService(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.open = func(context.Context, string) (queue, error) { return p, nil }
	s.queues["echo"] = p
	s.Start()
	return s, fs
}

// end closes a service at once.
func end(s *Service) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Close(ctx)
}
