package throttle

import (
	"sync"
	"time"
)

// The periods of a quota (QuotaSettings of AWS::ApiGateway::UsagePlan).
const (
	Day   = "DAY"
	Week  = "WEEK"
	Month = "MONTH"
)

// Quota bounds the requests of a period: a day, a week from Sunday or a month,
// in UTC. Its methods may be called together, and on a nil Quota, which bounds
// nothing.
type Quota struct {
	limit, offset int
	period        string
	now           func() time.Time

	mu sync.Mutex
	// end is when the period ends; zero before the first request.
	end time.Time
	// left is how many requests the period still has.
	left int
}

// NewQuota returns a quota of limit requests a period, less offset in the first
// one, which is that of its first request. now is the clock; nil means time.Now.
func NewQuota(limit, offset int, period string, now func() time.Time) *Quota {
	if now == nil {
		now = time.Now
	}
	return &Quota{limit: limit, offset: offset, period: period, now: now}
}

// Allow counts a request and reports whether the period still had room for it.
func (q *Quota) Allow() bool {
	if q == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if first := q.end.IsZero(); first || !now.Before(q.end) {
		q.end = endOfPeriod(q.period, now)
		q.left = q.limit
		if first {
			q.left -= q.offset
		}
	}
	if q.left <= 0 {
		return false
	}
	q.left--
	return true
}

// Renew begins the quota anew, as it was before its first request.
func (q *Quota) Renew() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end = time.Time{}
}

// endOfPeriod returns the moment at which the period around a time ends. A
// period that has another name is taken for a month, the longest.
func endOfPeriod(period string, at time.Time) time.Time {
	year, month, day := at.UTC().Date()
	switch period {
	case Day:
		day++
	case Week:
		day += 7 - int(at.UTC().Weekday()) // Sunday is 0
	default:
		month, day = month+1, 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
