package rostertest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

func add(t *testing.T, r push.Roster, cs ...push.Connection) {
	t.Helper()
	for _, c := range cs {
		err := r.Add(t.Context(), c)
		// A dead one whose Add was done twice, for a lost answer, is there.
		if expired(c) && errors.Is(err, push.ErrExists) {
			continue
		}
		if err != nil {
			t.Fatalf("Add %q: %v", c.ID, err)
		}
	}
}

func expired(c push.Connection) bool {
	if c.ExpiresAt.IsZero() {
		return !c.ConnectedAt.IsZero() && time.Since(c.ConnectedAt) > push.DefaultTTL
	}
	return c.ExpiresAt.Before(time.Now())
}

func remove(t *testing.T, r push.Roster, id string) {
	t.Helper()
	if err := r.Remove(t.Context(), id); err != nil {
		t.Fatalf("Remove %q: %v", id, err)
	}
}

func fill(t *testing.T, r push.Roster, n int, prefix string) {
	t.Helper()
	for _, id := range ids(n, prefix) {
		add(t, r, push.Connection{ID: id})
	}
}

func ids(n int, prefix string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%03d", prefix, i)
	}
	return out
}

// only returns the single connection of a roster.
func only(t *testing.T, r push.Roster) push.Connection {
	t.Helper()
	var got []push.Connection
	for c, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	if len(got) != 1 {
		t.Fatalf("the roster has %d connections, want 1", len(got))
	}
	return got[0]
}

// wantIDs compares the ids that a sequence yields, each as often as it does. A
// store whose reads lag behind its writes is given time.
func wantIDs(t *testing.T, seq iter.Seq2[push.Connection, error], want ...string) {
	t.Helper()
	eventually(t, func() string { return differ(t, seq, want) })
}

// wantNow is wantIDs for what must be seen at once.
func wantNow(t *testing.T, seq iter.Seq2[push.Connection, error], want ...string) {
	t.Helper()
	if problem := differ(t, seq, want); problem != "" {
		t.Error(problem)
	}
}

func differ(t *testing.T, seq iter.Seq2[push.Connection, error], want []string) string {
	t.Helper()
	slices.Sort(want)
	if got := read(t, seq); !slices.Equal(got, want) {
		return fmt.Sprintf("read the ids %q, want %q", got, want)
	}
	return ""
}

// eventually waits until check finds no problem.
func eventually(t *testing.T, check func() (problem string)) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		problem := check()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(problem)
		}
	}
}

func join(t *testing.T, r push.Roster, id, group string) {
	t.Helper()
	if err := r.Join(t.Context(), id, group); err != nil {
		t.Fatalf("Join of %q to %q: %v", id, group, err)
	}
}

func leave(t *testing.T, r push.Roster, id, group string) {
	t.Helper()
	if err := r.Leave(t.Context(), id, group); err != nil {
		t.Fatalf("Leave of %q from %q: %v", id, group, err)
	}
}

func read(t *testing.T, seq iter.Seq2[push.Connection, error]) []string {
	t.Helper()
	var got []string
	for c, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.ID)
	}
	slices.Sort(got)
	return got
}
