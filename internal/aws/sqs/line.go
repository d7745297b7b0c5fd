package sqs

import (
	"context"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// line is how a queue keeps its messages: in standard.go or, in strict order, in
// fifo.go. All methods may be called together.
type line interface {
	// send stores messages in their order and returns one result each.
	send(ctx context.Context, messages []*envelope) []sent
	// receive hands out messages as ReceiveMessage does.
	receive(ctx context.Context, in receiving) ([]Message, error)
	// remove deletes received messages and returns one result each. One that is
	// gone already is no error.
	remove(ctx context.Context, handles []string) []error
	// hide changes the visibility of a received message: 0 to maxVisibility.
	hide(ctx context.Context, handle string, d time.Duration) error
	// accept stores a message that was in another queue. It may be called again
	// with the same move and stores it once.
	accept(ctx context.Context, e *envelope, move string) error
	// take takes messages to move them elsewhere, as a move task does.
	take(ctx context.Context, most int) ([]held, error)
	counts(ctx context.Context) (bus.Counts, error)
	// purge drops every message, hidden and delayed ones too.
	purge(ctx context.Context) error
	// update stores the queue's changed record.
	update(ctx context.Context, r record) error
	// drop ends the line and its messages.
	drop(ctx context.Context) error
}

// receiving is what one receive asks for.
type receiving struct {
	most             int
	wait, visibility time.Duration
	// attempt is the ReceiveRequestAttemptId, "" for none.
	attempt string
}

// sent is what became of one message.
type sent struct {
	id string
	// sequence is the SequenceNumber of a FIFO queue's message.
	sequence string
	err      error
}

// held is a message that a move task has in its hands.
type held struct {
	*envelope
	// move names the message among all that are ever moved.
	move string
	// done deletes it where it was; back lets it be received again.
	done func(ctx context.Context) error
	back func()
}
