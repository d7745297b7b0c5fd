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
	// Layout is what the shards are, by index. Only the first shard's journal has
	// it. Streams of older versions have none: their shards are those they were
	// made with. It is replaced and never changed.
	Layout []plan `json:"layout,omitempty"`
}

// stream is one data stream.
type stream struct {
	// putting is held for reading while a record is on its way to its shard, and
	// for writing while shards are closed. It is taken before mu.
	putting sync.RWMutex

	mu sync.Mutex
	// description changes under mu, but for what names the stream.
	description
	shards []*shard      // by index; it grows under mu
	ended  chan struct{} // closed when the stream is deleted
	once   sync.Once
}

// shard is one sequence of records.
type shard struct {
	index int
	// epoch is when the shard was made, in microseconds since 1970: it begins every
	// sequence number, so that those of a stream which was deleted and made anew, and
	// those of a shard that continues others, go on where the old ones' ended.
	epoch int64
	// firstKey and lastKey are its hash keys.
	firstKey, lastKey *big.Int
	journal           *bus.Journal

	mu sync.Mutex
	// last is the number of the newest record; changed is closed and made anew
	// when there is one more.
	last    uint64
	changed chan struct{}
	// emptied is the number up to which the records were deleted by a reset.
	emptied uint64
}

func newStream(d description) *stream {
	if len(d.Layout) == 0 {
		d.Layout = uniform(d.Shards, d.Created)
	}
	st := &stream{description: d, ended: make(chan struct{})}
	for i, p := range d.Layout {
		st.shards = append(st.shards, newShard(i, p))
	}
	return st
}

func newShard(index int, p plan) *shard {
	return &shard{index: index, epoch: p.Made.UnixMicro(), firstKey: p.first(), lastKey: p.last(), changed: make(chan struct{})}
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

// wake wakes who waits for a record: none will come.
func (s *shard) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// newest returns the number of the newest record, and what is closed when there
// is one more.
func (s *shard) newest() (last uint64, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.changed
}

func (st *stream) end() { st.once.Do(func() { close(st.ended) }) }

// hasEnded reports whether the stream was deleted.
func (st *stream) hasEnded() bool {
	select {
	case <-st.ended:
		return true
	default:
		return false
	}
}

// journal describes the journal of a shard. Its name is for people to read, with
// a hash, since names of streams are told apart by case and names of folders, on
// some systems, are not.
func (st *stream) journal(i int) bus.JournalConfig {
	st.mu.Lock()
	defer st.mu.Unlock()
	sum := sha256.Sum256([]byte(st.ARN))
	d := st.description
	if i != 0 {
		d.Layout = nil
	}
	plain := strings.ToLower(strings.ReplaceAll(st.Name, ".", "_"))
	return bus.JournalConfig{
		Name:         "KINESIS-" + plain + "-" + hex.EncodeToString(sum[:10]) + "-" + strconv.Itoa(i),
		Metadata:     map[string]string{metadataKey: string(awswire.MarshalJSON(shardRecord{Stream: d, Shard: i}))},
		Retention:    st.Retention,
		MaxEntrySize: MaxRecord + 4<<10,
	}
}

// alterLocked is Service.alter with admin held.
func (st *stream) alterLocked(ctx context.Context, change func(*description) error) error {
	st.mu.Lock()
	err := change(&st.description)
	st.mu.Unlock()
	if err != nil {
		return err
	}
	for i, s := range st.all() {
		if err := s.journal.Update(ctx, st.journal(i)); err != nil {
			return err
		}
	}
	return nil
}

// empty deletes the records of a shard; numbers go on.
func (s *shard) empty(ctx context.Context) error {
	last, _ := s.newest()
	err := s.journal.Purge(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emptied = max(s.emptied, last)
	return err
}

// now returns what a stream is.
func (st *stream) now() description {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.description
}

// keys is the number of hash keys: they have 128 bits.
var keys = new(big.Int).Lsh(big.NewInt(1), 128)

// shardFor is the open shard of a hash key: together they have all. Call with
// putting held.
func (st *stream) shardFor(key *big.Int) (found *shard) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for i, s := range st.shards {
		if !st.Layout[i].isClosed() && s.firstKey.Cmp(key) <= 0 {
			if found = s; key.Cmp(s.lastKey) <= 0 {
				break
			}
		}
	}
	return found
}

// hashKey is the MD5 of a partition key, as a number.
func hashKey(partitionKey string) *big.Int {
	sum := md5.Sum([]byte(partitionKey))
	return new(big.Int).SetBytes(sum[:])
}

func (s *shard) id() string { return shardID(s.index) }

func shardID(index int) string { return fmt.Sprintf("shardId-%012d", index) }

// shard finds a shard by its id.
func (st *stream) shard(id string) (*shard, error) {
	for _, s := range st.all() {
		if s.id() == id {
			return s, nil
		}
	}
	return nil, fault("ResourceNotFoundException", "Could not find shard %s in stream %s.", clip(id), st.Name)
}

// sequenceNumber writes a record's number as Kinesis does, in 56 digits: they
// grow within a shard, and no two shards have the same.
func (s *shard) sequenceNumber(n uint64) string {
	return fmt.Sprintf("%s%016d%034d%04d", sequencePrefix, s.epoch, n, s.index)
}

// sequencePrefix begins the sequence numbers of Kinesis.
const sequencePrefix = "49"

// parseSequence takes a sequence number of the shard apart. It may be one of a
// stream of the same name that was there before: then epoch is not the shard's.
func (s *shard) parseSequence(text string) (epoch int64, n uint64, err error) {
	digits, ours := strings.CutPrefix(text, sequencePrefix)
	if ours && len(digits) == 54 && digits[50:] == fmt.Sprintf("%04d", s.index) {
		epoch, err = strconv.ParseInt(digits[:16], 10, 64)
		if err == nil {
			n, err = strconv.ParseUint(digits[16:50], 10, 64)
		}
		if err == nil {
			return epoch, n, nil
		}
	}
	return 0, 0, fmt.Errorf("%q is not a sequence number of shard %s", clip(text), s.id())
}

// numberOf reads a sequence number that a client gives.
func (s *shard) numberOf(text string) (uint64, error) {
	epoch, n, err := s.parseSequence(text)
	if err != nil || epoch != s.epoch {
		return 0, invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s is invalid because it did not come from this stream.", clip(text), s.id())
	}
	return n, nil
}

func (s *shard) emptiedTo() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emptied
}
