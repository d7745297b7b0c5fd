package protocoltest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// frame is a frame as a client sends it, or a message or control frame of the
// server's.
type frame struct {
	op byte
	// more: the FIN bit is not set.
	more bool
	// rsv is the three reserved bits.
	rsv     byte
	payload string
	// bare: not masked.
	bare bool
	key  [4]byte
	// form is in how many bytes the length is written beyond the second one, 2
	// or 8; 0 is the fewest that hold it.
	form int
}

func text(payload string) frame         { return frame{op: opText, payload: payload} }
func ping(payload string) frame         { return frame{op: opPing, payload: payload} }
func pong(payload string) frame         { return frame{op: opPong, payload: payload} }
func begin(payload string) frame        { return frame{op: opText, more: true, payload: payload} }
func next(payload string) frame         { return frame{op: opContinuation, more: true, payload: payload} }
func last(payload string) frame         { return frame{op: opContinuation, payload: payload} }
func status(code int, why string) frame { return closeFrame(string(statusBytes(code)) + why) }
func closeFrame(payload string) frame   { return frame{op: opClose, payload: payload} }
func statusBytes(code int) []byte       { return binary.BigEndian.AppendUint16(nil, uint16(code)) }

// sampleKey is the masking key of the examples in RFC 6455, section 5.7.
var sampleKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// wire returns the frame as a client sends it: masked with sampleKey when it
// names no key of its own.
func (f frame) wire() []byte {
	first := f.op | f.rsv<<4
	if !f.more {
		first |= 0x80
	}
	b := f.appendLength([]byte{first})
	if f.bare {
		return append(b, f.payload...)
	}
	key := f.key
	if key == [4]byte{} {
		key = sampleKey
	}
	b[1] |= 0x80
	b = append(b, key[:]...)
	for i := range len(f.payload) {
		b = append(b, f.payload[i]^key[i%4])
	}
	return b
}

func (f frame) appendLength(b []byte) []byte {
	n, form := len(f.payload), f.form
	if form == 0 && n > 125 {
		form = 2
	}
	if form == 2 && n > 65535 {
		form = 8
	}
	switch form {
	case 0:
		return append(b, byte(n))
	case 2:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

func wires(frames ...frame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.wire()...)
	}
	return b
}

func (f frame) String() string {
	name := map[byte]string{opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}[f.op]
	if len(f.payload) > 60 {
		return fmt.Sprintf("%s of %d bytes %.40q...", name, len(f.payload), f.payload)
	}
	return fmt.Sprintf("%s %q", name, f.payload)
}

// patience bounds a dialogue. It is only ever waited for when something is
// wrong.
const patience = 60 * time.Second

// client is the client's side of a connection. What the server sends is read in
// the background, so that neither side holds the other up.
type client struct {
	nc     net.Conn
	frames chan frame
	// err is why frames is closed.
	err error
	// deflate: the server may compress its messages.
	deflate bool
}

func newClient(t *testing.T, nc net.Conn, deflate bool) *client {
	c := &client{nc: nc, frames: make(chan frame, 2048), deflate: deflate}
	nc.SetDeadline(time.Now().Add(patience))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read()
	}()
	t.Cleanup(func() {
		nc.Close()
		<-done
	})
	return c
}

// send writes the pieces. It may fail: the server ends the connection at the
// first breach.
func (c *client) send(pieces [][]byte) {
	for _, piece := range pieces {
		if _, err := c.nc.Write(piece); err != nil {
			return
		}
	}
}

func (c *client) read() {
	defer close(c.frames)
	r := bufio.NewReader(c.nc)
	for {
		f, err := readMessage(r)
		if err == nil {
			f, err = f.expand(c.deflate)
		}
		if err != nil {
			c.err = err
			return
		}
		c.frames <- f
	}
}

// readMessage reads the server's next control frame or its next message; of a
// message in fragments, nothing may come in between.
func readMessage(r *bufio.Reader) (frame, error) {
	f, err := readFrame(r)
	if err != nil {
		return f, err
	}
	if f.op == opContinuation || f.op >= opClose && (f.more || len(f.payload) > 125) {
		return f, fmt.Errorf("the server sent a frame that may not stand there: %v", f)
	}
	for f.more {
		rest, err := readFrame(r)
		if err != nil {
			return f, err
		}
		if rest.op != opContinuation || rest.rsv != 0 {
			return f, fmt.Errorf("the server sent %v within a message", rest)
		}
		f.more, f.payload = rest.more, f.payload+rest.payload
	}
	return f, nil
}

// readFrame reads a frame of the server's: not masked, and the
// length in its shortest form.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return frame{}, err
	}
	f := frame{op: head[0] & 0x0f, more: head[0]&0x80 == 0, rsv: head[0] >> 4 & 7}
	if head[1]&0x80 != 0 {
		return f, fmt.Errorf("the server sent a frame that begins with %x", head[:2])
	}
	n, least := uint64(head[1]), uint64(0)
	switch head[1] {
	case 126:
		least = 126
		if _, err := io.ReadFull(r, head[8:]); err != nil {
			return f, err
		}
		n = uint64(binary.BigEndian.Uint16(head[8:]))
	case 127:
		least = 65536
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return f, err
		}
		n = binary.BigEndian.Uint64(head[2:])
	}
	if n < least || n > 64<<20 {
		return f, fmt.Errorf("the server sent a length of %d in %x", n, head[:])
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(r, payload)
	f.payload = string(payload)
	return f, err
}

// expect waits for as many frames as are wanted. Pongs have to come in order;
// messages need not, for a server may work on several at once.
func (c *client) expect(want []frame) error {
	var got []frame
	for range want {
		f, open := <-c.frames
		if !open {
			return fmt.Errorf("got %v, then %w; want %v", got, c.err, want)
		}
		if got = append(got, f); f.op == opClose {
			break
		}
	}
	if !slices.Equal(pongsOf(got), pongsOf(want)) || !slices.Equal(messagesOf(got), messagesOf(want)) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func pongsOf(frames []frame) (payloads []string) {
	for _, f := range frames {
		if f.op == opPong {
			payloads = append(payloads, f.payload)
		}
	}
	return payloads
}

func messagesOf(frames []frame) (payloads []string) {
	for _, f := range frames {
		if f.op != opPong {
			payloads = append(payloads, fmt.Sprintf("%x %s", f.op, f.payload))
		}
	}
	slices.Sort(payloads)
	return payloads
}

// expectClose waits for the server's close frame, answers it, and waits for the
// end of the transport, before which nothing more may come.
func (c *client) expectClose(d Dialogue) error {
	f, open := <-c.frames
	if !open {
		return fmt.Errorf("no close frame came, but %w", c.err)
	}
	if err := checkClose(f, d.code); err != nil || d.astray {
		return err
	}
	c.send([][]byte{closeFrame(f.payload[:min(2, len(f.payload))]).wire()})
	if f, open := <-c.frames; open {
		return fmt.Errorf("%v came behind the close frame", f)
	}
	if errors.Is(c.err, os.ErrDeadlineExceeded) {
		return errors.New("the server does not close the transport")
	}
	return nil
}

func checkClose(f frame, code int) error {
	switch {
	case f.op != opClose:
		return fmt.Errorf("got %v, want a close frame with %d", f, code)
	case code == 0 && f.payload == "":
		return nil
	case len(f.payload) < 2 || int(binary.BigEndian.Uint16([]byte(f.payload))) != code:
		return fmt.Errorf("got %v, want the status %d", f, code)
	case !utf8.ValidString(f.payload[2:]):
		return fmt.Errorf("the reason in %v is not UTF-8", f)
	}
	return nil
}
