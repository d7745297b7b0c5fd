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
	"maps"
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
	// MaxMessageSize is the largest message that a queue takes, in bytes: 1024 to
	// MaxMessageSize, which zero means. It is the MaximumMessageSize of queues that
	// say none, and bounds that of others.
	MaxMessageSize int
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
	// declared are the queues that a template asked for in this process.
	declared map[address]declared
	closed   bool
	calls    sync.WaitGroup

	moves moves
}

// New returns the service with the queues that the bus holds.
func New(cfg Config) (*Service, error) {
	cfg = withDefaults(cfg)
	if cfg.MaxMessageSize < minMessageLimit || cfg.MaxMessageSize > MaxMessageSize {
		return nil, fmt.Errorf("the largest message of a queue cannot have %d bytes; set %d (1KB) to %d (1MB)", cfg.MaxMessageSize, minMessageLimit, MaxMessageSize)
	}
	s := &Service{config: cfg, waits: make(chan struct{}, maxWaits), queues: make(map[address]*queue), declared: make(map[address]declared)}
	s.seal = seal{key: s.config.SecretKey}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.load(s.ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("recover queues: %w", err)
	}
	if err := s.loadMoves(s.ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("recover message move tasks: %w", err)
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
	if cfg.MaxMessageSize == 0 {
		cfg.MaxMessageSize = MaxMessageSize
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
		r, ours, err := readRecord(work.Config().Name, work.Config().Metadata)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		if want := r.busConfig(); work.Config().AckWait != want.AckWait {
			if err := work.Update(ctx, want); err != nil {
				return err
			}
		}
		q := newQueue(s, r)
		q.line = &standard{q, work}
		s.queues[r.Address] = q
	}
	return s.loadFIFO(ctx)
}

func (s *Service) loadFIFO(ctx context.Context) error {
	journals, err := s.config.Bus.Journals(ctx)
	if err != nil {
		return err
	}
	for _, journal := range journals {
		r, ours, err := readRecord(journal.Config().Name, journal.Config().Metadata)
		if err != nil {
			return err
		}
		if !ours {
			continue
		}
		q := newQueue(s, r)
		if q.line, err = openFIFO(ctx, q, journal); err != nil {
			return fmt.Errorf("queue %s: %w", r.Address.Name, err)
		}
		s.queues[r.Address] = q
	}
	return nil
}

// readRecord reads the record in a stream's metadata, if it is this package's.
func readRecord(name string, metadata map[string]string) (r record, ours bool, err error) {
	text, ours := metadata[metadataKey]
	if !ours {
		return r, false, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, true, fmt.Errorf("read what queue %s is: %w", name, err)
	}
	return r, true, nil
}

// Close ends waiting receives with no messages and waits for running calls. It
// may be called twice; calls after it fail.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
	s.moves.running.Wait()
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
	wanted.MaxMessageSize = min(wanted.MaxMessageSize, s.config.MaxMessageSize)
	if err := errors.Join(checkName(at.Name, wanted.FIFO != nil), wanted.check(), checkTags(q.Tags)); err != nil {
		return fmt.Errorf("queue %s: %w", q.Name, err)
	}
	if err := s.ensure(at, declared{wanted, q.Tags}); err != nil {
		return fmt.Errorf("queue %s: %w", q.Name, err)
	}
	return nil
}

// Undeclare says that a template does not declare a queue of its own region and
// account any more: it stays, with its messages, until it is deleted, and Reset
// does not make it again. It may be called of a queue that nobody knows.
func (s *Service) Undeclare(name string) {
	s.admin.Lock()
	defer s.admin.Unlock()
	delete(s.declared, address{s.config.Region, s.config.Account, name})
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

// declared is a queue as a template declares it.
type declared struct {
	settings
	tags map[string]string
}

// ensure keeps what the template does not say: attributes that are only stored,
// and, when it has none, tags.
func (s *Service) ensure(at address, wanted declared) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	s.declared[at] = wanted
	q, ok := s.lookup(at)
	if !ok {
		_, err := s.create(s.ctx, wanted.record(at))
		return err
	}
	r := q.record()
	own := r.Settings
	r.Settings = wanted.settings
	for name, text := range own.Kept {
		if name != "RedriveAllowPolicy" {
			r.Settings.keep(name, text)
		}
	}
	if own.equal(r.Settings) && (wanted.tags == nil || maps.Equal(wanted.tags, r.Tags)) {
		return nil
	}
	if wanted.tags != nil {
		r.Tags = wanted.tags
	}
	return q.update(s.ctx, r)
}

func (d declared) record(at address) record {
	r := newRecord(at, d.settings)
	r.Tags = d.tags
	return r
}

// create makes the queue of a record. Call with admin held.
func (s *Service) create(ctx context.Context, r record) (*queue, error) {
	q, err := s.openQueue(ctx, r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[r.Address] = q
	return q, nil
}

// delete drops a queue and its messages. Call with admin held.
func (s *Service) delete(ctx context.Context, q *queue) error {
	if err := q.line.drop(ctx); err != nil {
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
	settings := q.record().Settings
	if err := out.check(&settings); err != nil {
		return err
	}
	return q.line.send(ctx, []*envelope{out.envelope(m.Sender, &settings)})[0].err
}

// Receive takes up to max messages (at most 10,000) out of a queue and hides
// them for the queue's visibility timeout. It returns as soon as there is one,
// with none when wait is over or the Service closes, and with ctx's error when
// ctx ends: then nothing has been received.
//
// From a FIFO queue come, in order, messages of groups from which nobody holds
// any: several of one group, then those of others. A group is closed from then on
// until each of its messages was deleted or is visible again.
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
	return q.line.receive(ctx, receiving{most: max, wait: wait, visibility: q.record().Settings.VisibilityTimeout})
}

// Delete deletes received messages. One that is gone already is no error. A
// handle that this queue did not give out is one, and of a FIFO queue also one
// whose visibility timeout is over; the others are deleted all the same.
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
	return errors.Join(q.line.remove(ctx, receiptHandles)...)
}

// ChangeVisibility hides a received message for d from now (0 to 12 h); zero
// makes it visible at once. To return what is left of a FIFO queue's batch, do
// it for every message that is left: the group opens with the last one, and they
// come again in their order.
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
