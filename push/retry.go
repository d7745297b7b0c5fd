package push

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
	// maxRetryAfter is the longest pause that an endpoint may ask for; a post
	// that would have to wait longer fails instead.
	maxRetryAfter = 5 * time.Second
	// slowPost is when a post counts as slow; API Gateway takes some 10 ms.
	slowPost = 500 * time.Millisecond
)

// errStopped marks a post that did not end because the caller's context did.
var errStopped = errors.New("stopped")

func stopped(ctx context.Context) error { return fmt.Errorf("%w: %w", errStopped, context.Cause(ctx)) }

// post posts one frame to one connection, again where that may help. Its error
// is nil, an errStopped, or the last attempt's.
func (p *Publisher) post(ctx context.Context, c Connection, f frame) error {
	opens := p.opensBy(c)
	for a := (Attempt{ConnectionID: c.ID, Number: 1, Bytes: len(f.data), Messages: len(f.messages)}); ; a.Number++ {
		err := p.attempt(ctx, a, f.data)
		pause, again := p.pause(err, a.Number, opens)
		if !again {
			return err
		}
		if p.Observer.Pause != nil {
			p.Observer.Pause(ctx, a, err, pause)
		}
		if !sleep(ctx, pause) {
			return stopped(ctx)
		}
	}
}

// attempt posts once, when the gate lets it.
func (p *Publisher) attempt(ctx context.Context, a Attempt, data []byte) error {
	round, err := p.gate.enter(ctx)
	if err != nil {
		return stopped(ctx)
	}
	err = p.through(ctx, a, data)
	if errors.Is(err, ErrLimited) {
		p.gate.judge(round, a.ConnectionID, limited)
	} else {
		p.gate.judge(round, a.ConnectionID, answered)
	}
	final := err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrTooLarge)
	if !final && ctx.Err() != nil {
		return stopped(ctx)
	}
	return err
}

// through posts within the gate. A post that takes long leaves it before it is
// done, so that connections that are stuck do not hold up the others: there
// may be pendingFactor times as many of those under way.
func (p *Publisher) through(ctx context.Context, a Attempt, data []byte) error {
	early := time.AfterFunc(slowPost, p.gate.leave)
	defer func() {
		if early.Stop() {
			p.gate.leave()
		}
	}()
	ctx, end := p.Observer.post(ctx, a)
	err := p.Poster.Post(ctx, a.ConnectionID, data)
	if end != nil {
		end(err)
	}
	return err
}

// opensBy is when a connection has opened if it ever does. A ConnectedAt that
// is missing, or ahead of this machine's clock, counts as now.
func (p *Publisher) opensBy(c Connection) time.Time {
	from := time.Now()
	if !c.ConnectedAt.IsZero() && c.ConnectedAt.Before(from) {
		from = c.ConnectedAt
	}
	return from.Add(p.opening())
}

// pause says whether to post again after err, and how long to wait before.
func (p *Publisher) pause(err error, attempt int, opens time.Time) (time.Duration, bool) {
	switch {
	case err == nil || errors.Is(err, errStopped):
		return 0, false
	case errors.Is(err, ErrGone):
		left := time.Until(opens)
		return min(doubled(attempt), left), left > 0
	case attempt >= p.attempts():
		return 0, false
	case errors.Is(err, ErrLimited):
		pause := max(rand.N(doubled(attempt)), retryAfter(err))
		return pause, pause <= maxRetryAfter
	case errors.Is(err, ErrUnavailable):
		return rand.N(doubled(attempt)), true
	}
	return 0, false
}

// doubled is firstPause, doubled with every attempt after the first.
func doubled(attempt int) time.Duration {
	pause := firstPause
	for range attempt - 1 {
		if pause *= 2; pause >= maxPause {
			return maxPause
		}
	}
	return pause
}

func retryAfter(err error) time.Duration {
	if limited, ok := errors.AsType[*LimitedError](err); ok {
		return limited.RetryAfter
	}
	return 0
}

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
