package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// MaxMessage is the largest message that API Gateway takes, in bytes.
	MaxMessage = 128 << 10
	// MaxFrame is the largest frame that API Gateway sends or takes, in bytes.
	// A larger message is sent in several frames and metered as several
	// messages, and no browser can send one of that size back.
	MaxFrame = 32 << 10

	// DefaultParallelism is how many posts a Publisher has under way at most.
	DefaultParallelism = 32
	// DefaultAttempts is how often a post is tried.
	DefaultAttempts = 6
	// DefaultOpening is how long a connection may take to open after it was
	// entered in the roster.
	DefaultOpening = time.Second
)

// Poster posts one message to one connection and returns when API Gateway has
// taken it. It may be called from many goroutines at once and does not retry:
// the Publisher does. See ErrGone and the errors beside it for what its errors
// mean. It must not keep or change data.
type Poster interface {
	Post(ctx context.Context, connectionID string, data []byte) error
}

// Publisher posts messages to the connections of a roster. Fill in Roster and
// Poster; the zero value of every other field is fine. Its methods may be
// called together, and then share Parallelism. Do not copy or change it after
// the first call.
type Publisher struct {
	// Roster says who is connected, and loses those who are gone.
	Roster Roster
	// Poster does the posts.
	Poster Poster
	// Parallelism bounds the posts under way at once; zero means
	// DefaultParallelism. After answers 429 from many connections posts also
	// keep a pace, near the rate that the account allows, for a while; those
	// from a few slow clients change nothing. A post that is not answered
	// within half a second makes room for another one, up to four times
	// Parallelism.
	Parallelism int
	// Attempts is how often a post is tried that ends in ErrLimited or
	// ErrUnavailable, the first time included; zero means DefaultAttempts.
	// Between two attempts lies a random pause of up to 50 ms that doubles,
	// to at most 2 s, and is not shorter than RetryAfter.
	Attempts int
	// Opening is how long after ConnectedAt an ErrGone may mean a connection
	// that has not opened yet, because API Gateway opens it only when its
	// $connect function has returned. Until then the post is repeated and the
	// row is not pruned. A connection whose ConnectedAt is not known, one of
	// Only for example, is given this time from its first post on. Zero means
	// DefaultOpening, a negative value means that a 410 is believed at once.
	Opening time.Duration
	// Coalescing puts several messages of a PublishBatch into one post, which
	// clients must know of; zero means Separately.
	Coalescing Coalescing
	// Observer is told of publishes, posts and prunes, for metrics and traces;
	// the zero value is told nothing.
	Observer Observer
	// Log gets warnings: rows that could not be pruned, messages above
	// MaxFrame. Nil means slog.Default(). No payload is logged.
	Log *slog.Logger

	once sync.Once
	gate *gate
	// pruning holds the ids whose removal is under way, so that publishes that
	// meet the same dead connection remove it once.
	pruning sync.Map
}

// Publish posts data, as it is, to every connection of the target. One
// connection that fails does not keep the message from the others; the report
// names it, and the error, which is the report's Err, stays nil. A connection
// that is gone is removed from the roster, and is no failure.
//
// Delivery is at least once for each connection of the report's Sent: a lost
// answer leads to another post.
func (p *Publisher) Publish(ctx context.Context, target Target, data []byte) (Report, error) {
	report := p.PublishBatch(ctx, target, [][]byte{data})[0]
	return report, report.Err
}

// PublishBatch posts several messages to every connection of the target and
// returns one report for each of them, in their order. The target is read
// once, and each connection gets the messages one after the other, in order.
// A message above MaxMessage, or one that Coalescing cannot take, is refused by
// its report's Err and the others are sent. After a failure a connection's later messages are not tried, and fail
// with the same error.
func (p *Publisher) PublishBatch(ctx context.Context, target Target, messages [][]byte) []Report {
	d := newDelivery(p, messages)
	ctx, end := p.Observer.publish(ctx, len(messages))
	if end != nil {
		defer func() { end(d.reports) }()
	}
	if !d.prepare() {
		return d.reports
	}
	if err := p.ready(target); err != nil {
		d.fail(err)
		return d.reports
	}
	d.run(ctx, target)
	return d.reports
}

func (p *Publisher) ready(target Target) error {
	switch {
	case p.Roster == nil:
		return errors.New("push: the Publisher has no Roster")
	case p.Poster == nil:
		return errors.New("push: the Publisher has no Poster")
	case target == nil:
		return errors.New("push: no target")
	}
	p.once.Do(func() { p.gate = newGate(p.parallelism()) })
	return nil
}

func (p *Publisher) parallelism() int {
	if p.Parallelism <= 0 {
		return DefaultParallelism
	}
	return p.Parallelism
}

func (p *Publisher) attempts() int {
	if p.Attempts <= 0 {
		return DefaultAttempts
	}
	return p.Attempts
}

func (p *Publisher) opening() time.Duration {
	if p.Opening == 0 {
		return DefaultOpening
	}
	return p.Opening
}

func (p *Publisher) log() *slog.Logger {
	if p.Log == nil {
		return slog.Default()
	}
	return p.Log
}

// prune removes the row of a connection that is gone. A row that stays is
// found gone again by the next publish, so its error is only worth a line.
func (p *Publisher) prune(ctx context.Context, id string) {
	if _, underWay := p.pruning.LoadOrStore(id, nil); underWay {
		return
	}
	defer p.pruning.Delete(id)
	err := p.Roster.Remove(ctx, id)
	if p.Observer.Prune != nil {
		p.Observer.Prune(ctx, id, err)
	}
	if err != nil {
		p.log().WarnContext(ctx, "a connection that is gone stays in the roster", "connectionId", id, "error", err)
	}
}

func tooLarge(size int) error {
	return fmt.Errorf("%w: it has %d bytes, API Gateway takes %d", ErrTooLarge, size, MaxMessage)
}
