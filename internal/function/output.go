package function

import (
	"fmt"
	"io"
	"sync"
)

// maxPending bounds the log lines that wait for a slow Output, in bytes.
const maxPending = 1 << 20

// output writes the functions' log lines to a writer that may be slow, such as
// a stopped terminal, without ever holding up who writes a line. Lines that do
// not fit are counted and left out.
type output struct {
	w    io.Writer
	done chan struct{}

	mu      sync.Mutex
	more    *sync.Cond
	pending []byte
	dropped int
	closed  bool
}

// newOutput starts writing. A nil writer drops everything.
func newOutput(w io.Writer) *output {
	o := &output{w: w, done: make(chan struct{})}
	o.more = sync.NewCond(&o.mu)
	if w == nil {
		o.closed = true
		close(o.done)
		return o
	}
	go o.run()
	return o
}

// line adds a line. The request id is shortened to its first part.
func (o *output) line(function, requestID string, text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if len(o.pending)+len(function)+len(text) > maxPending {
		o.dropped++
		return
	}
	o.pending = append(o.pending, function...)
	if requestID != "" {
		o.pending = append(append(o.pending, ' '), requestID[:min(8, len(requestID))]...)
	}
	o.pending = append(append(append(o.pending, " | "...), text...), '\n')
	o.more.Signal()
}

func (o *output) run() {
	defer close(o.done)
	var buf []byte
	for {
		var more bool
		if buf, more = o.next(buf[:0]); !more {
			return
		}
		// Nobody can be told that the log's own writer fails.
		_, _ = o.w.Write(buf)
	}
}

// next waits for lines and swaps them for an empty buffer. more is false when
// all has been written and no line will come.
func (o *output) next(empty []byte) (buf []byte, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) == 0 && !o.closed {
		o.more.Wait()
	}
	if len(o.pending) == 0 {
		return nil, false
	}
	buf, o.pending = o.pending, empty
	if o.dropped > 0 {
		buf = fmt.Appendf(buf, "gatepost | %d log lines left out: the output is too slow\n", o.dropped)
		o.dropped = 0
	}
	return buf, true
}

// close refuses further lines and returns a channel that is closed once the
// pending ones are written. It may be called twice.
func (o *output) close() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.more.Signal()
	return o.done
}
