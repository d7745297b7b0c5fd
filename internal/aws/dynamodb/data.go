package dynamodb

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

// tableData is a table's buckets inside a transaction.
type tableData struct {
	t     *table
	tx    *writeTx // nil for reading
	root  *bbolt.Bucket
	items *bbolt.Bucket
	// stream gets what is written; nil when the table has none. byService is
	// true for deletions at the end of a time to live.
	stream    *stream
	byService bool
}

// data opens a table's buckets; a table that has been deleted since it was
// looked up is a ResourceNotFoundException.
func (t *table) data(tx *bbolt.Tx) (*tableData, error) {
	root := tx.Bucket(t.bucket)
	if root == nil {
		return nil, awswire.Errorf("ResourceNotFoundException", "Requested resource not found")
	}
	return &tableData{t: t, root: root, items: root.Bucket(itemsBucket)}, nil
}

// current opens the buckets of the table for writing, as the table now is:
// indexes may have come since it was looked up. The committer calls it.
func (s *Service) current(tx *writeTx, t *table) (*tableData, error) {
	if now := s.lookup(t.id); now != nil && now.Number == t.Number {
		t = now
	}
	d, err := t.data(tx.Tx)
	if err != nil {
		return nil, err
	}
	d.tx, d.stream = tx, s.streamOf(t)
	return d, nil
}

// An item is stored as its size, as DynamoDB counts it, and its content.

func encodeItem(item attribute.Map) []byte {
	size := item.ItemSize()
	return attribute.AppendItem(binary.AppendUvarint(make([]byte, 0, size+4*len(item)+8), uint64(size)), item)
}

func decodeItem(stored []byte) (attribute.Map, error) {
	_, n := binary.Uvarint(stored)
	if n <= 0 {
		return nil, attribute.ErrStored
	}
	return attribute.DecodeItem(stored[n:])
}

func storedSize(stored []byte) int {
	size, _ := binary.Uvarint(stored)
	return int(size)
}

// get returns the item under the key, or nil.
func (d *tableData) get(key []byte) (attribute.Map, error) {
	stored := d.items.Get(key)
	if stored == nil {
		return nil, nil
	}
	return decodeItem(stored)
}

// put stores an item in the place of the one under the key, if there is one.
func (d *tableData) put(key []byte, item attribute.Map) error {
	return d.replace(key, item, encodeItem(item))
}

// delete removes the item under the key, if it is there.
func (d *tableData) delete(key []byte) error {
	if d.items.Get(key) == nil {
		return nil
	}
	return d.replace(key, nil, nil)
}

// replace puts or, when item is nil, deletes an item, and brings indexes,
// expiry times and counts in line.
func (d *tableData) replace(key []byte, item attribute.Map, stored []byte) error {
	d.tx.wrote = true
	old := d.items.Get(key)
	oldSize := storedSize(old)
	if d.stream != nil {
		if err := d.capture(old, stored); err != nil {
			return err
		}
	}
	if err := d.follow(key, old, item); err != nil {
		return err
	}
	if err := d.count(old != nil, item != nil, storedSize(stored)-oldSize); err != nil {
		return err
	}
	if item == nil {
		return d.items.Delete(key)
	}
	return d.items.Put(key, stored)
}

// follow brings indexes and expiry times in line with a change of an item.
func (d *tableData) follow(key, stored []byte, item attribute.Map) error {
	if len(d.t.indexes) == 0 && d.t.TTLAttribute == "" {
		return nil
	}
	var old attribute.Map
	if stored != nil {
		var err error
		if old, err = decodeItem(stored); err != nil {
			return err
		}
	}
	for _, x := range d.t.indexes {
		if err := d.reindex(x, key, old, item); err != nil {
			return err
		}
	}
	return d.reschedule(key, old, item)
}

// reindex moves an item's entry in an index. An entry is the key of the item
// and nothing more: what the index shows is read from the item, so an entry
// changes only when the index's key does.
func (d *tableData) reindex(x *index, key []byte, old, item attribute.Map) error {
	from, to := x.entry(old), x.entry(item)
	if bytes.Equal(from, to) {
		return nil
	}
	bucket := d.root.Bucket(x.bucket)
	if err := move(bucket, from, to, key); err != nil {
		return fmt.Errorf("change index %s: %w", x.Name, err)
	}
	return addCount(bucket, present(to)-present(from))
}

// entry is the key of an item's entry, nil when the index does not have it.
func (x *index) entry(item attribute.Map) []byte {
	if !x.start.indexes(item) || !x.keys.fits(item) {
		return nil
	}
	key := x.keys.key(item)
	var hashed []byte
	for _, k := range x.table {
		text, _ := attribute.ScalarKey(item.Get(k.Name))
		hashed = append(hashed, text...)
	}
	key = appendHash(key, string(hashed))
	for _, k := range x.table {
		text, _ := attribute.ScalarKey(item.Get(k.Name))
		key = appendPart(key, text)
	}
	return key
}

// move deletes the key from and puts the key to; nil keys are none.
func move(bucket *bbolt.Bucket, from, to, value []byte) error {
	if from != nil {
		if err := bucket.Delete(from); err != nil {
			return err
		}
	}
	if to == nil {
		return nil
	}
	return bucket.Put(to, value)
}

func present(key []byte) int64 {
	if key == nil {
		return 0
	}
	return 1
}

// count keeps the table's number of items and its size.
func (d *tableData) count(was, is bool, bytes int) error {
	if was != is {
		change := int64(1)
		if was {
			change = -1
		}
		if err := addCount(d.items, change); err != nil {
			return err
		}
	}
	return addCount(d.root, int64(bytes))
}

func addCount(bucket *bbolt.Bucket, n int64) error {
	if n == 0 {
		return nil
	}
	return bucket.SetSequence(bucket.Sequence() + uint64(n))
}

// reschedule moves an item's entry among the expiry times.
func (d *tableData) reschedule(key []byte, old, item attribute.Map) error {
	if d.t.TTLAttribute == "" {
		return nil
	}
	from, to := d.t.expiryKey(key, old), d.t.expiryKey(key, item)
	if bytes.Equal(from, to) {
		return nil
	}
	if err := move(d.root.Bucket(expiryBucket), from, to, nil); err != nil {
		return fmt.Errorf("change expiry: %w", err)
	}
	return nil
}
