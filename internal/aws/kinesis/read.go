package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// Position is a place in a shard. The zero value is the oldest record that is
// left.
type Position struct {
	// After is the sequence number of the record before the place. When it is ""
	// the others say where it is.
	After string
	// Latest is the place of what comes from now on.
	Latest bool
	// From, when set, is the place of the first record from this time on.
	From time.Time
}

// Reading is what one read has found.
type Reading struct {
	Records []Record
	// Next is where to go on: its After is always set.
	Next Position
	// Trimmed is true when records before these were too old and are lost.
	Trimmed bool
	// Ended is true when the shard was closed, and has no more records behind these.
	Ended bool
}

// Shard is one shard of a stream, with the ids of those that it continues.
type Shard struct {
	ID      string
	Parents []string
	// Open is true while it takes records.
	Open bool
}

// Shards returns the shards of the stream with this ARN that have records or may
// get some, parents before their children.
func (s *Service) Shards(arn string) ([]Shard, error) {
	st, err := s.stream(arn)
	if err != nil {
		return nil, err
	}
	var all []Shard
	for _, sh := range st.listed() {
		p := st.plan(sh)
		one := Shard{ID: sh.id(), Open: !p.isClosed()}
		for _, parent := range p.Parents {
			one.Parents = append(one.Parents, shardID(parent))
		}
		all = append(all, one)
	}
	return all, nil
}

// The errors of Shards and Read for a stream, or a shard of it, that is not there.
var (
	ErrNoStream = errors.New("there is no such stream")
	ErrNoShard  = errors.New("the stream has no such shard")
)

func (s *Service) stream(arn string) (*stream, error) {
	st, ok := s.find(arn)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoStream, clip(arn))
	}
	return st, nil
}

// Read returns up to most records of a shard from a position on, oldest first,
// and waits up to wait for the first. It returns none when the wait is over, ctx
// or the service has ended, or the stream was deleted. A position of a stream of
// the same name that was deleted leads to the oldest record of this one.
func (s *Service) Read(ctx context.Context, arn, shardID string, from Position, most int, wait time.Duration) (Reading, error) {
	done, err := s.begin()
	if err != nil {
		return Reading{}, err
	}
	defer done()
	st, err := s.stream(arn)
	if err != nil {
		return Reading{}, err
	}
	sh, err := st.shard(shardID)
	if err != nil {
		return Reading{}, fmt.Errorf("%w: %w", ErrNoShard, err)
	}
	after, err := sh.locate(ctx, from)
	if err != nil {
		return Reading{}, err
	}
	if s.await(ctx, st, sh, after, wait) {
		return st.read(ctx, sh, after, most)
	}
	return Reading{Next: Position{After: sh.sequenceNumber(after)}, Ended: st.through(sh, after)}, nil
}

// through reports whether nothing comes after a place.
func (st *stream) through(sh *shard, after uint64) bool {
	closed := st.plan(sh).isClosed() // first: from then on there is nothing newer
	last, _ := sh.newest()
	return closed && after >= last
}

// await waits for a record after a place, and reports whether there is one.
func (s *Service) await(ctx context.Context, st *stream, sh *shard, after uint64, wait time.Duration) bool {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		last, more := sh.newest()
		if last > after {
			return true
		}
		if st.through(sh, after) {
			return false
		}
		select {
		case <-more:
		case <-limit.C:
			return false
		case <-ctx.Done():
			return false
		case <-s.done:
			return false
		case <-st.ended:
			return false
		}
	}
}

// read reads the records after a place.
func (st *stream) read(ctx context.Context, sh *shard, after uint64, most int) (Reading, error) {
	last, _ := sh.newest() // first: a record that comes during the read is not too old
	records, err := sh.records(ctx, after+1, min(most, maxGetRecords))
	if err != nil && st.hasEnded() {
		records, err = nil, nil
	}
	if err != nil {
		return Reading{}, err
	}
	r := Reading{Records: records}
	if len(records) > 0 {
		r.Trimmed = after > 0 && records[0].number > max(after, sh.emptiedTo())+1
		after = records[len(records)-1].number
	} else if last > after { // all of them were too old
		after = last
	}
	keep := st.now().Retention
	for i := range records {
		records[i].Expires = records[i].Arrived.Add(keep)
	}
	r.Next.After, r.Ended = sh.sequenceNumber(after), st.through(sh, after)
	return r, nil
}

// locate returns the number of the record before a position, 0 for none.
func (s *shard) locate(ctx context.Context, at Position) (after uint64, err error) {
	switch {
	case at.After != "":
		epoch, n, err := s.parseSequence(at.After)
		if epoch != s.epoch {
			n = 0
		}
		return n, err
	case at.Latest:
		last, _ := s.newest()
		return last, nil
	case !at.From.IsZero():
		return s.before(ctx, at.From)
	}
	return 0, nil
}

// before returns the number of the last record that is older than a time.
func (s *shard) before(ctx context.Context, at time.Time) (after uint64, err error) {
	for {
		records, err := s.records(ctx, after+1, maxGetRecords)
		if err != nil || len(records) == 0 {
			return after, err
		}
		for _, r := range records {
			if !r.Arrived.Before(at) {
				return after, nil
			}
			after = r.number
		}
	}
}

// records reads from a place on.
func (s *shard) records(ctx context.Context, from uint64, most int) ([]Record, error) {
	stored, err := s.journal.Range(ctx, from, most, maxGetBytes)
	if err != nil {
		return nil, err
	}
	all := make([]Record, len(stored))
	for i, r := range stored {
		if all[i], err = s.record(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *shard) record(r bus.Recorded) (Record, error) {
	key, data, err := unseal(r.Data)
	return Record{Shard: s.id(), SequenceNumber: s.sequenceNumber(r.Sequence), PartitionKey: key, Data: data, Arrived: r.At, number: r.Sequence}, err
}

// iterator is a place in a shard that a client holds. It need not be secret: who
// makes one up reads what GetShardIterator would let them read.
type iterator struct {
	ARN   string    `json:"a"`
	Shard string    `json:"s"`
	Next  uint64    `json:"n"`          // the first place to read
	At    time.Time `json:"t,omitzero"` // records from this time on, when set
	Made  time.Time `json:"m"`
}

func (it iterator) String() string { return base64.URLEncoding.EncodeToString(awswire.MarshalJSON(it)) }

// maxIterator is how long an iterator can be.
const maxIterator = 1024

func parseIterator(text string) (it iterator, err error) {
	if len(text) > maxIterator {
		return it, invalid("Invalid ShardIterator.")
	}
	data, err := base64.URLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &it)
	}
	if err != nil || it.ARN == "" {
		return it, invalid("Invalid ShardIterator.")
	}
	if time.Since(it.Made).Abs() > iteratorLife {
		return it, fault("ExpiredIteratorException", "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
			it.Made.UTC().Format(time.RFC1123), time.Now().UTC().Format(time.RFC1123), iteratorLife.Milliseconds())
	}
	return it, nil
}

type getShardIteratorInput struct {
	StreamName, StreamARN, ShardId, ShardIteratorType, StartingSequenceNumber string
	Timestamp                                                                 *float64
}

type getShardIteratorOutput struct{ ShardIterator string }

func getShardIterator(ctx context.Context, c *caller, in *getShardIteratorInput) (*getShardIteratorOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	sh, err := st.shard(in.ShardId)
	if err != nil {
		return nil, err
	}
	it := iterator{ARN: st.ARN, Shard: in.ShardId, Next: 1, Made: time.Now().UTC()}
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
	case "LATEST":
		last, _ := sh.newest()
		it.Next = last + 1
	case "AT_TIMESTAMP":
		if in.Timestamp == nil {
			return nil, invalid("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
		}
		it.At = time.UnixMilli(int64(*in.Timestamp * 1000)).UTC()
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		if it.Next, err = sh.numberOf(in.StartingSequenceNumber); err != nil {
			return nil, err
		}
		if in.ShardIteratorType == "AFTER_SEQUENCE_NUMBER" {
			it.Next++
		}
	default:
		return nil, invalid("1 validation error detected: Value '%s' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]", clip(in.ShardIteratorType))
	}
	return &getShardIteratorOutput{it.String()}, nil
}

type getRecordsInput struct {
	ShardIterator, StreamARN string
	Limit                    *int
}

// getRecordsOutput has no NextShardIterator, and the shards that continue, at the
// end of a shard that was closed.
type getRecordsOutput struct {
	Records            []recordOutput
	NextShardIterator  string `json:",omitempty"`
	MillisBehindLatest int64
	ChildShards        []childShard `json:",omitempty"`
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange map[string]string
}

type recordOutput struct {
	ApproximateArrivalTimestamp float64
	Data                        []byte
	PartitionKey                string
	SequenceNumber              string
}

func getRecords(ctx context.Context, c *caller, in *getRecordsInput) (*getRecordsOutput, error) {
	most := maxGetRecords
	if in.Limit != nil {
		most = *in.Limit
	}
	if most < 1 || most > maxGetRecords {
		return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value from 1 to %d", most, maxGetRecords)
	}
	it, err := parseIterator(in.ShardIterator)
	if err != nil {
		return nil, err
	}
	st, err := c.lookup("", it.ARN)
	if err != nil {
		return nil, err
	}
	sh, err := st.shard(it.Shard)
	if err != nil {
		return nil, err
	}
	records, err := sh.records(ctx, max(it.Next, 1), most)
	if err != nil {
		return nil, err
	}
	out := &getRecordsOutput{Records: []recordOutput{}}
	next := iterator{ARN: it.ARN, Shard: it.Shard, Next: it.Next, At: it.At, Made: time.Now().UTC()}
	for _, r := range records {
		next.Next = r.number + 1
		if r.Arrived.Before(it.At) {
			continue
		}
		next.At = time.Time{}
		out.Records = append(out.Records, recordOutput{
			ApproximateArrivalTimestamp: float64(r.Arrived.UnixMilli()) / 1000, Data: r.Data, PartitionKey: r.PartitionKey, SequenceNumber: r.SequenceNumber,
		})
	}
	if last, _ := sh.newest(); last >= next.Next && len(records) > 0 {
		out.MillisBehindLatest = max(time.Since(records[len(records)-1].Arrived).Milliseconds(), 1)
	}
	if st.through(sh, max(next.Next, 1)-1) {
		for _, child := range st.children(sh) {
			p := st.plan(child)
			one := childShard{ShardId: child.id(), HashKeyRange: p.hashKeyRange()}
			for _, parent := range p.Parents {
				one.ParentShards = append(one.ParentShards, shardID(parent))
			}
			out.ChildShards = append(out.ChildShards, one)
		}
		return out, nil
	}
	out.NextShardIterator = next.String()
	return out, nil
}
