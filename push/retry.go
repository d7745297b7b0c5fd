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
)

// errStopped marks a post that did not end because the caller's context did.
var errStopped = errors.New("stopped")

func stopped(ctx context.Context) error { return fmt.Errorf("%w: %w", errStopped, context.Cause(ctx)) }

// post posts one message to one connection, again where that may help. Its
// error is nil, an errStopped, or the last attempt's.
func (p *Publisher) post(ctx context.Context, c Connection, data []byte) error {
	opens := p.opensBy(c)
	for attempt := 1; ; attempt++ {
		err := p.attempt(ctx, c.ID, data)
		pause, again := p.pause(err, attempt, opens)
		if !again {
			return err
		}
		if !sleep(ctx, pause) {
			return stopped(ctx)
		}
	}
}

// attempt posts once, when the gate lets it.
func (p *Publisher) attempt(ctx context.Context, id string, data []byte) error {
	round, err := p.gate.enter(ctx)
	if err != nil {
		return stopped(ctx)
	}
	err = p.Poster.Post(ctx, id, data)
	p.gate.leave(round, errors.Is(err, ErrLimited))
	final := err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrTooLarge)
	if !final && ctx.Err() != nil {
		return stopped(ctx)
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
