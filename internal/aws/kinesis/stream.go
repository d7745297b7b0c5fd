package kinesis

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// description is what a stream is; it is kept with its journals.
type description struct {
	ARN       string            `json:"arn"`
	Name      string            `json:"name"`
	Shards    int               `json:"shards"`
	OnDemand  bool              `json:"onDemand,omitempty"`
	Retention time.Duration     `json:"retention"`
	Created   time.Time         `json:"created"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// stream is one data stream.
type stream struct {
	mu sync.Mutex
	// description changes under mu, but for what names the stream and its shards.
	description
	shards []*shard
	ended  chan struct{} // closed when the stream is deleted
	once   sync.Once
}

// shard is one sequence of records.
type shard struct {
	index   int
	journal *bus.Journal

	mu sync.Mutex
	// last is the number of the newest record; changed is closed and made anew
	// when there is one more.
	last    uint64
	changed chan struct{}
}

func newStream(d description) *stream {
	st := &stream{description: d, ended: make(chan struct{})}
	for i := range d.Shards {
		st.shards = append(st.shards, &shard{index: i, changed: make(chan struct{})})
	}
	return st
}

func (s *shard) open(ctx context.Context, j *bus.Journal) error {
	_, last, err := j.Bounds(ctx)
	s.journal, s.last = j, last
	return err
}

// wrote notes that records up to a number are there, and wakes who waits.
func (s *shard) wrote(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last > s.last {
		s.last = last
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// newest returns the number of the newest record, and what is closed when there
// is one more.
func (s *shard) newest() (last uint64, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.changed
}

func (st *stream) end() { st.once.Do(func() { close(st.ended) }) }

// journal describes the journal of a shard. Its name is for people to read, with
// a hash, since names of streams are told apart by case and names of folders, on
// some systems, are not.
func (st *stream) journal(i int) bus.JournalConfig {
	st.mu.Lock()
	defer st.mu.Unlock()
	sum := sha256.Sum256([]byte(st.ARN))
	plain := strings.ToLower(strings.ReplaceAll(st.Name, ".", "_"))
	return bus.JournalConfig{
		Name:         "KINESIS-" + plain + "-" + hex.EncodeToString(sum[:10]) + "-" + strconv.Itoa(i),
		Metadata:     map[string]string{metadataKey: string(awswire.MarshalJSON(shardRecord{Stream: st.description, Shard: i}))},
		Retention:    st.Retention,
		MaxEntrySize: MaxRecord + 4<<10,
	}
}

// alter changes what may change of a stream, and keeps it.
func (st *stream) alter(ctx context.Context, change func(*description)) error {
	st.mu.Lock()
	change(&st.description)
	st.mu.Unlock()
	for i, s := range st.shards {
		if err := s.journal.Update(ctx, st.journal(i)); err != nil {
			return err
		}
	}
	return nil
}

// now returns what a stream is.
func (st *stream) now() description {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.description
}

// keys is the number of hash keys: they have 128 bits.
var keys = new(big.Int).Lsh(big.NewInt(1), 128)

// hashRange is the first and the last hash key of a shard: all have about as
// many.
func (st *stream) hashRange(i int) (first, last *big.Int) {
	n := big.NewInt(int64(len(st.shards)))
	bound := func(i int) *big.Int {
		b := new(big.Int).Mul(keys, big.NewInt(int64(i)))
		return b.Div(b, n)
	}
	return bound(i), new(big.Int).Sub(bound(i+1), big.NewInt(1))
}

// shardFor is the shard of a hash key.
func (st *stream) shardFor(key *big.Int) *shard {
	for i := range st.shards {
		if _, last := st.hashRange(i); key.Cmp(last) <= 0 {
			return st.shards[i]
		}
	}
	return st.shards[len(st.shards)-1]
}

// hashKey is the MD5 of a partition key, as a number.
func hashKey(partitionKey string) *big.Int {
	sum := md5.Sum([]byte(partitionKey))
	return new(big.Int).SetBytes(sum[:])
}

func (s *shard) id() string { return fmt.Sprintf("shardId-%012d", s.index) }

// shard finds a shard by its id.
func (st *stream) shard(id string) (*shard, error) {
	for _, s := range st.shards {
		if s.id() == id {
			return s, nil
		}
	}
	return nil, fault("ResourceNotFoundException", "Could not find shard %s in stream %s.", clip(id), st.Name)
}

// sequenceNumber writes a record's number as Kinesis does, in 56 digits: they
// grow within a shard, and no two shards have the same.
func (s *shard) sequenceNumber(n uint64) string { return fmt.Sprintf("49%050d%04d", n, s.index) }

// parseSequence reads a sequence number of the shard.
func (s *shard) parseSequence(text string) (uint64, error) {
	digits, ours := strings.CutPrefix(text, "49")
	if ours && len(digits) == 54 && digits[50:] == fmt.Sprintf("%04d", s.index) {
		if n, err := strconv.ParseUint(digits[:50], 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s is invalid because it did not come from this stream.", clip(text), s.id())
}
