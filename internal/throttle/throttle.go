// Package throttle owns the bounds on how often something may be asked for:
// token buckets ("Protect your WebSocket APIs" in the API Gateway developer
// guide) and the quotas of usage plans.
//
// Both live in memory: a restart fills every bucket and begins every quota anew.
package throttle

import (
	"math"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Bucket is a token bucket. Its methods may be called together, and on a nil
// Bucket, which bounds nothing.
type Bucket struct {
	perSecond float64
	burst     int
	limiter   atomic.Pointer[rate.Limiter]
}

// NewBucket returns a full bucket of burst tokens that is refilled with
// perSecond tokens a second. With a rate but no burst it holds a second's worth,
// at least one. With neither it refuses everything.
func NewBucket(perSecond float64, burst int) *Bucket {
	if burst <= 0 && perSecond > 0 {
		burst = int(min(max(math.Ceil(perSecond), 1), math.MaxInt32))
	}
	b := &Bucket{perSecond: perSecond, burst: burst}
	b.Refill()
	return b
}

// Refill fills the bucket at once.
func (b *Bucket) Refill() {
	if b != nil {
		b.limiter.Store(rate.NewLimiter(rate.Limit(max(b.perSecond, 0)), max(b.burst, 0)))
	}
}

// Allow takes a token and reports whether there was one. It costs one lock.
func (b *Bucket) Allow() bool { return b == nil || b.limiter.Load().Allow() }
