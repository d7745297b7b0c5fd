package push

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// pendingFactor times Parallelism bounds the connections that a publish works
// on at once: those whose posts are under way and those that wait for another
// attempt. It is more than one so that a few slow clients, which are answered
// 429 again and again, do not hold up the rest.
const pendingFactor = 4

// delivery is one call of PublishBatch.
type delivery struct {
	publisher *Publisher
	messages  [][]byte
	// refused marks the messages that are not posted.
	refused []bool
	frames  []frame

	mu      sync.Mutex
	reports []Report
}

func newDelivery(p *Publisher, messages [][]byte) *delivery {
	return &delivery{publisher: p, messages: messages, refused: make([]bool, len(messages)), reports: make([]Report, len(messages))}
}

// prepare refuses the messages that must not be posted, puts the others into
// frames, and reports whether there are any.
func (d *delivery) prepare() bool {
	mode := d.publisher.Coalescing
	for i, data := range d.messages {
		if err := mode.refuse(data); err != nil {
			d.reports[i].Err, d.refused[i] = err, true
		}
	}
	d.frames = mode.frames(d.messages, func(i int) bool { return d.refused[i] })
	for _, f := range d.frames {
		if size := len(f.data); size > MaxFrame {
			d.publisher.log().Warn("a message above 32 KB is sent in several frames and metered as several", "bytes", size)
		}
	}
	return len(d.frames) > 0
}

// run reads the target and works on its connections, each in a goroutine of
// its own, and returns when all of them are done.
func (d *delivery) run(ctx context.Context, target Target) {
	var wg sync.WaitGroup
	defer wg.Wait()
	pending := make(chan struct{}, pendingFactor*d.publisher.parallelism())
	for c, err := range target(ctx, d.publisher.Roster) {
		if err != nil {
			d.fail(fmt.Errorf("read the target: %w", err))
			return
		}
		select {
		case pending <- struct{}{}:
		case <-ctx.Done():
			d.settle(0, c.ID, stopped(ctx))
			d.fail(fmt.Errorf("publish: %w", stopped(ctx)))
			return
		}
		wg.Go(func() {
			defer func() { <-pending }()
			d.connection(ctx, c)
		})
	}
}

// connection posts the frames to one connection, in order.
func (d *delivery) connection(ctx context.Context, c Connection) {
	for i, f := range d.frames {
		err := d.publisher.post(ctx, c, f)
		if err == nil || errors.Is(err, ErrTooLarge) {
			d.noteFrame(f, c.ID, err)
			continue
		}
		d.settle(i, c.ID, err)
		if errors.Is(err, ErrGone) {
			d.publisher.prune(ctx, c.ID)
		}
		return
	}
}

// settle notes the same end for frame i and all that follow it.
func (d *delivery) settle(i int, id string, err error) {
	for _, f := range d.frames[i:] {
		d.noteFrame(f, id, err)
	}
}

func (d *delivery) noteFrame(f frame, id string, err error) {
	for _, i := range f.messages {
		d.note(i, id, err)
	}
}

func (d *delivery) note(i int, id string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &d.reports[i]
	switch {
	case err == nil:
		r.Sent++
	case errors.Is(err, ErrGone):
		r.Gone++
	case errors.Is(err, errStopped):
		r.Remaining = append(r.Remaining, id)
		if r.Err == nil {
			r.Err = fmt.Errorf("publish: %w", err)
		}
	default:
		r.Failed = append(r.Failed, Failure{ConnectionID: id, Err: err})
	}
}

// fail ends the reports of all messages with the error for which the target
// was not read to its end.
func (d *delivery) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.reports {
		if d.refused[i] {
			continue
		}
		d.reports[i].Unread = true
		if d.reports[i].Err == nil {
			d.reports[i].Err = err
		}
	}
}
