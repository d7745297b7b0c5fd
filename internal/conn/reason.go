package conn

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Reason says why a connection ended. It is a plain value; compare names.
type Reason struct {
	// Name is one lower-case word for counters and for the Feed.
	Name string
	// Code and Text are what $disconnect reports: the status of the close frame
	// that was sent to the client or came from it, or one that RFC 6455,
	// section 7.4.1 reserves for the absence of such a frame.
	Code int
	Text string
}

// The reasons that are always the same. Codes are those of RFC 6455, section
// 7.4.1; the texts of Idle, Age, Kicked and of a close without a status are
// API Gateway's own.
var (
	// Idle: no data frame passed in either direction for Limits.Idle; see
	// Limits.PingRenewsIdle.
	Idle = Reason{"idle", 1001, "Going away"}
	// Age: the connection has lived for Limits.MaxAge.
	Age = Reason{"age", 1001, "Going away"}
	// Draining: the node is shutting down.
	Draining = Reason{"drain", 1001, "Going away"}
	// Kicked: DELETE @connections, or the like.
	Kicked = Reason{"kicked", 1000, "Connection Closed Normally"}
	// Slow: the client did not read. Its socket is full, so it is reset, and no
	// close frame is sent.
	Slow = Reason{"slow", 1008, "Client reads too slowly"}
	// Stalled: the client stopped in the middle of a frame or a message, or took
	// too long for it.
	Stalled = Reason{"stalled", 1001, "Going away"}
	// Binary: the client sent a binary message, which WebSocket APIs refuse.
	Binary = Reason{"binary", 1003, "Binary messages are not supported"}
	// BadText: a text message, or the text of a close frame, was not UTF-8.
	BadText = Reason{"utf8", 1007, "Text is not valid UTF-8"}
	// BadDeflate: a compressed message could not be expanded. RFC 7692 names no
	// status; "not consistent with the type of the message" comes closest.
	BadDeflate = Reason{"deflate", 1007, "Compressed data is not valid"}
	// TooBig: a frame was over Limits.MaxFrame or a message over
	// Limits.MaxMessage, before or after it was expanded.
	TooBig = Reason{"too-big", 1009, "Message too big"}
	// Overloaded: the hub's bound on the memory of messages under way is reached.
	// The code is in the IANA registry that RFC 6455 has founded.
	Overloaded = Reason{"overloaded", 1013, "Try again later"}
	// Lost: the transport ended or failed without a close frame.
	Lost = Reason{"lost", 1006, ""}
)

// The values that stand for "no close frame" and "a close frame without a
// status" and are never sent (RFC 6455, section 7.4.1).
const (
	codeNoStatus = 1005
	codeAbnormal = 1006
)

// ClientClosed is the reason of a client that closed with this status and
// text.
func ClientClosed(code int, text string) Reason { return Reason{"client", code, text} }

// clientClosedBare is the reason of a client whose close frame had no status.
func clientClosedBare() Reason {
	return ClientClosed(codeNoStatus, "Client-side close frame status not set")
}

// ProtocolError is the reason of a client that broke RFC 6455; text, at most
// 123 bytes, is the rule in a few words.
func ProtocolError(text string) Reason { return Reason{"protocol", 1002, text} }

// closeFrame returns the bytes that tell the client, or nil when the reason is
// one that is not told. A client's own close is answered with its status alone
// (RFC 6455, section 5.5.1).
func (r Reason) closeFrame() []byte {
	switch {
	case r.Code == codeAbnormal:
		return nil
	case r.Code == codeNoStatus:
		return appendHeader(nil, ws.OpClose, true, 0)
	case r.Name == "client":
		return r.appendStatus("")
	default:
		return r.appendStatus(clipText(r.Text))
	}
}

func (r Reason) appendStatus(text string) []byte {
	b := appendHeader(make([]byte, 0, 4+len(text)), ws.OpClose, true, 2+len(text))
	b = binary.BigEndian.AppendUint16(b, uint16(r.Code))
	return append(b, text...)
}

// clipText cuts a close text to what a control frame holds, between
// characters.
func clipText(text string) string {
	const room = ws.MaxControlFramePayloadSize - 2
	if len(text) <= room {
		return text
	}
	end := room
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end]
}
