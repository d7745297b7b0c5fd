// Package telemetry owns what Gatepost tells about itself: the Feed, a ring of
// recent events with subscribers, that the terminal and the console show.
package telemetry

import (
	"sync"
	"time"
)

// Kind names what an Event tells of.
type Kind string

// The kinds of events.
const (
	Connected    Kind = "connected"    // a client is in
	Refused      Kind = "refused"      // a handshake was refused
	MessageIn    Kind = "message"      // a client's message was routed
	Posted       Kind = "posted"       // a message went to a client
	Disconnected Kind = "disconnected" // a client has left
	Invoked      Kind = "invoked"      // a function answered or failed
	LogLine      Kind = "log"          // a line that a function wrote
	Delivered    Kind = "delivered"    // a batch went through a mapping
	DeadLettered Kind = "deadletter"   // a message moved to a dead-letter queue
	Intercepted  Kind = "intercepted"  // a function's AWS call was led here
)

// Event is one thing that happened. Fields that do not apply are empty.
type Event struct {
	Time         time.Time     `json:"time"`
	Kind         Kind          `json:"kind"`
	API          string        `json:"api,omitempty"`
	ConnectionID string        `json:"connectionId,omitempty"`
	RouteKey     string        `json:"routeKey,omitempty"`
	Function     string        `json:"function,omitempty"`
	RequestID    string        `json:"requestId,omitempty"`
	Source       string        `json:"source,omitempty"`
	Duration     time.Duration `json:"duration,omitempty"`
	// Bytes is a payload's size; payloads themselves are never recorded.
	Bytes int `json:"bytes,omitempty"`
	// Text is the detail: a log line, a close reason, an error.
	Text string `json:"text,omitempty"`
	// Failed is true when what happened was a failure.
	Failed bool `json:"failed,omitempty"`
}

// ringSize is how many events a Feed remembers.
const ringSize = 1024

// subscriberBuffer is how many events may wait for one subscriber; past it
// events for that subscriber are dropped, never the feed held up.
const subscriberBuffer = 1024

// Feed remembers the most recent events and hands them to subscribers. All
// methods may be called together, and on a nil Feed, which drops everything.
type Feed struct {
	mu          sync.Mutex
	ring        [ringSize]Event
	total       uint64
	subscribers map[chan Event]struct{}
}

// NewFeed returns an empty feed.
func NewFeed() *Feed { return &Feed{subscribers: make(map[chan Event]struct{})} }

// Record adds an event and stamps it with the time if it has none. It never
// waits for a subscriber.
func (f *Feed) Record(e Event) {
	if f == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.total%ringSize] = e
	f.total++
	for ch := range f.subscribers {
		select {
		case ch <- e:
		default:
		}
	}
}

// Recent returns up to n of the latest events, oldest first.
func (f *Feed) Recent(n int) []Event {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n = int(min(uint64(max(n, 0)), f.total, ringSize))
	out := make([]Event, 0, n)
	for i := f.total - uint64(n); i < f.total; i++ {
		out = append(out, f.ring[i%ringSize])
	}
	return out
}

// Subscribe returns a channel of the events from now on, and a function that
// ends the subscription and closes the channel. It may be called twice.
func (f *Feed) Subscribe() (events <-chan Event, cancel func()) {
	ch := make(chan Event, subscriberBuffer)
	if f == nil {
		return ch, sync.OnceFunc(func() { close(ch) })
	}
	f.mu.Lock()
	f.subscribers[ch] = struct{}{}
	f.mu.Unlock()
	return ch, sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subscribers, ch)
		close(ch)
	})
}
