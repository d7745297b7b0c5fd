package function

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// withSeats is inBubble for sandboxes that may have several events at a time.
func withSeats(t *testing.T, seats int, test func(t *testing.T, pt *poolTest)) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		pt.limits.seats = seats
		test(t, pt)
	})
}

// One process that asks several times gets several events, and no second
// process is started for them.
func TestSeatsShareAProcess(t *testing.T) {
	withSeats(t, 3, func(t *testing.T, pt *poolTest) {
		a, b, c := pt.send(), pt.send(), pt.send()
		s := pt.launched[0]
		for range 3 {
			pt.ask(s)
		}
		if len(pt.launched) != 1 || len(events(s)) != 3 {
			t.Fatalf("%d processes, the first has %d events", len(pt.launched), len(events(s)))
		}
		if pt.ask(s) {
			t.Error("a fourth question was allowed")
		}
		d := pt.send()
		if len(pt.launched) != 2 {
			t.Error("no second process was started though the first is full")
		}
		pt.reply(s, b)
		pt.ask(s)
		if got := events(s); len(got) != 3 || got[1] != d {
			t.Error("the next event did not go to the seat that asked")
		}
		for _, inv := range []*invocation{a, c, d} {
			if !pt.reply(s, inv) {
				t.Error("an answer was refused")
			}
		}
	})
}

// A process that asks for one event only, though it may have more, is joined by
// others after a while.
func TestSeatsThatAreNotTaken(t *testing.T) {
	withSeats(t, 3, func(t *testing.T, pt *poolTest) {
		for range 3 {
			pt.send()
		}
		pt.ask(pt.launched[0])
		if processes := pt.size().sandboxes; processes != 1 {
			t.Fatal("the other questions are not waited for")
		}
		time.Sleep(2 * testLimits.linger)
		synctest.Wait()
		if processes := pt.size().sandboxes; processes != 2 {
			t.Errorf("%d processes for the waiting events", processes)
		}
	})
}

// The end of a connection takes its seat away, but not the last one.
func TestSeatsLeave(t *testing.T) {
	withSeats(t, 2, func(t *testing.T, pt *poolTest) {
		inv := pt.send()
		s := pt.launched[0]
		pt.ask(s)
		pt.reply(s, inv)
		pt.ask(s)
		pt.ask(s)
		if len(pt.idle) != 2 {
			t.Fatalf("%d idle seats", len(pt.idle))
		}
		pt.leave(s, pt)
		pt.leave(s, pt)
		if len(pt.idle) != 0 || len(s.standing.seats) != 1 || pt.leave(s, pt) {
			t.Errorf("%d idle, %d seats", len(pt.idle), len(s.standing.seats))
		}
		pt.ask(s)
		if len(pt.idle) != 1 || pt.killed(s) {
			t.Error("asking again did not help")
		}
	})
}

// One event past its time ends the process, and with it the others.
func TestSeatsTimeLimit(t *testing.T) {
	withSeats(t, 2, func(t *testing.T, pt *poolTest) {
		late := pt.send()
		s := pt.launched[0]
		pt.ask(s)
		time.Sleep(time.Second)
		other := pt.send()
		pt.ask(s)
		time.Sleep(testLimits.run - time.Second)
		synctest.Wait()
		if !pt.killed(s) || !strings.Contains(pt.failedWith(late), "Task timed out") {
			t.Fatalf("killed %v: %s", pt.killed(s), pt.failedWith(late))
		}
		pt.gone(s, exited("signal: killed"))
		if got := pt.failedWith(other); !strings.Contains(got, "Runtime exited with error: signal: killed") {
			t.Error(got)
		}
	})
}

// A sandbox is idle when all of its seats are.
func TestSeatsIdle(t *testing.T) {
	withSeats(t, 2, func(t *testing.T, pt *poolTest) {
		inv := pt.send()
		s := pt.launched[0]
		pt.ask(s)
		pt.ask(s)
		for range 4 { // one seat is never used
			pt.reply(s, inv)
			time.Sleep(testLimits.linger / 2)
			pt.ask(s)
			time.Sleep(testLimits.idle * 2 / 3)
			inv = pt.send()
		}
		synctest.Wait()
		if pt.stopped(s) || len(s.standing.seats) != 2 {
			t.Fatalf("stopped %v, %d seats", pt.stopped(s), len(s.standing.seats))
		}
		pt.reply(s, inv)
		pt.ask(s)
		time.Sleep(2 * testLimits.idle)
		synctest.Wait()
		if !pt.stopped(s) || pt.killed(s) {
			t.Errorf("stopped %v, killed %v", pt.stopped(s), pt.killed(s))
		}
	})
}

// A replaced program ends when the last of its events is answered, and nobody
// who asks before is turned away: that would end the process.
func TestSeatsRenew(t *testing.T) {
	withSeats(t, 3, func(t *testing.T, pt *poolTest) {
		a, b := pt.send(), pt.send()
		s := pt.launched[0]
		pt.ask(s)
		pt.ask(s)
		pt.renew()
		pt.reply(s, a)
		if !pt.ask(s) || pt.stopped(s) {
			t.Error("the process was ended under its other event")
		}
		pt.reply(s, b)
		if pt.ask(s) || !pt.stopped(s) {
			t.Error("the process did not end after its last answer")
		}
		pt.gone(s, exited("signal: terminated"))
		if pt.count != [states]int{} {
			t.Errorf("seats are left: %v", pt.count)
		}
	})
}

// The library asks as often as the variable says.
func TestMaxConcurrency(t *testing.T) {
	meeting := acting("meeting", "meet", map[string]string{concurrencyVariable: "4"})
	h := newTestHost(t, nil, meeting)
	pids := make([]string, 4)
	var all sync.WaitGroup
	for i := range pids {
		all.Go(func() {
			response, err := h.Invoke(context.Background(), "meeting", []byte(`4`))
			if err != nil {
				t.Error(err)
			}
			pids[i] = string(response)
		})
	}
	all.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Errorf("processes %v", pids)
		}
	}
	if s := h.Functions()[0]; s.Sandboxes != 1 {
		t.Errorf("%+v", s)
	}
	if line := h.awaitLine(); line.RequestID != "" {
		t.Errorf("a line of one of several events belongs to %s", line.RequestID)
	}
}

func TestMaxEvents(t *testing.T) {
	tests := []struct {
		runtime, own, hosts string
		most                int // MaxConcurrency
		seats, sandboxes    int
	}{
		{"", "", "", 0, 1, 10}, {"", "4", "", 0, 4, 10}, {"", "", "4", 0, 4, 10}, {"", "2", "4", 0, 2, 10}, {"provided.al2023", "4", "", 0, 4, 10},
		{"", "4", "", 10, 4, 2}, {"", "4", "", 3, 3, 1}, {"", "4", "", 1, 1, 1}, {"", "", "", 7, 1, 7},
		{"", "0", "", 0, 1, 10}, {"", "-1", "", 0, 1, 10}, {"", "many", "", 0, 1, 10}, {"", "99999", "", 0, maxEventsLimit, 10},
		{"nodejs22.x", "4", "", 0, 1, 10}, {"python3.13", "4", "", 0, 1, 10}, {"go1.x", "4", "", 0, 1, 10},
	}
	for _, tt := range tests {
		f := acting("f", "environ", nil)
		f.Runtime, f.MaxConcurrency, f.MemoryMB = tt.runtime, tt.most, 1024 // the race detector needs some
		if tt.own != "" {
			f.Environment[concurrencyVariable] = tt.own
		}
		h := newTestHost(t, func(h *Host) { h.config.Environment = map[string]string{concurrencyVariable: tt.hosts} }, f)
		if l := h.functions["f"].pool.limits; l.seats != tt.seats || l.sandboxes != tt.sandboxes {
			t.Errorf("%+v: %d seats, %d sandboxes", tt, l.seats, l.sandboxes)
		}
		if tt.runtime != "" {
			continue
		}
		if got := strings.Contains(h.invoke("f", "{}"), concurrencyVariable); got != (tt.seats > 1) {
			t.Errorf("%+v: the process knows of it: %v", tt, got)
		}
	}
}
