package management

import (
	"golang.org/x/time/rate"

	"github.com/gatepost-dev/gatepost/apigw"
)

// Limiter is a token bucket that may be shared, as the account's is on AWS: by
// handshakes, messages and calls of @connections.
type Limiter interface {
	// Allow takes one token if there is one. It never waits and may be called by
	// many goroutines.
	Allow() bool
}

// NewLimiter returns the account's bucket, Limits.Burst tokens refilled with
// Limits.Rate a second, or nil where Rate is zero, which is no limit. A Burst
// of zero would let nothing pass: it means one second's worth.
func NewLimiter(l apigw.Limits) Limiter {
	if l.Rate <= 0 {
		return nil
	}
	burst := l.Burst
	if burst <= 0 {
		burst = l.Rate
	}
	return rate.NewLimiter(rate.Limit(l.Rate), burst)
}
