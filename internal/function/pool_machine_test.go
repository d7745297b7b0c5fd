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
	synctest.Test(t, func(t *testing.T) { rapid.Check(noDeadline{t}, poolMachine) })
}

// noDeadline keeps rapid from asking for the test's deadline, which means
// nothing in fake time.
type noDeadline struct{ *testing.T }

func poolMachine(t *rapid.T) {
	pt := newPoolTest(t.Fatalf)
	var sent []*invocation
	abandoned := make(map[*invocation]bool)
	some := func(match func(*sandbox) bool) *sandbox {
		pt.mu.Lock()
		defer pt.mu.Unlock()
		var fit []*sandbox
		for _, s := range pt.launched {
			if _, lives := pt.seats[s]; lives && match(s) {
				fit = append(fit, s)
			}
		}
		if len(fit) == 0 {
			t.Skip("no such sandbox")
		}
		return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "sandbox")]
	}
	in := func(states ...state) func(*sandbox) bool {
		return func(s *sandbox) bool { return slices.Contains(states, s.seat.state) }
	}
	t.Repeat(map[string]func(*rapid.T){
		"send": func(*rapid.T) { sent = append(sent, pt.send()) },
		"ask": func(*rapid.T) {
			s := some(in(starting, running, finishing, lingering))
			may := s.seat.state != running && !s.seat.stale
			if ok := pt.ask(s); ok != may {
				t.Fatalf("asking was allowed: %v", ok)
			}
		},
		"answer": func(*rapid.T) {
			s := some(func(s *sandbox) bool { return s.seat.current != nil })
			inv := s.seat.current
			if !pt.reply(s, inv) || pt.reply(s, inv) {
				t.Fatal("an answer counts once")
			}
		},
		"leave":   func(*rapid.T) { pt.leave(some(in(idle)), pt) },
		"retire":  func(*rapid.T) { pt.retire(some(in(starting, idle, running, finishing, lingering))) },
		"gone":    func(*rapid.T) { pt.gone(some(in(ending)), exited("exit status 1")) },
		"renew":   func(*rapid.T) { pt.renew() },
		"abandon": func(*rapid.T) { giveUpSome(t, pt, sent, abandoned) },
		"wait": func(*rapid.T) {
			time.Sleep(time.Duration(rapid.SampledFrom([]int64{1, 10, 1000, 4000, 25_000}).Draw(t, "ms")) * time.Millisecond)
			synctest.Wait()
		},
		"": func(*rapid.T) { checkPool(t, pt, sent, abandoned) },
	})
	pt.close()
	for _, s := range pt.launched {
		if _, lives := pt.seats[s]; lives {
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

// checkPool checks what holds at any moment.
func checkPool(t *rapid.T, pt *poolTest, sent []*invocation, abandoned map[*invocation]bool) {
	pt.mu.Lock()
	defer pt.mu.Unlock()
	var count [states]int
	current := make(map[*invocation]bool)
	for s := range pt.seats {
		count[s.seat.state]++
		if inv := s.seat.current; inv != nil {
			current[inv] = true
		}
		if (s.seat.state == idle) != slices.Contains(pt.idle, s) {
			t.Fatalf("state %d, in the idle list: %v", s.seat.state, slices.Contains(pt.idle, s))
		}
		if s.seat.state == running && s.seat.current == nil || s.seat.state == idle && s.seat.receiver == nil {
			t.Fatalf("half a sandbox: %+v", s.seat)
		}
	}
	if count != pt.count {
		t.Fatalf("counted %v, the pool %v", count, pt.count)
	}
	if len(pt.seats) > testLimits.sandboxes || len(pt.queue) > testLimits.waiting {
		t.Fatalf("%d sandboxes, %d waiting", len(pt.seats), len(pt.queue))
	}
	if len(pt.queue) > 0 && (len(pt.idle) > 0 || len(pt.seats) == 0) {
		t.Fatalf("%d wait for %d idle of %d sandboxes", len(pt.queue), len(pt.idle), len(pt.seats))
	}
	checkInvocations(t, pt, sent, current, abandoned)
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
