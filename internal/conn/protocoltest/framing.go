package protocoltest

import (
	"fmt"
	"strings"
)

// limited returns what a text message of n bytes in frames of that size comes
// to: it is sent back, or refused with 1009.
func (s Server) limited(name, message string, largestFrame int, frames ...frame) Dialogue {
	over := s.MaxFrame > 0 && largestFrame > s.MaxFrame || s.MaxMessage > 0 && len(message) > s.MaxMessage
	if over {
		return ended(name+": over the limit", 1009, frames...)
	}
	return echoed(name, message, frames...)
}

// framing: lengths (Autobahn 1.1 and 9.1).
func framing(s Server) []Dialogue {
	sizes := []int{0, 1, 124, 125, 126, 127, 128, 4095, 4096, 4097, 32 << 10, 32<<10 + 1, 65534, 65535, 65536, 65537,
		128<<10 - 1, 128 << 10, 128<<10 + 1, 256 << 10, 1 << 20}
	if s.MaxFrame == 0 && s.MaxMessage == 0 {
		sizes = append(sizes, 4<<20, 16<<20)
	}
	var list []Dialogue
	for _, n := range sizes {
		message := strings.Repeat("*", n)
		list = append(list, s.limited("a text of "+size(n)+" in one frame (5.2)", message, n, text(message)))
	}
	list = append(list,
		answered("several messages on one connection (5.2)", []frame{text("one"), text(""), text("three")}, text("one"), text(""), text("three")),
		Dialogue{Name: "a length with its top bit set (5.2)", turns: []turn{{send: []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}}}, code: 1002, astray: true},
	)
	return append(list, longForms()...)
}

// longForms: "the minimal number of bytes MUST be used to encode the length".
// The RFC does not say what a server does to a client that uses more.
func longForms() []Dialogue {
	var list []Dialogue
	add := func(n, form int) {
		f := text(strings.Repeat("*", n))
		f.form = form
		list = append(list, ended(fmt.Sprintf("a length of %d in %d more bytes (5.2; choice: refused)", n, form), 1002, f))
	}
	for _, n := range []int{0, 1, 125} {
		add(n, 2)
		add(n, 8)
	}
	for _, n := range []int{126, 127, 65535} {
		add(n, 8)
	}
	first, second := begin("a"), last("b")
	second.form = 2
	list = append(list, ended("a fragment's length in more bytes than it needs (5.2; choice: refused)", 1002, first, second))
	for _, op := range []byte{opPing, opPong, opClose} {
		for _, form := range []int{2, 8} {
			f := frame{op: op, payload: "\x03\xe8", form: form}
			list = append(list, ended(fmt.Sprintf("a control frame %#x with a length of 2 in %d more bytes (5.5)", op, form), 1002, f))
		}
	}
	return list
}

// masking: section 5.3.
func masking() []Dialogue {
	var list []Dialogue
	for _, key := range [][4]byte{{1, 0, 0, 0}, {0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff}, {'a', 'b', 'c', 'd'}} {
		list = append(list, echoed(fmt.Sprintf("the masking key %x (5.3)", key), "abcdabcdabc", frame{op: opText, payload: "abcdabcdabc", key: key}))
	}
	list = append(list, Dialogue{Name: "the masking key 00000000 (5.3)", code: 1000, bye: true,
		turns: []turn{{[]byte("\x81\x85\x00\x00\x00\x00Hello"), []frame{text("Hello")}}}})
	for n := 1; n <= 17; n++ {
		message := "abcdefghijklmnopq"[:n]
		list = append(list, echoed(fmt.Sprintf("a masked text of %d bytes (5.3)", n), message, text(message)))
	}
	first, second := frame{op: opText, more: true, payload: "abc", key: [4]byte{1, 2, 3, 4}}, frame{payload: "def", key: [4]byte{5, 6, 7, 8}}
	list = append(list, echoed("each fragment begins with the first byte of its own key (5.3)", "abcdef", first, second))
	for _, o := range []named{
		{"text", text("x")}, {"empty text", text("")}, {"first fragment", begin("x")}, {"binary message", frame{op: opBinary, payload: "x"}},
		{"ping", ping("x")}, {"empty ping", ping("")}, {"pong", pong("x")}, {"close frame", status(1000, "")},
	} {
		f := o.frame
		f.bare = true
		list = append(list,
			ended("an unmasked "+o.name+" (5.1)", 1002, f),
			ended("an unmasked "+o.name+" behind a message (5.1)", 1002, f).after("Hello"))
	}
	bare := last("b")
	bare.bare = true
	return append(list, ended("an unmasked continuation (5.1)", 1002, begin("a"), bare))
}

// reservedBits: none may be set that no extension has given a meaning (Autobahn 3).
func reservedBits(s Server) []Dialogue {
	kinds := []struct {
		name   string
		before []frame
		frame  frame
	}{
		{"a text", nil, text("x")},
		{"an empty text", nil, text("")},
		{"a binary message", nil, frame{op: opBinary, payload: "x"}},
		{"a ping", nil, ping("x")},
		{"a pong", nil, pong("x")},
		{"a close frame", nil, status(1000, "")},
		{"the first fragment", nil, begin("x")},
		{"a later fragment", []frame{begin("a")}, next("x")},
		{"the last fragment", []frame{begin("a")}, last("x")},
		{"a ping between fragments", []frame{begin("a")}, ping("x")},
	}
	var list []Dialogue
	for bits := byte(1); bits < 8; bits++ {
		for _, kind := range kinds {
			f := kind.frame
			if f.rsv = bits; s.Deflate && bits == rsv1 && (f.op == opText || f.op == opBinary) {
				continue // is in deflate
			}
			name := fmt.Sprintf("reserved bits %03b in %s (5.2)", bits, kind.name)
			list = append(list, ended(name, 1002, append(kind.before, f)...))
		}
		if !s.Deflate || bits != rsv1 {
			list = append(list, ended(fmt.Sprintf("reserved bits %03b behind a message (5.2)", bits), 1002, frame{op: opText, rsv: bits, payload: "x"}, ping("unheard")).after("Hello"))
		}
	}
	return list
}

// reservedOpcodes: 3 to 7 and 11 to 15 (Autobahn 4).
func reservedOpcodes() []Dialogue {
	var list []Dialogue
	for op := byte(3); op < 16; op++ {
		if op >= opClose && op <= opPong {
			continue
		}
		add := func(name string, frames ...frame) {
			list = append(list, ended(fmt.Sprintf("the reserved opcode %#x %s (5.2)", op, name), 1002, frames...))
		}
		add("empty", frame{op: op})
		add("with a payload", frame{op: op, payload: "reserved"})
		add("without FIN", frame{op: op, more: true, payload: "x"})
		add("between fragments", begin("a"), frame{op: op, payload: "x"}, last("b"))
		add("with 126 bytes", frame{op: op, payload: strings.Repeat("x", 126)})
		list = append(list, ended(fmt.Sprintf("the reserved opcode %#x behind a message (5.2)", op), 1002, frame{op: op}, ping("unheard")).after("Hello"))
	}
	return list
}

// pings: sections 5.5.2 and 5.5.3 (Autobahn 2).
func pings() []Dialogue {
	longest := strings.Repeat("p", 125)
	var every Dialogue
	every.Name, every.code, every.bye = "pings of 0 to 125 bytes, one after the other (5.5.2)", 1000, true
	for n := range 126 {
		every.turns = append(every.turns, turn{ping(longest[:n]).wire(), []frame{pong(longest[:n])}})
	}
	list := []Dialogue{every}
	for _, payload := range []string{"", "x", "Hello", "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", longest[:124], longest} {
		list = append(list, answered(fmt.Sprintf("a ping of %d bytes (5.5.2)", len(payload)), []frame{pong(payload)}, ping(payload)))
	}
	ten, tenPongs := make([]frame, 10), make([]frame, 10)
	for i := range ten {
		ten[i], tenPongs[i] = ping(fmt.Sprint("payload ", i)), pong(fmt.Sprint("payload ", i))
	}
	return append(list,
		ended("a ping of 126 bytes (5.5)", 1002, ping(longest+"p")),
		ended("a ping of 65536 bytes (5.5)", 1002, ping(strings.Repeat("p", 65536))),
		ended("a pong of 126 bytes (5.5)", 1002, pong(longest+"p")),
		ended("a ping of 126 bytes behind a message (5.5)", 1002, ping(longest+"p")).after("Hello"),
		answered("an unasked pong is ignored (5.5.3)", nil, pong("")),
		answered("an unasked pong with a payload is ignored (5.5.3)", nil, pong("unasked")),
		answered("an unasked pong, then a ping (5.5.3)", []frame{pong("asked")}, pong("unasked"), ping("asked")),
		answered("an unasked pong between fragments is ignored (5.5.3)", []frame{text("ab")}, begin("a"), pong("unasked"), last("b")),
		answered("10 pings at once are all answered in order (5.5.3; choice: each, as long as 16 wait at most)", tenPongs, ten...),
		answered("a ping and a message (5.5.2)", []frame{pong("p"), text("t")}, ping("p"), text("t")),
	)
}
