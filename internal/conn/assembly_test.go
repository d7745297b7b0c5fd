package conn

import (
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// awaitAssembling waits until messages under way have so many bytes of memory.
func awaitAssembling(t testing.TB, hub *Hub, n uint64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); hub.Stats().Assembling != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("messages under way have %d bytes, want %d", hub.Stats().Assembling, n)
		}
	}
}

// TestHalfMessages: 2,000 clients send half of a message of 128 KB each and no
// more. What that holds is what has come, and not more than the hub's bound;
// whoever would exceed it is told 1013, and the others go on.
func TestHalfMessages(t *testing.T) {
	conformance.Covers(t, "limit.half-messages")
	const connections, half = 2_000, 64 << 10
	hub := NewHub(apigw.DefaultLimits())
	hub.assembling.limit = connections * half / 4
	send := wires(frame{op: 1, payload: strings.Repeat("h", half/2)}, frame{op: 0, payload: strings.Repeat("h", half/2)})
	before := heap()
	hands, clients := make([]*recorder, connections), make([]net.Conn, connections)
	for i := range connections {
		server, client := tcpPair(t)
		hands[i], clients[i] = newRecorder(), client
		serve(t, server, Options{ID: id(i), Handler: hands[i], Hub: hub}, nil)
		newPeer(t, client)
		client.Write(send) // fails for those that are refused
	}
	awaitLen(t, hub, connections/4)
	awaitAssembling(t, hub, connections/4*half)
	held := heap() - before
	t.Logf("%d half messages hold %d KB of counted buffers; the heap has grown by %d KB", connections/4, hub.assembling.used.Load()>>10, held>>10)
	// The clients' side is in this process, too, and pools keep what is free.
	if bound := 2*hub.assembling.limit + connections*8<<10; held > bound {
		t.Errorf("the heap has grown by %d bytes, more than %d", held, bound)
	}
	want(t, "refused", hub.Stats().Closed["overloaded"], connections*3/4)

	kept := 0
	for i, h := range hands {
		select {
		case <-h.end:
			want(t, "reason", h.wait(t), Overloaded)
			want(t, "close status", Overloaded.Code, 1013)
		default:
			kept++
			clients[i].Write(wires(frame{op: 0, fin: true}))
		}
	}
	want(t, "kept", kept, connections/4)
	awaitAssembling(t, hub, 0)
	want(t, "messages", hub.Stats().MessagesIn, connections/4)
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one moves pools to their last chance
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestOverloaded: a hub without memory for messages under way refuses those that
// need it, in step with what the client still sends, and serves the rest.
func TestOverloaded(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		hub, h := NewHub(apigw.DefaultLimits()), newRecorder()
		hub.assembling.limit = 16 << 10
		p := newPeer(t, client)
		serve(t, server, Options{ID: id(1), Handler: h, Hub: hub}, nil)
		small, large := strings.Repeat("s", readSize), strings.Repeat("l", 16<<10)
		if _, err := client.Write(wires(text(small), text(large), text(large+"!"), text("unheard"), frame{op: 9, fin: true})); err != nil {
			t.Errorf("the client cannot end what it was sending: %v", err)
		}
		want(t, "reason", h.wait(t), Overloaded)
		want(t, "messages", len(h.got()), 2)
		frames := p.wait(t)
		want(t, "last frame", frames[len(frames)-1], served(closing(1013, Overloaded.Text)))
		want(t, "memory", hub.Stats().Assembling, 0)
	})
}

// TestOverloadedIsReadToItsEnd: what the client still sends is skipped to the
// byte, so that its answer is found, and the end does not wait for the clock.
func TestOverloadedIsReadToItsEnd(t *testing.T) {
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		c.hub.assembling.limit = 8 << 10
		began := time.Now()
		p := newPeer(t, client)
		client.Write(wires(text(strings.Repeat("l", 20<<10)), text("unheard")))
		want(t, "close frame", p.wait(t)[0], served(closing(1013, Overloaded.Text)))
		want(t, "reason", h.wait(t), Overloaded)
		want(t, "time that it took", time.Since(began), 0)
	})
}

// TestRefusedMessageHoldsNothing: its memory is free although the client has
// not answered yet.
func TestRefusedMessageHoldsNothing(t *testing.T) {
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		background(t, client, func() { io.Copy(io.Discard, client) })
		client.Write(frame{op: 1, payload: strings.Repeat("x", 20<<10)}.wire())
		synctest.Wait()
		want(t, "memory of the message", c.hub.Stats().Assembling, 32<<10)
		client.Write(frame{op: 0, payload: "\xff"}.wire())
		synctest.Wait()
		want(t, "memory of the refused message", c.hub.Stats().Assembling, 0)
		want(t, "ended", len(h.closed), 0)
	})
}

// TestSizeLimits: zero is no limit, and neither it nor a larger one is more than
// 64 MiB.
func TestSizeLimits(t *testing.T) {
	conformance.Covers(t, "limit.zero-means-none protocol.limits-off")
	for limit, wanted := range map[int]int{0: largest, -1: largest, 1: 1, largest: largest, largest + 1: largest, math.MaxInt: largest} {
		want(t, "bound", bound(limit), wanted)
	}
	limits := noLimits()
	if err := (header{op: 1, length: largest}).check(false, 0, &limits); err != nil {
		t.Errorf("a frame of 64 MiB: %v", err)
	}
	for name, err := range map[string]error{
		"a larger frame":                      (header{op: 1, length: largest + 1}).check(false, 0, &limits),
		"a fragment past 64 MiB in all":       (header{op: 0, length: 2}).check(true, largest-1, &limits),
		"a frame as large as a number can be": (header{op: 1, length: 1<<63 - 1}).check(false, 0, &limits),
	} {
		if b, ok := err.(*breach); !ok || b.why != TooBig {
			t.Errorf("%s: %v", name, err)
		}
	}
	server, client := tcpPair(t)
	c := serve(t, server, Options{ID: id(1), Handler: newRecorder(), Limits: limits}, nil)
	p := newPeer(t, client)
	large := strings.Repeat("L", 200<<10)
	if err := c.Send([]byte(large)); err != nil {
		t.Errorf("Send without limits: %v", err)
	}
	c.Close(Kicked)
	want(t, "the message, in one frame", p.wait(t)[0], served(text(large)))
	if _, err := Prepare([]byte(large), limits); err != nil {
		t.Errorf("Prepare without limits: %v", err)
	}
}
