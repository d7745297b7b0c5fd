// Package rostertest is the conformance suite of push.Roster: every store
// passes it, ours and yours.
package rostertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

// patience is how long a store whose reads lag behind its writes may take. A
// store that answers at once is never waited for.
const patience = 10 * time.Second

// Option leaves out what a store cannot do.
type Option func(*options)

type options struct{ forgetful bool }

// Forgetful is for a store whose layout has no place for a note that a
// connection was removed: its late Add is not refused.
func Forgetful(o *options) { o.forgetful = true }

// Run checks a store. newRoster is called once per part of the suite, in that
// part's test, and returns an empty roster.
func Run(t *testing.T, newRoster func(t *testing.T) push.Roster, with ...Option) {
	var o options
	for _, option := range with {
		option(&o)
	}
	for _, part := range parts {
		if part.name == lateAdd && o.forgetful {
			continue
		}
		t.Run(part.name, func(t *testing.T) { part.run(t, newRoster(t)) })
	}
}

const lateAdd = "AddAfterRemoveIsLate"

var parts = []struct {
	name string
	run  func(*testing.T, push.Roster)
}{
	{"Empty", testEmpty},
	{"AddKeepsEveryField", testFields},
	{"AddFillsInTheTimes", testDefaults},
	{"AddRepeatedChangesNothing", testRepeated},
	{"AddNeverReplacesARow", testReplace},
	{"AddNeverRevivesAnExpiredRow", testRevive},
	{lateAdd, testLate},
	{"AddRefusesWhatIsTooMuch", testInvalid},
	{"NoID", testNoID},
	{"Get", testGet},
	{"Remove", testRemove},
	{"RemoveWhileReading", testRemoveWhileReading},
	{"Recent", testRecent},
	{"ExpiredIsNotRead", testExpired},
	{"ManyEachOnce", testMany},
	{"ReadingStopsEarly", testBreak},
	{"ReadingTwice", testTwice},
	{"CancelledContext", testCancelled},
	{"Together", testTogether},
	{"ByUser", testUsers},
	{"NamesOfAllKinds", testNames},
	{"GroupsFromTheStart", testGroups},
	{"JoinIsSeenAtOnce", testJoin},
	{"JoinOfTheUnknown", testJoinUnknown},
	{"JoinTooManyGroups", testJoinMany},
	{"LeaveIsSeenAtOnce", testLeave},
	{"RemoveTakesTheMemberships", testRemoveMemberships},
	{"BigGroup", testBigGroup},
	{"JoinsTogether", testJoinsTogether},
	{"JoinMeetsRemove", testJoinMeetsRemove},
	{"Touch", testTouch},
	{"TouchOfTheUnknown", testTouchUnknown},
	{"Count", testCount},
	{"Prune", testPrune},
}

func testEmpty(t *testing.T, r push.Roster) {
	wantIDs(t, r.All(t.Context()))
	wantIDs(t, r.Recent(t.Context(), time.Hour))
}

func testFields(t *testing.T, r push.Roster) {
	at := time.Now().Add(-time.Minute).UTC()
	want := push.Connection{
		ID: "R1kmxc2V-_MCFIA=", User: "zoë", ConnectedAt: at, ExpiresAt: at.Add(time.Hour),
		Attributes: map[string]string{"tenant": "x", "empty": "", "quote\"": "line\nbreak"},
	}
	add(t, r, want)
	wantIDs(t, r.All(t.Context()), want.ID)
	got := only(t, r)
	want.ConnectedAt = at.Truncate(time.Millisecond)
	want.ExpiresAt = at.Add(time.Hour).Add(time.Second - 1).Truncate(time.Second)
	if got.ID != want.ID || got.User != want.User || !maps.Equal(got.Attributes, want.Attributes) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	// ==, not Equal: the times are in UTC.
	if got.ConnectedAt != want.ConnectedAt || got.ExpiresAt != want.ExpiresAt {
		t.Errorf("times %v and %v, want %v and %v", got.ConnectedAt, got.ExpiresAt, want.ConnectedAt, want.ExpiresAt)
	}
	got.Attributes["tenant"] = "changed by the reader"
	if again := only(t, r); again.Attributes["tenant"] != "x" {
		t.Error("changing what was read changed the roster")
	}
}

func testDefaults(t *testing.T, r push.Roster) {
	before := time.Now().Truncate(time.Millisecond)
	add(t, r, push.Connection{ID: "a"})
	after := time.Now()
	wantIDs(t, r.All(t.Context()), "a")
	got := only(t, r)
	if got.ConnectedAt.Before(before) || got.ConnectedAt.After(after) {
		t.Errorf("ConnectedAt %v is not between %v and %v", got.ConnectedAt, before, after)
	}
	if !got.ExpiresAt.After(got.ConnectedAt) {
		t.Errorf("ExpiresAt %v is not after ConnectedAt %v", got.ExpiresAt, got.ConnectedAt)
	}
	if got.Attributes != nil || got.User != "" {
		t.Errorf("read %+v, want no user and no attributes", got)
	}
}

func testRepeated(t *testing.T, r push.Roster) {
	c := push.Connection{ID: "a", User: "u", ConnectedAt: time.Now()}
	add(t, r, c)
	add(t, r, c)
	wantIDs(t, r.All(t.Context()), "a")
	join(t, r, "a", "g")
	later := time.Now().Add(24 * time.Hour)
	if err := r.Touch(t.Context(), "a", later); err != nil {
		t.Fatal(err)
	}
	add(t, r, c)
	wantNow(t, r.ByGroup(t.Context(), "g"), "a")
	eventually(t, func() string {
		if got := only(t, r); got.ExpiresAt.Before(later) || !slices.Equal(got.Groups, []string{"g"}) {
			return fmt.Sprintf("after Join, Touch and the same Add again the row is %+v", got)
		}
		return ""
	})
}

func testReplace(t *testing.T, r push.Roster) {
	at := time.Now().Add(-time.Minute)
	add(t, r, push.Connection{ID: "a", User: "first", ConnectedAt: at})
	err := r.Add(t.Context(), push.Connection{ID: "a", User: "second", ConnectedAt: at.Add(time.Second)})
	if !errors.Is(err, push.ErrExists) {
		t.Errorf("the second Add of an id gave %v, want ErrExists", err)
	}
	wantIDs(t, r.All(t.Context()), "a")
	if got := only(t, r); got.User != "first" {
		t.Errorf("the row belongs to %q now, want the first", got.User)
	}
}

func testRevive(t *testing.T, r push.Roster) {
	at := time.Now().Add(-time.Hour)
	for try := range 3 {
		dead := push.Connection{ID: fmt.Sprintf("dead-%d", try), ConnectedAt: at, ExpiresAt: at.Add(time.Minute)}
		add(t, r, dead)
		late := r.Add(t.Context(), push.Connection{ID: dead.ID})
		again := r.Add(t.Context(), dead)
		if errors.Is(late, push.ErrExists) && errors.Is(again, push.ErrExists) {
			wantIDs(t, r.All(t.Context()))
			return
		}
		t.Logf("Add over an expired row gave %v and %v, want ErrExists", late, again)
		// The store may have deleted the expired row in between, which it may
		// do at any moment, but not three times in a row.
		remove(t, r, dead.ID)
	}
	t.Error("Add over an expired row brought it back")
}

// testLate: $disconnect may overtake $connect, and a lost write may arrive
// after the row has come and gone.
func testLate(t *testing.T, r push.Roster) {
	c := push.Connection{ID: "a", User: "u", Groups: []string{"g"}, ConnectedAt: time.Now()}
	add(t, r, c)
	// $disconnect and a publisher may both remove it, and a Remove whose answer
	// is lost is sent again: each finds the note of the one before.
	for removes := range 3 {
		remove(t, r, "a")
		remove(t, r, "b")
		for _, late := range []push.Connection{c, {ID: "a"}, {ID: "b"}, {ID: "b", Groups: []string{"g"}}} {
			if err := r.Add(t.Context(), late); !errors.Is(err, push.ErrExists) {
				t.Errorf("Add of %+v after %d Removes gave %v, want ErrExists", late, removes+1, err)
			}
		}
	}
	wantNow(t, r.ByGroup(t.Context(), "g"))
	wantIDs(t, r.ByUser(t.Context(), "u"))
	wantIDs(t, r.All(t.Context()))
}

func testInvalid(t *testing.T, r push.Roster) {
	long := strings.Repeat("x", push.MaxName+1)
	for name, c := range map[string]push.Connection{
		"user":       {ID: "a", User: long},
		"group":      {ID: "a", Groups: []string{long}},
		"no group":   {ID: "a", Groups: []string{""}},
		"groups":     {ID: "a", Groups: ids(push.MaxGroups+1, "g")},
		"attributes": {ID: "a", Attributes: map[string]string{"k": strings.Repeat("x", push.MaxAttributes)}},
	} {
		if err := r.Add(t.Context(), c); !errors.Is(err, push.ErrInvalid) {
			t.Errorf("Add with a bad %s gave %v, want ErrInvalid", name, err)
		}
	}
	wantIDs(t, r.All(t.Context()))
	add(t, r, push.Connection{ID: "a", User: long[1:], Groups: append(ids(push.MaxGroups-1, "g"), long[1:]),
		Attributes: map[string]string{"k": strings.Repeat("x", push.MaxAttributes-1)}})
	wantNow(t, r.ByGroup(t.Context(), long[1:]), "a")
	wantIDs(t, r.ByUser(t.Context(), long[1:]), "a")
	wantIDs(t, r.ByUser(t.Context(), long))
	wantNow(t, r.ByGroup(t.Context(), long))
	wantNow(t, r.ByGroup(t.Context(), ""))
	remove(t, r, "a")
	wantNow(t, r.ByGroup(t.Context(), long[1:]))
}

func testNoID(t *testing.T, r push.Roster) {
	if err := r.Add(t.Context(), push.Connection{User: "u"}); !errors.Is(err, push.ErrNoID) {
		t.Errorf("Add without an id gave %v, want ErrNoID", err)
	}
	if err := r.Remove(t.Context(), ""); !errors.Is(err, push.ErrNoID) {
		t.Errorf("Remove without an id gave %v, want ErrNoID", err)
	}
	_, get := r.Get(t.Context(), "")
	for name, err := range map[string]error{
		"Get":   get,
		"Touch": r.Touch(t.Context(), "", time.Now()),
		"Join":  r.Join(t.Context(), "", "g"),
		"Leave": r.Leave(t.Context(), "", "g"),
	} {
		if !errors.Is(err, push.ErrNoID) {
			t.Errorf("%s without an id gave %v, want ErrNoID", name, err)
		}
	}
	wantIDs(t, r.All(t.Context()))
}

func testRemove(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "a"}, push.Connection{ID: "b"})
	remove(t, r, "a")
	wantIDs(t, r.All(t.Context()), "b")
	wantIDs(t, r.Recent(t.Context(), time.Hour), "b")
	remove(t, r, "a")
	remove(t, r, "never there")
	wantIDs(t, r.All(t.Context()), "b")
}

func testRemoveWhileReading(t *testing.T, r push.Roster) {
	fill(t, r, 20, "c")
	wantIDs(t, r.All(t.Context()), ids(20, "c")...)
	for c, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		remove(t, r, c.ID)
		add(t, r, push.Connection{ID: "new-" + c.ID, ConnectedAt: time.Now().Add(-2 * time.Hour)})
	}
	wantIDs(t, r.Recent(t.Context(), time.Hour))
}

func testRecent(t *testing.T, r push.Roster) {
	now := time.Now()
	for id, age := range map[string]time.Duration{"now": 0, "5m": 5 * time.Minute, "20m": 20 * time.Minute, "2h": 2 * time.Hour} {
		add(t, r, push.Connection{ID: id, ConnectedAt: now.Add(-age), ExpiresAt: now.Add(time.Hour)})
	}
	for _, tt := range []struct {
		window time.Duration
		want   []string
	}{
		{time.Minute, []string{"now"}},
		{10 * time.Minute, []string{"now", "5m"}},
		{time.Hour, []string{"now", "5m", "20m"}},
		{24 * time.Hour, []string{"now", "5m", "20m", "2h"}},
		{0, nil},
		{-time.Hour, nil},
	} {
		t.Run(tt.window.String(), func(t *testing.T) { wantIDs(t, r.Recent(t.Context(), tt.window), tt.want...) })
	}
	wantIDs(t, r.All(t.Context()), "now", "5m", "20m", "2h")
}

func testExpired(t *testing.T, r push.Roster) {
	now := time.Now()
	add(t, r,
		push.Connection{ID: "dead", ConnectedAt: now.Add(-time.Hour), ExpiresAt: now.Add(-2 * time.Second)},
		push.Connection{ID: "alive", ConnectedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Minute)},
		push.Connection{ID: "from before the time to live", ConnectedAt: now.AddDate(0, 0, -1)})
	wantIDs(t, r.All(t.Context()), "alive")
	wantIDs(t, r.Recent(t.Context(), 2*time.Hour), "alive")
}

func testMany(t *testing.T, r push.Roster) {
	fill(t, r, 250, "many")
	wantIDs(t, r.All(t.Context()), ids(250, "many")...)
	wantIDs(t, r.Recent(t.Context(), time.Hour), ids(250, "many")...)
}

func testBreak(t *testing.T, r push.Roster) {
	fill(t, r, 30, "c")
	wantIDs(t, r.All(t.Context()), ids(30, "c")...)
	for _, seq := range []iter.Seq2[push.Connection, error]{r.All(t.Context()), r.Recent(t.Context(), time.Hour)} {
		read := 0
		for _, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if read++; read == 7 {
				break
			}
		}
		if read != 7 {
			t.Errorf("read %d rows before the break, want 7", read)
		}
	}
}

func testTwice(t *testing.T, r push.Roster) {
	all := r.All(t.Context())
	wantIDs(t, all)
	add(t, r, push.Connection{ID: "a"})
	wantIDs(t, all, "a")
	wantIDs(t, all, "a")
}

func testCancelled(t *testing.T, r push.Roster) {
	add(t, r, push.Connection{ID: "a", User: "u", Groups: []string{"g"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, seq := range map[string]iter.Seq2[push.Connection, error]{
		"All": r.All(ctx), "Recent": r.Recent(ctx, time.Hour), "ByUser": r.ByUser(ctx, "u"), "ByGroup": r.ByGroup(ctx, "g"),
	} {
		var last error
		after := 0
		for c, err := range seq {
			if last != nil {
				after++
			}
			if err != nil && c.ID != "" {
				t.Errorf("%s yielded an error together with the connection %q", name, c.ID)
			}
			last = err
		}
		if !errors.Is(last, context.Canceled) || after != 0 {
			t.Errorf("%s ended with %v and %d more, want context.Canceled as the last", name, last, after)
		}
	}
	_, get := r.Get(ctx, "a")
	_, count := r.Count(ctx)
	_, prune := r.Prune(ctx, 10)
	for name, err := range map[string]error{
		"Add":    r.Add(ctx, push.Connection{ID: "b"}),
		"Remove": r.Remove(ctx, "a"),
		"Get":    get,
		"Touch":  r.Touch(ctx, "a", time.Now().Add(time.Hour)),
		"Join":   r.Join(ctx, "a", "h"),
		"Leave":  r.Leave(ctx, "a", "g"),
		"Count":  count,
		"Prune":  prune,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s gave %v, want context.Canceled", name, err)
		}
	}
	wantNow(t, r.ByGroup(t.Context(), "g"), "a")
	wantIDs(t, r.All(t.Context()), "a")
}

func testTogether(t *testing.T, r push.Roster) {
	const workers, each = 8, 12
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { churn(t, r, fmt.Sprintf("w%d", w), each) })
	}
	wg.Wait()
	var want []string
	for w := range workers {
		want = append(want, fmt.Sprintf("w%d-0", w))
	}
	wantIDs(t, r.All(t.Context()), want...)
}

// churn adds n connections, reads the roster in between, and removes all but
// the first.
func churn(t *testing.T, r push.Roster, name string, n int) {
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		if err := r.Add(t.Context(), push.Connection{ID: id}); err != nil {
			t.Errorf("Add: %v", err)
		}
		for _, err := range r.Recent(t.Context(), time.Hour) {
			if err != nil {
				t.Errorf("Recent: %v", err)
			}
		}
		if i == 0 {
			continue
		}
		if err := r.Remove(t.Context(), id); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
}
