package conn

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/gatepost-dev/gatepost/apigw"
)

// header is a client's frame header.
type header struct {
	op     ws.OpCode
	fin    bool
	masked bool
	mask   [4]byte
	// deflated: the message that the frame belongs to is compressed.
	deflated bool
	length   int64
}

// breach is a client's violation of RFC 6455 or of the limits: the reason to
// close with, and how many unread bytes come before the next frame.
type breach struct {
	why  Reason
	skip int64
}

const (
	// outOfStep is the skip of a breach after which no frame can be found.
	outOfStep = math.MaxInt64
	// nothingFollows is the skip of a breach in a close frame, the client's last.
	nothingFollows = -1
)

func (b *breach) Error() string { return b.why.Text }

func protocolBreach(skip int64, format string, args ...any) error {
	return &breach{ProtocolError(fmt.Sprintf(format, args...)), skip}
}

// parseHeader reads the frame header at the beginning of b without judging it
// (RFC 6455, section 5.2). A size of 0 means that b holds only a part of it.
func parseHeader(b []byte) (h header, size int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.fin, h.op, h.masked = b[0]&0x80 != 0, ws.OpCode(b[0]&0x0f), b[1]&0x80 != 0
	h.deflated = b[0]&deflatedBit != 0
	size = 2 + extendedLength(b[1])
	at := size
	if h.masked {
		size += len(h.mask)
	}
	if len(b) < size {
		return h, 0, nil
	}
	switch at {
	case 2:
		h.length = int64(b[1] & 0x7f)
	case 4:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	default:
		length := binary.BigEndian.Uint64(b[2:])
		if length > math.MaxInt64 {
			return h, size, protocolBreach(outOfStep, "the top bit of a 64-bit frame length is set")
		}
		h.length = int64(length)
	}
	if h.masked {
		copy(h.mask[:], b[at:])
	}
	return h, size, nil
}

// extendedLength returns how many bytes of length follow the second byte.
func extendedLength(second byte) int {
	switch second & 0x7f {
	case 126:
		return 2
	case 127:
		return 8
	default:
		return 0
	}
}

// checkStart judges the first two bytes of a frame, so that nonsense is refused
// before the rest of its header has come. Its breaches skip nothing: the header
// is still unread, and most likely tells where the next frame begins.
func checkStart(b []byte, compress bool) error {
	op, length := ws.OpCode(b[0]&0x0f), b[1]&0x7f
	switch {
	case b[0]&0x70 != 0 && !(compress && beginsDeflated(b[0])):
		return protocolBreach(0, "a reserved bit is set")
	case op.IsReserved():
		return protocolBreach(0, "opcode %#x is reserved", byte(op))
	case b[1]&0x80 == 0:
		return protocolBreach(0, "a client's frame must be masked")
	case op.IsControl() && b[0]&0x80 == 0:
		return protocolBreach(0, "a control frame must not be fragmented")
	case op.IsControl() && length > ws.MaxControlFramePayloadSize:
		return protocolBreach(0, "a control frame is longer than 125 bytes")
	}
	return nil
}

// beginsDeflated tells whether a frame's first byte is one with which a
// compressed message begins: neither control frames nor later fragments have the
// bit (RFC 7692, section 6.1).
func beginsDeflated(first byte) bool {
	op := ws.OpCode(first & 0x0f)
	return first&0x70 == deflatedBit && (op == ws.OpText || op == ws.OpBinary)
}

// check judges a data frame against the message that is under way, of which
// have bytes came in earlier frames.
func (h header) check(fragmented bool, have int, limits *apigw.Limits) error {
	switch {
	case h.op == ws.OpContinuation && !fragmented:
		return protocolBreach(h.length, "a continuation frame without a message to continue")
	case h.op != ws.OpContinuation && fragmented:
		return protocolBreach(h.length, "a new message before the last one has ended")
	case h.op == ws.OpBinary:
		return &breach{Binary, h.length}
	case h.length > int64(bound(limits.MaxFrame)), int64(have)+h.length > h.maxMessage(limits):
		return &breach{TooBig, h.length}
	}
	return nil
}

// maxMessage returns how many bytes the frames of a message may have. What a
// compressed one expands to is judged when it is.
func (h header) maxMessage(limits *apigw.Limits) int64 {
	n := bound(limits.MaxMessage)
	if h.deflated {
		n = deflatedBound(n)
	}
	return int64(n)
}

// largest bounds frames and messages where the limits set no bound, or a larger
// one, in bytes.
const largest = 64 << 20

// bound returns what holds for a limit of a size.
func bound(limit int) int {
	if limit <= 0 || limit > largest {
		return largest
	}
	return limit
}

// checkLength judges how the length of a masked frame with a header of size
// bytes is written: "the minimal number of bytes MUST be used" (RFC 6455, section
// 5.2).
func (h header) checkLength(size int) error {
	switch extended := size - 2 - len(h.mask); {
	case extended == 2 && h.length < 126, extended == 8 && h.length <= math.MaxUint16:
		return protocolBreach(h.length, "a frame's length is not in its shortest form")
	}
	return nil
}

// parseClose reads the payload of a close frame (RFC 6455, section 5.5.1) and
// returns the client's reason, or the breach that it is.
func parseClose(payload []byte) (Reason, error) {
	if len(payload) == 0 {
		return clientClosedBare(), nil
	}
	if len(payload) == 1 {
		return Reason{}, protocolBreach(nothingFollows, "the status of a close frame is cut short")
	}
	code, text := int(binary.BigEndian.Uint16(payload)), payload[2:]
	if !mayBeSent(code) {
		return Reason{}, protocolBreach(nothingFollows, "%d is not a close status", code)
	}
	if !utf8.Valid(text) {
		return Reason{}, &breach{BadText, nothingFollows}
	}
	return ClientClosed(code, string(text)), nil
}

// mayBeSent tells whether a close frame may carry the code: RFC 6455, section
// 7.4, and the IANA registry, which has added 1012 to 1014.
func mayBeSent(code int) bool {
	switch {
	case code < 1000, code == 1004, code == 1005, code == 1006, code >= 5000:
		return false
	default:
		return code <= 1014 || code >= 3000
	}
}

// appendHeader appends the header of an unmasked frame (RFC 6455, section
// 5.2).
func appendHeader(b []byte, op ws.OpCode, fin bool, length int) []byte {
	first := byte(op)
	if fin {
		first |= 0x80
	}
	switch {
	case length < 126:
		return append(b, first, byte(length))
	case length <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(length))
	}
}

// appendMessage appends the frames of a message, none with more than maxFrame
// bytes of payload: text when the payload is UTF-8, otherwise binary.
func appendMessage(b, payload []byte, maxFrame int) []byte {
	op := ws.OpBinary
	if utf8.Valid(payload) {
		op = ws.OpText
	}
	return appendFrames(b, op, payload, maxFrame)
}

func appendFrames(b []byte, op ws.OpCode, payload []byte, maxFrame int) []byte {
	for maxFrame > 0 && len(payload) > maxFrame {
		b = append(appendHeader(b, op, false, maxFrame), payload[:maxFrame]...)
		payload, op = payload[maxFrame:], ws.OpContinuation
	}
	return append(appendHeader(b, op, true, len(payload)), payload...)
}

// framedSize is at least the number of bytes that appendMessage adds.
func framedSize(payload, maxFrame int) int {
	frames := 1
	if maxFrame > 0 {
		frames += payload / maxFrame
	}
	return payload + frames*(ws.MaxHeaderSize-4)
}

// Prepared is a message in its wire form, made once to be written to many
// connections. It is read-only and may be used by any number of goroutines.
type Prepared struct {
	wire    []byte
	payload int
	kind    kind
	// deflated is made when the first connection needs it that compresses.
	deflated atomic.Pointer[deflatedForm]
}

// kind says what becomes of a Prepared that has been written.
type kind byte

const (
	shared kind = iota // may be in other queues: left to the collector
	pooled             // belongs to one queue: goes back to its pool
	pong               // counts against the bound on waiting pongs
)

// Prepare frames a message for SendPrepared and Broadcast. It copies the
// payload. Over limits.MaxMessage it returns apigw.ErrTooLarge.
func Prepare(payload []byte, limits apigw.Limits) (*Prepared, error) {
	if len(payload) > bound(limits.MaxMessage) {
		return nil, apigw.ErrTooLarge
	}
	wire := make([]byte, 0, framedSize(len(payload), limits.MaxFrame))
	return &Prepared{wire: appendMessage(wire, payload, limits.MaxFrame), payload: len(payload)}, nil
}

func newPong(payload []byte) *Prepared {
	wire := appendHeader(make([]byte, 0, 2+len(payload)), ws.OpPong, true, len(payload))
	return &Prepared{wire: append(wire, payload...), kind: pong}
}

// Len returns the size of the payload in bytes.
func (m *Prepared) Len() int { return m.payload }
