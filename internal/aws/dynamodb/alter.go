package dynamodb

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// takeOver makes the stored table, which is as old declares, as t declares:
// indexes that are gone are dropped, new and changed ones filled from the
// items, expiry times noted anew when their attribute has changed.
func (t *table) takeOver(tx *writeTx, old *table) error {
	d, err := t.data(tx.Tx)
	if err != nil {
		return err
	}
	d.tx, tx.wrote = tx, true
	kept := make(map[string]bool)
	for _, x := range old.indexes {
		kept[x.Name] = t.keeps(x)
		if kept[x.Name] {
			continue
		}
		if err := d.root.DeleteBucket(x.bucket); err != nil {
			return fmt.Errorf("drop index %s: %w", x.Name, err)
		}
	}
	fill := &filler{d: d}
	for _, x := range t.indexes {
		if !kept[x.Name] {
			fill.indexes = append(fill.indexes, x)
		}
	}
	fill.expiry = t.TTLAttribute != old.TTLAttribute
	if err := fill.run(); err != nil {
		return err
	}
	return t.save(tx)
}

// keeps reports whether the table has an index of the same name and key: what
// it shows is read from the items and may change freely.
func (t *table) keeps(old *index) bool {
	x, err := t.index(old.Name)
	return err == nil && slices.Equal(x.keys, old.keys)
}

// filler fills indexes and expiry times from a table's items.
type filler struct {
	d       *tableData
	indexes []*index
	expiry  bool
}

func (f *filler) run() error {
	if err := f.prepare(); err != nil {
		return err
	}
	if len(f.indexes) == 0 && (!f.expiry || f.d.t.TTLAttribute == "") {
		return nil
	}
	return f.d.items.ForEach(func(key, stored []byte) error {
		item, err := decodeItem(stored)
		if err != nil {
			return err
		}
		return f.add(bytes.Clone(key), item)
	})
}

// prepare makes empty buckets.
func (f *filler) prepare() error {
	var names [][]byte
	for _, x := range f.indexes {
		names = append(names, x.bucket)
	}
	if f.expiry {
		if err := f.d.root.DeleteBucket(expiryBucket); err != nil {
			return fmt.Errorf("drop expiry times: %w", err)
		}
		names = append(names, expiryBucket)
	}
	for _, name := range names {
		if _, err := f.d.root.CreateBucket(name); err != nil {
			return fmt.Errorf("create %s: %w", name, err)
		}
	}
	return nil
}

func (f *filler) add(key []byte, item attribute.Map) error {
	for _, x := range f.indexes {
		if err := f.d.reindex(x, key, nil, item); err != nil {
			return err
		}
	}
	if !f.expiry {
		return nil
	}
	return f.d.reschedule(key, nil, item)
}
