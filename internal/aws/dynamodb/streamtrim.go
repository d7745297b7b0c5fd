package dynamodb

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// trimInterval is how often records that are too old are looked for.
	trimInterval = time.Minute
	// trimBatch is how many one transaction removes.
	trimBatch = 1000
)

// trim removes records older than a day, and streams that ended before.
func (s *Service) trim(ctx context.Context, now time.Time) {
	horizon := now.Add(-streamRetention)
	for _, st := range s.allStreams() {
		var err error
		if !st.Ended.IsZero() && st.Ended.Before(horizon) {
			err = s.removeStream(ctx, st)
		} else {
			err = s.trimStream(ctx, st, horizon)
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("cannot trim a stream", "stream", st.ARN, "error", err)
		}
	}
}

// removeStream forgets a stream.
func (s *Service) removeStream(ctx context.Context, st *stream) error {
	return s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) error {
			if st.open(tx.Tx) == nil {
				return nil
			}
			tx.wrote = true
			return tx.Bucket(streamsBucket).DeleteBucket(st.bucket)
		},
		committed: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.streams, st.Number)
			st.news.tell()
		},
	})
}

func (s *Service) trimStream(ctx context.Context, st *stream, horizon time.Time) error {
	for {
		old, err := s.oldRecords(st, horizon)
		if err != nil || len(old) == 0 {
			return err
		}
		err = s.store.update(ctx, &write{run: func(tx *writeTx) error {
			records := st.records(tx.Tx)
			if records == nil {
				return nil
			}
			tx.wrote = true
			for _, key := range old {
				if err := records.Delete(key); err != nil {
					return fmt.Errorf("trim stream %s: %w", st.ARN, err)
				}
			}
			return nil
		}})
		if err != nil || len(old) < trimBatch {
			return err
		}
	}
}

// oldRecords returns the keys of the next records to remove.
func (s *Service) oldRecords(st *stream, horizon time.Time) (keys [][]byte, err error) {
	err = s.store.view(func(tx *bbolt.Tx) error {
		records := st.records(tx)
		if records == nil {
			return nil
		}
		c := records.Cursor()
		for key, value := c.First(); key != nil && len(keys) < trimBatch && recordTime(value).Before(horizon); key, value = c.Next() {
			keys = append(keys, bytes.Clone(key))
		}
		return nil
	})
	return keys, err
}
