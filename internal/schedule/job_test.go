package schedule

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// run runs a job for a while of fake time, which begins at midnight of
// 2000-01-01 UTC, and returns when it was due.
func run(t *testing.T, j Job, expression string, d time.Duration) string {
	t.Helper()
	e, err := Parse(expression, Scheduler, nil)
	if err != nil {
		t.Fatal(err)
	}
	var due []string
	fire := j.Fire
	j.Expression, j.Fire = e, func(ctx context.Context, at time.Time) {
		if time.Since(at) > late {
			t.Errorf("fired %s late", time.Since(at))
		}
		due = append(due, at.UTC().Format("15:04:05"))
		if fire != nil {
			fire(ctx, at)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.Run(ctx)
	}()
	time.Sleep(d)
	cancel()
	<-done
	return strings.Join(due, " ")
}

func TestRun(t *testing.T) {
	at := func(text string) time.Time {
		d, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		name, expression, want string
		job                    Job
		wait                   time.Duration
	}{
		{name: "a rule's interval passes first", expression: "rate(5 minutes)", want: "00:05:00 00:10:00"},
		{name: "Scheduler's interval begins at once", expression: "rate(5 minutes)", job: Job{AtOnce: true}, want: "00:00:00 00:05:00 00:10:00"},
		{name: "an interval that begins later", expression: "rate(5 minutes)", job: Job{AtOnce: true, Start: at("2000-01-01T00:07:00Z")}, want: "00:07:00 00:12:00"},
		{name: "an interval that began before", expression: "rate(5 minutes)", job: Job{AtOnce: true, Start: at("1999-12-31T23:58:00Z")}, want: "00:03:00 00:08:00 00:13:00"},
		{name: "cron", expression: "cron(0/4 * * * ? *)", want: "00:04:00 00:08:00 00:12:00"},
		{name: "cron from a start that is due itself", expression: "cron(0/4 * * * ? *)", job: Job{Start: at("2000-01-01T00:08:00Z")}, want: "00:08:00 00:12:00"},
		{name: "until the end, which is due itself", expression: "cron(0/4 * * * ? *)", job: Job{End: at("2000-01-01T00:08:00Z")}, want: "00:04:00 00:08:00"},
		{name: "once", expression: "at(2000-01-01T00:03:00)", want: "00:03:00"},
		{name: "once, and it is over", expression: "at(1999-01-01T00:03:00)", want: ""},
		{name: "what is missed is not made up for", expression: "rate(1 minute)", want: "00:01:00 00:05:00 00:06:00", wait: 6*time.Minute + 30*time.Second,
			job: Job{Fire: slowOnce(4*time.Minute + 30*time.Second)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := run(t, c.job, c.expression, cmp.Or(c.wait, 14*time.Minute)); got != c.want {
					t.Errorf("due at %s, want %s", got, c.want)
				}
			})
		})
	}
}

// slowOnce takes long the first time.
func slowOnce(d time.Duration) func(context.Context, time.Time) {
	first := true
	return func(context.Context, time.Time) {
		if first {
			first = false
			time.Sleep(d)
		}
	}
}
