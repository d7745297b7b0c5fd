package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// openFIFO reads a FIFO queue's order out of its journal.
func openFIFO(ctx context.Context, q *queue, journal *bus.Journal) (*fifo, error) {
	settings := q.record().Settings
	l := &fifo{queue: q, journal: journal, order: newGroups(settings.Delay.Milliseconds()), memory: newMemory(settings.FIFO.perGroup())}
	loading := loading{fifo: l, now: milliseconds(), idle: make(map[uint64]bool), notes: make(map[*note]bool)}
	if err := journal.Scan(ctx, loading.read); err != nil {
		return nil, err
	}
	loading.finish()
	return l, journal.Delete(ctx, slices.Collect(maps.Keys(loading.idle))...)
}

// loading is the state of reading a journal.
type loading struct {
	*fifo
	now  int64
	sent []*known
	// idle are entries that can go, notes those that are still needed.
	idle  map[uint64]bool
	notes map[*note]bool
}

func (l *loading) read(r bus.Recorded) error {
	if r.Note {
		return l.readNote(r)
	}
	e, err := openEnvelope(r.Data)
	if err != nil {
		return fmt.Errorf("message %d: %w", r.Sequence, err)
	}
	x := &letter{sequence: r.Sequence, id: e.ID, dedup: e.Dedup, stored: r.At.UnixMilli()}
	l.order.add(x, e.Group, l.now)
	if !e.Moved { // what was moved here was not sent here
		l.sent = append(l.sent, &known{Group: e.Group, Dedup: e.Dedup, ID: e.ID, Sequence: r.Sequence, At: e.Sent})
	}
	return nil
}

func (l *loading) readNote(r bus.Recorded) error {
	var text noteText
	if err := json.Unmarshal(r.Data, &text); err != nil {
		return fmt.Errorf("note %d: %w", r.Sequence, err)
	}
	own := &note{sequence: r.Sequence}
	l.notes[own] = true
	for _, f := range text.Flights {
		if x := l.order.bySequence[f.Sequence]; x != nil {
			if x.note != nil {
				x.note.letters--
			}
			x.flight, x.note = f.flight, own
			own.letters++
		}
	}
	for _, k := range text.Deleted {
		l.sent = append(l.sent, k)
		if x := l.order.bySequence[k.Sequence]; x != nil { // killed before it was gone
			if x.note != nil {
				x.note.letters--
			}
			l.order.remove(l.now, x)
			l.idle[k.Sequence] = true
		}
	}
	if text.Deleted != nil {
		own.letters++ // until its time is over
	}
	return nil
}

// finish forgives one receive of each message from before the start, as bus.Lease
// does for standard queues: it was most likely cut short by the end of the former
// process. What is idle is left to be deleted.
func (l *loading) finish() {
	slices.SortStableFunc(l.sent, func(a, b *known) int { return int(a.At - b.At) })
	for _, k := range l.sent {
		if l.memory.find(k, l.now) == nil && k.At > l.now-deduplication.Milliseconds() {
			l.memory.add(k)
		}
	}
	for x := l.order.oldest; x != nil; x = x.newer {
		if x.flight.Receives > 0 {
			x.flight.Forgiven = true
		}
	}
	for n := range l.notes {
		if n.letters == 0 {
			l.idle[n.sequence] = true
		}
	}
	l.order.lookAgain(l.now)
}
