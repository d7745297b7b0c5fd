package push_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

// crowd is 10,000 connections of which 1,000 are dead and 100 are stuck: half
// of those are never answered, and the other half always with 429.
type crowd struct {
	inbox
	mu   sync.Mutex
	gone int // posts to dead ones
}

const crowdSize = 10_000

func crowdKind(id string) string {
	switch {
	case strings.HasSuffix(id, "7="):
		return "dead"
	case strings.HasSuffix(id, "50="):
		if id[3]%2 == 0 {
			return "silent"
		}
		return "slow"
	}
	return "live"
}

func (c *crowd) Post(ctx context.Context, id string, data []byte) error {
	switch crowdKind(id) {
	case "dead":
		time.Sleep(8 * time.Millisecond)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gone++
		return push.ErrGone
	case "silent":
		time.Sleep(push.DefaultPostTimeout)
		return push.ErrNoAnswer
	case "slow":
		time.Sleep(8 * time.Millisecond)
		return push.ErrLimited
	}
	time.Sleep(8 * time.Millisecond) // about what API Gateway takes
	c.put(id, data)
	return nil
}

// Every live connection gets every message exactly once per publish, also when
// publishes run together; the dead are pruned, once, and cost one post per
// publish; the stuck are named, and nobody waits for them but they.
func TestPublishToACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &countingRoster{Memory: roster(t, ids(crowdSize)...)}
		endpoint := &crowd{}
		p := &push.Publisher{Roster: rows, Poster: endpoint, Log: quiet()}
		var messages []string
		publish := func(name string, wantGone int) {
			start := time.Now()
			r, err := p.Publish(t.Context(), push.Everyone, []byte(name))
			if err != nil || r.Sent != 8900 || r.Gone != wantGone || len(r.Failed) != 100 || len(r.Remaining) != 0 {
				t.Errorf("%s: sent %d, gone %d, failed %d, remaining %d, error %v", name, r.Sent, r.Gone, len(r.Failed), len(r.Remaining), err)
			}
			for _, f := range r.Failed {
				if kind := crowdKind(f.ConnectionID); kind != "silent" && kind != "slow" {
					t.Errorf("%s failed, which is %s: %v", f.ConnectionID, kind, f.Err)
				}
			}
			// 9,950 posts of 8 ms by 32 take 2.5 s; one after the other they
			// would take 80 s, and the silent ones 150 s more.
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("%s took %v", name, took)
			}
			messages = append(messages, name)
		}
		publish("first", 1000)
		if n, err := rows.Count(t.Context()); n != 9000 || err != nil {
			t.Errorf("%d rows are left, %v; want 9000", n, err)
		}
		if rows.removed != 1000 || endpoint.gone != 1000 {
			t.Errorf("%d removals and %d posts for 1000 dead ones", rows.removed, endpoint.gone)
		}
		publish("second", 0)
		for _, id := range ids(crowdSize) {
			got := strings.Join(endpoint.got[id], " ")
			if want := strings.Join(messages, " "); crowdKind(id) == "live" && got != want || crowdKind(id) != "live" && got != "" {
				t.Fatalf("%s, %s, got %q", id, crowdKind(id), got)
			}
		}
	})
}

// Through refusals, failures and deadlines no message is lost, as long as what
// a report leaves is tried again, and none goes to who was removed meanwhile.
func TestPublishThroughFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := roster(t, ids(2000)...)
		var clients inbox
		var mu sync.Mutex
		removed := map[string]bool{}
		p := &push.Publisher{Roster: rows, Log: quiet(), Attempts: 3, Poster: posterFunc(func(ctx context.Context, id string, data []byte) error {
			mu.Lock()
			out := removed[id]
			mu.Unlock()
			if out {
				t.Errorf("%s was removed and is posted to", id)
			}
			switch n := rand.IntN(100); {
			case n < 20:
				return push.ErrLimited
			case n < 30:
				return push.ErrUnavailable
			case n < 35:
				return push.ErrNoAnswer
			}
			time.Sleep(8 * time.Millisecond)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			clients.put(id, data)
			return nil
		})}
		target := push.Everyone
		for round := 0; ; round++ {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			r, err := p.Publish(ctx, target, []byte("m"))
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if r.Complete() {
				break
			}
			if round > 100 {
				t.Fatalf("not complete after %d rounds: %+v", round, r)
			}
			target = push.Everyone
			if left := r.Undelivered(); !r.Unread {
				target = push.Known(left...)
				if err := rows.Remove(t.Context(), left[0]); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				removed[left[0]] = true
				mu.Unlock()
			}
		}
		for _, id := range ids(2000) {
			if len(clients.got[id]) == 0 && !removed[id] {
				t.Errorf("%s got nothing", id)
			}
		}
	})
}

// An expired deadline posts nothing and says so.
func TestPublishAfterTheDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	p := &push.Publisher{Roster: roster(t, ids(3)...), Poster: posterFunc(func(context.Context, string, []byte) error {
		t.Error("posted")
		return nil
	})}
	r, err := p.Publish(ctx, push.Everyone, []byte("m"))
	if !errors.Is(err, context.DeadlineExceeded) || !r.Unread || r.Sent != 0 || r.Complete() {
		t.Errorf("report %+v, %v", r, err)
	}
	r, err = p.Publish(ctx, push.Only("a", "b"), []byte("m"))
	if left := len(r.Undelivered()); !errors.Is(err, context.DeadlineExceeded) || r.Complete() || left == 0 || left < 2 && !r.Unread {
		t.Errorf("report %+v, %v", r, err)
	}
}
