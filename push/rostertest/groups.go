package rostertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

func testUsers(t *testing.T, r push.Roster) {
	c := push.Connection{ID: "ann-1", User: "ann", Attributes: map[string]string{"device": "phone"}}
	add(t, r, c, push.Connection{ID: "ann-2", User: "ann"}, push.Connection{ID: "bob", User: "bob"}, push.Connection{ID: "nobody"},
		push.Connection{ID: "dead", User: "ann", ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)})
	wantIDs(t, r.ByUser(t.Context(), "ann"), "ann-1", "ann-2")
	wantIDs(t, r.ByUser(t.Context(), "bob"), "bob")
	wantIDs(t, r.ByUser(t.Context(), "an"))
	wantIDs(t, r.ByUser(t.Context(), ""))
	remove(t, r, "ann-2")
	wantIDs(t, r.ByUser(t.Context(), "ann"), "ann-1")
	for got := range r.ByUser(t.Context(), "ann") {
		if got.User != "ann" || !maps.Equal(got.Attributes, c.Attributes) || got.ConnectedAt.IsZero() || got.ExpiresAt.IsZero() {
			t.Errorf("ByUser yielded %+v", got)
		}
	}
}

// testNames: names are the application's, whatever is in them.
func testNames(t *testing.T, r push.Roster) {
	names := []string{"a", "A", "a.b", "a*", "*", ">", "a >", "a#b", "GROUP#a", "a/b", "a=", "zo\u00eb", " ", "\n", "-", "\u4e16", "..", "a'b\"", "%61"}
	for i, name := range names {
		id := fmt.Sprintf("id-%d.%s=", i, name)
		add(t, r, push.Connection{ID: id, User: name, Groups: []string{name}})
		join(t, r, id, "joined "+name)
	}
	for i, name := range names {
		id := fmt.Sprintf("id-%d.%s=", i, name)
		wantIDs(t, r.ByUser(t.Context(), name), id)
		wantNow(t, r.ByGroup(t.Context(), name), id)
		wantNow(t, r.ByGroup(t.Context(), "joined "+name), id)
		remove(t, r, id)
		wantNow(t, r.ByGroup(t.Context(), name))
	}
	wantIDs(t, r.All(t.Context()))
}

func testGroups(t *testing.T, r push.Roster) {
	c := push.Connection{ID: "a", User: "ann", Groups: []string{"z", "y", "z"}, Attributes: map[string]string{"k": "v"}}
	add(t, r, c, push.Connection{ID: "b", Groups: []string{"y"}},
		push.Connection{ID: "dead", Groups: []string{"y"}, ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)})
	if !slices.Equal(c.Groups, []string{"z", "y", "z"}) {
		t.Errorf("Add changed its caller's groups to %q", c.Groups)
	}
	wantNow(t, r.ByGroup(t.Context(), "y"), "a", "b")
	wantNow(t, r.ByGroup(t.Context(), "z"), "a")
	wantNow(t, r.ByGroup(t.Context(), "x"))
	for got := range r.ByGroup(t.Context(), "z") {
		if got.User != "ann" || !maps.Equal(got.Attributes, c.Attributes) || got.ConnectedAt.IsZero() || got.ExpiresAt.IsZero() {
			t.Errorf("ByGroup yielded %+v", got)
		}
	}
	wantIDs(t, r.All(t.Context()), "a", "b")
	for got := range r.All(t.Context()) {
		if got.ID == "a" && !slices.Equal(got.Groups, []string{"y", "z"}) {
			t.Errorf("All yielded the groups %q, want y and z", got.Groups)
		}
	}
}

func testJoin(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "a"}, push.Connection{ID: "b", Groups: []string{"old"}})
	for i, group := range ids(6, "g") {
		join(t, r, "a", group)
		wantNow(t, r.ByGroup(t.Context(), group), "a")
		join(t, r, "a", group)
		join(t, r, "b", group)
		wantNow(t, r.ByGroup(t.Context(), group), "a", "b")
		eventually(t, func() string {
			for c := range r.All(t.Context()) {
				if c.ID == "a" && len(c.Groups) != i+1 {
					return fmt.Sprintf("after %d joins the row has the groups %q", i+1, c.Groups)
				}
			}
			return ""
		})
	}
	wantNow(t, r.ByGroup(t.Context(), "old"), "b")
}

func testJoinUnknown(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "dead", ConnectedAt: time.Now().Add(-time.Hour), ExpiresAt: time.Now().Add(-2 * time.Second)},
		push.Connection{ID: "removed"}, push.Connection{ID: "a"})
	remove(t, r, "removed")
	for _, id := range []string{"dead", "removed", "never there"} {
		if err := r.Join(t.Context(), id, "g"); !errors.Is(err, push.ErrUnknown) {
			t.Errorf("Join of the one that is %s gave %v, want ErrUnknown", id, err)
		}
		leave(t, r, id, "g")
	}
	for _, group := range []string{"", strings.Repeat("x", push.MaxName+1)} {
		if err := r.Join(t.Context(), "a", group); !errors.Is(err, push.ErrInvalid) {
			t.Errorf("Join with a name of %d bytes gave %v, want ErrInvalid", len(group), err)
		}
	}
	wantNow(t, r.ByGroup(t.Context(), "g"))
	wantIDs(t, r.All(t.Context()), "a")
}

func testJoinMany(t *testing.T, r push.Roster) {
	groups := ids(push.MaxGroups, "g")
	add(t, r, push.Connection{ID: "a", Groups: groups})
	if err := r.Join(t.Context(), "a", "more"); !errors.Is(err, push.ErrInvalid) {
		t.Errorf("Join of one group too many gave %v, want ErrInvalid", err)
	}
	join(t, r, "a", groups[3])
	leave(t, r, "a", groups[3])
	join(t, r, "a", "more")
	wantNow(t, r.ByGroup(t.Context(), "more"), "a")
	wantNow(t, r.ByGroup(t.Context(), groups[3]))
}

func testLeave(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "a", Groups: []string{"g", "h"}}, push.Connection{ID: "b", Groups: []string{"g"}})
	leave(t, r, "a", "g")
	wantNow(t, r.ByGroup(t.Context(), "g"), "b")
	leave(t, r, "a", "g")
	leave(t, r, "a", "never in")
	leave(t, r, "b", "g")
	wantNow(t, r.ByGroup(t.Context(), "g"))
	wantNow(t, r.ByGroup(t.Context(), "h"), "a")
	leave(t, r, "a", "h")
	join(t, r, "a", "g")
	wantNow(t, r.ByGroup(t.Context(), "g"), "a")
	wantIDs(t, r.All(t.Context()), "a", "b")
}

func testRemoveMemberships(t *testing.T, r push.Roster) {
	old := time.Now().Add(-time.Hour)
	add(t, r, push.Connection{ID: "a", Groups: []string{"g"}}, push.Connection{ID: "old", ConnectedAt: old, Groups: []string{"g"}},
		push.Connection{ID: "stays", Groups: []string{"g", "h"}})
	join(t, r, "a", "h")
	join(t, r, "old", "h")
	remove(t, r, "a")
	remove(t, r, "old")
	for range 2 {
		wantNow(t, r.ByGroup(t.Context(), "g"), "stays")
		wantNow(t, r.ByGroup(t.Context(), "h"), "stays")
		remove(t, r, "a")
	}
}

func testBigGroup(t *testing.T, r push.Roster) {
	for i, id := range ids(120, "c") {
		add(t, r, push.Connection{ID: id, User: "u"})
		if i%2 == 0 {
			join(t, r, id, "even")
		}
	}
	var even []string
	for i, id := range ids(120, "c") {
		if i%2 == 0 {
			even = append(even, id)
		}
	}
	wantNow(t, r.ByGroup(t.Context(), "even"), even...)
	wantIDs(t, r.ByUser(t.Context(), "u"), ids(120, "c")...)
	for c, err := range r.ByGroup(t.Context(), "even") {
		if err != nil {
			t.Fatal(err)
		}
		leave(t, r, c.ID, "even")
	}
	wantNow(t, r.ByGroup(t.Context(), "even"))
}

// testJoinsTogether: joins and leaves of one connection meet in its row.
func testJoinsTogether(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "a", Groups: ids(4, "old")})
	var wg sync.WaitGroup
	for _, group := range ids(4, "g") {
		wg.Go(func() {
			if err := r.Join(t.Context(), "a", group); err != nil {
				t.Errorf("Join: %v", err)
			}
		})
	}
	for _, group := range ids(4, "old") {
		wg.Go(func() {
			if err := r.Leave(t.Context(), "a", group); err != nil {
				t.Errorf("Leave: %v", err)
			}
		})
	}
	wg.Wait()
	for _, group := range ids(4, "g") {
		wantNow(t, r.ByGroup(t.Context(), group), "a")
	}
	for _, group := range ids(4, "old") {
		wantNow(t, r.ByGroup(t.Context(), group))
	}
	eventually(t, func() string {
		if got := only(t, r); !slices.Equal(got.Groups, ids(4, "g")) {
			return fmt.Sprintf("the row has the groups %q", got.Groups)
		}
		return ""
	})
}

// testJoinMeetsRemove: whichever comes first, no membership outlives the row.
func testJoinMeetsRemove(t *testing.T, r push.Roster) {
	for i, id := range ids(12, "c") {
		c := push.Connection{ID: id}
		if i%2 == 0 {
			c.ConnectedAt = time.Now().Add(-time.Hour)
		}
		add(t, r, c)
		var wg sync.WaitGroup
		for _, group := range []string{"g", "h"} {
			wg.Go(func() {
				if err := r.Join(t.Context(), id, group); err != nil && !errors.Is(err, push.ErrUnknown) {
					t.Errorf("Join: %v", err)
				}
			})
		}
		wg.Go(func() {
			if err := r.Remove(t.Context(), id); err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
		wg.Wait()
	}
	wantNow(t, r.ByGroup(t.Context(), "g"))
	wantNow(t, r.ByGroup(t.Context(), "h"))
	wantIDs(t, r.All(t.Context()))
}
