package dynamodb

import (
	"bytes"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"go.etcd.io/bbolt"
)

// itemCollection tells how large the items with one partition key are, in
// gigabytes: at least the first number, at most the second.
type itemCollection struct {
	ItemCollectionKey   attribute.Map
	SizeEstimateRangeGB [2]float64
}

const gigabyte = 1 << 30

// hasCollections is true for tables with a local index: AWS tells of the sizes
// of no others.
func (t *table) hasCollections() bool {
	for _, x := range t.indexes {
		if x.Local {
			return true
		}
	}
	return false
}

// collection returns the size of the collection that an item belongs to, or
// nil when it is not asked for.
func (s *Service) collection(asked *string, t *table, item attribute.Map) *itemCollection {
	if !is(asked, "SIZE") || !t.hasCollections() {
		return nil
	}
	partition := t.keys[:1]
	low := s.collectionSize(t, partition.key(item)) / gigabyte
	return &itemCollection{partition.of(item), [2]float64{float64(low), float64(low + 1)}}
}

// collectionSize adds up a collection. A table of less than a gigabyte has no
// larger collection, so nothing is read for it.
func (s *Service) collectionSize(t *table, prefix []byte) (size int64) {
	s.store.view(func(tx *bbolt.Tx) error {
		d, err := t.data(tx)
		if err != nil || d.root.Sequence() < gigabyte {
			return err
		}
		c := d.items.Cursor()
		for key, stored := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, stored = c.Next() {
			size += int64(storedSize(stored))
		}
		return nil
	})
	return size
}

// keyedItem is an item, or the key of one, and its table.
type keyedItem struct {
	t    *table
	item attribute.Map
}

// collections are the collections of several items, each once, by table.
func (s *Service) collections(asked *string, items []keyedItem) map[string][]*itemCollection {
	out := make(map[string][]*itemCollection)
	seen := make(map[string]bool)
	for _, k := range items {
		id := k.t.Name + "\x00" + string(k.t.keys[:1].key(k.item))
		if seen[id] {
			continue
		}
		seen[id] = true
		if c := s.collection(asked, k.t, k.item); c != nil {
			out[k.t.Name] = append(out[k.t.Name], c)
		}
	}
	return out
}
