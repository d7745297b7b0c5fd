package sqs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
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

// journalConfig is the journal that carries a FIFO queue. It also holds what must
// be remembered for the time of deduplication.
func (r *record) journalConfig() bus.JournalConfig {
	kept := max(r.Settings.Retention, deduplication)
	return bus.JournalConfig{
		Name: r.Address.stream(), Metadata: r.metadata(), Retention: kept, Duplicates: min(duplicates, kept), MaxEntrySize: bus.MaxPayload,
	}
}

func (r *record) metadata() map[string]string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("sqs: record cannot be encoded: " + err.Error())
	}
	return map[string]string{metadataKey: string(text)}
}

// busConfig is the work queue that carries the queue. A visibility timeout of
// zero, like one past maxAckWait, is asked for message by message.
func (r *record) busConfig() bus.QueueConfig {
	ackWait := r.Settings.VisibilityTimeout
	if ackWait == 0 || ackWait > maxAckWait {
		ackWait = maxAckWait
	}
	return bus.QueueConfig{
		Name:       r.Address.stream(),
		Metadata:   r.metadata(),
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
	line    line
	current atomic.Pointer[record]
	// purged is when the queue was last purged, in milliseconds since the epoch.
	purged atomic.Int64
}

// newQueue returns a queue without its line. What was stored under a higher
// limit for messages keeps to the one of now.
func newQueue(s *Service, r record) *queue {
	q := &queue{service: s}
	r.Settings.MaxMessageSize = min(r.Settings.MaxMessageSize, s.config.MaxMessageSize)
	q.current.Store(&r)
	return q
}

// openQueue makes the line of a queue, or opens the one that is there.
func (s *Service) openQueue(ctx context.Context, r record) (*queue, error) {
	q := newQueue(s, r)
	if !r.Address.fifo() {
		work, err := s.config.Bus.EnsureQueue(ctx, r.busConfig())
		q.line = &standard{q, work}
		return q, err
	}
	journal, err := s.config.Bus.EnsureJournal(ctx, r.journalConfig())
	if err != nil {
		return nil, err
	}
	q.line, err = openFIFO(ctx, q, journal)
	return q, err
}

func (q *queue) record() record { return *q.current.Load() }

// update stores a changed record. Call with the service's admin held.
func (q *queue) update(ctx context.Context, r record) error {
	r.Modified = time.Now().UTC().Truncate(time.Second)
	if err := q.line.update(ctx, r); err != nil {
		return err
	}
	q.current.Store(&r)
	return nil
}

// bury moves a message that was received too often to the dead-letter queue. If
// it cannot be moved it stays hidden and is tried again when it comes back.
func (q *queue) bury(ctx context.Context, h held) {
	r := q.record()
	grave, err := q.service.byARN(r.Settings.Redrive.ARN)
	if err == nil {
		h.envelope.Source = r.Address.arn()
		err = q.move(ctx, h, grave)
	}
	if err != nil {
		q.service.config.Log.Error("message cannot be moved to the dead-letter queue; it will be tried again",
			"queue", r.Address.Name, "deadLetterQueue", r.Settings.Redrive.ARN, "error", err)
		return
	}
	q.service.config.Feed.Record(telemetry.Event{
		Kind: telemetry.DeadLettered, Source: r.Address.arn(), RequestID: h.ID, Bytes: len(h.body),
		Text: "moved to " + grave.record().Address.Name + " after " + strconv.Itoa(r.Settings.Redrive.MaxReceiveCount) + " receives", Failed: true,
	})
}

// move puts a message into another queue and, when it is stored there, deletes it
// here. If the process ends in between it is tried again; the name of the move
// keeps the first copy the only one.
func (q *queue) move(ctx context.Context, h held, to *queue) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	if to.record().Address.fifo() != q.record().Address.fifo() {
		return errOtherKind
	}
	h.envelope.Moved = true
	if err := to.line.accept(ctx, h.envelope, h.move); err != nil {
		return err
	}
	return h.done(ctx)
}

var errOtherKind = errors.New("one is a FIFO queue and one is not")

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
	if d < 0 || d > maxVisibility {
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", d/time.Second)
	}
	return q.line.hide(ctx, handle, d)
}
