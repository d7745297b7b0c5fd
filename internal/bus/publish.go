package bus

import (
	"context"
	"encoding/json"
	"fmt"
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
	msg := q.message(m)
	if q.bus.sync && msg.Header == nil {
		return wrap("publish to "+q.name, q.commits.write(ctx, q.bus, []*nats.Msg{msg})[0])
	}
	reply, err := q.bus.conn.RequestMsgWithContext(ctx, msg)
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
	out := make([]*nats.Msg, len(messages))
	plain := q.bus.sync
	for i, m := range messages {
		out[i] = q.message(m)
		plain = plain && out[i].Header == nil
	}
	if plain {
		results := q.commits.write(ctx, q.bus, out)
		for i := range results {
			results[i] = wrap("publish to "+q.name, results[i])
		}
		return results
	}
	replies, results := q.bus.exchange(ctx, out)
	for i, reply := range replies {
		if results[i] == nil {
			results[i] = published(reply)
		}
		results[i] = wrap("publish to "+q.name, results[i])
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
