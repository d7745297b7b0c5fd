package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one message for a work queue.
type Message struct {
	Data []byte
	// ID, when set, makes a second message with the same id within
	// QueueConfig.Duplicates a success without effect.
	ID string
	// At, when set, is when the message becomes ready. The server holds it
	// back, across restarts too, and is up to 250 ms late; Delayed must then be
	// a token that no other delayed message of the queue has (a UUID).
	At      time.Time
	Delayed string
}

// Publish adds a message and returns once the store has it.
func (q *WorkQueue) Publish(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	reply, err := q.bus.conn.RequestMsgWithContext(ctx, q.message(m))
	if err == nil {
		err = published(reply)
	}
	return wrap("publish to "+q.name, err)
}

// PublishAll adds messages in their order, all under way at once, and returns
// one result each: nil once the store has the message.
func (q *WorkQueue) PublishAll(ctx context.Context, messages []Message) []error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	results := make([]error, len(messages))
	replies := make(chan *nats.Msg, len(messages))
	inbox := q.bus.conn.NewInbox()
	sub, err := q.bus.conn.ChanSubscribe(inbox+".*", replies)
	if err != nil {
		return fill(results, wrap("publish to "+q.name, err))
	}
	defer sub.Unsubscribe()
	waiting := make(map[string]int, len(messages))
	for i, m := range messages {
		msg := q.message(m)
		msg.Reply = inbox + "." + strconv.Itoa(i)
		if err := q.bus.conn.PublishMsg(msg); err != nil {
			results[i] = wrap("publish to "+q.name, err)
			continue
		}
		waiting[msg.Reply] = i
	}
	q.collect(ctx, replies, waiting, results)
	return results
}

// collect files the replies under the messages they answer.
func (q *WorkQueue) collect(ctx context.Context, replies <-chan *nats.Msg, waiting map[string]int, results []error) {
	for len(waiting) > 0 {
		select {
		case reply := <-replies:
			if i, ok := waiting[reply.Subject]; ok {
				results[i] = wrap("publish to "+q.name, published(reply))
				delete(waiting, reply.Subject)
			}
		case <-ctx.Done():
			q.abandon(waiting, results, ctx.Err())
			return
		case <-q.bus.done:
			q.abandon(waiting, results, ErrClosed)
			return
		}
	}
}

func (q *WorkQueue) abandon(waiting map[string]int, results []error, err error) {
	for _, i := range waiting {
		results[i] = wrap("publish to "+q.name, err)
	}
}

func fill(results []error, err error) []error {
	for i := range results {
		results[i] = err
	}
	return results
}

// message addresses m. The client library's own option for a schedule cuts the
// time to whole seconds, which would be early; so the headers are set here.
func (q *WorkQueue) message(m Message) *nats.Msg {
	msg := &nats.Msg{Subject: readySubject(q.name), Data: m.Data}
	if m.ID == "" && m.At.IsZero() {
		return msg
	}
	msg.Header = nats.Header{}
	if m.ID != "" {
		msg.Header.Set(jetstream.MsgIDHeader, m.ID)
	}
	if !m.At.IsZero() {
		msg.Header.Set(jetstream.ScheduleHeader, "@at "+m.At.UTC().Format(time.RFC3339Nano))
		msg.Header.Set(jetstream.ScheduleTargetHeader, msg.Subject)
		msg.Subject = delayedSubject(q.name, m.Delayed)
	}
	return msg
}

// published reads the server's answer to a publish.
func published(reply *nats.Msg) error {
	if status := reply.Header.Get("Status"); status == "503" {
		return nats.ErrNoResponders
	}
	// Nearly every answer is a success, and its fields are of no interest.
	if !strings.Contains(string(reply.Data), `"error"`) {
		return nil
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if answer.Error == nil {
		return nil
	}
	return answer.Error
}
