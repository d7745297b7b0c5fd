package conn

import (
	"bufio"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// TestDrainGivesUp: a handler that does not return is named by number.
func TestDrainGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		hub, h, block := NewHub(apigw.DefaultLimits()), newRecorder(), make(chan struct{})
		h.onMessage = func(*Conn, []byte) { <-block }
		newPeer(t, client)
		serve(t, server, Options{ID: id(1), Handler: h, Hub: hub}, text("x").wire())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := hub.Drain(ctx, Draining)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "drain 1 connections: context deadline exceeded" {
			t.Errorf("got %v", err)
		}
		close(block)
		if err := hub.Drain(t.Context(), Draining); err != nil {
			t.Errorf("second drain: %v", err)
		}
		want(t, "reason", h.wait(t), Draining)
	})
}

// TestDrainedHubTurnsNewcomersAway: a connection whose handshake ends during
// the shutdown is closed, too.
func TestDrainedHubTurnsNewcomersAway(t *testing.T) {
	hub := NewHub(apigw.DefaultLimits())
	if err := hub.Drain(t.Context(), Draining); err != nil {
		t.Fatal(err)
	}
	server, client := tcpPair(t)
	h, p := newRecorder(), newPeer(t, client)
	serve(t, server, Options{ID: id(1), Handler: h, Hub: hub}, nil)
	want(t, "reason", h.wait(t), Draining)
	want(t, "close frame", p.wait(t)[0], served(closing(1001, "Going away")))
}

// waiting is a hub of clients that note when they are told to go.
type waiting struct {
	hub  *Hub
	told chan telling
}

// telling is which client was told, and when.
type telling struct {
	client int
	at     time.Duration
}

func newWaiting(t *testing.T, clients int) *waiting {
	w := &waiting{hub: NewHub(apigw.DefaultLimits()), told: make(chan telling, clients)}
	began := time.Now()
	for i := range clients {
		server, client := net.Pipe()
		serve(t, server, Options{ID: id(i), Handler: newRecorder(), Hub: w.hub}, nil)
		background(t, client, func() {
			if f, err := readFrame(bufio.NewReader(client)); err == nil && f == served(closing(1001, "Going away")) {
				w.told <- telling{i, time.Since(began)}
				client.Write(closing(1001, "").wire())
			}
		})
		synctest.Wait() // so that they stand in the hub in this order
	}
	return w
}

// all returns who was told, in order, and when.
func (w *waiting) all() (clients []int, at []time.Duration) {
	close(w.told)
	for one := range w.told {
		clients, at = append(clients, one.client), append(at, one.at)
	}
	return clients, at
}

// TestDrainTellsOneAfterTheOther: 500 clients a second, in equal parts every
// 10 ms and in random order.
func TestDrainTellsOneAfterTheOther(t *testing.T) {
	conformance.Covers(t, "lifecycle.drain-spread")
	synctest.Test(t, func(t *testing.T) {
		const clients = 100
		w := newWaiting(t, clients)
		if err := w.hub.Drain(t.Context(), Draining); err != nil {
			t.Error(err)
		}
		order, at := w.all()
		want(t, "told", len(at), clients)
		inOrder := 0
		for i, when := range at {
			want(t, "when the next was told", when, time.Duration(i/5)*drainStep)
			if order[i]/5 == i/5 {
				inOrder++
			}
		}
		if inOrder == clients {
			t.Error("the clients were told in the order in which they came")
		}
	})
}

// TestDrainHurries: however many there are, within a quarter of the time that
// the context leaves; and all at once when it leaves none.
func TestDrainHurries(t *testing.T) {
	for name, test := range map[string]struct{ leaves, within time.Duration }{
		"a second": {time.Second, time.Second / 4}, "a moment": {4 * time.Millisecond, 0}, "nothing": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const clients = 500
				w := newWaiting(t, clients)
				ctx, cancel := context.WithTimeout(t.Context(), test.leaves)
				defer cancel()
				err := w.hub.Drain(ctx, Draining)
				synctest.Wait()
				if test.leaves > 0 && err != nil {
					t.Error(err)
				}
				_, at := w.all()
				want(t, "told", len(at), clients)
				if last := at[clients-1]; last > test.within || last < test.within-drainStep {
					t.Errorf("the last was told after %v", last)
				}
			})
		})
	}
}

// TestDrainIsCutShort: when the context ends, nobody waits for a turn any more.
func TestDrainIsCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 500
		w := newWaiting(t, clients)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(105*time.Millisecond, cancel)
		if err := w.hub.Drain(ctx, Draining); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		_, at := w.all()
		want(t, "told", len(at), clients)
		want(t, "the last one told", at[clients-1], 105*time.Millisecond)
		want(t, "those told before", slices.Index(at, 105*time.Millisecond), 55)
	})
}

// TestDrainServesThoseThatWait: until it is told, a client is served; one that
// leaves by itself is not waited for.
func TestDrainServesThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 100
		hub, hands, ends := NewHub(apigw.DefaultLimits()), make([]*recorder, clients), make([]net.Conn, clients)
		for i := range clients {
			server, client := net.Pipe()
			hands[i], ends[i] = newRecorder(), client
			newPeer(t, client)
			serve(t, server, Options{ID: id(i), Handler: hands[i], Hub: hub}, nil)
		}
		synctest.Wait()
		drained := make(chan time.Duration)
		began := time.Now()
		go func() {
			hub.Drain(t.Context(), Draining)
			drained <- time.Since(began)
		}()
		time.Sleep(drainStep / 2) // the first five have gone
		for _, client := range ends {
			client.Write(wires(text("still here"), closing(1000, "")))
		}
		want(t, "the drain took", <-drained, drainStep/2)
		served := 0
		for _, h := range hands {
			switch h.wait(t) {
			case Draining:
				want(t, "messages of one that has gone", len(h.got()), 0)
			case ClientClosed(1000, ""):
				want(t, "messages of one that waits", strings.Join(h.got(), ""), "still here")
				served++
			}
		}
		want(t, "served", served, clients-5)
	})
}

// drainer drains out of its own calls.
type drainer struct {
	*recorder
	hub  *Hub
	errs chan error
}

func (d drainer) Message(c *Conn, _ []byte) {
	d.errs <- d.hub.Drain(context.Background(), Draining)
	go func() { d.errs <- d.hub.Drain(context.Background(), Draining) }()
}

func (d drainer) Closed(c *Conn, why Reason) {
	d.errs <- d.hub.Drain(context.Background(), Draining)
	d.recorder.Closed(c, why)
}

// TestDrainByAHandler is refused, for it would wait for its caller; nothing is
// closed by it. In a goroutine of its own it works.
func TestDrainByAHandler(t *testing.T) {
	for name, other := range map[string]bool{"its own hub": false, "another hub": true} {
		t.Run(name, func(t *testing.T) {
			server, client := tcpPair(t)
			hub := NewHub(apigw.DefaultLimits())
			d := drainer{newRecorder(), hub, make(chan error, 10)}
			if other {
				d.hub = NewHub(apigw.DefaultLimits())
			}
			p := newPeer(t, client)
			c := serve(t, server, Options{ID: id(1), Handler: d, Hub: hub}, nil)
			client.Write(text("drain").wire())
			want(t, "Drain in Message", <-d.errs, ErrDrainInHandler)
			if other {
				want(t, "Drain in a goroutine", <-d.errs, nil)
				want(t, "closing", c.Closing(), false)
				c.Close(Draining)
			}
			p.wait(t)
			want(t, "Drain in Closed", <-d.errs, ErrDrainInHandler)
			if !other {
				want(t, "Drain in a goroutine", <-d.errs, nil)
			}
			want(t, "reason", d.wait(t), Draining)
		})
	}
}
