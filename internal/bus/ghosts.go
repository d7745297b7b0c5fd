package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// layGhosts removes messages that a former process was killed over: their
// acknowledgement was stored with the consumer, and they were still in the stream.
// Nobody would get them any more, and they would be counted for as long as the
// queue keeps messages. They are those at or below the consumer's floor, which lies
// under everything that is not acknowledged; the floor passes the last of them once
// what the former process had out has come back and is done with.
func (q *WorkQueue) layGhosts(ctx context.Context) error {
	if q.leases.before == 0 || q.unhaunted.Load() {
		return nil
	}
	c, err := q.bus.js.Consumer(ctx, q.name, consumer)
	if err != nil {
		return err
	}
	floor := c.CachedInfo().AckFloor.Stream
	for {
		// A number of 1 asks for the first message of the subject.
		first, err := q.stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(readySubject(q.name)))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && first.Sequence > floor {
			break
		}
		if err != nil {
			return err
		}
		if err := q.stream.DeleteMsg(ctx, first.Sequence); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
	}
	if floor >= q.leases.before {
		q.unhaunted.Store(true)
	}
	return nil
}
