package conn

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// dribble sends a piece every second, until the connection ends.
func dribble(t *testing.T, client net.Conn, b []byte, size int) {
	background(t, client, func() {
		for piece := range slices.Chunk(b, size) {
			if _, err := client.Write(piece); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	})
}

// TestDribbledFrame: never silent for long, but too slow for a frame: it is
// ended 30 s behind its first byte, and a second later for each 64 KB.
func TestDribbledFrame(t *testing.T) {
	conformance.Covers(t, "limit.slow-writer")
	second := append(frame{op: 1, payload: "begun"}.wire(), frame{op: 0, fin: true, payload: strings.Repeat("x", 100)}.wire()...)
	tests := map[string]struct {
		send []byte
		size int // bytes a second
		ends time.Duration
	}{
		"a small text":               {text(strings.Repeat("x", 100)).wire(), 1, frameLimit},
		"a text larger than a read":  {text(strings.Repeat("x", 20<<10)).wire(), 100, frameLimit},
		"a ping":                     {frame{op: 9, fin: true, payload: strings.Repeat("x", 100)}.wire(), 1, frameLimit},
		"a close frame":              {closing(1000, strings.Repeat("x", 100)).wire(), 1, frameLimit},
		"a second fragment":          {second, 1, frameLimit + 11*time.Second},
		"a frame of 1 MB":            {text(strings.Repeat("x", 1<<20)).wire(), 20 << 10, frameLimit + 16*time.Second},
		"the second frame of a read": {append(text("first").wire(), text(strings.Repeat("x", 100)).wire()...), 15, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, noLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
				newPeer(t, client)
				dribble(t, client, test.send, test.size)
				if test.ends < 0 { // in time
					time.Sleep(5 * time.Minute)
					want(t, "closing", c.Closing(), false)
					want(t, "messages", len(h.got()), 2)
					return
				}
				after(t, h, test.ends, answerLimit, Stalled)
			})
		})
	}
}

// TestSlowButSteady: 64 KB a second are enough for whatever size.
func TestSlowButSteady(t *testing.T) {
	const size = 16 << 20
	message := strings.Repeat("x", size)
	fragments := []frame{{op: 1}}
	for at := 0; at < size; at += 1 << 20 {
		fragments = append(fragments, frame{op: 0, payload: message[at : at+1<<20]})
	}
	fragments = append(fragments, frame{op: 0, fin: true})
	for name, sent := range map[string][]byte{"one frame": text(message).wire(), "fragments": wires(fragments...)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, noLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
				newPeer(t, client)
				dribble(t, client, sent, paceSize+1000)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if got := h.got(); len(got) != 1 || len(got[0]) != size {
					t.Errorf("%d messages came, closing: %v", len(got), c.Closing())
				}
			})
		})
	}
}

// TestGapBetweenFragments: a client that has begun a message has 30 s for each
// next fragment, whatever control frames it sends meanwhile.
func TestGapBetweenFragments(t *testing.T) {
	conformance.Covers(t, "limit.slow-writer limit.fragment-gap")
	begun := frame{op: 1, payload: "begun"}.wire()
	t.Run("silence", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			p := newPeer(t, client)
			client.Write(begun)
			synctest.Wait()
			after(t, h, gapLimit, answerLimit, Stalled)
			want(t, "close frame", p.wait(t)[0], served(closing(1001, "Going away")))
		})
	})
	t.Run("pings", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			newPeer(t, client)
			client.Write(begun)
			synctest.Wait()
			dribble(t, client, slices.Repeat(frame{op: 9, fin: true}.wire(), 1000), 6)
			after(t, h, gapLimit, answerLimit, Stalled)
		})
	})
	t.Run("another fragment in time", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			newPeer(t, client)
			client.Write(begun)
			time.Sleep(gapLimit - time.Second)
			client.Write(frame{op: 0, payload: "more"}.wire())
			synctest.Wait()
			after(t, h, gapLimit, answerLimit, Stalled)
		})
	})
	t.Run("the last fragment in time", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			newPeer(t, client)
			for range 2 { // the first message's times do not count for the second
				client.Write(begun)
				time.Sleep(gapLimit - time.Second)
				client.Write(frame{op: 0, fin: true}.wire())
				time.Sleep(messageLimit)
			}
			synctest.Wait()
			want(t, "messages", strings.Join(h.got(), " "), "begun begun")
			want(t, "closing", c.Closing(), false)
		})
	})
}

// TestEndlessMessage: fragments now and then do not keep a message open for
// ever.
func TestEndlessMessage(t *testing.T) {
	conformance.Covers(t, "limit.fragment-gap")
	for name, payload := range map[string]string{"empty fragments": "", "fragments of a byte": "x"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
				newPeer(t, client)
				client.Write(frame{op: 1, payload: payload}.wire())
				synctest.Wait()
				background(t, client, func() {
					for {
						time.Sleep(20 * time.Second)
						if _, err := client.Write(frame{op: 0, payload: payload}.wire()); err != nil {
							return
						}
					}
				})
				after(t, h, messageLimit, answerLimit, Stalled)
			})
		})
	}
	t.Run("a frame that is under way then", func(t *testing.T) {
		bubble(t, apigw.DefaultLimits(), func(t *testing.T, c *Conn, client net.Conn, h *recorder) {
			newPeer(t, client)
			client.Write(frame{op: 1}.wire())
			for range 5 {
				time.Sleep(messageLimit / 6)
				client.Write(frame{op: 0}.wire())
			}
			time.Sleep(messageLimit/6 - 5*time.Second)
			dribble(t, client, frame{op: 0, fin: true, payload: strings.Repeat("x", 100)}.wire(), 1)
			after(t, h, 5*time.Second, answerLimit, Stalled)
		})
	})
}
