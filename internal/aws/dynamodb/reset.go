package dynamodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/internal/uuid"
	"github.com/gatepost-dev/gatepost/stack"
)

// Reset removes all tables of all accounts and regions with their items and
// streams, and what transactions remember. The tables that EnsureTable has set
// up since Open are there again when it returns, empty, in the same commit. It
// may be called together with anything; calls under way end before it or find
// the tables empty.
func (s *Service) Reset(ctx context.Context) error {
	var tables map[tableID]*table
	var streams map[uint64]*stream
	err := s.store.update(ctx, &write{
		alone: true,
		run: func(tx *writeTx) (err error) {
			if err := removeAll(tx); err != nil {
				return err
			}
			tables, streams, err = s.setUp(tx)
			return err
		},
		committed: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, st := range s.streams {
				st.news.tell()
			}
			s.tables, s.streams = tables, streams
		},
	})
	if err != nil {
		return fmt.Errorf("reset the tables: %w", err)
	}
	return nil
}

// removeAll removes everything from the file. Numbers of tables and streams are
// not used again.
func removeAll(tx *writeTx) error {
	tx.wrote = true
	numbers := make(map[string]uint64)
	var names [][]byte
	for _, b := range [][]byte{schemasBucket, streamsBucket} {
		if bucket := tx.Bucket(b); bucket != nil {
			numbers[string(b)] = bucket.Sequence()
		}
	}
	c := tx.Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		names = append(names, slices.Clone(name))
	}
	for _, name := range names {
		if err := tx.DeleteBucket(name); err != nil {
			return fmt.Errorf("remove %q: %w", name, err)
		}
	}
	for name, number := range numbers {
		bucket, err := tx.CreateBucket([]byte(name))
		if err != nil {
			return fmt.Errorf("create %q: %w", name, err)
		}
		if err := bucket.SetSequence(number); err != nil {
			return err
		}
	}
	return nil
}

// setUp makes the tables that EnsureTable was called for.
func (s *Service) setUp(tx *writeTx) (map[tableID]*table, map[uint64]*stream, error) {
	tables, streams := make(map[tableID]*table), make(map[uint64]*stream)
	for id, declared := range s.declaredTables() {
		r := record{Billing: billing{Mode: perRequest}, Table: declared}
		r.ARN, r.Account, r.Region, r.UUID, r.Created = id.arn(), id.account, id.region, uuid.New(), time.Now()
		t, err := newTable(r).create(tx)
		if err != nil {
			return nil, nil, err
		}
		if t.StreamView != "" {
			st, err := t.begin(tx, streams)
			if err != nil {
				return nil, nil, err
			}
			streams[st.Number] = st
			if err := t.save(tx); err != nil {
				return nil, nil, err
			}
		}
		tables[id] = t
	}
	return tables, streams, nil
}

func (s *Service) declaredTables() map[tableID]stack.Table {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.declared)
}
