package conn

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// bubble runs a test over a pipe on a fake clock, with the hub's sweeper.
func bubble(t *testing.T, limits apigw.Limits, f func(t *testing.T, c *Conn, client net.Conn, h *recorder)) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		h, hub := newRecorder(), NewHub(limits)
		sweep(t, hub)
		f(t, serve(t, server, Options{ID: id(1), Handler: h, Limits: limits, Hub: hub}, nil), client, h)
	})
}

// sweep runs the hub's sweeper until the test ends.
func sweep(t *testing.T, hub *Hub) {
	ctx := t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.Run(ctx)
	}()
	t.Cleanup(func() { <-done })
}

// background runs a client's part, which ends with the transport, until the
// test ends.
func background(t *testing.T, client net.Conn, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
}

// after checks that the connection ends with a reason when so much time has
// passed, and not a moment earlier; late is how much later it may be.
func after(t *testing.T, h *recorder, d, late time.Duration, why Reason) {
	t.Helper()
	time.Sleep(d - time.Nanosecond)
	synctest.Wait()
	select {
	case <-h.end:
		t.Fatalf("ended before %v: %v", d, h.closed)
	default:
	}
	time.Sleep(late + 2*time.Nanosecond)
	synctest.Wait()
	select {
	case <-h.end:
		want(t, "reason", h.wait(t), why)
	default:
		t.Fatalf("has not ended after %v", d+late)
	}
}

// swept is how late the sweeper may close.
const swept = 1100 * time.Millisecond

func TestIdle(t *testing.T) {
	conformance.Covers(t, "limit.idle-10m-1001")
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		p := newPeer(t, client)
		after(t, h, 10*time.Minute, swept, Idle)
		want(t, "close frame", p.wait(t)[0], served(closing(1001, "Going away")))
	})
}

// TestIdleIsRenewed: by data in either direction, and by control frames only
// where Limits.PingRenewsIdle says so.
func TestIdleIsRenewed(t *testing.T) {
	conformance.Covers(t, "limit.idle-renewed-by-data limit.idle-ping")
	const idle, renewedAt = 20 * time.Second, 15 * time.Second
	sends := func(f frame) func(*Conn, net.Conn) {
		return func(_ *Conn, client net.Conn) { client.Write(f.wire()) }
	}
	aPing, aPong := frame{op: 9, fin: true}, frame{op: 10, fin: true}
	renewals := map[string]struct {
		do         func(c *Conn, client net.Conn)
		pingRenews bool
		renews     bool
	}{
		"by a message":                         {sends(text("x")), false, true},
		"by a fragment":                        {sends(frame{op: 1, payload: "x"}), false, true},
		"by a send":                            {func(c *Conn, _ net.Conn) { c.Send([]byte("x")) }, false, true},
		"not by a ping":                        {sends(aPing), false, false},
		"not by a pong":                        {sends(aPong), false, false},
		"by a ping if allowed":                 {sends(aPing), true, true},
		"not by a pong though a ping would do": {sends(aPong), true, false},
	}
	for name, renewal := range renewals {
		t.Run(name, func(t *testing.T) {
			limits := apigw.DefaultLimits()
			limits.Idle, limits.PingRenewsIdle = idle, renewal.pingRenews
			bubble(t, limits, func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
				newPeer(t, client)
				opened := time.Now()
				time.Sleep(renewedAt)
				renewal.do(c, client)
				synctest.Wait()
				active, until := time.Duration(0), idle-renewedAt
				if renewal.renews {
					active, until = renewedAt, idle
				}
				want(t, "last active, after the opening", c.Info().LastActiveAt.Sub(opened), active)
				after(t, h, until, swept, Idle)
			})
		})
	}
}

func TestAge(t *testing.T) {
	conformance.Covers(t, "limit.age-2h limit.age-close-code")
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		newPeer(t, client)
		for range 24 {
			time.Sleep(5*time.Minute - time.Second)
			c.Send([]byte("still here"))
		}
		after(t, h, 24*time.Second, swept, Age)
	})
}

// TestStalledFrame: a client that stops in the middle of a frame has 10 s, from
// the last byte on.
func TestStalledFrame(t *testing.T) {
	conformance.Covers(t, "limit.slow-writer")
	whole := text("Hello, world").wire()
	for _, sent := range []int{1, 2, 6, 7, len(whole) - 1} {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			newPeer(t, client)
			client.Write(whole[:sent-1])
			time.Sleep(stallLimit - time.Second)
			client.Write(whole[sent-1 : sent])
			synctest.Wait()
			after(t, h, stallLimit, answerLimit, Stalled)
		})
	}
}

// TestSilenceBetweenFrames: the deadline of a frame does not outlive it.
func TestSilenceBetweenFrames(t *testing.T) {
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		newPeer(t, client)
		whole := text("Hello").wire()
		client.Write(whole[:3])
		time.Sleep(stallLimit / 2)
		client.Write(whole[3:])
		time.Sleep(5 * stallLimit)
		client.Write(whole)
		synctest.Wait()
		want(t, "messages", len(h.got()), 2)
	})
}

// TestWriteStall: a client that takes nothing for Limits.WriteStall is reset by
// name. The pipe has no buffer, so the first byte is stuck already.
func TestWriteStall(t *testing.T) {
	conformance.Covers(t, "limit.slow-reader")
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		c.Send([]byte("x"))
		after(t, h, 10*time.Second, 0, Slow)
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the transport is not closed: %v", err)
		}
	})
}

// TestAlwaysFull: a client that reads a little, but never enough, is slow, too.
func TestAlwaysFull(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxPending = 64 << 10
	bubble(t, limits, func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		fill(t, c)
		background(t, client, func() {
			for buf := make([]byte, 200); ; { // 2 KB a second: a write in time, but not half of what waits
				if _, err := client.Read(buf); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		after(t, h, 10*time.Second, swept, Slow)
	})
}

// TestCloseIsBounded: a client that neither reads nor answers holds nothing.
func TestCloseIsBounded(t *testing.T) {
	conformance.Covers(t, "protocol.close-timeout")
	t.Run("does not read", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			c.Send([]byte("x"))
			synctest.Wait() // the write is stuck with a deadline of its own
			c.Close(Kicked)
			after(t, h, flushLimit, 0, Kicked)
		})
	})
	t.Run("does not answer", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			c.Close(Kicked)
			if f, err := readFrame(bufio.NewReader(client)); err != nil || f.op != 8 {
				t.Errorf("got %v, %v", f, err)
			}
			after(t, h, answerLimit, 0, Kicked)
		})
	})
	t.Run("keeps sending", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			background(t, client, func() { io.Copy(io.Discard, client) })
			background(t, client, func() {
				for {
					if _, err := client.Write(text("x").wire()); err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
			synctest.Wait()
			c.Close(Kicked)
			after(t, h, answerLimit, 0, Kicked)
		})
	})
	t.Run("ends its frame and falls silent", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			background(t, client, func() { io.Copy(io.Discard, client) })
			whole := text("Hello").wire()
			client.Write(whole[:3])
			synctest.Wait()
			c.Close(Kicked)
			synctest.Wait()
			client.Write(whole[3:])
			after(t, h, answerLimit, 0, Kicked)
		})
	})
	t.Run("while the handler blocks", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			block := make(chan struct{})
			h.onMessage = func(*Conn, []byte) { <-block }
			background(t, client, func() { io.Copy(io.Discard, client) })
			client.Write(text("x").wire())
			synctest.Wait()
			c.Close(Kicked)
			time.Sleep(flushLimit + answerLimit + swept)
			synctest.Wait()
			if _, err := client.Write([]byte("x")); err == nil {
				t.Error("the transport is still open")
			}
			close(block)
			want(t, "reason", h.wait(t), Kicked)
		})
	})
}

// TestBreachIsReadToItsEnd: a socket that is closed with unread bytes is reset,
// and the client might never see why. The end waits for the client's answer,
// not for the clock.
func TestBreachIsReadToItsEnd(t *testing.T) {
	bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		began := time.Now()
		p := newPeer(t, client)
		if _, err := client.Write(wires(text(strings.Repeat("x", 100<<10)), text("more"), frame{op: 9, fin: true})); err != nil {
			t.Errorf("the client cannot end what it was sending: %v", err)
		}
		want(t, "close frame", p.wait(t)[0], served(closing(1009, TooBig.Text)))
		want(t, "reason", h.wait(t), TooBig)
		want(t, "time that it took", time.Since(began), 0)
	})
}

// TestNoPingOfItsOwn: a client that stays silent hears nothing.
func TestNoPingOfItsOwn(t *testing.T) {
	conformance.Covers(t, "lifecycle.no-server-ping")
	limits := apigw.DefaultLimits()
	limits.Idle = 0
	bubble(t, limits, func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		p := newPeer(t, client)
		time.Sleep(time.Hour)
		synctest.Wait()
		p.mu.Lock()
		want(t, "frames in an hour", len(p.frames), 0)
		p.mu.Unlock()
		want(t, "closing", c.Closing(), false)
		c.Close(Kicked)
		want(t, "the first frame", p.wait(t)[0], served(closing(1000, Kicked.Text)))
		want(t, "reason", h.wait(t), Kicked)
	})
}

func TestNoLimitsOfTime(t *testing.T) {
	conformance.Covers(t, "limit.zero-means-none")
	limits := apigw.DefaultLimits()
	limits.Idle, limits.MaxAge, limits.WriteStall = 0, 0, 0
	bubble(t, limits, func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
		c.Send([]byte("stuck"))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		want(t, "closing", c.Closing(), false)
	})
}
