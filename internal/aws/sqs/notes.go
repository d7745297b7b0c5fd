package sqs

import (
	"encoding/json"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// note is an entry in a FIFO queue's journal about messages in it. It is kept for
// as long as it is the last word on one of them.
type note struct {
	sequence uint64 // 0 while the store has not confirmed it
	letters  int    // that it is the last word on
}

// noteText is what a note says: the whole truth about its messages, so that the
// latest note is all that counts.
type noteText struct {
	Flights []noteFlight `json:"flights,omitempty"`
	// Deleted messages are remembered, so that they are not sent again.
	Deleted []*known `json:"deleted,omitempty"`
}

type noteFlight struct {
	Sequence uint64 `json:"s"`
	flight
}

func (n noteText) entry() bus.Entry {
	text, err := json.Marshal(n)
	if err != nil {
		panic("sqs: note cannot be encoded: " + err.Error())
	}
	e := bus.Entry{Data: text, Note: true}
	if n.Flights == nil {
		e.Keep = deduplication
	}
	return e
}

// noteFlights begins to store the flights of letters. Call with mu held, and write
// with what it returns, without.
func (l *fifo) noteFlights(letters []*letter) func() error {
	text := noteText{Flights: make([]noteFlight, len(letters))}
	own := &note{letters: len(letters)}
	var old []*note
	for i, x := range letters {
		text.Flights[i] = noteFlight{x.sequence, x.flight}
		old = append(old, x.note)
		x.note = own
	}
	receipts := l.journal.Append(text.entry())
	return func() error {
		written := receipts.Wait()[0]
		if written.Err != nil {
			return written.Err
		}
		l.mu.Lock()
		own.sequence = written.Sequence
		idle := l.release(old...)
		if own.letters == 0 { // a later note was faster
			idle = append(idle, own.sequence)
		}
		l.mu.Unlock()
		l.sweep(idle)
		return nil
	}
}

// release notes that letters have newer notes or are gone, and returns the notes
// that nobody needs any more. Call with mu held.
func (l *fifo) release(notes ...*note) (idle []uint64) {
	for _, n := range notes {
		if n == nil {
			continue
		}
		if n.letters--; n.letters == 0 && n.sequence != 0 {
			idle = append(idle, n.sequence)
		}
	}
	return idle
}

// sweep deletes notes. One that stays costs nothing but its place, and goes at
// the next start.
func (l *fifo) sweep(idle []uint64) {
	if err := l.journal.Delete(l.queue.service.ctx, idle...); err != nil {
		l.queue.service.config.Log.Debug("notes of a FIFO queue cannot be deleted", "queue", l.queue.record().Address.Name, "error", err)
	}
}
