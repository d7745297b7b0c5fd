// Package kinesis owns data streams: Amazon Kinesis's API over the bus, for
// clients and, in process, for event source mappings. A stream's shards are
// journals of the bus, so what a put acknowledged is as safe as a message of a
// queue.
package kinesis

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// Kinesis's own figures ("Quotas and limits" in the developer guide).
const (
	// MaxRecord is the largest record, its partition key included, in bytes.
	MaxRecord = 1 << 20
	// MaxShards is how many shards a stream may have here: each is a journal.
	MaxShards = stack.MaxShards

	maxKey           = 256
	maxPutRecords    = 500
	maxPutBytes      = 10 << 20
	maxGetRecords    = 10_000
	maxGetBytes      = 10 << 20
	minRetention     = 24
	maxRetention     = 8760
	defaultShards    = 4 // of a stream on demand
	defaultRetention = 24 * time.Hour
	iteratorLife     = 5 * time.Minute
)

// Config says where streams live.
type Config struct {
	// Bus keeps the streams. It is opened before and closed after the Service.
	Bus *bus.Bus
	// Region and Account are those of calls that name none. Empty means us-east-1
	// and 000000000000.
	Region, Account string
	// Log gets what no caller can be told; nil means slog.Default().
	Log *slog.Logger
}

// Service is the streams of all regions and the API to them. All methods may be
// called together.
type Service struct {
	config Config

	// admin is held while a stream is made, changed or deleted. It is taken before
	// mu, never while holding it.
	admin sync.Mutex

	mu      sync.RWMutex
	streams map[string]*stream // by ARN
	// declared are the streams that a template asked for in this process.
	declared map[string]description
	closed   bool
	calls    sync.WaitGroup
	done     chan struct{} // closed by Close
}

// New returns the service with the streams that the bus holds.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Service{config: cfg, streams: make(map[string]*stream), declared: make(map[string]description), done: make(chan struct{})}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("recover data streams: %w", err)
	}
	return s, nil
}

// metadataKey is where a shard's journal says what it is.
const metadataKey = "gatepost-kinesis"

// shardRecord is what a journal of a shard knows of its stream. The first shard
// speaks for all: a stream is there when its first shard is.
type shardRecord struct {
	Stream description `json:"stream"`
	Shard  int         `json:"shard"`
}

// load finds the streams among the journals of the bus. A stream that a killed
// process left half made has no first shard: what there is of it is dropped.
func (s *Service) load(ctx context.Context) error {
	journals, err := s.config.Bus.Journals(ctx)
	if err != nil {
		return err
	}
	found := make(map[string]map[int]*bus.Journal)
	for _, j := range journals {
		text, ours := j.Config().Metadata[metadataKey]
		if !ours {
			continue
		}
		var r shardRecord
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return fmt.Errorf("read what journal %s is: %w", j.Config().Name, err)
		}
		arn := r.Stream.ARN
		if found[arn] == nil {
			found[arn] = make(map[int]*bus.Journal)
		}
		found[arn][r.Shard] = j
		if err := checkLayout(r.Stream.Layout); err != nil {
			return fmt.Errorf("read the stream %s: %w", arn, err)
		}
		if r.Shard == 0 {
			s.streams[arn] = newStream(r.Stream)
		}
	}
	for arn, shards := range found {
		if err := s.adopt(ctx, s.streams[arn], shards); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) adopt(ctx context.Context, st *stream, shards map[int]*bus.Journal) error {
	for i, j := range shards { // what a killed process left of shards in the making
		if st != nil && i >= len(st.shards) {
			if err := j.Drop(ctx); err != nil {
				return err
			}
			delete(shards, i)
		}
	}
	if st == nil || len(shards) < len(st.shards) {
		for _, j := range shards {
			if err := j.Drop(ctx); err != nil {
				return err
			}
		}
		if st != nil {
			delete(s.streams, st.ARN)
		}
		return nil
	}
	for i := range st.shards {
		if err := st.shards[i].open(ctx, shards[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends waiting reads and waits for running calls. It may be called twice;
// calls after it fail.
func (s *Service) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	s.calls.Wait()
	return nil
}

func (s *Service) begin() (done func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, bus.ErrClosed
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

// address names a stream: each region of each account has its own.
type address struct{ region, account, name string }

func (a address) arn() string {
	return "arn:aws:kinesis:" + a.region + ":" + a.account + ":stream/" + a.name
}

// accountOf returns the account in an ARN of ours.
func accountOf(arn string) string { return strings.Split(arn, ":")[4] }

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// describe checks what a stream is to be. Zero shards are as many as a stream on
// demand has, zero retention is a day.
func (s *Service) describe(at address, shards int, onDemand bool, retention time.Duration) (description, error) {
	if !streamName.MatchString(at.name) {
		return description{}, invalid("1 validation error detected: Value '%s' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", clip(at.name))
	}
	if onDemand && shards == 0 {
		shards = defaultShards
	}
	if shards < 1 || shards > MaxShards {
		return description{}, invalid("1 validation error detected: Value '%d' at 'shardCount' failed to satisfy constraint: Member must be from 1 to %d", shards, MaxShards)
	}
	if retention == 0 {
		retention = defaultRetention
	}
	return description{ARN: at.arn(), Name: at.name, Shards: shards, OnDemand: onDemand, Retention: retention}, nil
}

// create makes a stream that is not there. Its first shard is made last: until
// then there is no stream.
func (s *Service) create(ctx context.Context, d description) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if _, there := s.find(d.ARN); there {
		return fault("ResourceInUseException", "Stream %s under account %s already exists.", d.Name, accountOf(d.ARN))
	}
	return s.createLocked(ctx, d)
}

// createLocked is create with admin held.
func (s *Service) createLocked(ctx context.Context, d description) error {
	d.Created = time.Now().UTC()
	st := newStream(d)
	for i := range slices.Backward(st.all()) {
		j, err := s.config.Bus.EnsureJournal(ctx, st.journal(i))
		if err == nil {
			err = st.shards[i].open(ctx, j)
		}
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[d.ARN] = st
	return nil
}

// drop deletes a stream, its first shard first.
func (s *Service) drop(ctx context.Context, st *stream) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	return s.dropLocked(ctx, st)
}

// dropLocked is drop with admin held. A stream that somebody else has deleted
// meanwhile is left alone: its journals may be those of a new one.
func (s *Service) dropLocked(ctx context.Context, st *stream) error {
	s.mu.Lock()
	ours := s.streams[st.ARN] == st
	if ours {
		delete(s.streams, st.ARN)
	}
	s.mu.Unlock()
	if !ours {
		return nil
	}
	st.end()
	for _, shard := range st.all() {
		if err := shard.journal.Drop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// alter changes what may change of a stream, and keeps it. One that was deleted
// meanwhile is not there.
func (s *Service) alter(ctx context.Context, st *stream, change func(*description) error) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if now, _ := s.find(st.ARN); now != st {
		return noStream(st.Name, accountOf(st.ARN))
	}
	return st.alterLocked(ctx, change)
}

func (s *Service) find(arn string) (*stream, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.streams[arn]
	return st, ok
}

// lookup finds the stream that a call names, by ARN or by name.
func (c *caller) lookup(name, arn string) (*stream, error) {
	switch {
	case arn == "" && name == "":
		return nil, invalid("Either StreamName or StreamARN must be given.")
	case arn == "":
		arn = address{c.region, c.account, name}.arn()
	default:
		name = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	st, ok := c.find(arn)
	if !ok {
		return nil, noStream(name, c.account)
	}
	return st, nil
}

func noStream(name, account string) *awswire.Error {
	return fault("ResourceNotFoundException", "Stream %s under account %s not found.", clip(name), account)
}

func fault(code, format string, args ...any) *awswire.Error {
	return awswire.Errorf(code, format, args...)
}

func invalid(format string, args ...any) *awswire.Error {
	return fault("InvalidArgumentException", format, args...)
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
