package bus

import (
	"context"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// With Config.Sync the server would sync each message by itself, one after the
// other. So messages that come while others are being written wait, and go
// together as an atomic batch (NATS's ADR-50), which the server syncs as one.

// fewTogether is how many messages go one by one: a batch is staged in a folder
// of its own. maxTogether is how many a batch has at most; the server takes 1000.
const (
	fewTogether = 3
	maxTogether = 500
)

// together is what waits to be written to one stream.
type together struct {
	// turn is held by the caller that writes for all.
	turn chan struct{}

	mu      sync.Mutex
	waiting []*commit
}

func newTogether() *together { return &together{turn: make(chan struct{}, 1)} }

// commit is a message on its way; err counts once done is closed.
type commit struct {
	msg  *nats.Msg
	done chan struct{}
	err  error
}

// write writes messages in their order, with those of other callers, and returns
// one result each. After ctx's error a message may be written all the same.
func (g *together) write(ctx context.Context, b *Bus, messages []*nats.Msg) []error {
	own := make([]*commit, len(messages))
	for i, msg := range messages {
		own[i] = &commit{msg: msg, done: make(chan struct{})}
	}
	g.mu.Lock()
	g.waiting = append(g.waiting, own...)
	g.mu.Unlock()
	results := make([]error, len(own))
	for i, c := range own {
		results[i] = g.wait(ctx, b, c)
	}
	return results
}

// wait waits for a message, and writes for all when it is its caller's turn.
func (g *together) wait(ctx context.Context, b *Bus, c *commit) error {
	for {
		select {
		case <-c.done:
			return c.err
		default:
		}
		select {
		case <-c.done:
		case g.turn <- struct{}{}:
			g.round(b)
			<-g.turn
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round writes what waits. It has time of its own, since others depend on it.
func (g *together) round(b *Bus) {
	g.mu.Lock()
	n := min(len(g.waiting), maxTogether)
	now := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	g.mu.Unlock()
	if n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	messages := make([]*nats.Msg, n)
	for i, c := range now {
		messages[i] = c.msg
	}
	for i, err := range b.writeAll(ctx, messages) {
		now[i].err = err
		close(now[i].done)
	}
}

// writeAll writes messages as a batch, or, when the server refuses that, which
// stores none of them, one by one.
func (b *Bus) writeAll(ctx context.Context, messages []*nats.Msg) []error {
	results := make([]error, len(messages))
	if len(messages) > fewTogether {
		reply, err := b.batch(ctx, messages)
		if err != nil {
			return fill(results, err)
		}
		if published(reply) == nil {
			return results
		}
		for _, msg := range messages {
			msg.Header = nil
		}
	}
	replies, results := b.exchange(ctx, messages)
	for i, reply := range replies {
		if results[i] == nil {
			results[i] = published(reply)
		}
	}
	return results
}

// batch sends messages, which have no headers, as an atomic batch and returns the
// answer to its end.
func (b *Bus) batch(ctx context.Context, messages []*nats.Msg) (*nats.Msg, error) {
	id, last := uuid.New(), len(messages)-1
	for i, msg := range messages {
		msg.Header = nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {strconv.Itoa(i + 1)}}
		if i == last {
			break
		}
		if err := b.conn.PublishMsg(msg); err != nil {
			return nil, err
		}
	}
	messages[last].Header.Set("Nats-Batch-Commit", "1")
	return b.conn.RequestMsgWithContext(ctx, messages[last])
}
