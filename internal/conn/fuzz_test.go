package conn

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// fuzzLimits are small, so that the fuzzer reaches them.
func fuzzLimits() apigw.Limits {
	limits := apigw.DefaultLimits()
	limits.MaxFrame, limits.MaxMessage = 6000, 9000
	return limits
}

// script is a connection whose client sends bytes in pieces of 1 to 256, as a
// list says, and then ends; it takes everything.
type script struct {
	net.Conn // nil: deadlines are below
	in       []byte
	pieces   []byte
	out      bytes.Buffer
	closed   bool
}

func (s *script) Read(p []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := len(s.in)
	if len(s.pieces) > 0 {
		n = min(n, int(s.pieces[0])+1)
		s.pieces = append(s.pieces[1:], s.pieces[0])
	}
	n = copy(p, s.in[:n])
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { s.closed = true; return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzReader lets arbitrary bytes come from a client in arbitrary pieces, and
// compares what comes of them with a second reading of RFC 6455 that sees all of
// them at once.
func FuzzReader(f *testing.F) {
	for _, c := range conversations() {
		if len(c.send) < 10_000 {
			f.Add(c.send, []byte{0}, uint16(0))
			f.Add(c.send, []byte{2, 200}, uint16(7))
		}
	}
	f.Add(text(string(bytes.Repeat([]byte("z"), 5000))).wire(), []byte{255}, uint16(4097))
	f.Fuzz(func(t *testing.T, data, pieces []byte, ahead uint16) {
		wanted := reread(data, fuzzLimits())
		split := min(int(ahead), len(data))
		nc := &script{in: data[split:], pieces: slices.Clone(pieces)}
		h := newRecorder()
		before := allocated()
		c := New(nc, Options{Limits: fuzzLimits(), Handler: h})
		c.Serve(data[:split])
		spent := allocated() - before

		want(t, "reason", h.wait(t), wanted.why)
		if got := h.got(); !slices.Equal(got, wanted.messages) {
			t.Errorf("messages: got %q, want %q", got, wanted.messages)
		}
		checkOutput(t, nc.out.Bytes(), wanted)
		if bound := uint64(1<<20 + 64*len(data)); spent > bound {
			t.Errorf("%d bytes were allocated for %d bytes of input", spent, len(data))
		}
		if c.in.buf != nil || c.in.message != nil || !nc.closed || c.hub.Stats().Assembling != 0 {
			t.Error("buffers or the transport are kept after the end")
		}
	})
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// checkOutput: pongs for pings in order, as far as they were not skipped, and
// one close frame at the end unless the client was lost.
func checkOutput(t *testing.T, out []byte, wanted reading) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(out))
	pings := wanted.pings
	for {
		f, err := readFrame(r)
		if errors.Is(err, io.EOF) && wanted.why == Lost {
			return
		}
		if err != nil {
			t.Fatalf("the output ends without a close frame: %v", err)
		}
		if f.op == 8 {
			checkCloseFrame(t, f, wanted.why)
			want(t, "bytes behind the close frame", r.Buffered(), 0)
			return
		}
		at := slices.Index(pings, f.payload)
		if f.op != 10 || at < 0 {
			t.Fatalf("%v answers none of %q", f, pings)
		}
		pings = pings[at+1:]
	}
}

func checkCloseFrame(t *testing.T, f frame, why Reason) {
	t.Helper()
	switch {
	case why.Code == 1005:
		want(t, "close payload", f.payload, "")
	case why.Name == "client":
		want(t, "close payload", f.payload, closing(why.Code, "").payload)
	default:
		want(t, "close payload", f.payload, closing(why.Code, why.Text).payload)
	}
}

// reading is what a client's bytes mean.
type reading struct {
	messages []string
	pings    []string
	why      Reason
}

// reread is the second reading, written for clarity alone.
func reread(data []byte, limits apigw.Limits) (got reading) {
	got.why = Lost
	var message []byte
	fragmented := false
	for len(data) >= 2 {
		fin, op, length := data[0]&0x80 != 0, data[0]&0x0f, uint64(data[1]&0x7f)
		if text := badStart(data); text != "" {
			got.why = ProtocolError(text)
			return got
		}
		size := 2
		switch length {
		case 126:
			size = 4
		case 127:
			size = 10
		}
		if len(data) < size+4 {
			return got
		}
		switch size {
		case 4:
			length = uint64(binary.BigEndian.Uint16(data[2:]))
		case 10:
			length = binary.BigEndian.Uint64(data[2:])
		}
		mask := data[size : size+4]
		data = data[size+4:]
		if length > math.MaxInt64 {
			got.why = ProtocolError("the top bit of a 64-bit frame length is set")
			return got
		}
		if length < 126 && size > 2 || length < 1<<16 && size > 4 {
			got.why = ProtocolError("a frame's length is not in its shortest form")
			return got
		}
		if op < 8 {
			switch {
			case op == 0 && !fragmented:
				got.why = ProtocolError("a continuation frame without a message to continue")
			case op != 0 && fragmented:
				got.why = ProtocolError("a new message before the last one has ended")
			case op == 2:
				got.why = Binary
			case length > uint64(limits.MaxFrame) || uint64(len(message))+length > uint64(limits.MaxMessage):
				got.why = TooBig
			}
			if got.why != Lost {
				return got
			}
		}
		if uint64(len(data)) < length {
			return got
		}
		payload := make([]byte, length)
		for i := range payload {
			payload[i] = data[i] ^ mask[i%4]
		}
		data = data[length:]
		switch op {
		case 8:
			got.why = rereadClose(payload)
			return got
		case 9:
			got.pings = append(got.pings, string(payload))
		case 0, 1:
			message, fragmented = append(message, payload...), !fin
			if !mayBeText(message, fin) {
				got.why = BadText
				return got
			}
			if !fin {
				continue
			}
			got.messages = append(got.messages, string(message))
			message = nil
		}
	}
	return got
}

// mayBeText tells whether b is UTF-8 or, when it is not complete, the beginning
// of something that is.
func mayBeText(b []byte, complete bool) bool {
	if complete || utf8.Valid(b) {
		return utf8.Valid(b)
	}
	for _, end := range []string{
		"\x80", "\xbf", "\x80\x80", "\x90\x80", "\xa0\x80", "\xbf\x80", "\x80\x80\x80", "\x90\x80\x80",
	} {
		if utf8.Valid(append(bytes.Clone(b), end...)) {
			return true
		}
	}
	return false
}

func badStart(data []byte) string {
	fin, op, length := data[0]&0x80 != 0, data[0]&0x0f, data[1]&0x7f
	switch {
	case data[0]&0x70 != 0:
		return "a reserved bit is set"
	case op > 2 && op < 8 || op > 10:
		return "opcode 0x" + string("0123456789abcdef"[op]) + " is reserved"
	case data[1]&0x80 == 0:
		return "a client's frame must be masked"
	case op >= 8 && !fin:
		return "a control frame must not be fragmented"
	case op >= 8 && length > 125:
		return "a control frame is longer than 125 bytes"
	}
	return ""
}

func rereadClose(payload []byte) Reason {
	if len(payload) == 0 {
		return Reason{"client", 1005, "Client-side close frame status not set"}
	}
	why, err := parseClose(payload) // its table is in TestConversations
	if b, ok := errors.AsType[*breach](err); ok {
		return b.why
	}
	return why
}

// FuzzClose: whatever a close frame carries is told apart, and what is told back
// is a valid control frame.
func FuzzClose(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3})
	f.Add([]byte("\x03\xe8bye"))
	f.Add([]byte("\x03\xe8\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		why, err := parseClose(payload)
		if b, ok := errors.AsType[*breach](err); ok {
			why = b.why
		} else if err != nil {
			t.Fatal(err)
		}
		got, err := readFrame(bufio.NewReader(bytes.NewReader(why.closeFrame())))
		if err != nil || got.op != 8 || !got.fin || len(got.payload) > 125 || len(got.payload) == 1 {
			t.Errorf("answered with %v, %v", got, err)
		}
		if len(got.payload) > 2 && !utf8.ValidString(got.payload[2:]) {
			t.Errorf("the text of %v is cut within a character", got)
		}
	})
}

// FuzzText: a text that comes in pieces is refused with the very piece after
// which it cannot become UTF-8 any more.
func FuzzText(f *testing.F) {
	f.Add([]byte("Hello"), []byte{2})
	f.Add([]byte("a\u00e9\u20ac\U0001f600z"), []byte{1})
	f.Add([]byte("\xed\xa0\x80"), []byte{0, 1})
	f.Add([]byte("\xf4\x90\x80\x80"), []byte{2})
	f.Add([]byte("\xe0\x80\xaf"), []byte{1, 0})
	f.Add([]byte("\xe2\x82x\xac"), []byte{2})
	f.Add([]byte("\xf0\x90\x80"), []byte{0})
	f.Add([]byte("\x80\xbf\xfe\xff"), []byte{3})
	f.Fuzz(func(t *testing.T, data, pieces []byte) {
		var r reader
		for i := 0; ; i++ {
			n := len(data)
			if len(pieces) > 0 {
				n = min(n, int(pieces[i%len(pieces)]))
			}
			r.message, data = append(r.message, data[:n]...), data[n:]
			complete := len(data) == 0 || i == 1000
			got := r.isText(complete)
			want(t, fmt.Sprintf("%q, complete %v", r.message, complete), got, mayBeText(r.message, complete))
			if complete || !got {
				return
			}
		}
	})
}

// TestCloseStatuses: section 7.4 and the IANA registry, every number there is.
func TestCloseStatuses(t *testing.T) {
	conformance.Covers(t, "protocol.close-codes-valid protocol.close-codes-invalid protocol.close-codes-registered")
	for code := range 1 << 16 {
		wanted := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
		if got := mayBeSent(code); got != wanted {
			t.Errorf("%d: got %v", code, got)
		}
	}
}

// TestBufferGrowsWithWhatCame: a header that promises a large frame costs
// nothing until the bytes come.
func TestBufferGrowsWithWhatCame(t *testing.T) {
	nc := &script{in: text(string(make([]byte, 32<<10))).wire()[:100]}
	c := New(stalling{nc}, Options{Limits: apigw.DefaultLimits(), Handler: newRecorder()})
	if err := c.readFrames(); err == nil || err.(*breach).why != Stalled {
		t.Fatalf("got %v", err)
	}
	if cap(c.in.message) > readSize {
		t.Errorf("100 bytes are held in a buffer of %d", cap(c.in.message))
	}
}

// stalling is a script whose client falls silent instead of ending.
type stalling struct{ *script }

func (s stalling) Read(p []byte) (int, error) {
	n, err := s.script.Read(p)
	if errors.Is(err, io.EOF) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}
