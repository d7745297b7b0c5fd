package push

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the answers, no more posts are let in than the bound, at least one
// always is, and the bound recovers.
func TestGate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 16).Draw(rt, "parallelism")
		g := newGate(n)
		var inside []int // the rounds of the posts under way
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		rt.Repeat(map[string]func(*rapid.T){
			"enter": func(rt *rapid.T) {
				if len(inside) >= int(g.limit) {
					rt.Skip("full")
				}
				if len(g.tokens) == 0 {
					rt.Fatalf("%d inside, bound %.1f, and none may enter", len(inside), g.limit)
				}
				round, err := g.enter(t.Context())
				if err != nil {
					rt.Fatal(err)
				}
				inside = append(inside, round)
			},
			"leave": func(rt *rapid.T) {
				if len(inside) == 0 {
					rt.Skip("empty")
				}
				i := rapid.IntRange(0, len(inside)-1).Draw(rt, "which")
				g.leave()
				g.judge(inside[i], rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(rt, "who"), outcome(rapid.IntRange(0, 1).Draw(rt, "outcome")))
				inside = append(inside[:i], inside[i+1:]...)
			},
			"too late": func(rt *rapid.T) {
				if _, err := g.enter(ended); err == nil {
					rt.Fatal("entered after the context's end")
				}
			},
			"": func(rt *rapid.T) {
				if g.limit < 1 || g.limit > float64(n) {
					rt.Fatalf("bound %.2f of %d", g.limit, n)
				}
				// A cut does not call back those inside, so the sum may pass the
				// bound only by them.
				if len(g.tokens) > 0 && len(g.tokens)+len(inside) > int(g.limit) {
					rt.Fatalf("%d tokens and %d inside, bound %.1f", len(g.tokens), len(inside), g.limit)
				}
				if len(g.tokens)+len(inside)+g.withheld != n {
					rt.Fatalf("%d tokens, %d inside, %d withheld: not %d", len(g.tokens), len(inside), g.withheld, n)
				}
			},
		})
	})
}

// One burst of refusals is one cut, and success brings the bound back.
func TestGateCutsOncePerRound(t *testing.T) {
	g := newGate(32)
	var rounds []int
	for range 32 {
		round, _ := g.enter(t.Context())
		rounds = append(rounds, round)
	}
	for i, round := range rounds {
		g.leave()
		g.judge(round, fmt.Sprint(i), limited)
	}
	if g.limit != 16 || len(g.tokens) != 16 {
		t.Fatalf("bound %.1f with %d tokens after one burst, want 16", g.limit, len(g.tokens))
	}
	for range 16 * 32 {
		round, _ := g.enter(t.Context())
		g.leave()
		g.judge(round, "anybody", answered)
	}
	if g.limit != 32 || len(g.tokens) != 32 {
		t.Fatalf("bound %.1f with %d tokens after success, want 32", g.limit, len(g.tokens))
	}
}

// A few slow clients, asked again and again, are no reason to slow down, and
// neither is one of a hundred that is slow.
func TestGateSlowClients(t *testing.T) {
	g := newGate(32)
	answer := func(id string, o outcome) {
		round, _ := g.enter(t.Context())
		g.leave()
		g.judge(round, id, o)
	}
	for range 1000 {
		answer("slow", limited)
	}
	if g.limit != 32 {
		t.Errorf("bound %.1f after 1000 answers 429 to one client, want 32", g.limit)
	}
	for i := range 10_000 {
		if i%100 == 0 {
			for range 3 {
				answer(fmt.Sprint("stuck-", i), limited)
			}
		}
		answer(fmt.Sprint("ok-", i), answered)
	}
	if g.limit != 32 {
		t.Errorf("bound %.1f with one stuck client of a hundred, want 32", g.limit)
	}
	for i := range 20 {
		answer(fmt.Sprint("new-", i), limited)
	}
	if g.limit > 8 {
		t.Errorf("bound %.1f after 20 clients were refused in a row, want 8 or less", g.limit)
	}
	for i := range 2 * maxSlow {
		answer(fmt.Sprint("many-", i), limited)
	}
	if len(g.slow) > maxSlow || g.limit != 1 {
		t.Errorf("%d remembered, bound %.1f; want at most %d and 1", len(g.slow), g.limit, maxSlow)
	}
}
