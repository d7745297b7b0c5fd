package client

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// writeWithin bounds one write; a connection that does not take a message
	// in that time is broken.
	writeWithin = 30 * time.Second
	// drainWithin bounds what Close waits for.
	drainWithin = 5 * time.Second
)

// link is one connection that was opened. A goroutine reads it, another one
// writes to it what the queue has for it.
type link struct {
	ws     *websocket.Conn
	opened time.Time
	last   atomic.Int64  // when something has passed, in nanoseconds after opened
	ended  chan struct{} // the reader has ended
	sent   chan struct{} // the writer has ended
	silent atomic.Bool   // it did not answer the keep-alive
}

func newLink(ws *websocket.Conn) *link {
	return &link{ws: ws, opened: time.Now(), ended: make(chan struct{}), sent: make(chan struct{})}
}

func (l *link) touch() { l.last.Store(int64(time.Since(l.opened))) }

// idle is how long nothing has passed.
func (l *link) idle() time.Duration { return time.Since(l.opened) - time.Duration(l.last.Load()) }

// heard is what a link has received, or the error with which it has ended.
type heard struct {
	link *link
	data []byte
	err  error
}

// read hands over what is received, until the end, which it hands over too.
func (l *link) read(ctx context.Context, to chan<- heard, over <-chan struct{}) {
	defer close(l.ended)
	for {
		_, data, err := l.ws.Read(ctx)
		if err == nil {
			l.touch()
		}
		select {
		case to <- heard{link: l, data: data, err: err}:
		case <-over: // nobody is told any more, but the goodbye must be read
		}
		if err != nil {
			return
		}
	}
}

// write sends what the queue has for this link.
func (l *link) write(ctx context.Context, q *queue) {
	defer close(l.sent)
	for {
		text, ok := q.next(l)
		if !ok {
			return
		}
		if err := l.transmit(ctx, text); err != nil {
			l.ws.CloseNow() // the reader tells
			return
		}
		l.touch()
	}
}

// transmit sends a message in frames that API Gateway takes.
func (l *link) transmit(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	if len(text) <= MaxFrame {
		return l.ws.Write(ctx, websocket.MessageText, []byte(text))
	}
	w, err := l.ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for len(text) > 0 {
		frame := text[:min(len(text), MaxFrame)]
		if _, err := io.WriteString(w, frame); err != nil {
			return err
		}
		text = text[len(frame):]
	}
	return w.Close()
}

// retire ends the link after a while, or when it ends by itself.
func (l *link) retire(overlap time.Duration, over <-chan struct{}) {
	select {
	case <-time.After(overlap):
		l.ws.Close(websocket.StatusNormalClosure, "renewed")
	case <-l.ended:
	case <-over:
	}
}

// close says goodbye once the writer has sent what there was, within bounds.
func (l *link) close() {
	select {
	case <-l.sent:
	case <-time.After(drainWithin):
	}
	l.ws.Close(websocket.StatusNormalClosure, "")
}
