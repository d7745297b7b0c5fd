package push

import (
	"errors"
	"fmt"
	"time"
)

// The errors of a Poster that mean something to a Publisher; test with
// errors.Is. Any other error is a failure that another attempt would repeat.
var (
	// ErrGone says that the connection is closed, was never there, or has not
	// opened yet: HTTP 410.
	ErrGone = errors.New("push: the connection is gone")
	// ErrLimited says that the rate limit was hit or that the client reads too
	// slowly: HTTP 429. Posting again later may succeed; a *LimitedError says
	// when.
	ErrLimited = errors.New("push: too many posts")
	// ErrTooLarge says that a message is larger than MaxMessage.
	ErrTooLarge = errors.New("push: the message is too large")
	// ErrUnavailable says that the endpoint was not reached or failed: a
	// network error, HTTP 5xx. Posting again may succeed, and may deliver a
	// message twice if the first answer was lost.
	ErrUnavailable = errors.New("push: the endpoint is unavailable")
	// ErrNoAnswer says that a post was not answered in time. The message may
	// have been delivered. It is not posted again: a connection that is stuck
	// would hold up the publish once more.
	ErrNoAnswer = errors.New("push: no answer in time")
)

// LimitedError is an ErrLimited that may say when to come back.
type LimitedError struct {
	// RetryAfter is the least time to wait; zero when the endpoint did not say.
	RetryAfter time.Duration
	// Err is the endpoint's own error, or nil.
	Err error
}

// Error returns the endpoint's words.
func (e *LimitedError) Error() string {
	if e.Err == nil {
		return ErrLimited.Error()
	}
	return fmt.Sprintf("%v: %v", ErrLimited, e.Err)
}

// Is reports that a LimitedError is an ErrLimited.
func (e *LimitedError) Is(target error) bool { return target == ErrLimited }

// Unwrap returns the endpoint's own error.
func (e *LimitedError) Unwrap() error { return e.Err }
