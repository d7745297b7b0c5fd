package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"go.etcd.io/bbolt"
)

const (
	// sweepInterval is how often expired items are looked for; until then an
	// expired item is read like any other.
	sweepInterval = time.Second
	// sweepBatch is how many items one transaction deletes, so that writes
	// need not wait long.
	sweepBatch = 100
	// oldestExpiry is how far in the past an expiry time may lie and still
	// count.
	oldestExpiry = 5 * 365 * 24 * time.Hour
)

// expiryKey is the key of an item's entry among the expiry times: seconds
// since the epoch and the item's key. It is nil for an item that does not
// expire.
func (t *table) expiryKey(key []byte, item attribute.Map) []byte {
	n, ok := item.Get(t.TTLAttribute).(attribute.Number)
	if !ok {
		return nil
	}
	at, ok := n.Int64()
	if !ok || at < 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), uint64(at)), key...)
}

// sweepLoop deletes expired items, and what streams and transactions need not
// remember any more, until ctx ends.
func (s *Service) sweepLoop(ctx context.Context) {
	sweep, trim := time.NewTicker(sweepInterval), time.NewTicker(trimInterval)
	defer sweep.Stop()
	defer trim.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			s.sweep(ctx, now)
		case now := <-trim.C:
			s.trim(ctx, now)
			s.forgetTokens(ctx, now)
		}
	}
}

// sweep deletes what has expired in all tables.
func (s *Service) sweep(ctx context.Context, now time.Time) {
	for _, t := range s.expiring() {
		deleted, err := s.sweepTable(ctx, t, now)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("cannot delete expired items", "table", t.Name, "error", err)
		}
		if deleted > 0 {
			s.cfg.Feed.Record(telemetry.Event{Kind: Expired, Source: t.Name, Text: fmt.Sprintf("%d expired items deleted", deleted)})
		}
	}
}

// expiring returns the tables that have a time to live.
func (s *Service) expiring() []*table {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var tables []*table
	for _, t := range s.tables {
		if t.TTLAttribute != "" {
			tables = append(tables, t)
		}
	}
	return tables
}

func (s *Service) sweepTable(ctx context.Context, t *table, now time.Time) (deleted int, err error) {
	for {
		due, err := s.due(t, now)
		if err != nil || len(due) == 0 {
			return deleted, err
		}
		n := 0
		err = s.store.update(ctx, &write{run: func(tx *writeTx) (err error) {
			n, err = s.expire(tx, t, due)
			return err
		}})
		deleted += n
		if err != nil || len(due) < sweepBatch {
			return deleted, err
		}
	}
}

// due returns the entries of the next items to delete.
func (s *Service) due(t *table, now time.Time) (keys [][]byte, err error) {
	low := binary.BigEndian.AppendUint64(nil, uint64(max(now.Add(-oldestExpiry).Unix(), 0)))
	high := binary.BigEndian.AppendUint64(nil, uint64(max(now.Add(-s.cfg.TTLDelay).Unix(), 0)))
	err = s.store.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(t.bucket)
		if root == nil {
			return nil
		}
		c := root.Bucket(expiryBucket).Cursor()
		for k, _ := c.Seek(low); k != nil && bytes.Compare(k, high) < 0 && len(keys) < sweepBatch; k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	return keys, err
}

// expire deletes the items of those entries that still stand.
func (s *Service) expire(tx *writeTx, t *table, due [][]byte) (deleted int, err error) {
	d, err := s.current(tx, t)
	if err != nil {
		return 0, nil // the table went with its items
	}
	d.byService = true
	for _, entry := range due {
		gone, err := d.expireEntry(entry)
		if err != nil {
			return deleted, err
		}
		if gone {
			deleted++
		}
	}
	return deleted, nil
}

// expireEntry deletes an entry's item, if the item still expires then. An
// entry that leads nowhere is removed, so that no sweep finds it again.
func (d *tableData) expireEntry(entry []byte) (gone bool, err error) {
	key := entry[8:]
	item, err := d.get(key)
	if err != nil {
		return false, err
	}
	if bytes.Equal(d.t.expiryKey(key, item), entry) {
		return true, d.delete(key)
	}
	d.tx.wrote = true
	return false, d.root.Bucket(expiryBucket).Delete(entry)
}

type timeToLive struct {
	AttributeName *string
	Enabled       *bool
}

func (s *Service) updateTimeToLive(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		TableName               *string
		TimeToLiveSpecification *timeToLive
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.tableName(in.TableName)
	spec := in.TimeToLiveSpecification
	if spec == nil {
		c.add(nil, "timeToLiveSpecification", notNull)
		spec = &timeToLive{}
	}
	c.length(spec.AttributeName, "timeToLiveSpecification.attributeName", 1, 255)
	if spec.Enabled == nil {
		c.add(nil, "timeToLiveSpecification.enabled", notNull)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	err := s.setTimeToLive(ctx, s.tableID(call, *in.TableName), *spec.AttributeName, *spec.Enabled)
	if err != nil {
		return nil, err
	}
	return map[string]any{"TimeToLiveSpecification": spec}, nil
}

// setTimeToLive turns a table's time to live on or off.
func (s *Service) setTimeToLive(ctx context.Context, id tableID, attributeName string, enable bool) error {
	return s.alter(ctx, id, func(r *record) error {
		switch {
		case enable && r.TTLAttribute == attributeName:
			return invalid("TimeToLive is already enabled")
		case enable && r.TTLAttribute != "":
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", r.TTLAttribute)
		case enable:
			r.TTLAttribute = attributeName
		case r.TTLAttribute == "":
			return invalid("TimeToLive is already disabled")
		case r.TTLAttribute != attributeName:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", r.TTLAttribute)
		default:
			r.TTLAttribute = ""
		}
		return nil
	})
}

func (s *Service) describeTimeToLive(_ context.Context, call *awswire.Call) (any, error) {
	t, err := s.namedTable(call)
	if err != nil {
		return nil, err
	}
	type description struct {
		TimeToLiveStatus string
		AttributeName    string `json:",omitempty"`
	}
	out := description{"DISABLED", ""}
	if t.TTLAttribute != "" {
		out = description{"ENABLED", t.TTLAttribute}
	}
	return map[string]any{"TimeToLiveDescription": out}, nil
}
