package management

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

// opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
)

// delivered is one message as it came over the wire.
type delivered struct {
	opcode byte
	data   string
	frames []int // the frames' payloads in bytes
}

// readMessage reads the frames of one message of a server.
func readMessage(r io.Reader) (m delivered, err error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return m, err
		}
		size := uint64(head[1])
		switch size {
		case 126:
			var n uint16
			err = binary.Read(r, binary.BigEndian, &n)
			size = uint64(n)
		case 127:
			err = binary.Read(r, binary.BigEndian, &size)
		}
		if err != nil || size > 1<<20 {
			return m, fmt.Errorf("a frame of %d bytes: %w", size, err)
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(r, payload); err != nil {
			return m, err
		}
		if opcode := head[0] & 0x0f; len(m.frames) == 0 {
			m.opcode = opcode
		} else if opcode != opContinuation {
			return m, fmt.Errorf("frame %d has the opcode %d", len(m.frames)+1, opcode)
		}
		m.data += string(payload)
		m.frames = append(m.frames, len(payload))
		if head[0]&0x80 != 0 {
			return m, nil
		}
	}
}

// opened is a handler over a hub with one connection.
func opened(t *testing.T) (h *Handler, path string, client net.Conn) {
	hub := conn.NewHub(apigw.DefaultLimits())
	id := testIDs.Connection()
	return newHandler(hub), "/main/@connections/" + id.String(), open(t, hub, apigw.DefaultLimits(), id)
}

// TestDelivery: what a client gets for a POST.
func TestDelivery(t *testing.T) {
	conformance.Covers(t, "management.post-text-frame", "management.post-binary", "management.post-empty", "management.post-one-message")
	h, path, client := opened(t)
	in := bufio.NewReader(client)
	large := strings.Repeat("€", 43_000)
	for _, test := range []struct {
		name, data string
		opcode     byte
		frames     int
	}{
		{"text", `{"a":"h` + "\u00e9" + `llo"}`, opText, 1},
		{"nothing", "", opText, 1},
		{"a zero byte", "\x00", opText, 1},
		{"no UTF-8", "\xff\xfe", opBinary, 1},
		{"UTF-8 that is cut off", "h\xc3", opBinary, 1},
		{"32 KB", strings.Repeat("x", 32<<10), opText, 1},
		{"32 KB and one", strings.Repeat("x", 32<<10+1), opText, 2},
		{"128 KB", strings.Repeat("x", 128<<10), opText, 4},
		{"characters over the ends of frames", large, opText, 4},
		{"a large one that is no UTF-8", large + "\xff", opBinary, 4},
	} {
		if w := at(h, "POST", "localhost", path, test.data); w.Code != 200 {
			t.Fatalf("%s: %d %s", test.name, w.Code, w.Body)
		}
		got, err := readMessage(in)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got.opcode != test.opcode || got.data != test.data || len(got.frames) != test.frames {
			t.Errorf("%s: opcode %d, %d bytes, frames of %d; want opcode %d, %d bytes, %d frames", test.name, got.opcode, len(got.data), got.frames, test.opcode, len(test.data), test.frames)
		}
		for _, n := range got.frames {
			if n > 32<<10 {
				t.Errorf("%s: a frame of %d bytes", test.name, n)
			}
		}
	}
}

// TestOrder: posts that follow each other's answers arrive in that order.
func TestOrder(t *testing.T) {
	conformance.Covers(t, "management.post-order")
	h, path, client := opened(t)
	const n = 500
	for i := range n {
		if w := at(h, "POST", "localhost", path, fmt.Sprint(i)); w.Code != 200 {
			t.Fatalf("post %d: %d %s", i, w.Code, w.Body)
		}
	}
	in := bufio.NewReader(client)
	for i := range n {
		if m, err := readMessage(in); err != nil || m.data != fmt.Sprint(i) {
			t.Fatalf("message %d is %q, %v", i, m.data, err)
		}
	}
}

// TestPostIsTraffic: a post renews lastActiveAt, which a get does not.
func TestPostIsTraffic(t *testing.T) {
	conformance.Covers(t, "management.post-renews-idle")
	h, path, client := opened(t)
	go io.Copy(io.Discard, client)
	activity := func() (connected, active time.Time) {
		var shown struct{ ConnectedAt, LastActiveAt time.Time }
		if err := json.Unmarshal(at(h, "GET", "localhost", path, "").Body.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		return shown.ConnectedAt, shown.LastActiveAt
	}
	// The clock that is shown counts milliseconds: wait until it has moved on.
	connected, first := activity()
	for end := time.Now().Add(patience); time.Since(first) < 5*time.Millisecond; {
		if time.Now().After(end) {
			t.Fatal("the clock stands still")
		}
	}
	if _, again := activity(); !again.Equal(first) {
		t.Errorf("a get has moved lastActiveAt from %v to %v", first, again)
	}
	if w := at(h, "POST", "localhost", path, "x"); w.Code != 200 {
		t.Fatalf("POST = %d", w.Code)
	}
	since, active := activity()
	if !active.After(first) || !since.Equal(connected) {
		t.Errorf("after a post lastActiveAt is %v, was %v; connectedAt is %v, was %v", active, first, since, connected)
	}
}
