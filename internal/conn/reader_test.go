package conn

import (
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// conversation is what a client sends and what has to come of it. The section
// numbers are those of RFC 6455.
type conversation struct {
	name     string
	send     []byte
	messages []string
	frames   []frame // the server's, the last one being its close frame
	why      Reason
}

func pongFrame(payload string) frame { return served(frame{fin: true, op: 10, payload: payload}) }

func served(f frame) frame {
	f.unmasked = true
	return f
}

// refused is the end that follows a breach.
func refused(why Reason) ([]frame, Reason) {
	return []frame{served(closing(why.Code, why.Text))}, why
}

func breachConversation(name string, why Reason, frames ...frame) conversation {
	c := conversation{name: name, send: wires(frames...)}
	c.frames, c.why = refused(why)
	return c
}

func closedBy(name string, sent, answered frame, why Reason) conversation {
	return conversation{name: name, send: sent.wire(), frames: []frame{served(answered)}, why: why}
}

func conversations() []conversation {
	limits := apigw.DefaultLimits()
	full := strings.Repeat("f", limits.MaxFrame)
	bye := closing(1000, "bye")
	normal := ClientClosed(1000, "bye")
	said := func(name string, messages []string, frames ...frame) conversation {
		return conversation{name, wires(append(frames, bye)...), messages, []frame{served(closing(1000, ""))}, normal}
	}
	return slices.Concat([]conversation{
		said("one text message", []string{"Hello"}, text("Hello")),
		said("empty message", []string{""}, text("")),
		said("125, 126 and 65,535 limits of the length (5.2)", []string{full[:125], full[:126], full[:127]},
			text(full[:125]), text(full[:126]), text(full[:127])),
		said("a frame as large as the read buffer", []string{full[:readSize], full[:readSize-1], full[:readSize+1]},
			text(full[:readSize]), text(full[:readSize-1]), text(full[:readSize+1])),
		said("the largest frame", []string{full}, text(full)),
		said("a fragmented message (5.4)", []string{"Hello, world"},
			frame{op: 1, payload: "Hel"}, frame{op: 0, payload: "lo, "}, frame{op: 0, fin: true, payload: "world"}),
		said("empty fragments", []string{"x"}, frame{op: 1}, frame{op: 0, payload: "x"}, frame{op: 0}, frame{op: 0, fin: true}),
		said("a character split between fragments", []string{"é"},
			frame{op: 1, payload: "\xc3"}, frame{op: 0, fin: true, payload: "\xa9"}),
		said("the largest message", []string{full + full + full + full},
			frame{op: 1, payload: full}, frame{op: 0, payload: full}, frame{op: 0, payload: full}, frame{op: 0, fin: true, payload: full}),
		said("a pong is ignored (5.5.3)", []string{"x"}, frame{op: 10, fin: true, payload: "unasked"}, text("x")),
		{
			"a ping between fragments (5.4)",
			wires(frame{op: 1, payload: "a"}, frame{op: 9, fin: true, payload: "p"}, frame{op: 0, fin: true, payload: "b"}, bye),
			[]string{"ab"},
			[]frame{pongFrame("p"), served(closing(1000, ""))}, normal,
		},
		{
			"every ping of a few is answered in order (5.5.2)",
			wires(frame{op: 9, fin: true, payload: "1"}, frame{op: 9, fin: true}, frame{op: 9, fin: true, payload: full[:125]}, bye),
			nil,
			[]frame{pongFrame("1"), pongFrame(""), pongFrame(full[:125]), served(closing(1000, ""))}, normal,
		},
	}, closeConversations(full), breachConversations(full))
}

func closeConversations(full string) []conversation {
	bare := clientClosedBare()
	list := []conversation{
		closedBy("a close without a status (5.5.1)", closing(0, ""), closing(0, ""), bare),
		closedBy("a close with a status and a text", closing(1001, "off"), closing(1001, ""), ClientClosed(1001, "off")),
		closedBy("a close with the longest text", closing(3000, full[:123]), closing(3000, ""), ClientClosed(3000, full[:123])),
		breachConversation("half a close status (5.5.1)", ProtocolError("the status of a close frame is cut short"),
			frame{op: 8, fin: true, payload: "\x03"}),
		breachConversation("a close text that is not UTF-8 (8.1)", BadText, closing(1000, "\xff")),
		{"nothing is read behind a close frame (5.5.1)", wires(closing(1000, ""), text("late")), nil,
			[]frame{served(closing(1000, ""))}, ClientClosed(1000, "")},
	}
	for _, code := range []int{1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999} {
		list = append(list, closedBy("a close status that may be sent (7.4)", closing(code, ""), closing(code, ""), ClientClosed(code, "")))
	}
	for code, text := range map[int]string{
		0o17: "15 is not a close status", 999: "999 is not a close status", 1004: "1004 is not a close status",
		1005: "1005 is not a close status", 1006: "1006 is not a close status", 1015: "1015 is not a close status",
		1016: "1016 is not a close status", 2999: "2999 is not a close status", 5000: "5000 is not a close status",
		65535: "65535 is not a close status",
	} {
		list = append(list, breachConversation("a close status that may not be sent (7.4)", ProtocolError(text), closing(code, "")))
	}
	return list
}

func breachConversations(full string) []conversation {
	list := []conversation{
		breachConversation("reserved bit (5.2)", ProtocolError("a reserved bit is set"), frame{op: 1, fin: true, rsv: true, payload: "x"}),
		breachConversation("unmasked frame (5.1)", ProtocolError("a client's frame must be masked"),
			frame{op: 1, fin: true, unmasked: true, payload: "x"}),
		breachConversation("fragmented ping (5.5)", ProtocolError("a control frame must not be fragmented"), frame{op: 9, payload: "x"}),
		breachConversation("fragmented close (5.5)", ProtocolError("a control frame must not be fragmented"), frame{op: 8}),
		breachConversation("long ping (5.5)", ProtocolError("a control frame is longer than 125 bytes"),
			frame{op: 9, fin: true, payload: full[:126]}),
		breachConversation("long close (5.5)", ProtocolError("a control frame is longer than 125 bytes"), closing(1000, full[:124])),
		breachConversation("continuation of nothing (5.4)", ProtocolError("a continuation frame without a message to continue"),
			frame{op: 0, fin: true, payload: "x"}),
		breachConversation("a length in more bytes than it needs (5.2)", ProtocolError("a frame's length is not in its shortest form"),
			frame{op: 1, fin: true, payload: "x", long: true}),
		breachConversation("message within a message (5.4)", ProtocolError("a new message before the last one has ended"),
			frame{op: 1, payload: "x"}, text("y")),
		breachConversation("binary message", Binary, frame{op: 2, fin: true, payload: "x"}),
		breachConversation("fragmented binary message", Binary, frame{op: 2, payload: "x"}),
		breachConversation("binary message over the limit", Binary, frame{op: 2, fin: true, payload: full + "x"}),
		breachConversation("text that is not UTF-8 (8.1)", BadText, text("a\xffb")),
		breachConversation("text that ends within a character", BadText, text("\xc3")),
		breachConversation("a surrogate", BadText, text("\xed\xa0\x80")),
		breachConversation("fragments that are not UTF-8 together", BadText,
			frame{op: 1, payload: "\xc3"}, frame{op: 0, fin: true, payload: "x"}),
		breachConversation("a fragment that is not UTF-8", BadText, frame{op: 1, payload: "a\xff"}),
		breachConversation("a frame over the limit", TooBig, text(full+"x")),
		breachConversation("a fragment over the limit", TooBig, frame{op: 1, payload: full + "x"}),
		breachConversation("a message over the limit", TooBig, frame{op: 1, payload: full}, frame{op: 0, payload: full},
			frame{op: 0, payload: full}, frame{op: 0, payload: full}, frame{op: 0, fin: true, payload: "x"}),
	}
	for op, text := range map[byte]string{
		3: "opcode 0x3 is reserved", 7: "opcode 0x7 is reserved", 11: "opcode 0xb is reserved", 15: "opcode 0xf is reserved",
	} {
		list = append(list, breachConversation("reserved opcode (5.2)", ProtocolError(text), frame{op: op, fin: true, payload: "x"}))
	}
	return list
}

// TestConversations holds every conversation whole and byte by byte, from the
// socket and as bytes that came right behind the handshake.
func TestConversations(t *testing.T) {
	for _, c := range conversations() {
		t.Run(c.name, func(t *testing.T) {
			onEveryTransport(t, func(t *testing.T, server, client net.Conn) { c.hold(t, server, client, nil, c.send) })
			t.Run("ahead", func(t *testing.T) {
				server, client := tcpPair(t)
				half := len(c.send) / 2
				c.hold(t, server, client, c.send[:half], c.send[half:])
			})
			if len(c.send) > 1000 {
				return
			}
			t.Run("bytes", func(t *testing.T) {
				server, client := net.Pipe()
				chunks := make([][]byte, len(c.send))
				for i := range c.send {
					chunks[i] = c.send[i : i+1]
				}
				c.hold(t, server, client, nil, chunks...)
			})
		})
	}
}

func (c conversation) hold(t *testing.T, server, client net.Conn, ahead []byte, chunks ...[]byte) {
	h := newRecorder()
	hub := NewHub(apigw.DefaultLimits())
	p := newPeer(t, client)
	serve(t, server, Options{ID: id(1), Handler: h, Hub: hub}, ahead)
	for _, chunk := range chunks {
		client.Write(chunk) // may fail: the server closes at the first breach
	}
	want(t, "reason", h.wait(t), c.why)
	if got := h.got(); !slices.Equal(got, c.messages) {
		t.Errorf("messages: got %q, want %q", got, c.messages)
	}
	if got := p.wait(t); !slices.Equal(got, c.frames) {
		t.Errorf("frames: got %v, want %v", got, c.frames)
	}
	want(t, "connections in the hub", hub.Len(), 0)
	stats := hub.Stats()
	want(t, "closed counter of "+c.why.Name, stats.Closed[c.why.Name], 1)
	want(t, "messages counter", stats.MessagesIn, uint64(len(c.messages)))
}

// TestLengthWithTopBit: section 5.2, "the most significant bit MUST be 0". No
// frame can be told apart behind it.
func TestLengthWithTopBit(t *testing.T) {
	conformance.Covers(t, "protocol.length-sign-bit")
	server, client := tcpPair(t)
	h, p := newRecorder(), newPeer(t, client)
	serve(t, server, Options{Handler: h}, nil)
	client.Write([]byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})
	client.(*net.TCPConn).CloseWrite()
	why := ProtocolError("the top bit of a 64-bit frame length is set")
	want(t, "reason", h.wait(t), why)
	want(t, "close frame", p.wait(t)[0], served(closing(why.Code, why.Text)))
}

// TestRefusedBeforeThePayload: the header of a frame over the limit suffices,
// whatever it promises.
func TestRefusedBeforeThePayload(t *testing.T) {
	conformance.Covers(t, "limit.too-big-early limit.too-big-reason")
	for name, length := range map[string]uint64{"64 KiB": 64 << 10, "huge": 1 << 62} {
		t.Run(name, func(t *testing.T) {
			server, client := tcpPair(t)
			h, p := newRecorder(), newPeer(t, client)
			serve(t, server, Options{Handler: h}, nil)
			client.Write(append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length), 1, 2, 3, 4))
			client.(*net.TCPConn).CloseWrite()
			want(t, "reason", h.wait(t), TooBig)
			want(t, "close frame", p.wait(t)[0], served(closing(1009, TooBig.Text)))
		})
	}
}

// TestLoss: the transport ends without a close frame, between and within
// frames.
func TestLoss(t *testing.T) {
	message := text("Hello, world").wire()
	for _, sent := range []int{0, 1, 2, 5, 6, 10} {
		onEveryTransport(t, func(t *testing.T, server, client net.Conn) {
			h := newRecorder()
			serve(t, server, Options{Handler: h}, nil)
			client.Write(message[:sent])
			client.Close()
			want(t, "reason", h.wait(t), Lost)
		})
	}
}
