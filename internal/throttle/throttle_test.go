package throttle

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// taken counts how many of n requests pass.
func taken(b *Bucket, n int) (passed int) {
	for range n {
		if b.Allow() {
			passed++
		}
	}
	return passed
}

func TestABucketHoldsItsBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name  string
			rate  float64
			burst int
			want  int
		}{
			{"burst", 10, 5, 5},
			{"a burst below the rate", 100, 3, 3},
			{"neither rate nor burst refuse everything", 0, 0, 0},
			{"a burst that is never refilled", 0, 7, 7},
			{"a rate without a burst holds a second's worth", 4, 0, 4},
			{"a small rate without a burst holds one", 0.25, 0, 1},
			{"negative values refuse everything", -1, -1, 0},
		} {
			if got := taken(NewBucket(tt.rate, tt.burst), 50); got != tt.want {
				t.Errorf("%s: %d of 50 at once, want %d", tt.name, got, tt.want)
			}
		}
	})
}

func TestABucketFillsAgainWithItsRate(t *testing.T) {
	conformance.Covers(t, "access.throttle-refill")
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(10, 5)
		taken(b, 5)
		if b.Allow() {
			t.Error("a sixth request at once passed")
		}
		time.Sleep(99 * time.Millisecond)
		if b.Allow() {
			t.Error("a request passed after 99 ms at 10 a second")
		}
		time.Sleep(time.Millisecond)
		if got := taken(b, 5); got != 1 {
			t.Errorf("%d requests passed after 100 ms, want 1", got)
		}
		time.Sleep(time.Hour)
		if got := taken(b, 50); got != 5 {
			t.Errorf("%d requests passed after an hour, want the burst of 5", got)
		}
	})
}

func TestNilBoundsNothing(t *testing.T) {
	if !(*Bucket)(nil).Allow() || !(*Quota)(nil).Allow() {
		t.Error("nil bounds")
	}
}

func TestABucketIsSharedSafely(t *testing.T) {
	b := NewBucket(0, 1000)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { passed.Add(int64(taken(b, 500))) })
	}
	all.Wait()
	if passed.Load() != 1000 {
		t.Errorf("%d passed, want 1000", passed.Load())
	}
}

// TestBucketNeverGivesMore holds, for any sequence of waits and requests, that
// in every stretch of time no more pass than the burst and the rate allow, and
// that one passes when enough time has gone by.
func TestBucketNeverGivesMore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perSecond := rapid.IntRange(1, 50).Draw(rt, "rate")
		burst := rapid.IntRange(1, 20).Draw(rt, "burst")
		waits := rapid.SliceOfN(rapid.IntRange(0, 500), 1, 60).Draw(rt, "waits in ms")
		synctest.Test(t, func(*testing.T) {
			b := NewBucket(float64(perSecond), burst)
			var at []time.Duration // when requests passed
			start := time.Now()
			for _, ms := range waits {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				passed := b.Allow()
				if passed {
					at = append(at, time.Since(start))
				}
				if !passed && ms >= 1000/perSecond+1 {
					rt.Errorf("refused after %d ms at %d a second", ms, perSecond)
				}
			}
			for i := range at {
				for j := i; j < len(at); j++ {
					room := float64(burst) + (at[j]-at[i]).Seconds()*float64(perSecond) + 1e-6
					if float64(j-i+1) > room {
						rt.Errorf("%d requests passed within %v, with %d at once and %d a second", j-i+1, at[j]-at[i], burst, perSecond)
					}
				}
			}
		})
	})
}

func TestQuotaPeriods(t *testing.T) {
	for _, tt := range []struct{ period, at, end string }{
		{Day, "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
		{Day, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
		{Day, "2026-11-21T00:30:00+02:00", "2026-11-21T00:00:00Z"}, // days are UTC's
		{Week, "2026-11-20T12:00:00Z", "2026-11-22T00:00:00Z"},     // a Friday
		{Week, "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"},     // a Sunday begins a week
		{Week, "2026-12-30T00:00:00Z", "2027-01-03T00:00:00Z"},
		{Month, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{Month, "2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"},
		{Month, "2026-12-15T12:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := endOfPeriod(tt.period, at).Format(time.RFC3339); got != tt.end {
			t.Errorf("the %s around %s ends %s, want %s", tt.period, tt.at, got, tt.end)
		}
	}
}

func TestAQuotaBoundsEachPeriod(t *testing.T) {
	now := time.Date(2026, 11, 20, 23, 59, 0, 0, time.UTC)
	q := NewQuota(3, 2, Day, func() time.Time { return now })
	count := func() (n int) {
		for range 10 {
			if q.Allow() {
				n++
			}
		}
		return n
	}
	if got := count(); got != 1 {
		t.Errorf("%d in the first period, want the limit less the offset, 1", got)
	}
	now = now.Add(59 * time.Second)
	if got := count(); got != 0 {
		t.Errorf("%d more in the same period, want 0", got)
	}
	now = now.Add(time.Second)
	if got := count(); got != 3 {
		t.Errorf("%d in the second period, want 3", got)
	}
	if NewQuota(0, 0, Day, nil).Allow() {
		t.Error("a quota of zero lets a request pass")
	}
}

func BenchmarkBucket(b *testing.B) {
	bucket := NewBucket(1e9, 1<<30)
	b.ReportAllocs()
	for b.Loop() {
		bucket.Allow()
	}
}
