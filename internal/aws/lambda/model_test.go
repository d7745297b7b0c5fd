package lambda

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/apigw"
)

// behaviour is what a function does with one event: an outcome an attempt, the
// last one from then on.
type behaviour struct {
	at       time.Duration // when the event is sent, from the start
	outcomes []string      // ok, fail, throttle, fault
	takes    time.Duration // of each attempt
}

func (b behaviour) attempt(n int) string { return b.outcomes[min(n, len(b.outcomes)-1)] }

func (b behaviour) answer(n int) ([]byte, error) {
	switch b.attempt(n) {
	case "ok":
		return []byte("1"), nil
	case "fail":
		return nil, boom
	case "throttle":
		return nil, apigw.ErrThrottled
	}
	return nil, errHost
}

func genBehaviours(t *rapid.T) []behaviour {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) behaviour {
		return behaviour{
			at:       time.Duration(rapid.IntRange(0, 600).Draw(t, "at")) * time.Second,
			outcomes: rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "fail", "fail", "throttle", "fault"}), 1, 6).Draw(t, "outcomes"),
			takes:    time.Duration(rapid.SampledFrom([]int{0, 1, 30, 200}).Draw(t, "takes")) * time.Second,
		}
	}), 1, 6).Draw(t, "events")
}

func genSettings(t *rapid.T) EventInvokeConfig {
	retries := rapid.IntRange(0, 2).Draw(t, "retries")
	return EventInvokeConfig{Function: "echo", MaximumRetryAttempts: &retries, OnSuccess: "arn:aws:sqs:eu-west-1:123456789012:done", OnFailure: failedQueue,
		MaximumEventAge: time.Duration(rapid.SampledFrom([]int{60, 90, 600, 21600}).Draw(t, "age")) * time.Second}
}

// story tells when an event was attempted and how it ended, in words.
type story []string

func (s *story) add(at time.Duration, what string) { *s = append(*s, fmt.Sprintf("%s %s", at, what)) }

// foretell is what the developer guide says will happen, as a plain loop.
func foretell(b behaviour, c EventInvokeConfig) (s story) {
	now, faults, waits := b.at, 0, 0
	for n := 0; ; n++ {
		if now-b.at >= c.MaximumEventAge {
			s.add(now, "EventAgeExceeded")
			return s
		}
		s.add(now, "attempt")
		now += b.takes
		wait := time.Duration(0)
		switch b.attempt(n) {
		case "ok":
			s.add(now, "Success")
			return s
		case "fail":
			faults, waits = faults+1, 0
			if faults > *c.MaximumRetryAttempts {
				s.add(now, "RetriesExhausted")
				return s
			}
			wait = time.Duration(faults) * time.Minute
		default:
			wait = min(time.Second<<min(waits, 10), 5*time.Minute)
			waits++
		}
		now += max(0, min(wait, c.MaximumEventAge-(now-b.at)))
	}
}

// witness writes the stories of the events of one run.
type witness struct {
	begin  time.Time
	events []behaviour

	mu            sync.Mutex
	stories       []story
	attempts      []int
	running, most int
}

func (w *witness) note(n int, what string) {
	w.stories[n].add(time.Since(w.begin), what)
}

// run is a function that behaves as the events say.
func (w *witness) run(ctx context.Context, c call) ([]byte, error) {
	var n int
	fmt.Sscan(string(c.Event), &n)
	w.mu.Lock()
	w.note(n, "attempt")
	nth := w.attempts[n]
	w.attempts[n]++
	w.running++
	w.most = max(w.most, w.running)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.running--
		w.mu.Unlock()
	}()
	if pause(ctx, w.events[n].takes); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return w.events[n].answer(nth)
}

// Deliver takes the records of how events ended.
func (w *witness) Deliver(_ context.Context, _ string, m Message) error {
	var n int
	_, payload, _ := strings.Cut(m.Body, `"requestPayload":`)
	fmt.Sscan(payload, &n)
	_, condition, _ := strings.Cut(m.Body, `"condition":"`)
	condition, _, _ = strings.Cut(condition, `"`)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(n, condition)
	return nil
}

// submit sends the events at their times.
func (w *witness) submit(t testing.TB, current func() *Service) {
	order := make([]int, len(w.events))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(w.events[a].at - w.events[b].at) })
	for _, n := range order {
		time.Sleep(w.events[n].at - time.Since(w.begin))
		if err := current().InvokeAsync(t.Context(), "echo", fmt.Append(nil, n)); err != nil {
			t.Error(err)
		}
	}
}

func newWitness(events []behaviour) *witness {
	return &witness{begin: time.Now(), events: events, stories: make([]story, len(events)), attempts: make([]int, len(events))}
}

// TestAsynchronousInvocationsFollowTheGuide: attempts and ends come when the
// developer guide says, whatever the function does.
func TestAsynchronousInvocationsFollowTheGuide(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events, settings := genBehaviours(rt), genSettings(rt)
		var got []story
		left := 0
		synctest.Test(t, func(t *testing.T) {
			w, m := newWitness(events), newMemory()
			s, _, _ := run(t, m, func(c *Config, fs *functions) {
				fs.run, c.Queues, c.EventConfigs, c.Concurrency = w.run, w, []EventInvokeConfig{settings}, len(events)
			})
			w.submit(t, func() *Service { return s })
			time.Sleep(8 * time.Hour)
			end(s)
			got, left = w.stories, m.size()
		})
		for n, b := range events {
			if want := foretell(b, settings); !slices.Equal(got[n], want) {
				rt.Errorf("event %d %+v:\n got %q\nwant %q", n, b, got[n], want)
			}
		}
		if left != 0 {
			rt.Errorf("%d messages are left", left)
		}
	})
}

// TestKillsLoseNothing: however often the process is killed, every event that was
// accepted ends in a record, and no more run at a time than may.
func TestKillsLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events, settings := genBehaviours(rt), genSettings(rt)
		concurrency := rapid.IntRange(1, 3).Draw(rt, "concurrency")
		kills := rapid.SliceOfN(rapid.IntRange(1, 900), 0, 4).Draw(rt, "kills")
		slices.Sort(kills)
		var got []story
		var left, most int
		synctest.Test(t, func(t *testing.T) {
			w, m := newWitness(events), newMemory()
			begin := func() (*Service, *process) {
				s, _, p := run(t, m, func(c *Config, fs *functions) {
					fs.run, c.Queues, c.EventConfigs, c.Concurrency = w.run, w, []EventInvokeConfig{settings}, concurrency
				})
				return s, p
			}
			var mu sync.Mutex // the process is alive
			s, p := begin()
			var sent sync.WaitGroup
			sent.Go(func() {
				w.submit(t, func() *Service {
					mu.Lock()
					defer mu.Unlock()
					return s
				})
			})
			for _, at := range kills {
				// Between the seconds, when no event is sent.
				time.Sleep(time.Duration(at)*time.Second + 500*time.Millisecond - time.Since(w.begin))
				mu.Lock()
				p.kill()
				end(s)
				s, p = begin()
				mu.Unlock()
			}
			sent.Wait()
			time.Sleep(12 * time.Hour)
			end(s)
			got, left, most = w.stories, m.size(), w.most
		})
		for n := range events {
			if len(got[n]) == 0 || strings.HasSuffix(got[n][len(got[n])-1], "attempt") {
				rt.Errorf("event %d %+v has no end: %q", n, events[n], got[n])
			}
		}
		if left != 0 || most > concurrency {
			rt.Errorf("%d messages are left; %d ran at a time", left, most)
		}
	})
}
