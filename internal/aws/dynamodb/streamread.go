package dynamodb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Limits of one read of a stream.
const (
	maxStreamRecords = 1000
	// maxStreamBytes ends a read: the record that reaches it is the last.
	maxStreamBytes = 1 << 20
)

// streamRetention is how long records are kept.
const streamRetention = 24 * time.Hour

// ErrNoStream tells that there is no stream of that name, or no more: its
// table or it was removed, and the day that its records are kept for is over.
var ErrNoStream = errors.New("dynamodb: no such stream")

// ErrTrimmed tells that records after the place to read from are no longer
// there: they are older than a day, or the stream was made anew by Reset. A
// reader goes on from 0.
var ErrTrimmed = errors.New("dynamodb: the records to read are no longer in the stream")

// Stream reads a table's stream from inside of this program, as an event
// source mapping does. It is a name and holds nothing open; its methods may be
// called together and fail with ErrNoStream once the stream has gone.
//
// A stream has one shard, in which the changes of all items follow each other
// as they were committed. To read it all:
//
//	after := position // 0 is before the oldest record
//	for {
//		records, ended, err := stream.Read(after, 100)
//		…handle records, and keep the last one's Sequence as after…
//		if len(records) == 0 && ended {
//			return
//		}
//		if len(records) == 0 {
//			err = stream.Await(ctx, after)
//		}
//	}
type Stream struct {
	s   *Service
	arn string
}

// Stream returns the stream with the ARN. The error is ErrNoStream.
func (s *Service) Stream(arn string) (*Stream, error) {
	st := &Stream{s, arn}
	_, err := st.find()
	return st, err
}

// ARN is the stream's name.
func (st *Stream) ARN() string { return st.arn }

func (st *Stream) find() (*stream, error) {
	if found := st.s.streamNamed(st.arn); found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoStream, st.arn)
}

// streamNamed returns the stream with the ARN, or nil.
func (s *Service) streamNamed(arn string) *stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, st := range s.streams {
		if st.ARN == arn {
			return st
		}
	}
	return nil
}

// Shard is the name of the stream's only shard.
func (st *Stream) Shard() (string, error) {
	found, err := st.find()
	if err != nil {
		return "", err
	}
	return found.shard(), nil
}

// Latest is the sequence of the newest record: reading after it is what the
// starting position LATEST means. It is zero when there never was a record.
func (st *Stream) Latest() (sequence uint64, err error) {
	found, err := st.find()
	if err != nil {
		return 0, err
	}
	err = st.s.store.view(func(tx *bbolt.Tx) error {
		records := found.records(tx)
		if records == nil {
			return ErrNoStream
		}
		sequence = records.Sequence()
		return nil
	})
	return sequence, err
}

// Read returns up to limit records that come after a sequence, oldest first; 0
// reads from the oldest record that is left. limit is at most 1,000, and zero
// means that; a read of more than 1 MB of items ends early. It does not wait:
// no records means that there are none yet, or, when ended is true, that there
// will be none any more. The error is ErrNoStream or ErrTrimmed.
func (st *Stream) Read(after uint64, limit int) (records []StreamRecord, ended bool, err error) {
	found, err := st.find()
	if err != nil {
		return nil, false, err
	}
	return st.s.readStream(found, after, limit)
}

func (s *Service) readStream(st *stream, after uint64, limit int) (out []StreamRecord, ended bool, err error) {
	if limit <= 0 || limit > maxStreamRecords {
		limit = maxStreamRecords
	}
	err = s.store.view(func(tx *bbolt.Tx) error {
		records := st.records(tx)
		if records == nil {
			return ErrNoStream
		}
		if after > records.Sequence() {
			return ErrTrimmed
		}
		c := records.Cursor()
		if first, _ := c.First(); after != 0 && after < records.Sequence() && (first == nil || binary.BigEndian.Uint64(first) > after+1) {
			return ErrTrimmed
		}
		bytes := 0
		key, value := c.Seek(binary.BigEndian.AppendUint64(nil, after+1))
		for ; key != nil && len(out) < limit && bytes < maxStreamBytes; key, value = c.Next() {
			r, err := st.decodeRecord(key, value)
			if err != nil {
				return fmt.Errorf("read stream %s: %w", st.ARN, err)
			}
			out = append(out, r)
			bytes += r.SizeBytes()
		}
		ended = !st.Ended.IsZero() && key == nil
		return nil
	})
	return out, ended, err
}

// Await returns when there is a record after the sequence, when the stream has
// ended, or with ctx's error when ctx ends. The error may be ErrNoStream.
func (st *Stream) Await(ctx context.Context, after uint64) error {
	for {
		found, err := st.find()
		if err != nil {
			return err
		}
		changed := found.news.next() // before looking, so that nothing slips through
		if found, err = st.find(); err != nil {
			return err
		}
		there, err := st.s.hasRecord(found, after)
		if err != nil || there || !found.Ended.IsZero() {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hasRecord reports whether there is a record after the sequence.
func (s *Service) hasRecord(st *stream, after uint64) (there bool, err error) {
	err = s.store.view(func(tx *bbolt.Tx) error {
		records := st.records(tx)
		if records == nil {
			return ErrNoStream
		}
		key, _ := records.Cursor().Seek(binary.BigEndian.AppendUint64(nil, after+1))
		there = key != nil
		return nil
	})
	return there, err
}

// Position returns the sequence that SetPosition kept for a reader, 0 if none.
func (st *Stream) Position(reader string) (after uint64, err error) {
	found, err := st.find()
	if err != nil {
		return 0, err
	}
	err = st.s.store.view(func(tx *bbolt.Tx) error {
		own := found.open(tx)
		if own == nil {
			return ErrNoStream
		}
		if readers := own.Bucket(readersBucket); readers != nil {
			if kept := readers.Get([]byte(reader)); len(kept) == 8 {
				after = binary.BigEndian.Uint64(kept)
			}
		}
		return nil
	})
	return after, err
}

// SetPosition keeps the sequence of the last record that a reader has dealt
// with, as durably as a write of an item. It goes with the stream. The
// reader's name must not be empty.
func (st *Stream) SetPosition(ctx context.Context, reader string, after uint64) error {
	found, err := st.find()
	if err != nil {
		return err
	}
	return st.s.store.update(ctx, &write{run: func(tx *writeTx) error {
		own := found.open(tx.Tx)
		if own == nil {
			return ErrNoStream
		}
		tx.wrote = true
		readers, err := own.CreateBucketIfNotExists(readersBucket)
		if err != nil {
			return fmt.Errorf("open the readers of stream %s: %w", found.ARN, err)
		}
		return readers.Put([]byte(reader), binary.BigEndian.AppendUint64(nil, after))
	}})
}
