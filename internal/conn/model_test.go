package conn

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/apigw"
)

// TestQueueModel compares the queue with a plain string of bytes.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []byte
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				m := &Prepared{wire: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "wire"), kind: rapid.SampledFrom([]kind{shared, pong}).Draw(t, "kind")}
				q.push(m)
				model = append(model, m.wire...)
			},
			"write": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				b := q.alone()
				if b == nil {
					b = q.gather(make([]byte, rapid.IntRange(1, 1000).Draw(t, "room")))
				}
				if len(b) == 0 || !bytes.HasPrefix(model, b) {
					t.Fatalf("offered %x, want a beginning of %x", b, model)
				}
				n := rapid.IntRange(0, len(b)).Draw(t, "taken")
				q.consume(n)
				model = model[n:]
			},
			"drop": func(*rapid.T) {
				q.drop()
				model = nil
			},
			"": func(t *rapid.T) {
				if q.bytes != len(model) || q.empty() != (len(model) == 0) {
					t.Fatalf("%d bytes wait, want %d", q.bytes, len(model))
				}
				if q.empty() && (q.rest != nil || q.pongs != 0 || q.written != 0) {
					t.Fatalf("an empty queue keeps %+v", q)
				}
			},
		})
	})
}

// writerModel drives a connection's writer and remembers what has to arrive.
type writerModel struct {
	c      *Conn
	client *bufio.Reader
	settle func()

	sent    []frame
	unread  int // bytes that were accepted and have not been read
	gone    bool
	partial bytes.Buffer
}

func (m *writerModel) send(t *rapid.T, prepare bool) {
	payload := bytes.Repeat([]byte{rapid.SampledFrom([]byte("abc")).Draw(t, "letter")}, rapid.IntRange(0, 3000).Draw(t, "size"))
	limits := *m.c.limits
	p, err := Prepare(payload, limits)
	if err != nil {
		t.Fatal(err)
	}
	waiting := m.waiting()
	if prepare {
		err = m.c.SendPrepared(p)
	} else {
		err = m.c.Send(payload)
	}
	switch {
	case m.gone:
		if !errors.Is(err, apigw.ErrGone) {
			t.Fatalf("after Close: %v", err)
		}
	case errors.Is(err, apigw.ErrBacklog):
		if waiting+len(p.wire)+overhead <= limits.MaxPending {
			t.Fatalf("%d bytes refused while %d wait", len(p.wire), waiting)
		}
	case err != nil:
		t.Fatal(err)
	default:
		m.accept(p.wire)
	}
}

// waiting is how much is pending; a moment later it may be less.
func (m *writerModel) waiting() int {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	return m.c.out.cost()
}

// accept remembers the frames in wire.
func (m *writerModel) accept(wire []byte) {
	m.unread += len(wire)
	for r := bufio.NewReader(bytes.NewReader(wire)); ; {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		m.sent = append(m.sent, f)
	}
}

func (m *writerModel) read(t *rapid.T, most int) {
	b := make([]byte, min(most, m.unread))
	for len(b) > 0 {
		n, err := m.client.Read(b)
		if err != nil {
			t.Fatalf("read with %d bytes unread: %v", m.unread, err)
		}
		m.partial.Write(b[:n])
		m.unread -= n
		b = b[n:]
	}
}

func (m *writerModel) close() {
	if !m.gone {
		m.gone = true
		m.c.Close(Kicked)
		m.accept(Kicked.closeFrame())
	}
}

func (m *writerModel) check(t *rapid.T) {
	m.settle()
	if waiting := m.waiting(); waiting > m.c.limits.MaxPending+overhead+len(Kicked.closeFrame()) {
		t.Fatalf("%d bytes are pending", waiting)
	}
}

// finish reads the rest and compares.
func (m *writerModel) finish(t *rapid.T) {
	m.read(t, m.unread)
	m.c.awaitWriter()
	r := bufio.NewReader(&m.partial)
	for i, wanted := range m.sent {
		if got, err := readFrame(r); err != nil || got != wanted {
			t.Fatalf("frame %d: got %v, %v; want %v", i, got, err, wanted)
		}
	}
	if m.c.out.bytes != 0 || m.c.out.rest != nil || m.partial.Len()+r.Buffered() != 0 {
		t.Fatalf("%d bytes are left over, and %d came too many", m.c.out.bytes, m.partial.Len()+r.Buffered())
	}
}

func checkWriter(t *rapid.T, server, client net.Conn, settle func()) {
	limits := apigw.DefaultLimits()
	limits.MaxPending, limits.MaxFrame, limits.WriteStall = 8000, 1000, 0
	c := New(server, Options{Limits: limits, Handler: newRecorder()})
	m := &writerModel{c: c, client: bufio.NewReaderSize(client, 16), settle: settle}
	defer func() { // what writes ends before the next check begins
		c.reset(Lost)
		c.awaitWriter()
		client.Close()
	}()
	t.Repeat(map[string]func(*rapid.T){
		"send":     func(t *rapid.T) { m.send(t, false) },
		"prepared": func(t *rapid.T) { m.send(t, true) },
		"read":     func(t *rapid.T) { m.read(t, rapid.IntRange(1, 5000).Draw(t, "bytes")) },
		"":         m.check,
	})
	if rapid.Bool().Draw(t, "close") {
		m.close()
		m.send(t, false)
	}
	m.finish(t)
}

// TestWriterModelStream: over a pipe, which takes nothing that is not read.
func TestWriterModelStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A *testing.T would be asked for its deadline, which a bubble forbids.
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) {
			server, client := net.Pipe()
			checkWriter(t, server, client, synctest.Wait)
		})
	})
}

// TestWriterModelSocket: over a socket with a small buffer, which takes parts.
// TCP would do as well, but wait for its timers.
func TestWriterModelSocket(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		server, client := unixPair(t)
		server.(*net.UnixConn).SetWriteBuffer(1)
		checkWriter(rt, server, client, func() {})
	})
}
