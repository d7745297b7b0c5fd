package function

import (
	"math/rand/v2"
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

	done     chan struct{}
	response []byte
	err      error
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
