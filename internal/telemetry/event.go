package telemetry

import (
	"time"
	"unicode/utf8"
	"unsafe"
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
	Intercepted  Kind = "intercepted"  // a function's call went through the proxy
	Reset        Kind = "reset"        // everything that is kept was emptied
)

// Event is one thing that happened. Fields that do not apply are empty.
type Event struct {
	// Seq numbers the events of a feed from 1, without gaps. Record sets it.
	Seq          uint64        `json:"seq"`
	Time         time.Time     `json:"time"`
	Kind         Kind          `json:"kind"`
	API          string        `json:"api,omitempty"`
	ConnectionID string        `json:"connectionId,omitempty"`
	RouteKey     string        `json:"routeKey,omitempty"`
	Function     string        `json:"function,omitempty"`
	RequestID    string        `json:"requestId,omitempty"`
	Source       string        `json:"source,omitempty"`
	Operation    string        `json:"operation,omitempty"` // of AWS, "PutItem"
	Duration     time.Duration `json:"duration,omitempty"`
	// Bytes is a payload's size; payloads themselves are never recorded.
	Bytes int `json:"bytes,omitempty"`
	// Text is the detail: a log line, a close reason, an error. Record cuts it
	// at 64 KB.
	Text string `json:"text,omitempty"`
	// Failed is true when what happened was a failure.
	Failed bool `json:"failed,omitempty"`
	// Report belongs to an Invoked event whose function had the event. It must
	// not be changed any more.
	Report *Report `json:"report,omitempty"`
	// Logging is how the function of a LogLine or Invoked event logs; nil is
	// Lambda's default, plain text. It must not be changed any more.
	Logging *Logging `json:"-"`
}

// maxText is the longest Text that a feed remembers, in bytes.
const maxText = 64 << 10

// clip cuts the text at the limit, between two characters, and lets go of the
// rest.
func (e *Event) clip() {
	if len(e.Text) <= maxText {
		return
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(e.Text[end]) {
		end--
	}
	e.Text = string(append([]byte(nil), e.Text[:end]...))
}

// size is about what the event takes in memory, in bytes.
func (e *Event) size() int {
	n := int(unsafe.Sizeof(*e)) + len(e.API) + len(e.ConnectionID) + len(e.RouteKey) + len(e.Function) + len(e.RequestID) +
		len(e.Source) + len(e.Text)
	if e.Report != nil {
		n += int(unsafe.Sizeof(*e.Report)) + len(e.Report.ErrorType) + len(e.Report.Message)
	}
	return n
}

// fromFunction reports whether the event is part of a function's log.
func (e *Event) fromFunction() bool { return e.Kind == LogLine || e.Kind == Invoked }
