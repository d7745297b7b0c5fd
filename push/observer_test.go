package push_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

type spanKey struct{}

// What an Observer is told is what has happened, and its contexts reach the
// Poster.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		tell := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf(format, args...))
		}
		limited := true
		p := &push.Publisher{Roster: roster(t, "dead", "slow"), Poster: posterFunc(func(ctx context.Context, id string, _ []byte) error {
			if ctx.Value(spanKey{}) != "post "+id {
				t.Errorf("%s is posted to in the span %v", id, ctx.Value(spanKey{}))
			}
			switch {
			case id == "dead":
				return push.ErrGone
			case limited:
				limited = false
				return push.ErrLimited
			}
			return nil
		}), Observer: push.Observer{
			Publish: func(ctx context.Context, messages int) (context.Context, func([]push.Report)) {
				return context.WithValue(ctx, spanKey{}, "publish"), func(r []push.Report) {
					tell("published %d: sent %d, gone %d", messages, r[0].Sent, r[0].Gone)
				}
			},
			Post: func(ctx context.Context, a push.Attempt) (context.Context, func(error)) {
				if ctx.Value(spanKey{}) != "publish" {
					t.Errorf("a post in the span %v", ctx.Value(spanKey{}))
				}
				return context.WithValue(ctx, spanKey{}, "post "+a.ConnectionID), func(err error) { tell("post %+v: %v", a, err) }
			},
			Pause: func(_ context.Context, a push.Attempt, err error, pause time.Duration) {
				tell("pause after %s %d: %v, %v", a.ConnectionID, a.Number, err, pause >= 0)
			},
			Prune: func(_ context.Context, id string, err error) { tell("prune %s: %v", id, err) },
		}}
		if r, err := p.Publish(t.Context(), push.Everyone, []byte("12345")); err != nil || r.Sent != 1 || r.Gone != 1 {
			t.Errorf("report %+v, %v", r, err)
		}
		want := []string{
			"pause after slow 1: push: too many posts, true",
			"post {ConnectionID:dead Number:1 Bytes:5 Messages:1}: push: the connection is gone",
			"post {ConnectionID:slow Number:1 Bytes:5 Messages:1}: push: too many posts",
			"post {ConnectionID:slow Number:2 Bytes:5 Messages:1}: <nil>",
			"prune dead: <nil>",
			"published 1: sent 1, gone 1",
		}
		if slices.Sort(told); !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// Publishes that meet the same dead connection at the same time remove it once.
func TestPublishesPruneTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &slowRoster{countingRoster{Memory: roster(t, ids(20)...)}}
		p := &push.Publisher{Roster: rows, Poster: posterFunc(func(context.Context, string, []byte) error { return push.ErrGone })}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if r, err := p.Publish(t.Context(), push.Everyone, []byte("m")); err != nil || r.Gone != 20 {
					t.Errorf("report %+v, %v", r, err)
				}
			})
		}
		wg.Wait()
		if rows.removed != 20 {
			t.Errorf("%d removals, want 20", rows.removed)
		}
	})
}

// slowRoster takes its time to remove, as a table does.
type slowRoster struct{ countingRoster }

func (r *slowRoster) Remove(ctx context.Context, id string) error {
	time.Sleep(20 * time.Millisecond)
	return errors.Join(r.countingRoster.Remove(ctx, id))
}
