package sqs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// metadataKey is where a queue's record lies in its stream's metadata.
const metadataKey = "gatepost.sqs"

// maxAckWait is the longest time after which the bus brings a message back by
// itself; longer visibility timeouts are asked for message by message. See
// DESIGN.md for why it is short.
const maxAckWait = 30 * time.Second

// duplicates is how long the bus remembers that a dead letter was moved.
const duplicates = time.Hour

// moveTimeout bounds the move of one message to a dead-letter queue, which goes
// on when the caller in whose receive it came up has left.
const moveTimeout = 5 * time.Second

// record is all that is known of a queue beside its messages. It is stored with
// them, so that the two cannot differ.
type record struct {
	Address address `json:"address"`
	// ID tells this queue from others of its name, earlier and later.
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Settings settings  `json:"settings"`
	// Tags are kept for the operations on tags.
	Tags map[string]string `json:"tags,omitempty"`
}

func newRecord(at address, s settings) record {
	id := make([]byte, 8)
	rand.Read(id)
	now := time.Now().UTC().Truncate(time.Second)
	return record{Address: at, ID: hex.EncodeToString(id), Created: now, Modified: now, Settings: s}
}

// busConfig is the work queue that carries the queue. A visibility timeout of
// zero, like one past maxAckWait, is asked for message by message.
func (r *record) busConfig() bus.QueueConfig {
	text, err := json.Marshal(r)
	if err != nil {
		panic("sqs: record cannot be encoded: " + err.Error())
	}
	ackWait := r.Settings.VisibilityTimeout
	if ackWait == 0 || ackWait > maxAckWait {
		ackWait = maxAckWait
	}
	return bus.QueueConfig{
		Name:       r.Address.stream(),
		Metadata:   map[string]string{metadataKey: string(text)},
		Retention:  r.Settings.Retention,
		Duplicates: min(duplicates, r.Settings.Retention),
		AckWait:    ackWait,
		// The envelope is larger than the message; send checks the limit.
		MaxMessageSize: bus.MaxPayload,
	}
}

// queue is one queue. All methods may be called together.
type queue struct {
	service *Service
	work    *bus.WorkQueue
	current atomic.Pointer[record]
}

func newQueue(s *Service, work *bus.WorkQueue, r record) *queue {
	q := &queue{service: s, work: work}
	q.current.Store(&r)
	return q
}

func (q *queue) record() record { return *q.current.Load() }

// update stores a changed record. Call with the service's admin held.
func (q *queue) update(ctx context.Context, r record) error {
	r.Modified = time.Now().UTC().Truncate(time.Second)
	if err := q.work.Update(ctx, r.busConfig()); err != nil {
		return err
	}
	q.current.Store(&r)
	return nil
}

// receive fetches until there is a message to hand out, moving what has been
// received too often out of the way.
func (q *queue) receive(ctx context.Context, most int, wait, visibility time.Duration) ([]Message, error) {
	fetch, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.service.ctx, cancel)()
	deadline := time.Now().Add(wait)
	for {
		got, err := q.work.Fetch(fetch, most, time.Until(deadline))
		if err != nil && ctx.Err() == nil && fetch.Err() != nil {
			return nil, nil // the service closes: nothing to receive any more
		}
		if err != nil || len(got) == 0 {
			return nil, err
		}
		if live := q.bury(ctx, got); len(live) > 0 {
			return q.handOut(ctx, live, visibility)
		}
	}
}

// handOut hides deliveries and makes messages of them, unless the caller has
// left by then: they go back.
func (q *queue) handOut(ctx context.Context, got []bus.Delivery, visibility time.Duration) ([]Message, error) {
	var err error
	if visibility != q.work.Config().AckWait {
		err = q.work.Hide(ctx, visibility, receipts(got)...)
	}
	if ctx.Err() != nil {
		q.work.Return(got)
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	messages := make([]Message, 0, len(got))
	for _, d := range got {
		e, err := openEnvelope(d.Data)
		if err != nil {
			q.service.config.Log.Error("message cannot be read", "queue", q.record().Address.Name, "sequence", d.Sequence, "error", err)
			continue
		}
		messages = append(messages, e.message(q.service.seal.wrap(q.record().ID, d.Receipt), d.Lease))
	}
	return messages, nil
}

func receipts(got []bus.Delivery) []bus.Receipt {
	all := make([]bus.Receipt, len(got))
	for i, d := range got {
		all[i] = d.Receipt
	}
	return all
}

// bury moves the deliveries that exceed the redrive policy's count to the
// dead-letter queue and returns the others. One that cannot be moved stays
// hidden and is tried again when it comes back.
func (q *queue) bury(ctx context.Context, got []bus.Delivery) (live []bus.Delivery) {
	r := q.record()
	if r.Settings.Redrive == nil {
		return got
	}
	for _, d := range got {
		if d.Count <= r.Settings.Redrive.MaxReceiveCount {
			live = append(live, d)
			continue
		}
		grave, err := q.service.byARN(r.Settings.Redrive.ARN)
		if err == nil {
			err = q.move(ctx, d, &r, grave)
		}
		if err != nil {
			q.service.config.Log.Error("message cannot be moved to the dead-letter queue; it will be tried again",
				"queue", r.Address.Name, "deadLetterQueue", r.Settings.Redrive.ARN, "error", err)
		}
	}
	return live
}

// move puts a message into the dead-letter queue and, when it is stored there,
// deletes it here. If the process ends in between it is tried again; the id
// keeps the first copy the only one.
func (q *queue) move(ctx context.Context, d bus.Delivery, r *record, grave *queue) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	e, err := openEnvelope(d.Data)
	if err != nil {
		return err
	}
	e.Source = r.Address.arn()
	err = grave.work.Publish(ctx, bus.Message{Data: e.seal(), ID: r.ID + "-" + strconv.FormatUint(d.Sequence, 10)})
	if err != nil {
		return err
	}
	if err := q.work.Ack(ctx, d.Receipt); err != nil {
		return err
	}
	q.service.config.Feed.Record(telemetry.Event{
		Kind: telemetry.DeadLettered, Source: r.Address.arn(), RequestID: e.ID, Bytes: len(e.body),
		Text: "moved to " + grave.record().Address.Name + " after " + strconv.Itoa(r.Settings.Redrive.MaxReceiveCount) + " receives", Failed: true,
	})
	return nil
}

func (q *queue) receipt(handle string) (bus.Receipt, error) {
	if handle == "" {
		return bus.Receipt{}, missingParameter("ReceiptHandle")
	}
	r, ok := q.service.seal.unwrap(q.record().ID, handle)
	if !ok {
		return r, errHandle(handle)
	}
	return r, nil
}

func (q *queue) changeVisibility(ctx context.Context, handle string, d time.Duration) error {
	r, err := q.receipt(handle)
	if err != nil {
		return err
	}
	if d < 0 || d > maxVisibility {
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200.", d/time.Second)
	}
	if err := q.checkInflight(ctx, r, handle, d); err != nil {
		return err
	}
	return q.work.Hide(ctx, d, r)
}

// checkInflight refuses what SQS refuses: a message that is visible again,
// deleted, or would be hidden for more than 12 hours by one receive. Of a message
// that a former process handed out only its presence is known.
func (q *queue) checkInflight(ctx context.Context, r bus.Receipt, handle string, d time.Duration) error {
	lease, ok := q.work.Lease(r.Sequence)
	if ok {
		now := time.Now()
		switch {
		case !lease.Until.After(now):
			return errNotInflight()
		case now.Add(d).After(lease.Last.Add(maxVisibility + time.Second)):
			return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].", d/time.Second)
		}
		return nil
	}
	held, err := q.work.Holds(ctx, r.Sequence)
	if err == nil && !held {
		return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", clip(handle))
	}
	return err
}
