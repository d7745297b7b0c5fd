package conn

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// expand undoes the compression of a message, as RFC 7692, section 7.2.2 says.
func expand(payload string) (string, error) {
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(strings.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	return string(b), err
}

// shrunk compresses a message as a client does.
func shrunk(message string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	io.WriteString(w, message)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// noise is text of letters that does not get smaller in bytes of 8 bits.
func noise(n int) string {
	from := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from.Uint32())
	}
	return string(b)
}

// message is what one or several frames of the server's are together.
type message struct {
	op       byte
	deflated bool
	payload  string
	// frames is how many, and largest how large the largest is.
	frames, largest int
}

func readMessage(r *bufio.Reader) (m message, err error) {
	for {
		f, err := readMarkedFrame(r)
		if err != nil {
			return m, err
		}
		if m.frames == 0 {
			m.op, m.deflated = f.op, f.rsv
		} else if f.op != 0 || f.rsv {
			return m, fmt.Errorf("%v with the bit %v is no later fragment", f, f.rsv)
		}
		m.frames++
		m.largest = max(m.largest, len(f.payload))
		m.payload += f.payload
		if f.fin {
			break
		}
	}
	if m.deflated {
		m.payload, err = expand(m.payload)
	}
	return m, err
}

// TestSendDeflated: a message goes out compressed when that is worth it, on the
// connections that have negotiated it.
func TestSendDeflated(t *testing.T) {
	long := strings.Repeat("All work and no play. ", 1000)
	mixed := strings.Repeat(noise(500)+strings.Repeat("m", 500), 100)
	tests := []struct {
		name, payload string
		op            byte
		deflated      bool
		frames        int
	}{
		{"empty", "", 1, false, 1},
		{"below the threshold", long[:deflateFrom-1], 1, false, 1},
		{"at the threshold", long[:deflateFrom], 1, true, 1},
		{"long", long, 1, true, 1},
		{"text in several frames that fits one when compressed", strings.Repeat(long, 4), 1, true, 1},
		{"not text", "\xff" + long, 2, true, 1},
		{"noise", noise(5000), 2, false, 1},
		{"noise in several frames", noise(100_000), 2, false, 4},
		{"several frames when compressed, too", noise(40_000) + long, 2, true, 2},
		{"what repeats within the window", mixed, 2, true, 1},
	}
	ways := map[string]func(*testing.T, *Conn, string) error{
		"Send":         func(_ *testing.T, c *Conn, payload string) error { return c.Send([]byte(payload)) },
		"SendPrepared": func(t *testing.T, c *Conn, payload string) error { return c.SendPrepared(prepared(t, payload)) },
		"Broadcast": func(t *testing.T, c *Conn, payload string) error {
			if c.hub.Broadcast(prepared(t, payload)) != 1 {
				return errors.New("not taken")
			}
			return nil
		},
	}
	for _, test := range tests {
		for way, send := range ways {
			t.Run(test.name+" by "+way, func(t *testing.T) {
				onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
					hub := NewHub(apigw.DefaultLimits())
					c := serve(t, server, Options{Handler: newRecorder(), Hub: hub, Compress: true}, nil)
					awaitLen(t, hub, 1)
					if err := send(t, c, test.payload); err != nil {
						t.Fatal(err)
					}
					got, err := readMessage(bufio.NewReader(client))
					if err != nil || got.payload != test.payload {
						t.Fatalf("got %d bytes, %v", len(got.payload), err)
					}
					want(t, "opcode", got.op, test.op)
					want(t, "compressed", got.deflated, test.deflated)
					want(t, "frames", got.frames, test.frames)
					if got.largest > apigw.DefaultLimits().MaxFrame {
						t.Errorf("a frame has %d bytes", got.largest)
					}
					want(t, "bytes counted", hub.Stats().BytesOut, uint64(len(test.payload)))
				})
			})
		}
	}
}

// TestForms: however many ask for the smallest form of a message, they get the
// same one, it means the same, and it has fewer bytes than the plain one or is
// that.
func TestForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := apigw.DefaultLimits()
		limits.MaxFrame = rapid.SampledFrom([]int{0, 200, 1000, 32 << 10}).Draw(t, "frame")
		part := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "part")
		payload := bytes.Repeat(part, rapid.IntRange(0, 20).Draw(t, "times"))
		payload = append(payload, noise(rapid.IntRange(0, 3000).Draw(t, "noise"))...)
		m, err := Prepare(payload, limits)
		if err != nil {
			t.Fatal(err)
		}
		forms := make([]*Prepared, 8)
		var asking sync.WaitGroup
		for i := range forms {
			asking.Go(func() { forms[i] = m.smallest() })
		}
		asking.Wait()
		for _, form := range forms {
			if form != forms[0] {
				t.Fatal("a message was compressed twice")
			}
		}
		form := forms[0]
		got, err := readMessage(bufio.NewReader(bytes.NewReader(form.wire)))
		if err != nil || got.payload != string(payload) || form.Len() != len(payload) {
			t.Fatalf("%d bytes became %d, %v", len(payload), len(got.payload), err)
		}
		if got.deflated != (form != m) || form != m && len(form.wire) >= len(m.wire) {
			t.Fatalf("compressed %v, %d bytes instead of %d", got.deflated, len(form.wire), len(m.wire))
		}
		if limits.MaxFrame > 0 && got.largest > limits.MaxFrame {
			t.Fatalf("a frame has %d bytes", got.largest)
		}
	})
}

// TestSharedForms: one prepared message to many connections at once, half of
// which compress.
func TestSharedForms(t *testing.T) {
	const connections, rounds = 40, 20
	hub := NewHub(apigw.DefaultLimits())
	readers := make([]*bufio.Reader, connections)
	conns := make([]*Conn, connections)
	for i := range connections {
		server, client := tcpPair(t)
		t.Cleanup(func() { client.Close() })
		conns[i] = serve(t, server, Options{ID: id(i), Handler: newRecorder(), Hub: hub, Compress: i%2 == 0}, nil)
		readers[i] = bufio.NewReader(client)
	}
	awaitLen(t, hub, connections)
	for round := range rounds {
		payload := fmt.Sprintf("%d %s", round, strings.Repeat("shared ", 500))
		m := prepared(t, payload)
		var sending sync.WaitGroup
		sending.Go(func() { want(t, "sent", hub.Broadcast(m), connections) })
		for _, c := range conns {
			sending.Go(func() {
				if err := c.SendPrepared(m); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		for i, r := range readers {
			for range 2 {
				got, err := readMessage(r)
				if err != nil || got.payload != payload || got.deflated != (i%2 == 0) {
					t.Fatalf("connection %d: got %d bytes, compressed %v, %v", i, len(got.payload), got.deflated, err)
				}
			}
		}
	}
}

// TestBomb: what would expand to 100 MiB is refused for its size, and neither
// memory nor time is spent on what is past the limit.
func TestBomb(t *testing.T) {
	conformance.Covers(t, "handshake.deflate-option")
	small := shrunk(strings.Repeat("\x00", 1<<20))
	bomb := strings.Repeat(small+"\x00\x00\xff\xff", 100)
	var in []byte
	for at := 0; at < len(bomb); at += 32 << 10 {
		end := min(at+32<<10, len(bomb))
		f := frame{op: 0, fin: end == len(bomb), payload: bomb[at:end]}
		if at == 0 {
			f.op, f.rsv = 1, true
		}
		in = append(in, f.wire()...)
	}
	for name, sent := range map[string][]byte{
		"100 MiB": in, "1 MiB in a small frame": frame{op: 1, fin: true, rsv: true, payload: small}.wire(),
	} {
		h, nc := newRecorder(), &script{in: sent}
		before := allocated()
		c := New(nc, Options{Limits: apigw.DefaultLimits(), Handler: h, Compress: true})
		c.Serve(nil)
		spent := allocated() - before
		t.Logf("%s: %d bytes on the wire, %d KB allocated", name, len(sent), spent>>10)
		want(t, name, h.wait(t), TooBig)
		if spent > 2<<20 {
			t.Errorf("%s: %d bytes were allocated", name, spent)
		}
		want(t, "memory of messages", c.hub.Stats().Assembling, 0)
	}
}

// TestExpandedMessagesCount against the memory that messages under way have, with
// what they are expanded from, and go free when they have been handled.
func TestExpandedMessagesCount(t *testing.T) {
	conformance.Covers(t, "limit.half-messages")
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		hub, h, held := NewHub(apigw.DefaultLimits()), newRecorder(), make(chan struct{})
		hub.assembling.limit = 64 << 10
		h.onMessage = func(*Conn, []byte) { <-held }
		c := serve(t, server, Options{ID: id(1), Handler: h, Hub: hub, Compress: true}, nil)
		p := newPeer(t, client)
		fits, tooLarge := shrunk(strings.Repeat("f", 64<<10)), shrunk(strings.Repeat("f", 64<<10+1))
		client.Write(frame{op: 1, fin: true, rsv: true, payload: fits}.wire())
		synctest.Wait()
		want(t, "memory of the message", hub.Stats().Assembling, 64<<10)
		held <- struct{}{}
		synctest.Wait()
		want(t, "memory behind the message", hub.Stats().Assembling, 0)
		want(t, "buffers kept", cap(c.in.message)+cap(c.in.buf), 0)
		client.Write(frame{op: 1, rsv: true, payload: fits}.wire())
		synctest.Wait()
		want(t, "memory of what is compressed", hub.Stats().Assembling, readSize)
		client.Write(frame{op: 0, fin: true}.wire())
		want(t, "reason, for there is no room for both", h.wait(t), Overloaded)
		want(t, "close frame", p.wait(t)[0], served(closing(1013, Overloaded.Text)))
		want(t, "memory", hub.Stats().Assembling, 0)
		want(t, "messages", len(h.got()), 1)

		server, client = net.Pipe()
		h = newRecorder()
		serve(t, server, Options{ID: id(2), Handler: h, Hub: hub, Compress: true}, nil)
		newPeer(t, client)
		client.Write(frame{op: 1, fin: true, rsv: true, payload: tooLarge}.wire())
		want(t, "reason of a larger one", h.wait(t), Overloaded)
		want(t, "memory", hub.Stats().Assembling, 0)
	})
}

// counted counts the bytes that a client reads and writes.
type counted struct {
	net.Conn
	read, written *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// TestIndependentClientCompresses: another implementation, in each of its ways to
// compress, gets and sends messages of all sizes; large ones are small on the wire
// in both directions where it compresses.
func TestIndependentClientCompresses(t *testing.T) {
	conformance.Covers(t, "handshake.deflate-option")
	for name, test := range map[string]struct {
		mode     websocket.CompressionMode
		compress bool // the server's side
		answer   string
	}{
		"no context takeover": {websocket.CompressionNoContextTakeover, true, accepted},
		"context takeover":    {websocket.CompressionContextTakeover, true, accepted},
		"none by the client":  {websocket.CompressionDisabled, true, ""},
		"none by the server":  {websocket.CompressionContextTakeover, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := echo{newRecorder()}
			address, hub := upgradingTo(t, Options{Handler: h, Compress: test.compress}, nil)
			var read, written atomic.Int64
			transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, network, address)
				return counted{nc, &read, &written}, err
			}}
			c, resp, err := websocket.Dial(t.Context(), "ws://"+address, &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: transport}, CompressionMode: test.mode,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			c.SetReadLimit(1 << 20)
			want(t, "answer", resp.Header.Get("Sec-WebSocket-Extensions"), test.answer)
			for _, size := range []int{0, 1, 125, 126, 511, 512, 4096, 32<<10 - 100} {
				checkEcho(t, c, strings.Repeat("compress ", size/9+1)[:size])
			}
			checkEcho(t, c, strings.Repeat("again ", 1000))
			checkEcho(t, c, strings.Repeat("again ", 1000))
			ping(t, c)
			checkBroadcast(t, hub, c)
			small := read.Load() < 10_000 && written.Load() < 10_000
			t.Logf("the client has read %d and written %d bytes", read.Load(), written.Load())
			want(t, "few bytes on the wire", small, test.answer != "")
			if err := c.Close(4001, "enough"); err != nil {
				t.Errorf("Close: %v", err)
			}
			want(t, "reason", h.wait(t), ClientClosed(4001, "enough"))
		})
	}
}

// FuzzInflate: whatever a compressed message carries, in whatever fragments, is
// the text that compress/flate makes of it, or the right breach, within bounds.
func FuzzInflate(f *testing.F) {
	for _, payload := range []string{
		"", "\x00", "\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00",
		"\x00\x05\x00\xfa\xffHello\x00", "\x01\x02\x00\xfd\xffHe\x00\x03\x00\xfc\xffllo\x00", "\x03\x00\x03\x00\x00", "\x06",
		"\x00\x04\x00\xfb\xff", shrunk(strings.Repeat("x", 9000)), shrunk(strings.Repeat("x", 9001)), shrunk("\xff"), shrunk("a\u00e9\u20ac\U0001f600z"),
	} {
		f.Add([]byte(payload), []byte{0}, uint16(len(payload)/2))
	}
	f.Fuzz(func(t *testing.T, payload, pieces []byte, cut uint16) {
		limits := fuzzLimits()
		if len(payload) > limits.MaxFrame {
			return
		}
		at := min(int(cut), len(payload))
		in := wires(frame{op: 1, rsv: true, payload: string(payload[:at])}, frame{op: 9, fin: true}, frame{op: 0, fin: true, payload: string(payload[at:])})
		if at == len(payload) {
			in = frame{op: 1, fin: true, rsv: true, payload: string(payload)}.wire()
		}
		h, nc := newRecorder(), &script{in: append(in, closing(1000, "").wire()...), pieces: bytes.Clone(pieces)}
		before := allocated()
		c := New(nc, Options{Limits: limits, Handler: h, Compress: true})
		c.Serve(nil)
		if spent := allocated() - before; spent > 2<<20 {
			t.Errorf("%d bytes were allocated", spent)
		}
		message, why := inflateAgain(payload, limits)
		want(t, "reason", h.wait(t), why)
		got := h.got()
		if why.Name == "client" {
			want(t, "messages", len(got), 1)
			want(t, "message", got[0], message)
		} else {
			want(t, "messages", len(got), 0)
		}
		if c.in.buf != nil || c.in.message != nil || !nc.closed || c.hub.Stats().Assembling != 0 {
			t.Error("buffers or the transport are kept after the end")
		}
	})
}

// inflateAgain is the second reading, written for clarity alone: stream after
// stream, with what the earlier ones have come to as the dictionary.
func inflateAgain(payload []byte, limits apigw.Limits) (message string, why Reason) {
	if len(payload) > limits.MaxMessage+limits.MaxMessage/4+1024 {
		return "", TooBig
	}
	end := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	in := bytes.NewReader(append(bytes.Clone(payload), end...))
	var out []byte
	for streams := 0; ; streams++ {
		b, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(in, out[max(0, len(out)-32<<10):]), int64(limits.MaxMessage+1-len(out))))
		out = append(out, b...)
		switch {
		case len(out) > limits.MaxMessage:
			return "", TooBig
		case err != nil:
			return "", BadDeflate
		case in.Len() > len(end) && streams < 256:
			continue
		case in.Len() > 0 && in.Len() != len(end):
			return "", BadDeflate
		case !mayBeText(out, true):
			return "", BadText
		}
		return string(out), ClientClosed(1000, "")
	}
}

// FuzzDeflate: what goes out compressed expands to the message.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("Hello"), uint8(200), uint16(0))
	f.Add([]byte(strings.Repeat("a", 600)), uint8(1), uint16(100))
	f.Add([]byte(noise(700)), uint8(2), uint16(1))
	f.Fuzz(func(t *testing.T, part []byte, times uint8, maxFrame uint16) {
		limits := apigw.DefaultLimits()
		limits.MaxFrame = int(maxFrame)
		payload := bytes.Repeat(part, int(times))
		m, err := Prepare(payload, limits)
		if err != nil {
			return
		}
		got, err := readMessage(bufio.NewReader(bytes.NewReader(m.smallest().wire)))
		if err != nil || got.payload != string(payload) {
			t.Errorf("%d bytes became %d, %v", len(payload), len(got.payload), err)
		}
	})
}
