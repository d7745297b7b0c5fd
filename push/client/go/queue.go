package client

import (
	"fmt"
	"sync"
)

// queue holds the messages that are not sent yet, in their order. Only one
// connection takes from it at a time.
type queue struct {
	limit Queue

	mu      sync.Mutex
	changed *sync.Cond
	waiting []string
	bytes   int
	taker   *link // nil while there is no connection
	closed  bool
}

func newQueue(limit Queue) *queue {
	q := &queue{limit: limit}
	q.changed = sync.NewCond(&q.mu)
	return q
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

func (q *queue) put(text string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case len(q.waiting) >= q.limit.Messages || q.bytes+len(text) > q.limit.Bytes:
		return fmt.Errorf("%w: %d messages wait already, and %d bytes", ErrQueueFull, len(q.waiting), q.bytes)
	}
	q.waiting, q.bytes = append(q.waiting, text), q.bytes+len(text)
	q.changed.Broadcast()
	return nil
}

// take makes a link the one that takes; nil for none.
func (q *queue) take(l *link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taker = l
	q.changed.Broadcast()
}

// next waits for a message for a link, and returns false when there will be
// none: another link takes, or the queue is closed and empty.
func (q *queue) next(l *link) (string, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.taker == l && len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	if q.taker != l || len(q.waiting) == 0 {
		return "", false
	}
	text := q.waiting[0]
	q.waiting[0] = ""
	q.waiting, q.bytes = q.waiting[1:], q.bytes-len(text)
	return text, true
}

// close refuses all further messages.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
