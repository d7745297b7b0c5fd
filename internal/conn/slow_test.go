package conn

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// TestOneStuckAmongAHundred: a client that never reads is ended by name, and
// costs the other hundred nothing: every message reaches them all, while it is
// stuck and after. How long that takes is printed, beside the same without it.
func TestOneStuckAmongAHundred(t *testing.T) {
	conformance.Covers(t, "limit.slow-reader")
	const readers, rounds = 100, 30
	limits := apigw.DefaultLimits()
	limits.MaxPending, limits.WriteStall = 64<<10, 300*time.Millisecond
	hub := NewHub(limits)
	sweep(t, hub)
	clients := make([]*bufio.Reader, readers)
	for i := range readers {
		server, client := tcpPair(t)
		clients[i] = bufio.NewReader(client)
		t.Cleanup(func() { client.Close() })
		client.SetReadDeadline(time.Now().Add(time.Minute)) // all rounds together
		serve(t, server, Options{ID: id(i), Handler: newRecorder(), Hub: hub, Limits: limits}, nil)
	}
	awaitLen(t, hub, readers)
	round := func(name string) time.Duration {
		began := time.Now()
		message := name + strings.Repeat("m", 1000)
		if sent := hub.Broadcast(prepared(t, message)); sent < readers {
			t.Fatalf("%s: taken for %d clients", name, sent)
		}
		for i, r := range clients {
			if f, err := readFrame(r); err != nil || f != served(text(message)) {
				t.Fatalf("%s: client %d got %v, %v", name, i, f, err)
			}
		}
		return time.Since(began)
	}
	var alone, beside []time.Duration
	for i := range rounds {
		alone = append(alone, round(fmt.Sprint("alone ", i)))
	}

	server, client := tcpPair(t)
	defer client.Close()
	h := newRecorder()
	stuck := serve(t, server, Options{ID: id(readers), Handler: h, Hub: hub, Limits: limits}, nil)
	awaitLen(t, hub, readers+1)
	fill(t, stuck)
	for ended := false; !ended; {
		beside = append(beside, round(fmt.Sprint("beside ", len(beside))))
		select {
		case <-h.end:
			ended = len(beside) >= rounds
		default:
		}
	}
	want(t, "reason", h.wait(t), Slow)
	want(t, "connections left", hub.Len(), readers)
	want(t, "closed as slow", hub.Stats().Closed["slow"], 1)
	slices.Sort(alone)
	slices.Sort(beside)
	t.Logf("a message to %d clients, median and longest: %v, %v alone; %v, %v beside the one that does not read",
		readers, alone[len(alone)/2], alone[len(alone)-1], beside[len(beside)/2], beside[len(beside)-1])
}

// TestPingsBehindAStuckSend: a client that does not take what we send is still
// read: its message is handled and its pings are answered, in order, behind what
// was sent before.
func TestPingsBehindAStuckSend(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		h := newRecorder()
		handled := make(chan struct{}, 1)
		h.onMessage = func(*Conn, []byte) { handled <- struct{}{} }
		c := serve(t, server, Options{ID: id(1), Handler: h}, nil)
		accepted := fill(t, c)
		var pings []frame
		for i := range maxPongs {
			pings = append(pings, frame{op: 9, fin: true, payload: fmt.Sprint(i)})
		}
		client.Write(wires(append(pings, text("still read"))...))
		select {
		case <-handled:
		case <-time.After(20 * time.Second):
			t.Fatal("the stuck send holds the reader up")
		}
		client.SetReadDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(client)
		for i := range accepted + maxPongs {
			f, err := readFrame(r)
			if err != nil {
				t.Fatal(err)
			}
			if i >= accepted {
				want(t, "pong", f, pongFrame(fmt.Sprint(i-accepted)))
			}
		}
	})
}

// TestBothCloseAtOnce: the close frames cross. Each side takes the other's as
// the answer to its own, and ours is sent once.
func TestBothCloseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		h := newRecorder()
		c := serve(t, server, Options{ID: id(1), Handler: h}, nil)
		synctest.Wait()
		c.Close(Kicked) // on its way: the pipe holds nothing
		client.Write(closing(4000, "mine").wire())
		synctest.Wait()
		want(t, "ended before our close frame was read", len(h.closed), 0)
		p := newPeer(t, client)
		if got, wanted := p.wait(t), []frame{served(closing(1000, Kicked.Text))}; !slices.Equal(got, wanted) {
			t.Errorf("got %v, want %v", got, wanted)
		}
		want(t, "reason", h.wait(t), Kicked)
	})
}
