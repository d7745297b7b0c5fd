package function

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// poolTest is a pool whose sandboxes are nothing but what the pool knows of
// them, in a bubble of fake time.
type poolTest struct {
	*pool
	launched []*sandbox
	order    []*invocation // as delivered

	seen     sync.Mutex
	stops    map[*sandbox]bool
	kills    map[*sandbox]bool
	outcomes map[*invocation]*failure // nil for a success
	frozen   map[*sandbox]bool

	fatalf func(string, ...any)
}

var testLimits = poolLimits{sandboxes: 3, seats: 1, waiting: 5, init: 10 * time.Second, run: 3 * time.Second,
	idle: 20 * time.Second, linger: 5 * time.Millisecond}

func newPoolTest(fatalf func(string, ...any)) *poolTest {
	pt := &poolTest{stops: map[*sandbox]bool{}, kills: map[*sandbox]bool{}, outcomes: map[*invocation]*failure{}, frozen: map[*sandbox]bool{}}
	pt.pool = &pool{
		limits: testLimits,
		launch: func() *sandbox {
			s := &sandbox{}
			pt.launched = append(pt.launched, s)
			return s
		},
		stop: pt.end,
		kill: func(s *sandbox) { pt.note(pt.kills, s) },
		finish: func(_ *sandbox, inv *invocation, _ []byte, why *failure) {
			pt.seen.Lock()
			defer pt.seen.Unlock()
			if _, twice := pt.outcomes[inv]; twice {
				fatalf("an invocation ended twice")
			}
			pt.outcomes[inv] = why
		},
		freeze:    true,
		follow:    pt.obey,
		sandboxes: make(map[*sandbox]struct{}),
	}
	pt.fatalf = fatalf
	return pt
}

func (pt *poolTest) note(in map[*sandbox]bool, s *sandbox) {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	in[s] = true
}

// end is what a sandbox's stop does.
func (pt *poolTest) end(s *sandbox) {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	pt.stops[s], pt.frozen[s] = true, false
}

// obey is what a sandbox's follow does.
func (pt *poolTest) obey(s *sandbox) {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	if !pt.stops[s] && !pt.kills[s] {
		pt.frozen[s] = s.standing.resting.Load()
	}
}

func (pt *poolTest) froze(s *sandbox) bool {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	return pt.frozen[s]
}

func (pt *poolTest) stopped(s *sandbox) bool {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	return pt.stops[s]
}

func (pt *poolTest) killed(s *sandbox) bool {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	return pt.kills[s]
}

// outcome returns why an invocation failed, or nil, and whether it has ended.
func (pt *poolTest) outcome(inv *invocation) (why *failure, ended bool) {
	pt.seen.Lock()
	defer pt.seen.Unlock()
	why, ended = pt.outcomes[inv]
	return why, ended
}

func (pt *poolTest) deliver(inv *invocation) {
	pt.order = append(pt.order, inv)
	for _, s := range pt.launched {
		if slices.Contains(events(s), inv) && pt.froze(s) {
			pt.fatalf("an event was delivered to a frozen process")
		}
	}
}

// send submits an event and delivers it if there is somebody to take it.
func (pt *poolTest) send() *invocation {
	inv := newInvocation(Call{})
	if r := pt.submit(inv); r != nil {
		r.deliver(inv)
	}
	return inv
}

// ask asks for an event as a sandbox does.
func (pt *poolTest) ask(s *sandbox) bool {
	inv, ok := pt.ready(s, pt)
	if inv != nil && !slices.Contains(pt.order, inv) {
		pt.deliver(inv)
	}
	return ok
}

// reply answers as a sandbox does.
func (pt *poolTest) reply(s *sandbox, inv *invocation) bool {
	if pt.answer(s, []byte(inv.id)) == nil {
		return false
	}
	pt.finish(s, inv, nil, nil)
	return true
}

func (pt *poolTest) failedWith(inv *invocation) string {
	why, ended := pt.outcome(inv)
	switch {
	case !ended:
		return "not ended"
	case why == nil:
		return ""
	}
	return fmt.Sprint(why.about("f", "ID"))
}

func inBubble(t *testing.T, test func(t *testing.T, pt *poolTest)) {
	synctest.Test(t, func(t *testing.T) { test(t, newPoolTest(t.Fatalf)) })
}

func TestPoolReusesTheWarmest(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		a, b := pt.send(), pt.send()
		first, second := pt.launched[0], pt.launched[1]
		pt.ask(first)
		pt.ask(second)
		pt.reply(first, a)
		pt.ask(first)
		pt.reply(second, b)
		pt.ask(second)
		for range 3 {
			inv := pt.send()
			if second.standing.seats[0].current != inv {
				t.Fatal("the sandbox that was used last did not get the event")
			}
			pt.reply(second, inv)
			pt.ask(second)
		}
		if len(pt.launched) != 2 {
			t.Errorf("%d sandboxes", len(pt.launched))
		}
	})
}

// A sandbox that has just answered is waited for, but not for long.
func TestPoolWaitsForTheFinishing(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		inv := pt.send()
		s := pt.launched[0]
		pt.ask(s)
		pt.reply(s, inv)
		inv = pt.send()
		if len(pt.launched) != 1 {
			t.Fatal("a sandbox was started though one is about to be free")
		}
		pt.ask(s)
		if s.standing.seats[0].current != inv {
			t.Fatal("the event did not go to the sandbox that asked")
		}
		pt.reply(s, inv)
		pt.send()
		time.Sleep(2 * testLimits.linger)
		synctest.Wait()
		if len(pt.launched) != 2 {
			t.Error("no sandbox was started though the first does not ask again")
		}
	})
}

func TestPoolTimeLimits(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		late := pt.send()
		pt.ask(pt.launched[0])
		time.Sleep(testLimits.run - time.Millisecond)
		synctest.Wait()
		if pt.killed(pt.launched[0]) {
			t.Error("killed before the time limit")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !pt.killed(pt.launched[0]) || !strings.Contains(pt.failedWith(late), "ID Task timed out after 3.00 seconds") {
			t.Errorf("at the time limit: %s", pt.failedWith(late))
		}
		pt.gone(pt.launched[0], exited("signal: killed"))

		mute := pt.send()
		time.Sleep(testLimits.init)
		synctest.Wait()
		if !pt.killed(pt.launched[1]) {
			t.Error("not killed at the end of the init phase")
		}
		pt.gone(pt.launched[1], exited("signal: killed"))
		if !strings.Contains(pt.failedWith(mute), "ID Init timed out after 10.00 seconds") {
			t.Errorf("after the init phase: %s", pt.failedWith(mute))
		}
	})
}

// A slow init is begun again with the function's time limit, as on Lambda, and
// who waits goes on waiting.
func TestPoolSlowInit(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		pt.limits.run = time.Minute
		inv := pt.send()
		time.Sleep(pt.limits.init)
		synctest.Wait()
		pt.gone(pt.launched[0], exited("signal: killed"))
		if len(pt.launched) != 2 || pt.failedWith(inv) != "not ended" {
			t.Fatalf("%d starts, %s", len(pt.launched), pt.failedWith(inv))
		}
		time.Sleep(pt.limits.run - time.Second)
		synctest.Wait()
		if pt.killed(pt.launched[1]) {
			t.Fatal("killed before the function's time limit")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		pt.gone(pt.launched[1], exited("signal: killed"))
		if !strings.Contains(pt.failedWith(inv), "Init timed out after 60.00 seconds") || pt.failures != 1 {
			t.Errorf("%d failures, %s", pt.failures, pt.failedWith(inv))
		}
	})
}

// What a function does after its answer counts against its time limit too.
func TestPoolTimeLimitAfterAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		inv := pt.send()
		s := pt.launched[0]
		pt.ask(s)
		time.Sleep(time.Second)
		pt.reply(s, inv)
		time.Sleep(testLimits.run - time.Second)
		synctest.Wait()
		if !pt.killed(s) || pt.failedWith(inv) != "" {
			t.Errorf("killed %v, %s", pt.killed(s), pt.failedWith(inv))
		}
	})
}

func TestPoolIdleSandboxesEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		a, b := pt.send(), pt.send()
		cold, warm := pt.launched[0], pt.launched[1]
		pt.ask(cold)
		pt.ask(warm)
		pt.reply(cold, a)
		pt.ask(cold)
		pt.reply(warm, b)
		pt.ask(warm)
		for range 3 {
			time.Sleep(testLimits.idle / 2)
			pt.reply(warm, pt.send())
			pt.ask(warm)
		}
		synctest.Wait()
		if !pt.stopped(cold) || pt.stopped(warm) || pt.killed(cold) {
			t.Errorf("stopped: unused %v, used %v", pt.stopped(cold), pt.stopped(warm))
		}
	})
}

func TestPoolBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		var pauses []time.Duration
		for range 10 {
			begun := time.Now()
			starts := len(pt.launched)
			for {
				if inv := pt.send(); len(pt.launched) > starts {
					break
				} else if got := pt.failedWith(inv); got != "function f: Runtime.ExitError: RequestId: ID Error: Runtime exited with error: exit status 1" {
					t.Fatal(got)
				}
				time.Sleep(time.Millisecond)
			}
			pauses = append(pauses, time.Since(begun))
			pt.gone(pt.launched[starts], exited("exit status 1"))
		}
		for i, pause := range pauses[1:] {
			if want := backoff(i + 1); pause != want {
				t.Errorf("pause %d was %v, want %v", i+1, pause, want)
			}
		}
		if last := pauses[9]; last != 10*time.Second {
			t.Errorf("the longest pause is %v", last)
		}
		time.Sleep(10 * time.Second)
		pt.send()
		pt.ask(pt.launched[10])
		if pt.failures != 0 {
			t.Error("a start that went well did not end the back-off")
		}
	})
}

// Starts that fail together are one failure, and everybody hears of it.
func TestPoolFailsTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		var waiting []*invocation
		for range 5 {
			waiting = append(waiting, pt.send())
		}
		for _, s := range slices.Clone(pt.launched) {
			time.Sleep(time.Microsecond)
			pt.gone(s, exited("exit status 1"))
		}
		if pt.failures != 1 || len(pt.launched) != 3 {
			t.Errorf("%d failures, %d starts", pt.failures, len(pt.launched))
		}
		for _, inv := range waiting {
			if why, _ := pt.outcome(inv); why == nil {
				t.Error(pt.failedWith(inv))
			}
		}
	})
}

func TestPoolRenew(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		a, b, c := pt.send(), pt.send(), pt.send()
		busy, waits, starts := pt.launched[0], pt.launched[1], pt.launched[2]
		pt.ask(busy)
		pt.ask(waits)
		pt.reply(waits, b)
		pt.ask(waits) // takes c
		pt.reply(waits, c)
		pt.ask(waits)
		pt.renew()
		if !pt.stopped(waits) || !pt.stopped(starts) || pt.stopped(busy) {
			t.Fatalf("stopped %v", pt.stops)
		}
		d := pt.send()
		pt.gone(starts, exited("signal: terminated"))
		if pt.broken != nil || len(pt.launched) != 4 {
			t.Errorf("failure %v, %d sandboxes", pt.broken, len(pt.launched))
		}
		if !pt.reply(busy, a) || pt.ask(busy) || !pt.stopped(busy) {
			t.Error("the busy sandbox did not end after its answer")
		}
		pt.ask(pt.launched[3])
		if pt.launched[3].standing.seats[0].current != d {
			t.Error("the new sandbox did not get the event")
		}
	})
}

func TestPoolClose(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		var all []*invocation
		for range 5 {
			all = append(all, pt.send())
		}
		pt.ask(pt.launched[0])
		pt.close()
		all = append(all, pt.send())
		for _, s := range pt.launched {
			pt.gone(s, exited("signal: terminated"))
		}
		for _, inv := range all {
			if got := pt.failedWith(inv); got != "function f: Gatepost.Closed: the function host is closed" {
				t.Error(got)
			}
		}
	})
}

func TestThrottled(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		for range testLimits.waiting {
			pt.send()
		}
		why, _ := pt.outcome(pt.send())
		if why == nil {
			t.Fatal("the queue has no end")
		}
		if err := why.about("f", "ID"); !errors.Is(err, apigw.ErrThrottled) || errors.Is(err, apigw.ErrFunction) {
			t.Error(err)
		}
	})
}
