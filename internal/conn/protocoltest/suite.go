// Package protocoltest owns the dialogues that hold a WebSocket server to
// RFC 6455, byte by byte: what a client sends, whole and in pieces, and what
// has to come back. Its parts follow the public Autobahn test suite, whose
// section numbers are named for orientation.
//
// The client's side is written out as bytes, so that no library smooths over
// what a server does.
package protocoltest

import (
	"fmt"
	"net"
	"slices"
	"testing"
)

// Server is what the suite talks to: a server that sends every text message
// back, refuses binary messages with 1003, and uses no extension but
// for Deflate.
type Server struct {
	// Dial opens a connection whose handshake is complete. The first byte that
	// can be read from it is the first of a frame. The suite closes it.
	Dial func(t *testing.T) net.Conn
	// MaxFrame and MaxMessage are the server's limits in bytes of payload, past
	// which it closes with 1009. 0 means that it takes 16 MiB at least.
	MaxFrame, MaxMessage int
	// Deflate: permessage-deflate was negotiated, without context takeover on
	// either side (RFC 7692). The server may compress what it sends.
	Deflate bool
}

// Run holds every dialogue with the server, in each way of delivery, one after
// the other.
func Run(t *testing.T, s Server) {
	for _, d := range Dialogues(s) {
		t.Run(d.Name, func(t *testing.T) {
			for _, by := range deliveries {
				if by.suits(d) {
					t.Run(by.name, func(t *testing.T) { d.hold(t, s, by) })
				}
			}
		})
	}
}

// Dialogue is one conversation and what it must come to.
type Dialogue struct {
	// Name says the rule and, in parentheses, the section of RFC 6455. Where
	// the RFC lets the server choose, it says what Gatepost has chosen.
	Name string

	turns []turn
	// code is the status of the close frame that the server sends at the end; 0
	// stands for one without a status.
	code int
	// bye: the client closes with 1000 when all turns have been taken.
	bye bool
	// astray: the server cannot know where the next frame begins, so the client
	// does not answer its close frame but ends the transport.
	astray bool
}

// turn is what the client sends, and which frames it then waits for before it
// goes on.
type turn struct {
	send []byte
	want []frame
}

// Dialogues returns the table for a server with these limits.
func Dialogues(s Server) []Dialogue {
	return slices.Concat(
		framing(s), masking(), pings(), reservedBits(s), reservedOpcodes(),
		fragmentation(s), everyOrder(), binaryMessages(s),
		utf8Texts(), utf8Fragments(),
		closing(), closeCodes(), deflate(s),
	)
}

// delivery is a way to cut what is sent into writes.
type delivery struct {
	name string
	// size is how much goes into one write; 0 is everything.
	size int
	// least and most are the sizes of turns that it is for.
	least, most int
}

// deliveries are Autobahn's "chops". Large messages are not sent byte by byte,
// for that would only take long.
var deliveries = []delivery{
	{"whole", 0, 0, 1 << 30},
	{"byte by byte", 1, 2, 1_500},
	{"in sevens", 7, 8, 10_000},
	{"in pieces of 997", 997, 1_501, 2 << 20},
}

func (by delivery) suits(d Dialogue) bool {
	longest := 0
	for _, turn := range d.turns {
		longest = max(longest, len(turn.send))
	}
	return by.size == 0 || longest >= by.least && longest <= by.most
}

func (by delivery) cut(b []byte) [][]byte {
	if by.size == 0 {
		return [][]byte{b}
	}
	return slices.Collect(slices.Chunk(b, by.size))
}

// hold has the dialogue.
func (d Dialogue) hold(t *testing.T, s Server, by delivery) {
	c := newClient(t, s.Dial(t), s.Deflate)
	for i, turn := range d.turns {
		c.send(by.cut(turn.send))
		if err := c.expect(turn.want); err != nil {
			t.Fatalf("turn %d: %v", i+1, err)
		}
	}
	if d.bye {
		c.send(by.cut(status(1000, "").wire()))
	}
	if err := c.expectClose(d); err != nil {
		t.Error(err)
	}
}

// echoed is a dialogue in which the frames make up a message, which comes back.
func echoed(name, message string, frames ...frame) Dialogue {
	return answered(name, []frame{text(message)}, frames...)
}

// answered is a dialogue in which frames are answered and the connection stays
// open until the client closes it.
func answered(name string, want []frame, frames ...frame) Dialogue {
	return Dialogue{Name: name, turns: []turn{{wires(frames...), want}}, code: 1000, bye: true}
}

// ended is a dialogue at whose end the server sends a close frame with the
// code.
func ended(name string, code int, frames ...frame) Dialogue {
	return Dialogue{Name: name, turns: []turn{{send: wires(frames...)}}, code: code}
}

// after lets a dialogue begin with a message that is sent back.
func (d Dialogue) after(message string) Dialogue {
	return d.behind([]frame{text(message)}, text(message))
}

// behind lets a dialogue begin with frames that are answered.
func (d Dialogue) behind(want []frame, frames ...frame) Dialogue {
	d.turns = slices.Insert(d.turns, 0, turn{wires(frames...), want})
	return d
}

// size names a number of bytes.
func size(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<12 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
