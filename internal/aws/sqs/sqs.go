// Package sqs owns queues: Amazon SQS's API over the bus, for clients in both of
// SQS's protocols and, in process, for event source mappings. DESIGN.md says how
// SQS's rules map to the bus.
package sqs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// maxWaits is how many receives may wait at a time, over all queues.
const maxWaits = bus.MaxWaiting

// Config says where queues live and how they are addressed.
type Config struct {
	// Bus keeps the queues. It is opened before and closed after the Service.
	Bus *bus.Bus
	// Region is that of calls that name none, Account the owner of queues that
	// clients create. Empty means us-east-1 and 000000000000.
	Region, Account string
	// URLBase begins queue URLs, for example "http://127.0.0.1:4566"; "" makes
	// it from each request's Host header.
	URLBase string
	// SecretKey authenticates receipt handles. Empty means a random key: then
	// handles end with the process.
	SecretKey []byte
	// Feed gets an event for each message that goes to a dead-letter queue; nil
	// for none.
	Feed *telemetry.Feed
	// Log gets what no caller can be told; nil means slog.Default().
	Log *slog.Logger
}

// Service is the queues of all regions and the API to them. All methods may be
// called together.
type Service struct {
	config Config
	seal   seal
	// ctx ends with Close and ends the waits.
	ctx    context.Context
	cancel context.CancelFunc
	waits  chan struct{}

	// admin is held while a queue is made, changed or deleted. It is taken
	// before mu, never while holding it.
	admin sync.Mutex

	mu     sync.RWMutex
	queues map[address]*queue
	closed bool
	calls  sync.WaitGroup
}

// New returns the service with the queues that the bus holds.
func New(cfg Config) (*Service, error) {
	s := &Service{config: withDefaults(cfg), waits: make(chan struct{}, maxWaits), queues: make(map[address]*queue)}
	s.seal = seal{key: s.config.SecretKey}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.load(s.ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("recover queues: %w", err)
	}
	return s, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if len(cfg.SecretKey) == 0 {
		cfg.SecretKey = make([]byte, 32)
		rand.Read(cfg.SecretKey)
	}
	return cfg
}

// load finds this package's queues among those of the bus, and completes
// what a killed process left half made.
func (s *Service) load(ctx context.Context) error {
	works, err := s.config.Bus.Queues(ctx)
	if err != nil {
		return err
	}
	for _, work := range works {
		text, ours := work.Config().Metadata[metadataKey]
		if !ours {
			continue
		}
		var r record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return fmt.Errorf("read what queue %s is: %w", work.Config().Name, err)
		}
		if want := r.busConfig(); work.Config().AckWait != want.AckWait {
			if err := work.Update(ctx, want); err != nil {
				return err
			}
		}
		s.queues[r.Address] = newQueue(s, work, r)
	}
	return nil
}

// Close ends waiting receives with no messages and waits for running calls. It
// may be called twice; calls after it fail.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
	return nil
}

// begin counts a call in; done counts it out.
func (s *Service) begin() (done func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, bus.ErrClosed
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

// EnsureQueue makes the queue that a template declares, or brings the one of
// that name to the template's attributes; messages stay. Its dead-letter queue
// may be ensured later. Zero for the retention or the message size means SQS's
// default, as neither may be zero.
func (s *Service) EnsureQueue(q stack.Queue) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	at, err := s.templateAddress(q)
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.Name, err)
	}
	wanted := settingsOf(q)
	if err := errors.Join(checkName(at.Name), wanted.check()); err != nil {
		return fmt.Errorf("queue %s: %w", q.Name, err)
	}
	if err := s.ensure(at, wanted); err != nil {
		return fmt.Errorf("queue %s: %w", q.Name, err)
	}
	return nil
}

func (s *Service) templateAddress(q stack.Queue) (address, error) {
	if q.ARN == "" {
		return address{s.config.Region, s.config.Account, q.Name}, nil
	}
	at, err := parseARN(q.ARN)
	if err == nil && at.Name != q.Name {
		err = fmt.Errorf("its ARN %s names another queue", q.ARN)
	}
	return at, err
}

// ensure keeps what a template cannot say: kept attributes and tags.
func (s *Service) ensure(at address, wanted settings) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	q, ok := s.lookup(at)
	if !ok {
		_, err := s.create(s.ctx, newRecord(at, wanted))
		return err
	}
	r := q.record()
	wanted.Kept = r.Settings.Kept
	if r.Settings.equal(wanted) {
		return nil
	}
	r.Settings = wanted
	return q.update(s.ctx, r)
}

// create makes the queue of a record. Call with admin held.
func (s *Service) create(ctx context.Context, r record) (*queue, error) {
	work, err := s.config.Bus.EnsureQueue(ctx, r.busConfig())
	if err != nil {
		return nil, err
	}
	q := newQueue(s, work, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[r.Address] = q
	return q, nil
}

// delete drops a queue and its messages. Call with admin held.
func (s *Service) delete(ctx context.Context, q *queue) error {
	if err := q.work.Delete(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, q.record().Address)
	return nil
}

func (s *Service) lookup(at address) (*queue, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q, ok := s.queues[at]
	return q, ok
}

func (s *Service) byARN(arn string) (*queue, error) {
	at, err := parseARN(arn)
	if err != nil {
		return nil, err
	}
	q, ok := s.lookup(at)
	if !ok {
		return nil, fmt.Errorf("%s: %w", arn, errNoQueue())
	}
	return q, nil
}

// ErrNoQueue is the error of a Send to a queue that is not there.
var ErrNoQueue = errors.New("no such queue")

// Outgoing is a message that another service of this process sends.
type Outgoing struct {
	Body       string
	Attributes map[string]MessageAttribute
	// GroupID and DeduplicationID are for FIFO queues.
	GroupID, DeduplicationID string
	// Sender is the sender's ARN or name, for the attribute SenderId.
	Sender string
}

// Send stores a message in a queue and returns when it is safe there. A queue
// that is not there is ErrNoQueue, a message that the queue refuses an
// *awswire.Error.
func (s *Service) Send(ctx context.Context, queueARN string, m Outgoing) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	q, err := s.byARN(queueARN)
	if err != nil {
		return errors.Join(ErrNoQueue, err)
	}
	out := &outgoing{MessageBody: m.Body, MessageAttributes: m.Attributes, MessageGroupId: m.GroupID, MessageDeduplicationId: m.DeduplicationID}
	limits := q.record().Settings
	if err := out.check(limits.MaxMessageSize); err != nil {
		return err
	}
	message, _ := post(m.Sender, out, limits.Delay)
	return q.work.Publish(ctx, message)
}

// Receive takes up to max messages (at most 10,000) out of a queue and hides
// them for the queue's visibility timeout. It returns as soon as there is one,
// with none when wait is over or the Service closes, and with ctx's error when
// ctx ends: then nothing has been received.
func (s *Service) Receive(ctx context.Context, queueARN string, max int, wait time.Duration) ([]Message, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	q, err := s.byARN(queueARN)
	if err != nil {
		return nil, err
	}
	return q.receive(ctx, max, wait, q.record().Settings.VisibilityTimeout)
}

// Delete deletes received messages. One that is gone already is no error; a
// handle that this queue did not give out is, and then nothing is deleted.
func (s *Service) Delete(ctx context.Context, queueARN string, receiptHandles []string) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	q, err := s.byARN(queueARN)
	if err != nil {
		return err
	}
	receipts := make([]bus.Receipt, len(receiptHandles))
	for i, handle := range receiptHandles {
		if receipts[i], err = q.receipt(handle); err != nil {
			return err
		}
	}
	return q.work.Ack(ctx, receipts...)
}

// ChangeVisibility hides a received message for d from now (0 to 12 h); zero
// makes it visible at once.
func (s *Service) ChangeVisibility(ctx context.Context, queueARN, handle string, d time.Duration) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	q, err := s.byARN(queueARN)
	if err != nil {
		return err
	}
	return q.changeVisibility(ctx, handle, d)
}
