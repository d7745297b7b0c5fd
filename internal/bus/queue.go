package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// consumer is the name of a work queue's one durable pull consumer.
const consumer = "work"

// MaxWaiting is how many fetches may wait at one work queue at a time.
const MaxWaiting = 4096

// QueueConfig describes a work queue. It is kept with the queue's messages.
type QueueConfig struct {
	// Name is 1 to 200 letters, digits, '-' and '_'. It names a folder, so two
	// names must differ in more than case.
	Name string
	// Metadata is the owner's own, up to 100 KB in all.
	Metadata map[string]string
	// Retention is how long a message is kept; zero means for ever.
	Retention time.Duration
	// MaxMessageSize is in bytes, at most MaxPayload.
	MaxMessageSize int
	// Duplicates is how long the ids of messages are remembered.
	Duplicates time.Duration
	// AckWait is after how long a message that was fetched and neither
	// acknowledged nor hidden comes back. It must be short: when the process is
	// killed, what Hide did in the last 100 ms is forgotten, and AckWait is
	// when those messages return.
	AckWait time.Duration
}

// WorkQueue is a stream of messages, each of which goes to one fetcher at a
// time until somebody acknowledges it. All methods may be called together.
type WorkQueue struct {
	bus     *Bus
	name    string
	stream  jetstream.Stream
	leases  *leases
	commits *together
	// unhaunted says that layGhosts has done all that there is to do.
	unhaunted atomic.Bool

	mu sync.Mutex
	// config is what the queue was last told to be.
	config QueueConfig
}

// Counts says how many messages a work queue holds.
type Counts struct {
	// Ready can be fetched.
	Ready int
	// Hidden were fetched and will come back unless they are acknowledged.
	Hidden int
	// Delayed wait for their time.
	Delayed int
}

// EnsureQueue makes a work queue, or opens the one of that name and brings it to
// cfg; its messages stay. A process opens a queue once.
func (b *Bus) EnsureQueue(ctx context.Context, cfg QueueConfig) (*WorkQueue, error) {
	if err := checkName(cfg.Name); err != nil {
		return nil, err
	}
	q := &WorkQueue{bus: b, name: cfg.Name, commits: newTogether()}
	stream, err := q.update(ctx, cfg)
	if err != nil {
		return nil, err
	}
	q.stream, q.leases = stream, newLeases(stream.CachedInfo().State.LastSeq)
	return q, nil
}

// Queues opens the work queues that the store holds.
func (b *Bus) Queues(ctx context.Context) ([]*WorkQueue, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var queues []*WorkQueue
	streams := b.js.ListStreams(ctx)
	for info := range streams.Info() {
		if info.Config.Retention != jetstream.WorkQueuePolicy {
			continue
		}
		q, err := b.openQueue(ctx, info.Config.Name)
		if err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	return queues, wrap("list work queues", streams.Err())
}

func (b *Bus) openQueue(ctx context.Context, name string) (*WorkQueue, error) {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, wrap("open work queue "+name, err)
	}
	info := stream.CachedInfo()
	q := &WorkQueue{bus: b, name: name, stream: stream, config: queueConfig(info.Config), leases: newLeases(info.State.LastSeq), commits: newTogether()}
	return q, q.readAckWait(ctx)
}

// readAckWait completes the config with what the consumer holds. A queue whose
// making was interrupted has no consumer yet; Update mends that.
func (q *WorkQueue) readAckWait(ctx context.Context) error {
	c, err := q.bus.js.Consumer(ctx, q.name, consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	if err != nil {
		return wrap("read work queue "+q.name, err)
	}
	q.config.AckWait = c.CachedInfo().Config.AckWait
	return nil
}

// Config returns what the queue was last told to be. An AckWait of zero means
// that the queue was not made to the end: call Update.
func (q *WorkQueue) Config() QueueConfig {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.config
}

// Update changes everything but the name. A new AckWait also moves the return
// of messages that are out.
func (q *WorkQueue) Update(ctx context.Context, cfg QueueConfig) error {
	_, err := q.update(ctx, cfg)
	return err
}

func (q *WorkQueue) update(ctx context.Context, cfg QueueConfig) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cfg.Name = q.name
	stream, err := q.bus.setUp(ctx, q.bus.streamConfig(cfg))
	if err != nil {
		return nil, wrap("set up work queue "+q.name, err)
	}
	if _, err := q.bus.js.CreateOrUpdateConsumer(ctx, q.name, consumerConfig(cfg)); err != nil {
		return nil, wrap("set up work queue "+q.name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.config = cfg
	return stream, nil
}

// setUp makes a stream, or changes the one of that name. The server answers the
// deletion of its last stream before it has tidied its folders up, and fails to
// make one in between.
func (b *Bus) setUp(ctx context.Context, cfg jetstream.StreamConfig) (stream jetstream.Stream, err error) {
	for range setUpTries {
		stream, err = b.js.CreateOrUpdateStream(ctx, cfg)
		if api, ok := errors.AsType[*jetstream.APIError](err); !ok || api.ErrorCode != storeFailed {
			break
		}
		select {
		case <-time.After(setUpPause):
		case <-ctx.Done():
			return nil, err
		}
	}
	return stream, err
}

// storeFailed is the server's JSStreamCreateErrF; what else it means, a full disk
// for one, is still so after setUpTries.
const (
	storeFailed jetstream.ErrorCode = 10049
	setUpTries                      = 5
	setUpPause                      = 10 * time.Millisecond
)

// streamConfig sets no limit but age, so the discard policy (schedules allow
// only DiscardOld) never drops what was acknowledged; the store's limit refuses
// what is new. Scheduled messages lie in the same stream under subjects of
// their own, which the consumer does not see.
func (b *Bus) streamConfig(cfg QueueConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               cfg.Name,
		Subjects:           []string{readySubject(cfg.Name), delayedSubject(cfg.Name, "*")},
		Retention:          jetstream.WorkQueuePolicy,
		Storage:            b.storage,
		Discard:            jetstream.DiscardOld,
		MaxAge:             cfg.Retention,
		MaxMsgSize:         int32(cfg.MaxMessageSize),
		Duplicates:         cfg.Duplicates,
		Metadata:           cfg.Metadata,
		AllowMsgSchedules:  true,
		AllowRollup:        true, // schedules are rolled up by subject
		AllowAtomicPublish: true, // see together.go
		Replicas:           1,
	}
}

// consumerConfig: hidden messages count as pending for as long as they are
// hidden, and who has received too often is for the queue's owner to say; so
// both limits are off.
func consumerConfig(cfg QueueConfig) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       consumer,
		FilterSubject: readySubject(cfg.Name),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       cfg.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: -1,
		MaxWaiting:    MaxWaiting,
	}
}

// queueConfig reads back what streamConfig wrote; the server adds metadata of
// its own.
func queueConfig(s jetstream.StreamConfig) QueueConfig {
	own := make(map[string]string, len(s.Metadata))
	for k, v := range s.Metadata {
		if !strings.HasPrefix(k, "_nats.") {
			own[k] = v
		}
	}
	return QueueConfig{Name: s.Name, Metadata: own, Retention: s.MaxAge,
		MaxMessageSize: int(s.MaxMsgSize), Duplicates: s.Duplicates}
}

// Counts counts the queue's messages: all that were published before are in it.
// The consumer's own count would lag behind for a moment, so the messages are
// counted by subject.
func (q *WorkQueue) Counts(ctx context.Context) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := q.layGhosts(ctx); err != nil {
		return Counts{}, wrap("count messages of "+q.name, err)
	}
	subject := readySubject(q.name)
	info, err := q.stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return Counts{}, wrap("count messages of "+q.name, err)
	}
	inherited, err := q.inherited(ctx)
	if err != nil {
		return Counts{}, wrap("count messages of "+q.name, err)
	}
	ready := int(info.State.Subjects[subject])
	hidden := min(ready, q.leases.hidden()+inherited)
	return Counts{Ready: ready - hidden, Hidden: hidden, Delayed: int(info.State.Msgs) - ready}, nil
}

// inherited counts the messages that a former process fetched and that have not
// come back yet; all do within one AckWait of the start.
func (q *WorkQueue) inherited(ctx context.Context) (int, error) {
	if !time.Now().Before(q.leases.opened.Add(q.Config().AckWait)) || q.leases.before == 0 {
		return 0, nil
	}
	c, err := q.bus.js.Consumer(ctx, q.name, consumer)
	if err != nil {
		return 0, err
	}
	return max(0, c.CachedInfo().NumAckPending-q.leases.size()), nil
}

// Purge drops every message, hidden and delayed ones too.
func (q *WorkQueue) Purge(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := q.stream.Purge(ctx)
	if err == nil {
		err = q.prune(ctx)
	}
	return wrap("purge work queue "+q.name, err)
}

// Delete ends the queue and drops its messages; waiting fetches end with
// ErrNoQueue. A queue that is gone already is no error.
func (q *WorkQueue) Delete(ctx context.Context) error {
	err := q.bus.js.DeleteStream(ctx, q.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return wrap("delete work queue "+q.name, err)
}

func readySubject(name string) string       { return "work." + name + ".ready" }
func delayedSubject(name, id string) string { return "work." + name + ".delayed." + id }

func checkName(name string) error {
	fits := func(r rune) bool {
		return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if len(name) == 0 || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return !fits(r) }) {
		return fmt.Errorf("work queue name %.40q: want 1 to 200 letters, digits, '-' and '_'", name)
	}
	return nil
}
