package dynamodb

import (
	"bytes"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"go.etcd.io/bbolt"
)

// maxPage ends a page of Query or Scan: the item that reaches it is the last.
// In bytes of storage, before filter and projection.
const maxPage = 1 << 20

// page is what one call of Query or Scan reads.
type page struct {
	items   []attribute.Map
	scanned int
	matched int
	// bytes is what was read through the table or index that is asked, fetched
	// what a local index had to fetch from its table, both as billed. stored
	// counts towards maxPage.
	bytes, fetched, stored int
	// last is the last item read when there may be more after it.
	last attribute.Map
}

type pageOutput struct {
	Items            *[]attribute.Map `json:",omitempty"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey attribute.Map     `json:",omitempty"`
	ConsumedCapacity *consumedCapacity `json:",omitempty"`
}

// readPage reads the next page.
func (s *Service) readPage(r *reading) (any, error) {
	p := &page{items: []attribute.Map{}}
	err := s.store.view(func(tx *bbolt.Tx) error {
		d, err := r.t.data(tx)
		if err != nil {
			return err
		}
		return r.fill(p, d)
	})
	if err != nil {
		return nil, err
	}
	out := &pageOutput{Count: p.matched, ScannedCount: p.scanned}
	if !is(r.in.Select, "COUNT") {
		out.Items = &p.items
	}
	if p.last != nil {
		_, start := r.schema()
		for _, k := range start {
			out.LastEvaluatedKey.Set(k.Name, p.last.Get(k.Name))
		}
	}
	out.ConsumedCapacity = r.consumed(p)
	return out, nil
}

// fill reads items until the page is full or the range is at its end.
func (r *reading) fill(p *page, d *tableData) error {
	bucket := d.items
	if r.index != nil {
		if bucket = d.root.Bucket(r.index.bucket); bucket == nil {
			return invalid("The table does not have the specified index: %s", r.index.Name)
		}
	}
	c := bucket.Cursor()
	for key, value := r.first(c); key != nil && r.within(key); key, value = r.next(c) {
		if r.index != nil {
			value = d.items.Get(value)
		}
		item, err := decodeItem(value)
		if err != nil {
			return fmt.Errorf("read table %s: %w", r.t.Name, err)
		}
		if r.take(p, item, storedSize(value)) {
			return nil
		}
	}
	return nil
}

// take adds an item to the page and reports whether the page is full.
func (r *reading) take(p *page, item attribute.Map, size int) (full bool) {
	seen := item
	if !r.whole() {
		seen = r.index.view.Apply(item)
		size = seen.ItemSize()
	}
	if r.fetches() {
		p.fetched += size
		size = r.index.view.Apply(item).ItemSize()
	}
	p.scanned++
	p.bytes += size
	p.stored += seen.PageSize(r.t.sortKey())
	if r.filter.Matches(seen) {
		p.matched++
		if !is(r.in.Select, "COUNT") {
			p.items = append(p.items, r.project.Apply(seen))
		}
	}
	if p.stored >= maxPage || r.in.Limit != nil && int64(p.scanned) >= *r.in.Limit {
		p.last = item
		return true
	}
	return false
}

// first goes to where reading begins.
func (r *reading) first(c *bbolt.Cursor) (key, value []byte) {
	if !r.backward {
		return c.Seek(r.keys.low)
	}
	if r.keys.high == nil {
		return c.Last()
	}
	if key, _ := c.Seek(r.keys.high); key == nil {
		return c.Last()
	}
	return c.Prev()
}

func (r *reading) next(c *bbolt.Cursor) (key, value []byte) {
	if r.backward {
		return c.Prev()
	}
	return c.Next()
}

// within reports whether the key is still in the range.
func (r *reading) within(key []byte) bool {
	if r.backward {
		return bytes.Compare(key, r.keys.low) >= 0
	}
	return r.keys.high == nil || bytes.Compare(key, r.keys.high) < 0
}
