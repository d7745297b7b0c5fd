package protocoltest

import (
	"fmt"
	"strings"
)

// fragmentation: section 5.4 (Autobahn 5 and 9.3).
func fragmentation(s Server) []Dialogue {
	list := []Dialogue{
		echoed("two fragments (5.4)", "Hello, world", begin("Hello, "), last("world")),
		echoed("three fragments (5.4)", "Hello, world", begin("Hello"), next(", "), last("world")),
		echoed("an empty first fragment (5.4)", "x", begin(""), last("x")),
		echoed("an empty fragment in the middle (5.4)", "ab", begin("a"), next(""), last("b")),
		echoed("an empty last fragment (5.4)", "x", begin("x"), last("")),
		echoed("nothing but empty fragments (5.4)", "", begin(""), next(""), next(""), last("")),
		answered("a ping between fragments (5.4)", []frame{pong("p"), text("ab")}, begin("a"), ping("p"), last("b")),
		answered("a ping of 125 bytes between fragments (5.4)", []frame{pong(strings.Repeat("p", 125)), text("ab")}, begin("a"), ping(strings.Repeat("p", 125)), last("b")),
		answered("pings between all fragments (5.4)", []frame{pong("1"), pong("2"), pong("3"), pong("4"), text("abcd")},
			ping("1"), begin("a"), ping("2"), next("b"), ping("3"), next("c"), ping("4"), last("d")),
		answered("a message follows a fragmented one (5.4)", []frame{text("ab"), text("c")}, begin("a"), last("b"), text("c")),
		answered("two fragmented messages (5.4)", []frame{text("ab"), text("cd")}, begin("a"), last("b"), begin("c"), last("d")),
		ended("a continuation behind a complete message (5.4)", 1002, last("x")).after("Hello"),
		ended("a continuation behind a fragmented message (5.4)", 1002, last("x")).behind([]frame{text("ab")}, begin("a"), last("b")),
		ended("a close frame within a fragmented message (5.4)", 1000, begin("a"), status(1000, "")),
		ended("an empty close frame within a fragmented message (5.4)", 0, begin("a"), next("b"), closeFrame("")),
	}
	for _, op := range []byte{opPing, opPong, opClose} {
		for _, payload := range []string{"", "\x03\xe8"} {
			name := fmt.Sprintf("a control frame %#x of %d bytes without FIN", op, len(payload))
			f := frame{op: op, more: true, payload: payload}
			list = append(list,
				ended(name+" (5.5)", 1002, f),
				ended(name+" within a fragmented message (5.5)", 1002, begin("a"), f, last("b")),
				ended(name+", and its continuation (5.5)", 1002, f, last("b")))
		}
	}
	return append(append(list, manyFragments(s)...), limits(s)...)
}

// split returns a message of n bytes in fragments of a size.
func split(n, fragment int) (message string, frames []frame) {
	message = strings.Repeat("f", n)
	frames = append(frames, begin(message[:min(fragment, n)]))
	for at := fragment; at < n; at += fragment {
		frames = append(frames, next(message[at:min(at+fragment, n)]))
	}
	frames[len(frames)-1].more = false
	return message, frames
}

func manyFragments(s Server) []Dialogue {
	cases := []struct{ n, fragment int }{{1000, 1}, {10_000, 100}, {100_000, 1000}, {128 << 10, 64}, {128 << 10, 32 << 10}}
	if s.MaxMessage == 0 {
		cases = append(cases, []struct{ n, fragment int }{{1 << 20, 1 << 10}, {1 << 20, 256 << 10}, {16 << 20, 64 << 10}, {16 << 20, 4 << 20}}...)
	}
	var list []Dialogue
	for _, c := range cases {
		message, frames := split(c.n, c.fragment)
		list = append(list, s.limited(fmt.Sprintf("a text of %s in fragments of %s (5.4)", size(c.n), size(c.fragment)), message, c.fragment, frames...))
	}
	return list
}

// limits: sizes at the server's own limits and one byte past them. API Gateway
// has 32 KiB for a frame and 128 KiB for a message; 1009 is the status of section
// 7.4.1.
func limits(s Server) []Dialogue {
	var list []Dialogue
	add := func(name string, n, fragment int) {
		message, frames := split(n, fragment)
		list = append(list, s.limited(name, message, fragment, frames...))
	}
	if n := s.MaxFrame; n > 0 {
		add("a frame as large as the limit", n, n)
		add("a frame one byte larger than the limit", n+1, n+1)
		list = append(list,
			ended("a last fragment larger than the limit of frames", 1009, begin("a"), last(strings.Repeat("x", n+1))),
			ended("a frame over the limit behind a message", 1009, text(strings.Repeat("x", n+1))).after("Hello"))
	}
	if n := s.MaxMessage; n > 0 {
		for _, fragment := range []int{n / 4, n / 5, 1000} {
			add("a message as large as the limit in fragments of "+size(fragment), n, fragment)
			add("a message one byte larger than the limit in fragments of "+size(fragment), n+1, fragment)
		}
		_, frames := split(n, n/4)
		frames[len(frames)-1].more = true
		list = append(list, echoed("a message as large as the limit, ended by an empty fragment", strings.Repeat("f", n), append(frames, last(""))...))
	}
	return list
}

// binaryMessages are refused with 1003 as soon as the first frame's header tells
// (choice: WebSocket APIs know text only; Autobahn 1.2 expects an echo).
func binaryMessages(s Server) []Dialogue {
	list := []Dialogue{
		ended("a binary message (choice: refused)", 1003, frame{op: opBinary, payload: "\x00\x01\x02"}),
		ended("a binary message that is text (choice: refused)", 1003, frame{op: opBinary, payload: "text"}),
		ended("an empty binary message (choice: refused)", 1003, frame{op: opBinary}),
		ended("the first fragment of a binary message (choice: refused at once)", 1003, frame{op: opBinary, more: true, payload: "x"}),
		ended("an empty first fragment of a binary message (choice: refused at once)", 1003, frame{op: opBinary, more: true}),
		ended("a binary message behind a text (choice: refused)", 1003, frame{op: opBinary, payload: "x"}, text("unheard")).after("Hello"),
		ended("a binary message of 64 KiB (choice: refused as binary, whatever its size)", 1003, frame{op: opBinary, payload: strings.Repeat("x", 64<<10)}),
	}
	if s.MaxFrame > 0 {
		list = append(list, ended("a binary message over the limit of frames (choice: refused as binary)", 1003,
			frame{op: opBinary, payload: strings.Repeat("x", s.MaxFrame+1)}))
	}
	return list
}

// everyOrder has every order of up to three of the frames there are, one at a
// time, with what section 5.4 makes of it.
func everyOrder() []Dialogue {
	kinds := []named{
		{"text", frame{op: opText, payload: "t"}},
		{"text...", frame{op: opText, more: true, payload: "b"}},
		{"more...", frame{op: opContinuation, more: true, payload: "c"}},
		{"last", frame{op: opContinuation, payload: "l"}},
		{"ping", frame{op: opPing, payload: "p"}},
		{"binary", frame{op: opBinary, payload: "y"}},
	}
	var list []Dialogue
	var extend func(so []named)
	extend = func(so []named) {
		if len(so) > 0 {
			list = append(list, inOrder(so))
		}
		// What follows an end would not be heard.
		if len(so) < 3 && (len(so) == 0 || list[len(list)-1].bye) {
			for _, kind := range kinds {
				extend(append(so[:len(so):len(so)], kind))
			}
		}
	}
	extend(nil)
	return list
}

// named is a frame with its name.
type named struct {
	name  string
	frame frame
}

func inOrder(so []named) Dialogue {
	d := Dialogue{code: 1000, bye: true}
	var names []string
	message, fragmented := "", false
	for _, o := range so {
		names = append(names, o.name)
		turn := turn{send: o.frame.wire()}
		switch {
		case o.frame.op == opPing:
			turn.want = []frame{pong(o.frame.payload)}
		case (o.frame.op == opContinuation) != fragmented:
			d.code, d.bye = 1002, false
		case o.frame.op == opBinary:
			d.code, d.bye = 1003, false
		default:
			message, fragmented = message+o.frame.payload, o.frame.more
			if !fragmented {
				turn.want, message = []frame{text(message)}, ""
			}
		}
		d.turns = append(d.turns, turn)
	}
	d.Name = fmt.Sprintf("order: %s (5.4)", strings.Join(names, ", "))
	return d
}
