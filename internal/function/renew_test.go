package function

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRenewNow(t *testing.T) {
	for _, tt := range []struct {
		name     string
		keepIdle bool
	}{{"all", false}, {"those with an event", true}} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, pt *poolTest) {
				runs, served, starts := pt.send(), pt.send(), pt.send()
				busy, idles, young := pt.launched[0], pt.launched[1], pt.launched[2]
				pt.ask(busy)
				pt.ask(idles)
				pt.reply(idles, served)
				pt.ask(idles) // takes what young was started for
				pt.reply(idles, starts)
				pt.ask(idles)
				if n := pt.pending(); n != 1 {
					t.Fatalf("%d events are pending, want the one of the busy sandbox", n)
				}
				pt.ask(young)
				ended, cut := pt.renewNow(tt.keepIdle)
				if want := map[bool]int{false: 3, true: 1}[tt.keepIdle]; len(ended) != want || cut != 1 {
					t.Errorf("%d sandboxes ended and %d events were cut off, want %d and 1", len(ended), cut, want)
				}
				if !pt.killed(busy) || pt.killed(idles) || pt.stopped(idles) == tt.keepIdle {
					t.Errorf("killed %v, stopped %v", pt.kills, pt.stops)
				}
				if got := pt.failedWith(runs); !strings.Contains(got, "the state was reset") {
					t.Errorf("the event that ran: %s", got)
				}
				if pt.reply(busy, runs) {
					t.Error("an answer after the end counted")
				}
				if pt.hasNone(ended) {
					t.Error("sandboxes are gone before they are")
				}
				for _, s := range ended {
					pt.gone(s, exited("signal: killed"))
				}
				if !pt.hasNone(ended) || pt.broken != nil || pt.pending() != 0 {
					t.Errorf("failure %v, %d pending", pt.broken, pt.pending())
				}
			})
		})
	}
}

func TestPoolRenewNowFailsWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, pt *poolTest) {
		var all []*invocation
		for range 5 {
			all = append(all, pt.send())
		}
		pt.ask(pt.launched[0])
		if _, cut := pt.renewNow(true); cut != 5 {
			t.Errorf("%d events were cut off, want 5", cut)
		}
		for _, inv := range all {
			if got := pt.failedWith(inv); !strings.Contains(got, "the state was reset") {
				t.Error(got)
			}
		}
	})
}

// TestRenew: what runs is waited for, what comes meanwhile waits, and nothing runs
// while the caller's function does.
func TestRenew(t *testing.T) {
	h := newTestHost(t, nil)
	var running atomic.Int32
	begun, release := make(chan struct{}, 1), make(chan struct{})
	h.addHandler(inThisProcess("slow"), NewHandler(func() error {
		running.Add(1)
		defer running.Add(-1)
		begun <- struct{}{}
		<-release
		return nil
	}))
	first := make(chan error, 1)
	go func() { _, err := h.Invoke(t.Context(), "slow", []byte("{}")); first <- err }()
	<-begun
	meanwhile, later := make(chan struct{}), make(chan error, 1)
	renewed := make(chan Renewed, 1)
	go func() {
		renewed <- h.Renew(t.Context(), Renewal{}, func() {
			if n := running.Load(); n != 0 {
				t.Errorf("%d functions run", n)
			}
			go func() { _, err := h.Invoke(t.Context(), "slow", []byte("{}")); later <- err }()
			close(meanwhile)
			select { // held, not begun; the leaving caller below is let go
			case <-begun:
				t.Error("an invocation began while all were held")
			case <-time.After(50 * time.Millisecond):
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := h.Invoke(gone, "slow", []byte("{}")); err == nil {
				t.Error("a caller that had gone was answered")
			}
		})
	}()
	release <- struct{}{}
	<-meanwhile
	if err := <-first; err != nil {
		t.Errorf("the invocation that ran: %v", err)
	}
	if got := <-renewed; got.CutOff != 0 {
		t.Errorf("%+v", got)
	}
	<-begun
	release <- struct{}{}
	if err := <-later; err != nil {
		t.Errorf("the invocation that waited: %v", err)
	}
}
