package conn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestSend(t *testing.T) {
	frame32 := strings.Repeat("a", 32<<10)
	tests := []struct {
		name, payload string
		frames        []frame
	}{
		{"text", "héllo", []frame{served(text("héllo"))}},
		{"empty", "", []frame{served(text(""))}},
		{"not UTF-8", "\xff\x00", []frame{served(frame{fin: true, op: 2, payload: "\xff\x00"})}},
		{"exactly a frame", frame32, []frame{served(text(frame32))}},
		{"two frames", frame32 + "b", []frame{
			served(frame{op: 1, payload: frame32}), served(frame{op: 0, fin: true, payload: "b"}),
		}},
		{"the largest message", strings.Repeat(frame32, 4), []frame{
			served(frame{op: 1, payload: frame32}), served(frame{op: 0, payload: frame32}),
			served(frame{op: 0, payload: frame32}), served(frame{op: 0, fin: true, payload: frame32}),
		}},
	}
	ways := map[string]func(*Conn, []byte) error{
		"Send": (*Conn).Send,
		"SendPrepared": func(c *Conn, payload []byte) error {
			m, err := Prepare(payload, apigw.DefaultLimits())
			if err != nil {
				return err
			}
			want(t, "Len", m.Len(), len(payload))
			return c.SendPrepared(m)
		},
	}
	for _, test := range tests {
		for name, send := range ways {
			t.Run(test.name+" by "+name, func(t *testing.T) {
				onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
					c := serve(t, server, Options{Handler: newRecorder()}, nil)
					r := bufio.NewReader(client)
					payload := []byte(test.payload)
					if err := send(c, payload); err != nil {
						t.Fatal(err)
					}
					clear(payload) // the sender's own again
					for _, wanted := range test.frames {
						got, err := readFrame(r)
						if err != nil || got != wanted {
							t.Errorf("got %v, %v; want %v", got, err, wanted)
						}
					}
				})
			})
		}
	}
}

func TestTooLarge(t *testing.T) {
	server, client := tcpPair(t)
	defer client.Close()
	c := serve(t, server, Options{Handler: newRecorder()}, nil)
	payload := make([]byte, 128<<10+1)
	if err := c.Send(payload); !errors.Is(err, apigw.ErrTooLarge) {
		t.Errorf("Send: %v", err)
	}
	if _, err := Prepare(payload, apigw.DefaultLimits()); !errors.Is(err, apigw.ErrTooLarge) {
		t.Errorf("Prepare: %v", err)
	}
}

// TestStuckClient: the sender never waits, what is pending is bounded, and all
// that was accepted arrives in order once the client reads.
func TestStuckClient(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		limits := apigw.DefaultLimits()
		limits.MaxPending = 64 << 10
		hub := NewHub(limits)
		c := serve(t, server, Options{ID: id(1), Handler: newRecorder(), Limits: limits, Hub: hub}, nil)
		accepted := fill(t, c)
		want(t, "ErrBacklog counted", hub.Stats().Refused, 1)
		checkBounds(t, c)
		if err := client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(client)
		for i := range accepted {
			f, err := readFrame(r)
			if err != nil || !strings.HasPrefix(f.payload, fmt.Sprintf("%d ", i)) {
				t.Fatalf("message %d: got %v, %v", i, f, err)
			}
		}
		awaitDrained(t, c)
	})
}

// TestDeadlineOfAStuckClientIsForgotten: once it has read, it may take as long
// as it likes until the next message.
func TestDeadlineOfAStuckClientIsForgotten(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.WriteStall = 2 * time.Second // which a busy machine must not miss below
	server, client := unixPair(t)
	c := serve(t, server, Options{Handler: newRecorder(), Limits: limits}, nil)
	fill(t, c)
	newPeer(t, client)
	awaitDrained(t, c)
	time.Sleep(limits.WriteStall + 10*time.Millisecond)
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c.awaitWriter()
	want(t, "closing", c.Closing(), false)
}

// fill sends until the connection refuses, and returns how many it took.
func fill(t *testing.T, c *Conn) int {
	t.Helper()
	for i := range 100_000 {
		began := time.Now()
		err := c.Send(fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 1000)))
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("send %d took %v", i, took)
		}
		if errors.Is(err, apigw.ErrBacklog) {
			return i
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("a client that does not read takes everything")
	return 0
}

// TestSmallMessagesAreBounded: what a message costs besides its bytes counts.
func TestSmallMessagesAreBounded(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	c := serve(t, server, Options{Handler: newRecorder()}, nil)
	for c.Send([]byte("tiny")) == nil {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	memory := 0
	for _, m := range c.out.rest {
		memory += cap(m.wire) + int(unsafe.Sizeof(*m)) + int(unsafe.Sizeof(m))
	}
	if memory > 2*c.limits.MaxPending {
		t.Errorf("%d messages take %d bytes", len(c.out.rest), memory)
	}
}

func checkBounds(t *testing.T, c *Conn) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.cost() > c.limits.MaxPending {
		t.Errorf("%d bytes are pending, over the bound of %d", c.out.cost(), c.limits.MaxPending)
	}
}

// awaitDrained waits for the writer and checks that nothing is kept.
func awaitDrained(t *testing.T, c *Conn) {
	t.Helper()
	c.awaitWriter()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.first != nil || c.out.rest != nil || c.out.bytes != 0 || c.out.written != 0 || c.out.pongs != 0 {
		t.Errorf("a drained connection keeps %+v", c.out)
	}
	want(t, "fullSince", c.fullSince, 0)
}

// TestPingFlood: a client that pings without reading costs a bounded number of
// pongs, and gets the newest one's answer in the end.
func TestPingFlood(t *testing.T) {
	conformance.Covers(t, "protocol.ping-flood")
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		if tcp, ok := server.(*net.TCPConn); ok {
			tcp.SetWriteBuffer(4 << 10)
			client.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		h := newRecorder()
		read := make(chan struct{}, 1)
		h.onMessage = func(*Conn, []byte) { read <- struct{}{} }
		c := serve(t, server, Options{Handler: h}, nil)
		const pings = 2_000
		var b []byte
		for i := range pings {
			b = append(b, frame{op: 9, fin: true, payload: fmt.Sprintf("%0125d", i)}.wire()...)
		}
		client.Write(append(b, text("done").wire()...))
		<-read
		c.mu.Lock()
		want(t, "pongs are bounded", c.out.bytes <= (maxPongs+1)*127, true)
		c.mu.Unlock()
		client.SetReadDeadline(time.Now().Add(10 * time.Second))
		last := fmt.Sprintf("%0125d", pings-1)
		for r := bufio.NewReader(client); ; {
			f, err := readFrame(r)
			if err != nil {
				t.Fatalf("the newest ping was not answered: %v", err)
			}
			if f.op == 10 && f.payload == last {
				return
			}
		}
	})
}

// TestConcurrentSenders: each sender's messages arrive in its order, and none
// is lost or torn.
func TestConcurrentSenders(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		const senders, each = 8, 300
		c := serve(t, server, Options{Handler: newRecorder()}, nil)
		for s := range senders {
			go func() {
				for i := range each {
					payload := fmt.Appendf(nil, "%d %d %s", s, i, strings.Repeat("y", i*7))
					for errors.Is(c.Send(payload), apigw.ErrBacklog) {
						time.Sleep(time.Millisecond)
					}
				}
			}()
		}
		client.SetReadDeadline(time.Now().Add(20 * time.Second))
		next := make([]int, senders)
		r := bufio.NewReader(client)
		for range senders * each {
			f, err := readFrame(r)
			if err != nil {
				t.Fatal(err)
			}
			var s, i int
			if _, err := fmt.Sscan(f.payload, &s, &i); err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			want(t, fmt.Sprintf("message of sender %d", s), i, next[s])
			next[s]++
		}
	})
}

// TestCloseFollowsPending: what was accepted before Close arrives before the
// close frame, and nothing is accepted after.
func TestCloseFollowsPending(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		h := newRecorder()
		c := serve(t, server, Options{Handler: h}, nil)
		accepted := fill(t, c)
		c.Close(Kicked)
		c.Close(Idle)
		if err := c.Send([]byte("late")); !errors.Is(err, apigw.ErrGone) {
			t.Errorf("Send after Close: %v", err)
		}
		want(t, "Closing", c.Closing(), true)
		frames := newPeer(t, client).wait(t)
		want(t, "frames", len(frames), accepted+1)
		want(t, "last frame", frames[len(frames)-1], served(closing(1000, "Connection Closed Normally")))
		want(t, "reason", h.wait(t), Kicked)
	})
}

// TestNoMessageAfterClose: what a client sends between our close frame and its
// own is dropped.
func TestNoMessageAfterClose(t *testing.T) {
	conformance.Covers(t, "protocol.nothing-after-close")
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		h := newRecorder()
		c := serve(t, server, Options{Handler: h}, nil)
		r := bufio.NewReader(client)
		c.Close(Kicked)
		if f, err := readFrame(r); err != nil || f.op != 8 {
			t.Fatalf("got %v, %v", f, err)
		}
		client.Write(wires(text("late"), frame{op: 9, fin: true}, closing(1000, "")))
		want(t, "reason", h.wait(t), Kicked)
		if got := h.got(); len(got) != 0 {
			t.Errorf("messages: %q", got)
		}
		if _, err := readFrame(r); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the close: %v", err)
		}
	})
}

// TestClientCloseOutlivesABrokenWrite: browsers close the socket right behind
// their close frame; a write that fails on that does not hide the frame.
func TestClientCloseOutlivesABrokenWrite(t *testing.T) {
	server, client := net.Pipe()
	block, h := make(chan struct{}), newRecorder()
	h.onMessage = func(*Conn, []byte) { <-block }
	c := serve(t, brokenWrites{server}, Options{Handler: h}, nil)
	client.Write(text("hold the reader up").wire())
	c.Send([]byte("x"))
	c.awaitWriter()
	if err := c.Send([]byte("x")); !errors.Is(err, apigw.ErrGone) {
		t.Errorf("Send after the failure: %v", err)
	}
	go client.Write(wires(text("last words"), closing(1001, "")))
	close(block)
	want(t, "reason", h.wait(t), ClientClosed(1001, ""))
	want(t, "messages", len(h.got()), 2)
}

// brokenWrites is a connection whose client no longer takes anything.
type brokenWrites struct{ net.Conn }

func (brokenWrites) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestBytesUnderWriteAreNotReused: a connection that ends while its writer is
// stuck leaves the writer what it was given. Otherwise the next message of
// another connection could go to this client.
func TestBytesUnderWriteAreNotReused(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	w := &slowWrite{Conn: server, begun: make(chan struct{}), end: make(chan struct{}), done: make(chan string, 1)}
	c := serve(t, w, Options{Handler: newRecorder()}, nil)
	c.Send([]byte("mine"))
	<-w.begun
	c.reset(Slow)
	for range 100 {
		returnMessage(borrowMessage([]byte("another's"), 0))
	}
	close(w.end)
	want(t, "bytes written", <-w.done, "\x81\x04mine")
}

// slowWrite is a connection that looks at what it writes late.
type slowWrite struct {
	net.Conn
	begun, end chan struct{}
	done       chan string
}

func (w *slowWrite) Write(p []byte) (int, error) {
	close(w.begun)
	<-w.end
	w.done <- string(p)
	return len(p), nil
}

// TestHandlerMayUseTheConnection: echo, and a close out of Message.
func TestHandlerMayUseTheConnection(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
		h := newRecorder()
		h.onMessage = func(c *Conn, data []byte) {
			if err := c.Send(data); err != nil {
				t.Errorf("Send: %v", err)
			}
			if string(data) == "2" {
				c.Close(Kicked)
			}
		}
		p := newPeer(t, client)
		serve(t, server, Options{Handler: h}, nil)
		client.Write(wires(text("1"), text("2")))
		want(t, "reason", h.wait(t), Kicked)
		wanted := []frame{served(text("1")), served(text("2")), served(closing(1000, Kicked.Text))}
		if got := p.wait(t); !slices.Equal(got, wanted) {
			t.Errorf("got %v", got)
		}
	})
}

func TestCloseFrames(t *testing.T) {
	tests := []struct {
		why     Reason
		payload string
	}{
		{Idle, "\x03\xe9Going away"},
		{ClientClosed(4000, "mine"), "\x0f\xa0"},
		{clientClosedBare(), ""},
		{Reason{"long", 1008, strings.Repeat("é", 100)}, "\x03\xf0" + strings.Repeat("é", 61)},
	}
	for _, test := range tests {
		want(t, test.why.Name, string(test.why.closeFrame()[2:]), test.payload)
	}
	if Lost.closeFrame() != nil {
		t.Error("a lost client is told so")
	}
}
