package dynamodb

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// A table's stream lies in a bucket of its own beside the table's, because it
// outlives the table by a day. In it are what is known about the stream, its
// records by their sequence numbers, and how far named readers have come. Each
// stream has one shard.
var (
	streamsBucket = []byte("streams")
	streamInfoKey = []byte("info")
	recordsBucket = []byte("records")
	readersBucket = []byte("readers")
)

// streamLabelForm is the form of the label that ends a stream's ARN.
const streamLabelForm = "2006-01-02T15:04:05.000"

// streamInfo is what is stored about a stream.
type streamInfo struct {
	Number  uint64    `json:"number"`
	ARN     string    `json:"arn"`
	View    string    `json:"view"`
	Table   tableName `json:"table"`
	Keys    keySchema `json:"keys"`
	Created time.Time `json:"created"`
	// Ended is when the stream or its table was removed; zero while it goes on.
	Ended time.Time `json:"ended,omitzero"`
}

type tableName struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

// stream is a table's stream as it is in use. It is never changed, but
// replaced; its news stay the same.
type stream struct {
	streamInfo
	bucket []byte
	news   *news
}

func newStream(info streamInfo, n *news) *stream {
	return &stream{streamInfo: info, bucket: binary.BigEndian.AppendUint64(nil, info.Number), news: n}
}

// label is the last part of the ARN.
func (st *stream) label() string { return streamLabel(st.ARN) }

func streamLabel(arn string) string {
	_, label, _ := strings.Cut(arn, "/stream/")
	return label
}

// shard is the name of the stream's shard.
func (st *stream) shard() string {
	return fmt.Sprintf("shardId-%020d-%08x", st.Created.UnixMilli(), st.Number)
}

// loadStreams reads what streams there are.
func loadStreams(s *store) (map[uint64]*stream, error) {
	streams := make(map[uint64]*stream)
	err := s.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(streamsBucket)
		if root == nil {
			return nil
		}
		return root.ForEachBucket(func(name []byte) error {
			var info streamInfo
			if err := json.Unmarshal(root.Bucket(name).Get(streamInfoKey), &info); err != nil {
				return fmt.Errorf("read stream %x: %w", name, err)
			}
			streams[info.Number] = newStream(info, newNews())
			return nil
		})
	})
	return streams, err
}

// begin makes the stream that t declares, and notes it in t, which nobody else
// knows yet. A stream that ended under the same name is lost.
func (t *table) begin(tx *writeTx, streams map[uint64]*stream) (*stream, error) {
	tx.wrote = true
	root, err := tx.CreateBucketIfNotExists(streamsBucket)
	if err != nil {
		return nil, fmt.Errorf("open streams: %w", err)
	}
	info := streamInfo{ARN: t.StreamARN, View: t.StreamView, Table: tableName{t.id.account, t.id.region, t.id.name}, Keys: t.keys, Created: time.Now()}
	if !strings.HasPrefix(info.ARN, t.ARN+"/stream/") {
		info.ARN = t.freshStreamARN(info.Created, streams)
	}
	for number, other := range streams {
		if other.ARN != info.ARN {
			continue
		}
		if err := root.DeleteBucket(other.bucket); err != nil {
			return nil, fmt.Errorf("remove stream %d: %w", number, err)
		}
	}
	if info.Number, err = root.NextSequence(); err != nil {
		return nil, fmt.Errorf("number the stream of table %s: %w", t.Name, err)
	}
	t.Stream, t.StreamARN = info.Number, info.ARN
	st := newStream(info, newNews())
	own, err := root.CreateBucket(st.bucket)
	if err != nil {
		return nil, fmt.Errorf("create the stream of table %s: %w", t.Name, err)
	}
	if _, err := own.CreateBucket(recordsBucket); err != nil {
		return nil, fmt.Errorf("create the stream of table %s: %w", t.Name, err)
	}
	return st, st.save(tx)
}

// freshStreamARN names a stream by the time. Two within a millisecond do not
// get the same name.
func (t *table) freshStreamARN(at time.Time, streams map[uint64]*stream) string {
	for ; ; at = at.Add(time.Millisecond) {
		arn := t.ARN + "/stream/" + at.UTC().Format(streamLabelForm)
		if !slices.ContainsFunc(slices.Collect(maps.Values(streams)), func(st *stream) bool { return st.ARN == arn }) {
			return arn
		}
	}
}

// end notes that the stream gets no more records.
func (st *stream) end(tx *writeTx) (*stream, error) {
	tx.wrote = true
	info := st.streamInfo
	info.Ended = time.Now()
	ended := newStream(info, st.news)
	return ended, ended.save(tx)
}

func (st *stream) save(tx *writeTx) error {
	text, err := json.Marshal(st.streamInfo)
	if err != nil {
		return fmt.Errorf("encode stream %s: %w", st.ARN, err)
	}
	return tx.Bucket(streamsBucket).Bucket(st.bucket).Put(streamInfoKey, text)
}

// records opens the stream's records; nil when the stream has gone.
func (st *stream) records(tx *bbolt.Tx) *bbolt.Bucket {
	own := st.open(tx)
	if own == nil {
		return nil
	}
	return own.Bucket(recordsBucket)
}

func (st *stream) open(tx *bbolt.Tx) *bbolt.Bucket {
	root := tx.Bucket(streamsBucket)
	if root == nil {
		return nil
	}
	return root.Bucket(st.bucket)
}

// streaming is what a change of a table means for its stream: one that ends,
// one that begins, or neither.
type streaming struct{ ended, begun *stream }

// follow ends the stream of the table as it was and begins the one that the
// next declares, if they differ. Either may be nil: a table that comes or goes.
func (s *Service) follow(tx *writeTx, old, next *table) (c streaming, err error) {
	had, has := "", ""
	if old != nil {
		had = old.StreamView
	}
	if next != nil {
		has = next.StreamView
	}
	if had == has {
		return streaming{}, nil
	}
	streams := s.allStreams()
	if st := streams[streamNumber(old)]; had != "" && st != nil {
		if c.ended, err = st.end(tx); err != nil {
			return c, err
		}
	}
	if has != "" {
		c.begun, err = next.begin(tx, streams)
	}
	return c, err
}

func streamNumber(t *table) uint64 {
	if t == nil {
		return 0
	}
	return t.Stream
}

// allStreams returns a copy of the streams there are.
func (s *Service) allStreams() map[uint64]*stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.streams)
}

// streamOf returns the table's running stream, or nil.
func (s *Service) streamOf(t *table) *stream {
	if t.StreamView == "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.streams[t.Stream]
}

// setStreams makes a change of streams known and wakes those who wait for
// them. The caller holds s.mu.
func (s *Service) setStreamsLocked(c streaming) {
	if c.begun != nil {
		for number, st := range s.streams {
			if st.ARN == c.begun.ARN {
				delete(s.streams, number)
				st.news.tell()
			}
		}
		s.streams[c.begun.Number] = c.begun
	}
	if c.ended != nil && s.streams[c.ended.Number] != nil {
		s.streams[c.ended.Number] = c.ended
		c.ended.news.tell()
	}
}
