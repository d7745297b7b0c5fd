package function

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The pool as a state machine: whatever happens in whatever order, every
// invocation ends once, in order, within the limits, and none is forgotten.
func TestPoolMachine(t *testing.T) {
	for _, seats := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(noDeadline{t}, func(t *rapid.T) { poolMachine(t, seats) })
		})
	}
}

// noDeadline keeps rapid from asking for the test's deadline, which means
// nothing in fake time.
type noDeadline struct{ *testing.T }

func poolMachine(t *rapid.T, seats int) {
	pt := newPoolTest(t.Fatalf)
	pt.limits.seats = seats
	var sent []*invocation
	abandoned := make(map[*invocation]bool)
	owing := make(map[*sandbox]int)
	some := func(match func(*sandbox) bool) *sandbox {
		pt.mu.Lock()
		defer pt.mu.Unlock()
		var fit []*sandbox
		for _, s := range pt.launched {
			if _, lives := pt.sandboxes[s]; lives && match(s) {
				fit = append(fit, s)
			}
		}
		if len(fit) == 0 {
			t.Skip("no such sandbox")
		}
		return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "sandbox")]
	}
	living := func(s *sandbox) bool { return !s.standing.ending }
	in := func(states ...state) func(*sandbox) bool {
		return func(s *sandbox) bool { return s.standing.find(states...) != nil }
	}
	t.Repeat(map[string]func(*rapid.T){
		"send": func(*rapid.T) { sent = append(sent, pt.send()) },
		"ask": func(*rapid.T) {
			s := some(living)
			full := len(s.standing.seats) == seats && s.standing.find(starting, idle, finishing, lingering) == nil
			may := !full && !s.standing.stale || full && seats == 1
			again := s.standing.seats[0].current
			ok := pt.ask(s)
			if ok != may && !(s.standing.stale && seats > 1) {
				t.Fatalf("asking was allowed: %v", ok)
			}
			if full && seats == 1 && s.standing.seats[0].current != again {
				t.Fatal("the sandbox got another event before it had answered")
			}
		},
		"answer": func(*rapid.T) {
			s := some(func(s *sandbox) bool { return len(events(s)) > 0 })
			inv := rapid.SampledFrom(events(s)).Draw(t, "event")
			if !pt.reply(s, inv) || pt.reply(s, inv) {
				t.Fatal("an answer counts once")
			}
		},
		"register an extension": func(*rapid.T) {
			s := some(func(s *sandbox) bool { return living(s) && !s.standing.asked && owing[s] < 2 })
			owing[s]++
			pt.owe(s)
		},
		"an extension asks": func(*rapid.T) {
			s := some(func(s *sandbox) bool { return living(s) && owing[s] > 0 })
			owing[s]--
			pt.settle(s)
		},
		"leave":   func(*rapid.T) { pt.leave(some(in(idle)), pt) },
		"retire":  func(*rapid.T) { pt.retire(some(living)) },
		"gone":    func(*rapid.T) { pt.gone(some(func(s *sandbox) bool { return !living(s) }), exited("exit status 1")) },
		"renew":   func(*rapid.T) { pt.renew() },
		"abandon": func(*rapid.T) { giveUpSome(t, pt, sent, abandoned) },
		"wait": func(*rapid.T) {
			time.Sleep(time.Duration(rapid.SampledFrom([]int64{1, 10, 1000, 4000, 25_000}).Draw(t, "ms")) * time.Millisecond)
			synctest.Wait()
		},
		"": func(*rapid.T) {
			checkPool(t, pt, sent, abandoned)
			checkFrozen(t, pt, owing)
		},
	})
	pt.close()
	for _, s := range pt.launched {
		if _, lives := pt.sandboxes[s]; lives {
			pt.gone(s, exited("signal: killed"))
		}
	}
	for _, inv := range sent {
		if _, ended := pt.outcome(inv); !ended && !abandoned[inv] {
			t.Fatal("an invocation was forgotten")
		}
	}
}

func giveUpSome(t *rapid.T, pt *poolTest, sent []*invocation, abandoned map[*invocation]bool) {
	if len(sent) == 0 {
		t.Skip("nothing sent")
	}
	inv := sent[rapid.IntRange(0, len(sent)-1).Draw(t, "invocation")]
	if pt.abandon(inv) {
		if abandoned[inv] {
			t.Fatal("an invocation was abandoned twice")
		}
		abandoned[inv] = true
	}
}

// events returns what a sandbox has not answered yet.
func events(s *sandbox) (all []*invocation) {
	for _, t := range s.standing.seats {
		if t.current != nil {
			all = append(all, t.current)
		}
	}
	return all
}

// checkPool checks what holds at any moment.
func checkPool(t *rapid.T, pt *poolTest, sent []*invocation, abandoned map[*invocation]bool) {
	pt.mu.Lock()
	defer pt.mu.Unlock()
	var count [states]int
	current := make(map[*invocation]bool)
	for s := range pt.sandboxes {
		if n := len(s.standing.seats); n < 1 || n > pt.limits.seats {
			t.Fatalf("a sandbox has %d seats", n)
		}
		for _, seat := range s.standing.seats {
			count[seat.state]++
			if inv := seat.current; inv != nil {
				current[inv] = true
			}
			if (seat.state == idle) != slices.Contains(pt.idle, seat) {
				t.Fatalf("state %d, in the idle list: %v", seat.state, slices.Contains(pt.idle, seat))
			}
			if seat.state == running && seat.current == nil || seat.state == idle && seat.receiver == nil {
				t.Fatalf("half a seat: %+v", seat)
			}
			if s.standing.ending && seat.state != ending {
				t.Fatalf("a seat of an ending sandbox: %+v", seat)
			}
		}
	}
	if count != pt.count {
		t.Fatalf("counted %v, the pool %v", count, pt.count)
	}
	if len(pt.sandboxes) > testLimits.sandboxes || len(pt.queue) > testLimits.waiting {
		t.Fatalf("%d sandboxes, %d waiting", len(pt.sandboxes), len(pt.queue))
	}
	if len(pt.queue) > 0 && (len(pt.idle) > 0 || len(pt.sandboxes) == 0) {
		t.Fatalf("%d wait for %d idle of %d sandboxes", len(pt.queue), len(pt.idle), len(pt.sandboxes))
	}
	checkInvocations(t, pt, sent, current, abandoned)
}

// checkFrozen checks that a process with something to do runs, and that one
// without is frozen, at once or, where it may ask for several events, in a while.
func checkFrozen(t *rapid.T, pt *poolTest, owing map[*sandbox]int) {
	pt.mu.Lock()
	defer pt.mu.Unlock()
	for s := range pt.sandboxes {
		if s.standing.ending { // its process is dead, or was continued to end
			continue
		}
		busy := slices.ContainsFunc(s.standing.seats, func(t *seat) bool { return t.state != idle }) || owing[s] > 0
		if frozen := pt.froze(s); frozen && busy {
			t.Fatalf("a process with something to do is frozen: %+v", &s.standing)
		} else if waited := time.Since(s.standing.launched) - s.standing.initTook; !frozen && !busy && (pt.limits.seats == 1 || waited > pt.limits.linger) {
			t.Fatalf("a process with nothing to do is not frozen: %+v", &s.standing)
		}
	}
}

// checkInvocations checks that each is in exactly one place, and that they
// went out in the order they came.
func checkInvocations(t *rapid.T, pt *poolTest, sent []*invocation, current, abandoned map[*invocation]bool) {
	for _, inv := range sent {
		places := 0
		_, ended := pt.outcome(inv)
		for _, here := range []bool{slices.Contains(pt.queue, inv), current[inv], ended, abandoned[inv]} {
			if here {
				places++
			}
		}
		if places != 1 {
			t.Fatalf("an invocation is in %d places", places)
		}
	}
	last := -1
	for _, inv := range pt.order {
		i := slices.Index(sent, inv)
		if i >= 0 && i <= last {
			t.Fatal("an invocation overtook another")
		}
		last = max(last, i)
	}
}
