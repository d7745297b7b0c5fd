package conn

import (
	"bytes"
	"math/bits"
	"slices"
	"sync"
)

const (
	// readSize is the buffer that a reader borrows when bytes have arrived.
	// Frames that fit are unmasked and delivered in place.
	readSize = 4 << 10
	// gatherSize bounds what one write takes from a queue of several messages.
	gatherSize = 64 << 10
	// keepSize bounds the buffers of single messages that go back to their
	// pool; a larger one is left to the collector.
	keepSize = 4 << 10
)

// The buffers that connections borrow. A pool is only a cache: it holds nothing
// that anybody waits for, and the collector empties it.
var (
	readBuffers   = sync.Pool{New: func() any { return new([readSize]byte) }}
	gatherBuffers = sync.Pool{New: func() any { return new([gatherSize]byte) }}
	messages      = sync.Pool{New: func() any { return &Prepared{wire: make([]byte, 0, 512)} }}
	// assembly holds the buffers of messages under way, by the power of two of
	// their size.
	assembly [32]sync.Pool
)

func borrowRead() []byte { return readBuffers.Get().(*[readSize]byte)[:] }

func returnRead(b []byte) {
	if b != nil {
		readBuffers.Put((*[readSize]byte)(b[:readSize]))
	}
}

// assemblyClass returns the power of two that is the size of a buffer for a
// message of n bytes.
func assemblyClass(n int) int { return bits.Len(uint(max(n, readSize) - 1)) }

// growAssembly returns a borrowed buffer of the class with the content of b, and
// takes b back.
func growAssembly(b []byte, class int) []byte {
	grown, _ := assembly[class].Get().(*[]byte)
	if grown == nil {
		fresh := make([]byte, 0, 1<<class)
		grown = &fresh
	}
	out := append((*grown)[:0], b...)
	returnAssembly(b)
	return out
}

func returnAssembly(b []byte) {
	if cap(b) > 0 {
		b = b[:0]
		assembly[bits.Len(uint(cap(b)-1))].Put(&b)
	}
}

// borrowMessage frames a payload in a borrowed Prepared. returnMessage takes it
// back when it has been written.
func borrowMessage(payload []byte, maxFrame int) *Prepared {
	m := messages.Get().(*Prepared)
	m.kind, m.payload = pooled, len(payload)
	m.wire = slices.Grow(m.wire[:0], framedSize(len(payload), maxFrame))
	m.wire = appendMessage(m.wire, payload, maxFrame)
	return m
}

// slim returns a message that may wait long: a borrowed one goes back, and what
// waits is no larger than its content.
func (m *Prepared) slim() *Prepared {
	if m.kind != pooled {
		return m
	}
	exact := &Prepared{wire: bytes.Clone(m.wire), payload: m.payload}
	returnMessage(m)
	return exact
}

func returnMessage(m *Prepared) {
	if m.kind == pooled && cap(m.wire) <= keepSize {
		messages.Put(m)
	}
}
