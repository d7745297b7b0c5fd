package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// Record is one record of a shard.
type Record struct {
	// Sequence is the record's place in its shard, SequenceNumber the same as
	// Kinesis writes it.
	Sequence       uint64
	SequenceNumber string
	PartitionKey   string
	Data           []byte
	// Arrived is the approximate time of arrival.
	Arrived time.Time
}

// Shard is one shard of a stream.
type Shard struct{ ID string }

// Shards returns the shards of the stream with this ARN.
func (s *Service) Shards(arn string) ([]Shard, error) {
	st, ok := s.find(arn)
	if !ok {
		return nil, fault("ResourceNotFoundException", "There is no stream %s.", clip(arn))
	}
	var all []Shard
	for _, sh := range st.shards {
		all = append(all, Shard{ID: sh.id()})
	}
	return all, nil
}

// Latest returns the place of a shard's newest record, 0 when it never had one:
// reading after it gives what comes from now on.
func (s *Service) Latest(arn, shardID string) (uint64, error) {
	_, sh, err := s.shardOf(arn, shardID)
	if err != nil {
		return 0, err
	}
	last, _ := sh.newest()
	return last, nil
}

func (s *Service) shardOf(arn, shardID string) (*stream, *shard, error) {
	st, ok := s.find(arn)
	if !ok {
		return nil, nil, fault("ResourceNotFoundException", "There is no stream %s.", clip(arn))
	}
	sh, err := st.shard(shardID)
	return st, sh, err
}

// Read returns up to most records of a shard that come after a place, oldest
// first, and waits up to wait for the first. After 0 is from the oldest that is
// still there. It returns nothing when the wait is over, ctx or the service has
// ended, or the stream was deleted.
func (s *Service) Read(ctx context.Context, arn, shardID string, after uint64, most int, wait time.Duration) ([]Record, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	st, sh, err := s.shardOf(arn, shardID)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		last, more := sh.newest()
		if last > after {
			return sh.records(ctx, after+1, min(most, maxGetRecords))
		}
		select {
		case <-more:
		case <-limit.C:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		case <-s.done:
			return nil, nil
		case <-st.ended:
			return nil, nil
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
	return Record{Sequence: r.Sequence, SequenceNumber: s.sequenceNumber(r.Sequence), PartitionKey: key, Data: data, Arrived: r.At}, err
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

func parseIterator(text string) (it iterator, err error) {
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
		if it.Next, err = sh.parseSequence(in.StartingSequenceNumber); err != nil {
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

type getRecordsOutput struct {
	Records            []recordOutput
	NextShardIterator  string
	MillisBehindLatest int64
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
	_, sh, err := c.shardOf(it.ARN, it.Shard)
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
		next.Next = r.Sequence + 1
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
	out.NextShardIterator = next.String()
	return out, nil
}
