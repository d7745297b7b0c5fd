package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestHubManagement(t *testing.T) {
	ctx := t.Context()
	server, client := tcpPair(t)
	h, p, hub := newRecorder(), newPeer(t, client), NewHub(apigw.DefaultLimits())
	identity := apigw.Identity{UserAgent: "test", SourceIP: "127.0.0.1"}
	connectedAt := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	before := time.Now()
	came, held := make(chan struct{}), make(chan struct{})
	h.onMessage = func(*Conn, []byte) {
		close(came)
		<-held
	}
	c := serve(t, server, Options{ID: id(1), Identity: identity, ConnectedAt: connectedAt, Handler: h, Hub: hub}, text("go").wire())
	<-came

	if err := hub.Send(ctx, id(1), []byte("hello")); err != nil {
		t.Errorf("Send: %v", err)
	}
	info, err := hub.Info(ctx, id(1))
	if err != nil || info.ID != id(1) || info.Identity != identity || !info.ConnectedAt.Equal(connectedAt) {
		t.Errorf("Info: got %+v, %v", info, err)
	}
	if info.LastActiveAt.Before(before) || info.LastActiveAt.After(time.Now()) {
		t.Errorf("Info: last active at %v", info.LastActiveAt)
	}
	want(t, "Get", hub.Get(id(1)), c)
	if err := hub.Delete(ctx, id(1)); err != nil {
		t.Errorf("Delete: %v", err)
	}
	checkGone(t, hub, id(1)) // closing
	close(held)
	want(t, "reason", h.wait(t), Kicked)
	checkGone(t, hub, id(1)) // gone
	checkGone(t, hub, id(2)) // never here
	frames := []frame{served(text("hello")), served(closing(1000, "Connection Closed Normally"))}
	if got := p.wait(t); !slices.Equal(got, frames) {
		t.Errorf("frames: got %v", got)
	}
	stats := hub.Stats()
	want(t, "opened", stats.Opened, 1)
	want(t, "closed", stats.Closed["kicked"], 1)
	want(t, "messages out", stats.MessagesOut, 1)
	want(t, "bytes out", stats.BytesOut, 5)
	want(t, "messages in", stats.MessagesIn, 1)
	want(t, "bytes in", stats.BytesIn, 2)
}

func checkGone(t *testing.T, hub *Hub, id apigw.ConnectionID) {
	t.Helper()
	_, infoErr := hub.Info(t.Context(), id)
	for name, err := range map[string]error{
		"Send": hub.Send(t.Context(), id, []byte("x")), "Info": infoErr, "Delete": hub.Delete(t.Context(), id),
	} {
		if !errors.Is(err, apigw.ErrGone) {
			t.Errorf("%s: got %v, want ErrGone", name, err)
		}
	}
}

// awaitLen waits until the connections that were started are in the hub.
func awaitLen(t testing.TB, hub *Hub, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); hub.Len() != n; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are in the hub, want %d", hub.Len(), n)
		}
	}
}

// crowd is a hub with connections and the peers at their other ends.
type crowd struct {
	hub   *Hub
	conns []*Conn
	peers []*peer
	hands []*recorder
}

func newCrowd(t *testing.T, pair func(testing.TB) (server, client net.Conn), n int) *crowd {
	c := &crowd{hub: NewHub(apigw.DefaultLimits())}
	for i := range n {
		server, client := pair(t)
		h := newRecorder()
		c.peers = append(c.peers, newPeer(t, client))
		c.hands = append(c.hands, h)
		c.conns = append(c.conns, serve(t, server, Options{ID: id(i), Handler: h, Hub: c.hub}, nil))
	}
	awaitLen(t, c.hub, n)
	return c
}

func prepared(t testing.TB, payload string) *Prepared {
	t.Helper()
	m, err := Prepare([]byte(payload), apigw.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBroadcast: everyone gets every message in order, mixed with direct sends.
func TestBroadcast(t *testing.T) {
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			const connections, rounds = 100, 30
			c := newCrowd(t, pair, connections)
			var wanted []frame
			for i := range rounds {
				b, d := fmt.Sprintf("broadcast %d", i), fmt.Sprintf("direct %d", i)
				want(t, "sent", c.hub.Broadcast(prepared(t, b)), connections)
				for _, conn := range c.conns {
					if err := conn.Send([]byte(d)); err != nil {
						t.Error(err)
					}
				}
				wanted = append(wanted, served(text(b)), served(text(d)))
			}
			c.drain(t)
			wanted = append(wanted, served(closing(1001, "Going away")))
			for i, p := range c.peers {
				if got := p.wait(t); !slices.Equal(got, wanted) {
					t.Fatalf("connection %d: got %v", i, got)
				}
			}
			want(t, "messages out", c.hub.Stats().MessagesOut, 2*rounds*connections)
		})
	}
}

func (c *crowd) drain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.hub.Drain(ctx, Draining); err != nil {
		t.Fatal(err)
	}
	for _, h := range c.hands {
		want(t, "reason", h.wait(t), Draining)
	}
}

// TestBroadcastPassesTheFull: one client that does not read harms no other.
func TestBroadcastPassesTheFull(t *testing.T) {
	c := newCrowd(t, tcpPair, 3)
	server, client := tcpPair(t)
	defer client.Close()
	stuck := serve(t, server, Options{ID: id(100), Handler: newRecorder(), Hub: c.hub}, nil)
	awaitLen(t, c.hub, 4)
	fill(t, stuck)
	m := prepared(t, string(make([]byte, 100<<10)))
	for range 20 { // what the kernel's buffers still take runs out
		if c.hub.Broadcast(m) == 3 {
			break
		}
	}
	want(t, "sent", c.hub.Broadcast(m), 3)
	stuck.reset(Slow)
	c.drain(t)
}

// TestGreeting: it comes before every message, those that are sent before Serve
// included.
func TestGreeting(t *testing.T) {
	conformance.Covers(t, "lifecycle.answer-before-post")
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		const greeting = "HTTP/1.1 101 Switching Protocols\r\n\r\n"
		hub := NewHub(apigw.DefaultLimits())
		c := New(server, Options{ID: id(1), Limits: apigw.DefaultLimits(), Handler: newRecorder(), Hub: hub, Greeting: []byte(greeting)})
		hub.Add(c)
		if err := hub.Send(t.Context(), id(1), []byte("early")); err != nil {
			t.Fatal(err)
		}
		var done sync.WaitGroup
		done.Go(func() { c.Serve(nil) })
		got := make([]byte, len(greeting)+7)
		for n := 0; n < len(got); {
			m, err := client.Read(got[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
		want(t, "bytes", string(got), greeting+"\x81\x05early")
		client.Close()
		done.Wait()
	})
}

// TestChurn opens, closes, sends and counts at once, for the race detector and
// the lineup.
func TestChurn(t *testing.T) {
	hub := NewHub(apigw.DefaultLimits())
	stop := make(chan struct{})
	var sending, coming sync.WaitGroup
	sending.Go(func() {
		m := prepared(t, "x")
		for {
			select {
			case <-stop:
				return
			default:
				hub.Broadcast(m)
				hub.sweep()
				hub.Stats()
			}
		}
	})
	for g := range 4 {
		coming.Go(func() {
			for i := range 25 {
				server, client := tcpPair(t)
				h, p := newRecorder(), newPeer(t, client)
				c := serve(t, server, Options{ID: id(100*g + i), Handler: h, Hub: hub}, nil)
				if i%2 == 0 {
					c.Close(Kicked)
				} else {
					client.Write(closing(1000, "").wire())
				}
				h.wait(t)
				p.wait(t)
			}
		})
	}
	coming.Wait()
	close(stop)
	sending.Wait()
	want(t, "connections left", hub.Len(), 0)
	want(t, "opened", hub.Stats().Opened, 100)
	want(t, "places kept", len(hub.lineup.places)+len(hub.lineup.free), 0)
}

func TestLineup(t *testing.T) {
	var l lineup
	conns := make([]*Conn, 1000)
	for i := range conns {
		conns[i] = &Conn{place: -1}
		want(t, "add", l.add(conns[i]), true)
		want(t, "add again", l.add(conns[i]), false)
	}
	for i, c := range conns {
		if i%3 != 0 {
			want(t, "remove", l.remove(c), true)
			want(t, "remove again", l.remove(c), false)
		}
	}
	var met []*Conn
	for at := 0; at >= 0; {
		met, at = l.chunk(met, at)
	}
	for i, c := range met {
		want(t, "who stays is met in order", c, conns[3*i])
	}
	want(t, "len", l.len(), len(met))
	for i := 1; i < len(conns); i += 3 {
		l.add(conns[i])
	}
	want(t, "free places are used first", len(l.places), len(conns))
	for _, c := range conns {
		l.remove(c)
	}
	want(t, "places kept", len(l.places)+len(l.free), 0)
}
