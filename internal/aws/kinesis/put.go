package kinesis

import (
	"context"
	"encoding/binary"
	"errors"
	"math/big"
	"regexp"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

type putRecordInput struct {
	StreamName, StreamARN, PartitionKey, ExplicitHashKey string
	SequenceNumberForOrdering                            string
	Data                                                 []byte
}

type putRecordOutput struct {
	ShardId, SequenceNumber string
	EncryptionType          string `json:",omitempty"`
}

func putRecord(ctx context.Context, c *caller, in *putRecordInput) (*putRecordOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	st.putting.RLock()
	defer st.putting.RUnlock()
	to, entry, err := st.entry(putEntry{in.Data, in.PartitionKey, in.ExplicitHashKey})
	if err != nil {
		return nil, err
	}
	w := to.journal.Append(entry).Wait()[0]
	if w.Err != nil && st.hasEnded() {
		return nil, noStream(st.Name, c.account)
	}
	if w.Err != nil {
		return nil, w.Err
	}
	to.wrote(w.Sequence)
	return &putRecordOutput{ShardId: to.id(), SequenceNumber: to.sequenceNumber(w.Sequence)}, nil
}

// putEntry is one record of a call.
type putEntry struct {
	Data                          []byte
	PartitionKey, ExplicitHashKey string
}

type putRecordsInput struct {
	StreamName, StreamARN string
	Records               []putEntry
}

type putRecordsOutput struct {
	FailedRecordCount int
	Records           []putResult
}

type putResult struct {
	ShardId        string `json:",omitempty"`
	SequenceNumber string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

// putRecords stores the records of a call, those of a shard in their order. One
// that the store does not take fails alone, as on AWS.
func putRecords(ctx context.Context, c *caller, in *putRecordsInput) (*putRecordsOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if n := len(in.Records); n < 1 || n > maxPutRecords {
		return nil, invalid("1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length from 1 to %d, and has %d", maxPutRecords, n)
	}
	st.putting.RLock()
	defer st.putting.RUnlock()
	shards, receipts, size := make([]*shard, len(in.Records)), make([]*bus.Receipts, len(in.Records)), 0
	entries := make([]bus.Entry, len(in.Records))
	for i, r := range in.Records {
		if shards[i], entries[i], err = st.entry(r); err != nil {
			return nil, err
		}
		size += len(r.Data) + len(r.PartitionKey)
	}
	if size > maxPutBytes {
		return nil, invalid("Records size exceeds 10 MB limit")
	}
	for i := range entries {
		receipts[i] = shards[i].journal.Append(entries[i])
	}
	out := &putRecordsOutput{Records: make([]putResult, len(entries))}
	for i, r := range receipts {
		w := r.Wait()[0]
		if w.Err != nil {
			out.FailedRecordCount++
			out.Records[i] = putResult{ErrorCode: "InternalFailure", ErrorMessage: "Internal service failure."}
			if !st.hasEnded() {
				c.config.Log.Error("a record cannot be stored", "stream", st.Name, "error", w.Err)
			}
			continue
		}
		shards[i].wrote(w.Sequence)
		out.Records[i] = putResult{ShardId: shards[i].id(), SequenceNumber: shards[i].sequenceNumber(w.Sequence)}
	}
	return out, nil
}

// entry checks a record and finds its shard. Call with putting held.
func (st *stream) entry(r putEntry) (*shard, bus.Entry, error) {
	switch n := utf8.RuneCountInString(r.PartitionKey); {
	case n < 1 || n > maxKey:
		return nil, bus.Entry{}, invalid("1 validation error detected: Value at 'partitionKey' failed to satisfy constraint: Member must have length from 1 to %d, and has %d", maxKey, n)
	case len(r.Data)+len(r.PartitionKey) > MaxRecord:
		return nil, bus.Entry{}, invalid("1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to %d", MaxRecord)
	}
	key := hashKey(r.PartitionKey)
	if r.ExplicitHashKey != "" {
		given, ok := new(big.Int), decimal.MatchString(r.ExplicitHashKey)
		if ok {
			given.SetString(r.ExplicitHashKey, 10)
		}
		if !ok || given.Cmp(keys) >= 0 {
			return nil, bus.Entry{}, invalid("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", clip(r.ExplicitHashKey))
		}
		key = given
	}
	return st.shardFor(key), bus.Entry{Data: seal(r)}, nil
}

// decimal is the form of a hash key: no more digits than 128 bits have.
var decimal = regexp.MustCompile(`^(0|[1-9][0-9]{0,38})$`)

// seal puts a record into one piece: the key with its length, then the data.
func seal(r putEntry) []byte {
	b := binary.AppendUvarint(nil, uint64(len(r.PartitionKey)))
	b = append(b, r.PartitionKey...)
	return append(b, r.Data...)
}

var errDamaged = errors.New("a stored record is damaged")

func unseal(b []byte) (key string, data []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, errDamaged
	}
	return string(b[used : used+int(n)]), b[used+int(n):], nil
}
