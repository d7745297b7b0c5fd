package protocoltest

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// rsv1 marks the first frame of a compressed message (RFC 7692, section 6.1).
const rsv1 = 4

// flushed is how a flush ends; it is cut off and added again (RFC 7692, sections
// 7.2.1 and 7.2.2).
const flushed = "\x00\x00\xff\xff"

// shrunk compresses a message on its own.
func shrunk(message string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write([]byte(message))
	w.Flush()
	return strings.TrimSuffix(b.String(), flushed)
}

// expanded undoes what the server has compressed.
func expanded(payload string) (string, error) {
	end := flushed + "\x01\x00\x00\xff\xff" // and an end of the stream
	b, err := io.ReadAll(io.LimitReader(flate.NewReader(strings.NewReader(payload+end)), 64<<20))
	return string(b), err
}

// expand replaces what a server has compressed, where it may.
func (f frame) expand(deflate bool) (frame, error) {
	if f.rsv == 0 {
		return f, nil
	}
	if !deflate || f.rsv != rsv1 || f.op >= opClose {
		return f, fmt.Errorf("the server sent reserved bits %03b with %v", f.rsv, f)
	}
	message, err := expanded(f.payload)
	if err != nil {
		return f, errors.Join(fmt.Errorf("the server's compressed %v cannot be expanded", f), err)
	}
	f.rsv, f.payload = 0, message
	return f, nil
}

// packed turns frames into those of a compressed message whose payload they cut.
func packed(frames ...frame) []frame {
	frames[0].rsv = rsv1
	return frames
}

// The payloads of RFC 7692, section 7.2.3, all of them "Hello" but for the empty
// one.
var helloPayloads = []sample{
	{"one compressed block (RFC 7692, 7.2.3.1)", "\xf2\x48\xcd\xc9\xc9\x07\x00"},
	{"a block without compression (RFC 7692, 7.2.3.3)", "\x00\x05\x00\xfa\xffHello\x00"},
	{"a block that says it is the last (RFC 7692, 7.2.3.4)", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"},
	{"two blocks (RFC 7692, 7.2.3.5)", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"},
	{"a last block with nothing behind it (RFC 7692, 7.2.3.4; choice: taken, though the empty block is missing)", "\xf3\x48\xcd\xc9\xc9\x07\x00"},
	{"a last block in the middle (RFC 7692, 7.2.1)", "\x01\x02\x00\xfd\xffHe" + "\x00\x03\x00\xfc\xffllo\x00"},
}

// deflate: RFC 7692 without context takeover (Autobahn 12 and 13). For a server
// that does not use it, reservedBits has what must happen.
func deflate(s Server) []Dialogue {
	if !s.Deflate {
		return nil
	}
	var list []Dialogue
	for _, h := range helloPayloads {
		list = append(list, wellPacked("compressed: "+h.name, "Hello", h.text)...)
	}
	list = append(list, wellPacked("compressed: empty (RFC 7692, 7.2.3.6)", "", "\x00")...)
	// The second half of it is that of section 7.2.3.2, which takes "Hello" from the window.
	list = append(list, wellPacked("compressed: a last block, then a reference to what it had (RFC 7692, 7.2.1)", "HelloHello", "\x01\x05\x00\xfa\xffHello\xf2\x00\x11\x00\x00")...)
	for _, text := range []string{"x", "κόσμε", strings.Repeat("ü", 3000), strings.Repeat("a", 30_000), letters(3000), letters(9000)} {
		list = append(list, wellPacked("compressed: "+size(len(text)), text, shrunk(text))...)
	}
	return append(list, append(append(packedMessages(), badBits()...), append(badData(), packedLimits(s)...)...)...)
}

// letters returns text that hardly compresses, always the same.
func letters(n int) string {
	from := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + from.IntN(95))
	}
	return string(b)
}

// wellPacked sends a payload whole, in two fragments, and a byte in each.
func wellPacked(name, message, payload string) []Dialogue {
	half := len(payload) / 2
	list := []Dialogue{
		echoed(name, message, packed(text(payload))...),
		echoed(name+", in two fragments", message, packed(begin(payload[:half]), last(payload[half:]))...),
		answered(name+", with control frames in between", []frame{pong("p"), text(message)},
			packed(begin(payload[:half]), ping("p"), next(""), pong("unasked"), last(payload[half:]))...),
		echoed(name+", between empty fragments", message, packed(begin(""), next(payload), next(""), last(""))...),
	}
	if len(payload) > 1 && len(payload) < 100 {
		list = append(list, echoed(name+", each byte a fragment", message, packed(inBytes(payload)...)...))
	}
	return list
}

// packedMessages: several messages, of which some are compressed.
func packedMessages() []Dialogue {
	hello := helloPayloads[0].text
	one := frame{op: opText, rsv: rsv1, payload: hello}
	three := []frame{text("Hello"), text("plain"), text("Hello")}
	return []Dialogue{
		echoed("a message that is not compressed (RFC 7692, 6)", "plain", text("plain")),
		answered("compressed and plain messages in turn (RFC 7692, 6)", three, one, text("plain"), one),
		answered("a plain message in fragments behind a compressed one (RFC 7692, 6)", []frame{text("Hello"), text("ab")}, one, begin("a"), last("b")),
		answered("a plain message in fragments behind a compressed one in fragments (RFC 7692, 6)", []frame{text("Hello"), text("ab")},
			append(packed(begin(hello[:3]), last(hello[3:])), begin("a"), last("b"))...),
		ended("the window of the message before, though none is kept (RFC 7692, 7.1.1.2 and 7.2.3.2; choice of the status)", 1007,
			packed(text("\xf2\x00\x11\x00\x00"))...).behind([]frame{text("Hello")}, one),
		echoed("a character that is cut between compressed fragments (RFC 6455, 8.1)", "é", packed(begin("\x00\x02\x00\xfd\xff\xc3"), last("\xa9\x00"))...),
	}
}

// badBits: RFC 7692, section 6.1 lets a compressed message's first frame alone
// have the bit.
func badBits() []Dialogue {
	hello := helloPayloads[0].text
	marked := func(f frame) frame {
		f.rsv = rsv1
		return f
	}
	list := []Dialogue{
		ended("the bit of compression in a later fragment (RFC 7692, 6.1)", 1002, packed(begin(hello[:3]), marked(next(hello[3:])))...),
		ended("the bit of compression in the last fragment (RFC 7692, 6.1)", 1002, packed(begin(hello[:3]), marked(last(hello[3:])))...),
		ended("the bit of compression in the last fragment alone (RFC 7692, 6.1)", 1002, begin("a"), marked(last("b"))),
		ended("a compressed message within a compressed one (5.4)", 1002, packed(begin(hello[:3]), marked(text(hello)))...),
		ended("a compressed message within a plain one (5.4)", 1002, begin("a"), marked(text(hello))),
		ended("a compressed continuation of nothing (5.4)", 1002, marked(last(hello))),
		ended("a compressed binary message (choice: binary is refused by its header)", 1003, marked(frame{op: opBinary, payload: hello})),
		ended("a compressed binary message in fragments (choice: binary is refused by its header)", 1003, marked(frame{op: opBinary, more: true, payload: hello})),
		ended("a compressed frame that is not masked (5.1)", 1002, frame{op: opText, rsv: rsv1, bare: true, payload: hello}),
	}
	for name, f := range map[string]frame{"a ping": ping(hello), "a pong": pong(hello), "a close frame": status(1000, "")} {
		list = append(list,
			ended("the bit of compression in "+name+" (RFC 7692, 6.1)", 1002, marked(f)),
			ended("the bit of compression in "+name+" within a compressed message (RFC 7692, 6.1)", 1002, packed(begin(hello[:3]), marked(f))...))
	}
	return list
}

// badData: what cannot be expanded, or is no text. RFC 7692 names no status.
func badData() []Dialogue {
	var list []Dialogue
	for _, bad := range []sample{
		{"no byte at all", ""},
		{"a reserved kind of block", "\x06"},
		{"noise", "\xff\xfe\xfd\xfc"},
		{"a distance to before the beginning", "\xf2\x00\x11\x00\x00"},
		{"a block whose length is not confirmed", "\x00\x05\x00\x00\x00Hello\x00"},
		{"a block that is cut short", "\x00\x64\x00\x9b\xffHello"},
		{"noise behind a message", "\xf2\x48\xcd\xc9\xc9\x07\x00\xff\xff"},
		{"noise behind a last block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x06"},
		{"last blocks without end (choice: 256 are enough)", strings.Repeat("\x03\x00", 2000) + "\x00"},
		{"text that is not compressed", "Hello"},
	} {
		half := len(bad.text) / 2
		list = append(list,
			ended("not compressed data: "+bad.name+" (choice: 1007)", 1007, packed(text(bad.text))...),
			ended("not compressed data: "+bad.name+", in fragments (choice: 1007)", 1007, packed(begin(bad.text[:half]), ping("p"), last(bad.text[half:]))...).withPong())
	}
	for _, s := range invalidTexts() {
		list = append(list,
			ended("compressed text that is invalid: "+s.name+" (8.1)", 1007, packed(text(shrunk(s.text)))...),
			ended("compressed text that is invalid: "+s.name+" at the end of a long text (8.1)", 1007, packed(text(shrunk(strings.Repeat("ü", 5000)+s.text)))...))
	}
	return list
}

// withPong lets the one turn of a dialogue be answered with the pong of "p"
// before its end.
func (d Dialogue) withPong() Dialogue {
	d.turns[0].want = []frame{pong("p")}
	return d
}

// packedLimits: the limit of frames counts what is on the wire, the limit of
// messages what they expand to.
func packedLimits(s Server) []Dialogue {
	if s.MaxFrame == 0 || s.MaxMessage == 0 {
		large := strings.Repeat("large ", 1<<20/6)
		return []Dialogue{echoed("compressed: "+size(len(large)), large, packed(text(shrunk(large)))...)}
	}
	largest := strings.Repeat("m", s.MaxMessage)
	noise := letters(s.MaxMessage)
	bomb := bomb()
	empty := strings.Repeat("\x00\x00\x00\xff\xff", s.MaxFrame/5)
	list := []Dialogue{
		echoed("compressed: the largest message", largest, packed(text(shrunk(largest)))...),
		ended("compressed: a byte more than the largest message: over the limit", 1009, packed(text(shrunk(largest+"m")))...),
		ended("compressed: a byte more than the largest message, in fragments: over the limit", 1009, packed(begin(shrunk(largest+"m")), last(""))...),
		echoed("compressed: the largest message, of noise, in the largest frames", noise, packed(inFrames(shrunk(noise), s.MaxFrame)...)...),
		echoed("compressed: the largest message, of which nothing gets smaller", largest, packed(inFrames(stored(largest), s.MaxFrame)...)...),
		ended("compressed: a larger frame than the largest, though the message is not: over the limit", 1009, packed(text(letters(s.MaxFrame+1)))...),
	}
	flood := []frame{begin(empty)}
	for range 2 * s.MaxMessage / s.MaxFrame {
		flood = append(flood, next(empty))
	}
	return append(list,
		ended("compressed: 100 MiB in "+size(len(bomb))+": over the limit", 1009, packed(inFrames(bomb, s.MaxFrame)...)...),
		ended("compressed: 100 MiB behind a message: over the limit", 1009, packed(inFrames(bomb, s.MaxFrame)...)...).after("Hello"),
		ended("compressed: empty blocks of twice the largest message (choice): over the limit", 1009, packed(flood...)...))
}

// bomb is 100 MiB in as few bytes as DEFLATE can make of them, a thousandth.
// It is made of parts, because compressing all of it would take long.
func bomb() string { return strings.Repeat(shrunk(strings.Repeat("\x00", 1<<20))+flushed, 100) }

// stored puts a message into blocks without compression, a hundred bytes in each,
// so that it gets larger.
func stored(message string) string {
	var b []byte
	for part := range slices.Chunk([]byte(message), 100) {
		n := byte(len(part))
		b = append(append(b, 0, n, 0, ^n, 0xff), part...)
	}
	return string(append(b, 0))
}

// inFrames cuts a payload into frames of that size at most.
func inFrames(payload string, largest int) []frame {
	frames := []frame{{op: opText, payload: payload[:min(largest, len(payload))], more: len(payload) > largest}}
	for at := largest; at < len(payload); at += largest {
		end := min(at+largest, len(payload))
		frames = append(frames, frame{op: opContinuation, payload: payload[at:end], more: end < len(payload)})
	}
	return frames
}
