package bus

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The errors that callers tell apart, with errors.Is.
var (
	// ErrClosed: the bus is closing or closed.
	ErrClosed = errors.New("bus is closed")
	// ErrNoQueue: the work queue does not exist (any more).
	ErrNoQueue = errors.New("no such work queue")
	// ErrFull: the store's limit is reached; nothing was kept.
	ErrFull = errors.New("bus store is full")
	// ErrTooLarge: the message is over the work queue's limit.
	ErrTooLarge = errors.New("message is too large for its work queue")
	// ErrBusy: the server has more to do than it may queue; try again.
	ErrBusy = errors.New("bus is busy")
)

// The server's own codes for what happens to a single message, from its
// errors.json; the client library has no names for them.
const (
	codeAccountResources jetstream.ErrorCode = 10002
	codeInsufficient     jetstream.ErrorCode = 10023
	codeNoSequence       jetstream.ErrorCode = 10043
	codeMemoryExceeded   jetstream.ErrorCode = 10028
	codeStorageExceeded  jetstream.ErrorCode = 10047
	codeMessageTooLarge  jetstream.ErrorCode = 10054
	codeStoreFailed      jetstream.ErrorCode = 10077
)

// noMessage are the descriptions of the errors that the store gives for a message
// that is not there; their code is that of every failed deletion.
var noMessage = []string{"no message found", "stream store EOF"}

// wrap says what was being done and turns NATS's error into one of ours where
// there is one.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if meaning := meaningOf(err); meaning != nil {
		return fmt.Errorf("%s: %w (%v)", doing, meaning, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func meaningOf(err error) error {
	switch {
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return ErrClosed
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		return ErrNoQueue
	case errors.Is(err, nats.ErrMaxPayload):
		return ErrTooLarge
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return meaningOfCode(api)
	}
	return nil
}

func meaningOfCode(err *jetstream.APIError) error {
	switch err.ErrorCode {
	case codeAccountResources, codeInsufficient, codeMemoryExceeded, codeStorageExceeded, codeStoreFailed:
		return ErrFull
	case codeMessageTooLarge:
		return ErrTooLarge
	}
	if err.Code == http.StatusTooManyRequests {
		return ErrBusy
	}
	return nil
}
