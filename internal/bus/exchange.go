package bus

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
)

// exchange sends messages in their order, all under way at once, and returns the
// reply to each, or why there is none.
func (b *Bus) exchange(ctx context.Context, messages []*nats.Msg) ([]*nats.Msg, []error) {
	replies, errs := make([]*nats.Msg, len(messages)), make([]error, len(messages))
	in := make(chan *nats.Msg, len(messages))
	inbox := b.conn.NewInbox()
	sub, err := b.conn.ChanSubscribe(inbox+".*", in)
	if err != nil {
		return replies, fill(errs, err)
	}
	defer sub.Unsubscribe()
	waiting := make(map[string]int, len(messages))
	for i, msg := range messages {
		msg.Reply = inbox + "." + strconv.Itoa(i)
		if errs[i] = b.conn.PublishMsg(msg); errs[i] == nil {
			waiting[msg.Reply] = i
		}
	}
	for len(waiting) > 0 {
		select {
		case reply := <-in:
			if i, ok := waiting[reply.Subject]; ok {
				replies[i] = reply
				delete(waiting, reply.Subject)
			}
		case <-ctx.Done():
			err = ctx.Err()
		case <-b.done:
			err = ErrClosed
		}
		if err != nil {
			for _, i := range waiting {
				errs[i] = err
			}
			break
		}
	}
	return replies, errs
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}
