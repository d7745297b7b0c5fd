// Package telemetry owns what Gatepost tells about itself: the Feed of recent
// events with its subscribers, which the terminal and the console show, and the
// Transcript that makes a function's log of them.
package telemetry

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// A Feed remembers at most so many events, and so many bytes of them. Whoever
// has most of what is remembered gives way: each function's log is a source of
// its own, and everything else together one more, so a function that floods its
// log pushes out its own lines and nobody else's.
const (
	maxEvents = 10_000
	maxBytes  = 8 << 20
)

// subscriberBuffer is how many events may wait for one subscriber; past it
// events for that subscriber are dropped, never the feed held up. The gap shows
// in Event.Seq.
const subscriberBuffer = 1024

// Feed remembers the most recent events and hands them to subscribers. All
// methods may be called together, and on a nil Feed, which drops everything.
type Feed struct {
	mu          sync.Mutex
	lanes       []*lane // none is empty
	byName      map[string]*lane
	count       int
	bytes       int
	total       uint64
	subscribers map[chan Event]struct{}
}

// NewFeed returns an empty feed.
func NewFeed() *Feed {
	return &Feed{byName: make(map[string]*lane), subscribers: make(map[chan Event]struct{})}
}

// Record adds an event and stamps it with the time if it has none. It never
// waits for a subscriber.
func (f *Feed) Record(e Event) {
	if f == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.clip()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	e.Seq = f.total
	f.rememberLocked(&e)
	for ch := range f.subscribers {
		select {
		case ch <- e:
		default:
		}
	}
}

func (f *Feed) rememberLocked(e *Event) {
	name := ""
	if e.fromFunction() {
		name = e.Function
	}
	l := f.byName[name]
	if l == nil {
		l = &lane{name: name}
		f.byName[name] = l
		f.lanes = append(f.lanes, l)
	}
	l.push(e)
	f.count++
	f.bytes += e.size()
	for f.count > maxEvents || f.bytes > maxBytes {
		f.forgetLocked()
	}
}

// forgetLocked drops the oldest event of the source that has most.
func (f *Feed) forgetLocked() {
	most := 0
	for i, l := range f.lanes {
		if f.bytes > maxBytes && l.bytes > f.lanes[most].bytes || f.bytes <= maxBytes && l.n > f.lanes[most].n {
			most = i
		}
	}
	l := f.lanes[most]
	f.bytes -= l.drop()
	f.count--
	if l.n == 0 {
		delete(f.byName, l.name)
		f.lanes = slices.Delete(f.lanes, most, most+1)
	}
}

// Recent returns up to n of the latest events, oldest first.
func (f *Feed) Recent(n int) []Event {
	if f == nil || n <= 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return collect(f.lanes, n, func(*Event) bool { return true })
}

// Query says which part of the functions' logs is wanted. Empty fields ask for
// all.
type Query struct {
	Function string
	// RequestID is a request id or the beginning of one.
	RequestID string
	Since     time.Time
}

// Matches reports whether an event is part of what is asked for.
func (q Query) Matches(e *Event) bool {
	return e.fromFunction() && (q.Function == "" || e.Function == q.Function) &&
		strings.HasPrefix(e.RequestID, q.RequestID) && !e.Time.Before(q.Since)
}

// Logs returns what is remembered of the functions' logs, oldest first: events
// of the kinds LogLine and Invoked.
func (f *Feed) Logs(q Query) []Event {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	lanes := f.lanes
	if q.Function != "" {
		l := f.byName[q.Function]
		if l == nil {
			return nil
		}
		lanes = []*lane{l}
	}
	return collect(lanes, f.count, q.Matches)
}

// collect returns the latest events of the lanes that are wanted, at most n,
// oldest first.
func collect(lanes []*lane, n int, wanted func(*Event) bool) []Event {
	left := make([]int, len(lanes))
	for i, l := range lanes {
		left[i] = l.n
	}
	var out []Event
	for len(out) < n {
		var newest *Event
		from := 0
		for i, l := range lanes {
			if left[i] == 0 {
				continue
			}
			if e := l.at(left[i] - 1); newest == nil || e.Seq > newest.Seq {
				newest, from = e, i
			}
		}
		if newest == nil {
			break
		}
		left[from]--
		if wanted(newest) {
			out = append(out, *newest)
		}
	}
	slices.Reverse(out)
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
