package function

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// invocation is one event on its way through a function. The fields above done
// are set before a sandbox gets it; those below are set once, before done is
// closed, by whoever ends the invocation.
type invocation struct {
	id            string
	event         []byte
	clientContext []byte // a header's value; nil for none
	// begun and deadline are set when a sandbox gets the event. cold is how
	// long that sandbox took to start when this is its first event.
	begun, deadline time.Time
	cold            time.Duration

	// then is InvokeThen's, and nil for a caller that waits for done. unwatch
	// ends the watch over that caller's context. told is whether then has been
	// called, or is about to be.
	then    func([]byte, error)
	unwatch func() bool
	told    atomic.Bool

	done     chan struct{}
	response []byte
	err      error
}

// tell calls then, once the invocation has ended.
func (inv *invocation) tell() {
	if inv.then != nil && inv.told.CompareAndSwap(false, true) {
		inv.unwatch()
		inv.then(inv.response, inv.err)
	}
}

// tellApart is tell in a goroutine of its own.
func (inv *invocation) tellApart() {
	if inv.then != nil {
		go inv.tell()
	}
}

func newInvocation(c Call) *invocation {
	if c.RequestID == "" {
		c.RequestID = uuid.New()
	}
	return &invocation{id: c.RequestID, event: c.Event, clientContext: c.ClientContext, done: make(chan struct{})}
}

// appendTraceID appends an X-Ray trace header of an invocation that nobody
// traces: "Root=1-<time>-<96 bits>;Parent=<64 bits>;Sampled=0". The numbers need
// not be secret, and this runs for every event, so they come from the fast
// source.
func appendTraceID(b []byte, now time.Time) []byte {
	b = append(b, "Root=1-"...)
	b = appendHex(b, uint64(now.Unix()), 8)
	b = append(b, '-')
	b = appendHex(b, rand.Uint64(), 8)
	b = appendHex(b, rand.Uint64(), 16)
	b = append(b, ";Parent="...)
	b = appendHex(b, rand.Uint64(), 16)
	return append(b, ";Sampled=0"...)
}

// appendHex appends the lowest digits of v.
func appendHex(b []byte, v uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&15])
	}
	return b
}
