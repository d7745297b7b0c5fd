package schedule

import (
	"context"
	"time"
)

// Job is a schedule that runs.
type Job struct {
	Expression *Expression
	// Start and End bound the times that are due; zero means no bound.
	Start, End time.Time
	// AtOnce makes an interval due when it begins and not only when it has
	// passed, as EventBridge Scheduler does and rules do not.
	AtOnce bool
	// Fire is called at each due time, by the goroutine of Run.
	Fire func(ctx context.Context, due time.Time)
}

// looking is how often Run looks at the clock: timers stand still while the
// machine sleeps, and the clock does not.
const looking = 30 * time.Second

// late is how long after its time a due time still counts; AWS promises the
// minute. What is missed by more, because the machine slept or Fire took long,
// is not made up for.
const late = time.Minute

// Run waits and fires until ctx ends or nothing is due any more.
func (j *Job) Run(ctx context.Context) {
	due, ok := j.first(time.Now())
	for ok && j.wait(ctx, due) {
		if time.Since(due) <= late {
			j.Fire(ctx, due)
		}
		due, ok = j.after(due, time.Now())
	}
}

// first returns the first due time from now on.
func (j *Job) first(now time.Time) (time.Time, bool) {
	if !j.Expression.IsRate() {
		// A time that is the start itself is due.
		return j.after(latest(now, j.Start.Add(-1)), now)
	}
	begin := now
	if j.Start.After(now) {
		begin = j.Start
	}
	switch {
	case !j.Start.IsZero() && j.Start.Before(now):
		// The interval has been running since the start.
		return j.after(j.Start.Add(now.Sub(j.Start)/j.Expression.rate*j.Expression.rate), now)
	case j.AtOnce || j.Start.After(now):
		return begin, j.inTime(begin)
	}
	return j.after(begin, now)
}

// after returns the next due time behind the last one that is not over.
func (j *Job) after(last, now time.Time) (time.Time, bool) {
	if r, missed := j.Expression.rate, now.Add(-late).Sub(last); r > 0 && missed > 0 {
		last = last.Add(missed / r * r)
	}
	due, ok := j.Expression.Next(last)
	for ok && now.Sub(due) > late {
		due, ok = j.Expression.Next(latest(due, now.Add(-late)))
	}
	return due, ok && j.inTime(due)
}

func (j *Job) inTime(due time.Time) bool { return j.End.IsZero() || !due.After(j.End) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wait returns true at the due time, and false when ctx ends before.
func (j *Job) wait(ctx context.Context, due time.Time) bool {
	for {
		left := time.Until(due.Round(0)) // by the clock on the wall
		if left <= 0 {
			return ctx.Err() == nil
		}
		t := time.NewTimer(min(left, looking))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}
