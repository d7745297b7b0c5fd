package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pusher is a variant of a WebSocket server.
type pusher interface {
	// listen returns the address on which clients are upgraded.
	listen() (address string, err error)
	// open returns the number of connections.
	open() int
	// push sends messages of the size to every connection. It may return before
	// they are written.
	push(messages, size int) error
}

// meter is a pusher that counts its own CPU instead of the whole process's.
type meter interface{ cpu() int64 }

// serve answers the parent's requests to a server.
func serve(p pusher) (handler, error) {
	address, err := p.listen()
	if err != nil {
		return nil, err
	}
	return func(r request) (answer, error) {
		switch r.Op {
		case "address":
			return answer{Address: address}, nil
		case "push":
			if p.open() != r.Connections {
				return answer{}, fmt.Errorf("%d of %d connections are open", p.open(), r.Connections)
			}
			a := answer{CPU: cpuOf(p), Time: monotonic()}
			return a, p.push(r.Messages, r.Size)
		case "cpu":
			return answer{CPU: cpuOf(p)}, nil
		case "memory":
			return memoryAnswer()
		}
		return answer{}, errors.New("unknown request")
	}, nil
}

func cpuOf(p pusher) int64 {
	if m, ok := p.(meter); ok {
		return m.cpu()
	}
	return clock(unix.CLOCK_PROCESS_CPUTIME_ID)
}

// memoryAnswer returns the resident set, garbage and freed pages not counted.
func memoryAnswer() (answer, error) {
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return answer{}, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return answer{}, errors.New("/proc/self/statm is cut short")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return answer{Memory: pages * int64(os.Getpagesize())}, err
}

// payload is a text of the given size that differs from message to message.
func payload(i, size int) []byte {
	b := bytes.Repeat([]byte{'x'}, size)
	copy(b, strconv.Itoa(i))
	return b
}

// wireSize is what a text message of up to 64 KB takes in an unmasked frame.
func wireSize(size int) int64 {
	if size < 126 {
		return int64(size) + 2
	}
	return int64(size) + 4
}

// The upgrade as the clients here send it, and what floor and Gatepost answer:
// the handshake is not what these sections measure.
const (
	upgradeRequest = "GET /main HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	upgradeAnswer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
