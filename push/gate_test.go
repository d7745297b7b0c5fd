package push

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever the answers, no more posts are let in than there are places, and
// none comes before its time; places are not lost.
func TestGate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 16).Draw(rt, "parallelism")
		synctest.Test(t, func(t *testing.T) {
			g := newGate(n)
			var inside []int // the rounds of the posts under way
			var newest time.Time
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			rt.Repeat(map[string]func(*rapid.T){
				"enter": func(rt *rapid.T) {
					if len(inside) == n {
						rt.Skip("full")
					}
					pace := g.pace
					round, err := g.enter(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if pace > 0 && time.Since(newest) < time.Duration(float64(time.Second)/pace) {
						t.Fatalf("entered %v after the last post, pace %.1f", time.Since(newest), pace)
					}
					newest = time.Now()
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
						t.Fatal("entered after the context's end")
					}
				},
				"gives up": func(rt *rapid.T) {
					if len(inside) < n && (g.pace == 0 || time.Until(g.next()) <= 0) {
						rt.Skip("nothing to wait for")
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
					defer cancel()
					if _, err := g.enter(ctx); err == nil {
						t.Fatal("entered before its time, or without a place")
					}
				},
				"wait": func(rt *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 2000).Draw(rt, "ms")) * time.Millisecond)
				},
				"": func(rt *rapid.T) {
					if g.pace != 0 && (g.pace < minPace || g.pace > maxPace) {
						t.Fatalf("pace %.2f", g.pace)
					}
					if len(g.places) != len(inside) || len(g.turn) != 0 {
						t.Fatalf("%d places are taken by %d posts, %d wait", len(g.places), len(inside), len(g.turn))
					}
				},
			})
		})
	})
}

// answer is one post to id, a millisecond after the one before.
func answer(t *testing.T, g *gate, id string, o outcome) {
	t.Helper()
	time.Sleep(time.Millisecond)
	round, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.leave()
	g.judge(round, id, o)
}

// withGate runs a test with a gate of 32 places on a clock of its own.
func withGate(t *testing.T, test func(*testing.T, *gate)) {
	synctest.Test(t, func(t *testing.T) { test(t, newGate(32)) })
}

// One burst of refusals is one cut, and success ends the pace.
func TestGateCutsOncePerRound(t *testing.T) {
	withGate(t, func(t *testing.T, g *gate) {
		var rounds []int
		for range 32 {
			time.Sleep(time.Millisecond)
			round, _ := g.enter(t.Context())
			rounds = append(rounds, round)
		}
		for i, round := range rounds {
			g.leave()
			g.judge(round, fmt.Sprint(i), limited)
		}
		if g.round != 1 || g.pace < 400 || g.pace > 700 {
			t.Fatalf("%d cuts to a pace of %.1f after a burst of 1000 a second, want one, to half", g.round, g.pace)
		}
		if len(g.slow) > 4 {
			t.Errorf("%d clients are taken to be slow; those after the cut were refused for the same reason", len(g.slow))
		}
		for range 2000 {
			answer(t, g, "anybody", answered)
		}
		if g.pace != 0 {
			t.Fatalf("pace %.1f after success, want none", g.pace)
		}
	})
}

// A few slow clients, asked again and again, are no reason to slow down, and
// neither is one of a hundred that is slow.
func TestGateSlowClients(t *testing.T) {
	withGate(t, func(t *testing.T, g *gate) {
		for range 1000 {
			answer(t, g, "slow", limited)
		}
		if g.round != 0 {
			t.Errorf("%d cuts after 1000 answers 429 to one client, want none", g.round)
		}
		for i := range 10_000 {
			if i%100 == 0 {
				for range 3 {
					answer(t, g, fmt.Sprint("stuck-", i), limited)
				}
			}
			answer(t, g, fmt.Sprint("ok-", i), answered)
		}
		if g.round != 0 {
			t.Errorf("%d cuts with one stuck client of a hundred, want none", g.round)
		}
		for i := range 20 {
			answer(t, g, fmt.Sprint("new-", i), limited)
		}
		if g.round < 4 {
			t.Errorf("%d cuts after 20 clients were refused in a row, want 4 or more", g.round)
		}
		for i := range 2 * maxSlow {
			answer(t, g, fmt.Sprint("many-", i), limited)
		}
		if len(g.slow) > maxSlow || g.pace != minPace {
			t.Errorf("%d remembered, pace %.1f; want at most %d and %.1f", len(g.slow), g.pace, maxSlow, minPace)
		}
	})
}

// A client that is refused again and again and then takes its post was refused
// for the account's rate: all of its refusals count.
func TestGateCountsWhatPasses(t *testing.T) {
	withGate(t, func(t *testing.T, g *gate) {
		for range 3 {
			answer(t, g, "a", limited)
		}
		if g.round != 0 {
			t.Fatalf("%d cuts after three refusals of one client, want none yet", g.round)
		}
		answer(t, g, "a", answered)
		if g.round != 1 {
			t.Fatalf("%d cuts when it took its post, want one", g.round)
		}
	})
}

// A cut goes no further than to what the account has just allowed.
func TestGateKeepsWhatWasTaken(t *testing.T) {
	withGate(t, func(t *testing.T, g *gate) {
		for range 1000 {
			answer(t, g, "anybody", answered)
		}
		for i := range 30 {
			answer(t, g, fmt.Sprint("refused-", i), limited)
		}
		if g.round < 5 || g.pace < 750 || g.pace > 850 {
			t.Errorf("pace %.1f after %d cuts, want near 800 of the 1000 a second that were taken", g.pace, g.round)
		}
	})
}

// The lowest pace is left again after a few hundred answers.
func TestGateRecovers(t *testing.T) {
	withGate(t, func(t *testing.T, g *gate) {
		for i := range 60 {
			answer(t, g, fmt.Sprint(i), limited)
		}
		if g.pace != minPace {
			t.Fatalf("pace %.1f, want the lowest", g.pace)
		}
		for range 300 {
			answer(t, g, "anybody", answered)
		}
		if g.pace < 100 {
			t.Errorf("pace %.1f after 300 answers, want above 100", g.pace)
		}
	})
}

// An endpoint that refuses a part of the posts at any pace is not posted to
// much more slowly for it, as an account that allows less is.
func TestGateTakesBackWhatDoesNotHelp(t *testing.T) {
	for _, tt := range []struct {
		name     string
		refuses  func(*gate) bool
		min, max float64 // posts a second
	}{
		{"one in five", func(*gate) bool { return rand.IntN(5) == 0 }, 600, 1000},
		{"above 100 a second", func(g *gate) bool { return g.pace == 0 || g.pace > 100 }, 60, 120},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withGate(t, func(t *testing.T, g *gate) {
				const posts = 10_000
				begun := time.Now()
				for i := range posts {
					o := answered
					if tt.refuses(g) {
						o = limited
					}
					answer(t, g, fmt.Sprint(i), o)
				}
				if rate := posts / time.Since(begun).Seconds(); rate < tt.min || rate > tt.max {
					t.Errorf("%.0f posts a second, want %.0f to %.0f", rate, tt.min, tt.max)
				} else {
					t.Logf("%.0f posts a second", rate)
				}
			})
		})
	}
}
