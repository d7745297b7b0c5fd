// Package throttle owns the bounds on how often something may be asked for:
// token buckets ("Protect your WebSocket APIs" in the API Gateway developer
// guide) and the quotas of usage plans.
//
// Both live in memory: a restart fills every bucket and begins every quota anew.
package throttle

import (
	"math"

	"golang.org/x/time/rate"
)

// Bucket is a token bucket. Its methods may be called together, and on a nil
// Bucket, which bounds nothing.
type Bucket struct{ limiter *rate.Limiter }

// NewBucket returns a full bucket of burst tokens that is refilled with
// perSecond tokens a second. With a rate but no burst it holds a second's worth,
// at least one. With neither it refuses everything.
func NewBucket(perSecond float64, burst int) *Bucket {
	if burst <= 0 && perSecond > 0 {
		burst = int(min(max(math.Ceil(perSecond), 1), math.MaxInt32))
	}
	return &Bucket{rate.NewLimiter(rate.Limit(max(perSecond, 0)), max(burst, 0))}
}

// Allow takes a token and reports whether there was one. It costs one lock.
func (b *Bucket) Allow() bool { return b == nil || b.limiter.Allow() }
