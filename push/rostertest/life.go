package rostertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

func testGet(t *testing.T, r push.Roster) {
	c := push.Connection{ID: "a", User: "u", Groups: []string{"g"}, Attributes: map[string]string{"k": "v"}}
	add(t, r, c, push.Connection{ID: "removed"},
		push.Connection{ID: "dead", ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)})
	join(t, r, "a", "h")
	remove(t, r, "removed")
	got, err := r.Get(t.Context(), "a")
	if err != nil || got.ID != "a" || got.User != "u" || !slices.Equal(got.Groups, []string{"g", "h"}) || !maps.Equal(got.Attributes, c.Attributes) || got.ConnectedAt.IsZero() || got.ExpiresAt.IsZero() {
		t.Errorf("Get gave %+v, %v", got, err)
	}
	if err == nil {
		got.Attributes["k"], got.Groups[0] = "changed by the reader", "changed"
	}
	if again, err := r.Get(t.Context(), "a"); err != nil || again.Attributes["k"] != "v" || again.Groups[0] != "g" {
		t.Errorf("changing what was read changed the roster: %+v, %v", again, err)
	}
	for _, id := range []string{"removed", "dead", "never there"} {
		if got, err := r.Get(t.Context(), id); !errors.Is(err, push.ErrUnknown) || got.ID != "" {
			t.Errorf("Get of the one that is %s gave %+v, %v; want ErrUnknown", id, got, err)
		}
	}
}

func testTouch(t *testing.T, r push.Roster) {
	now := time.Now()
	add(t, r, push.Connection{ID: "a", User: "u", Groups: []string{"g", "h"}, ConnectedAt: now, ExpiresAt: now.Add(time.Minute)})
	later := now.Add(time.Hour)
	for _, expires := range []time.Time{later, later, now.Add(time.Second)} { // never shorter
		if err := r.Touch(t.Context(), "a", expires); err != nil {
			t.Fatal(err)
		}
	}
	want := later.UTC().Add(time.Second - 1).Truncate(time.Second)
	for c, err := range r.ByGroup(t.Context(), "h") {
		if err != nil || c.ExpiresAt != want {
			t.Errorf("in the group it lives until %v (%v), want %v", c.ExpiresAt, err, want)
		}
	}
	wantNow(t, r.ByGroup(t.Context(), "g"), "a")
	eventually(t, func() string {
		if got := only(t, r); got.ExpiresAt != want {
			return fmt.Sprintf("it lives until %v, want %v", got.ExpiresAt, want)
		}
		return ""
	})
	wantIDs(t, r.ByUser(t.Context(), "u"), "a")
}

func testTouchUnknown(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "dead", ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)},
		push.Connection{ID: "removed"})
	remove(t, r, "removed")
	for _, id := range []string{"dead", "removed", "never there"} {
		if err := r.Touch(t.Context(), id, time.Now().Add(time.Hour)); !errors.Is(err, push.ErrUnknown) {
			t.Errorf("Touch of the one that is %s gave %v, want ErrUnknown", id, err)
		}
	}
	wantIDs(t, r.All(t.Context()))
}

func testCount(t *testing.T, r push.Roster) {
	wantCount(t, r, 0)
	fill(t, r, 25, "c")
	add(t, r, push.Connection{ID: "dead", ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)})
	join(t, r, "c-001", "g") // counts no connection twice
	wantCount(t, r, 25)
	remove(t, r, "c-001")
	wantCount(t, r, 24)
}

func wantCount(t *testing.T, r push.Roster, want int) {
	t.Helper()
	eventually(t, func() string {
		n, err := r.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n != want {
			return fmt.Sprintf("Count is %d, want %d", n, want)
		}
		return ""
	})
}

func testPrune(t *testing.T, r push.Roster) {
	now := time.Now()
	for i, id := range ids(9, "dead") {
		c := push.Connection{ID: id, User: "u", ConnectedAt: now.Add(-time.Hour), ExpiresAt: now.Add(-2 * time.Second)}
		if i%2 == 0 {
			c.Groups = []string{"g", "h"}
		}
		add(t, r, c)
	}
	add(t, r, push.Connection{ID: "alive", Groups: []string{"g"}})
	prune(t, r, 0)
	total := 0
	eventually(t, func() string { // a store whose reads lag may see some late
		if total += prune(t, r, 4); total != 9 {
			return fmt.Sprintf("pruned %d in all, want 9", total)
		}
		return ""
	})
	if n := prune(t, r, 100); n != 0 {
		t.Errorf("pruned %d more, want none", n)
	}
	wantNow(t, r.ByGroup(t.Context(), "g"), "alive")
	wantIDs(t, r.All(t.Context()), "alive")
}

func prune(t *testing.T, r push.Roster, limit int) int {
	t.Helper()
	n, err := r.Prune(t.Context(), limit)
	if err != nil || n > limit {
		t.Errorf("Prune of at most %d removed %d (%v)", limit, n, err)
	}
	return n
}
