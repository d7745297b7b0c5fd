package dynamodb

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
)

// Capacity units are what AWS bills; they are told on request. Reading counts
// by 4 KB and half when it need not be consistent, writing by 1 KB, and both
// twice in a transaction.
const (
	readUnit  = 4 << 10
	writeUnit = 1 << 10
)

type capacity struct {
	CapacityUnits      float64
	ReadCapacityUnits  float64 `json:",omitempty"`
	WriteCapacityUnits float64 `json:",omitempty"`
}

type consumedCapacity struct {
	TableName string
	capacity
	Table                  *capacity           `json:",omitempty"`
	LocalSecondaryIndexes  map[string]capacity `json:",omitempty"`
	GlobalSecondaryIndexes map[string]capacity `json:",omitempty"`
}

// cost is what calls on one table have used up. The zero value is nothing.
type cost struct {
	table   float64
	indexes map[*index]float64
}

func (c *cost) total() float64 {
	sum := c.table
	for units := range maps.Values(c.indexes) {
		sum += units
	}
	return sum
}

func (c *cost) addIndex(x *index, units float64) {
	if units == 0 {
		return
	}
	if c.indexes == nil {
		c.indexes = make(map[*index]float64)
	}
	c.indexes[x] += units
}

// plain is a unit's kind outside of a transaction, which does not tell.
func plain(units float64) capacity { return capacity{CapacityUnits: units} }

// doubled are the kinds in a transaction.
func doubledRead(units float64) capacity  { return capacity{2 * units, 2 * units, 0} }
func doubledWrite(units float64) capacity { return capacity{2 * units, 0, 2 * units} }

// consumed makes the answer's ConsumedCapacity, nil when none is asked for.
func (t *table) consumed(asked *string, c cost, kind func(float64) capacity) *consumedCapacity {
	if !is(asked, "TOTAL", "INDEXES") {
		return nil
	}
	out := &consumedCapacity{TableName: t.Name, capacity: kind(c.total())}
	if is(asked, "TOTAL") {
		return out
	}
	own := kind(c.table)
	out.Table = &own
	for x, units := range c.indexes {
		of := &out.GlobalSecondaryIndexes
		if x.Local {
			of = &out.LocalSecondaryIndexes
		}
		if *of == nil {
			*of = make(map[string]capacity)
		}
		(*of)[x.Name] = kind(units)
	}
	return out
}

// consumed is what reading a page has cost.
func (r *reading) consumed(p *page) *consumedCapacity {
	units := readUnits(p.bytes, r.in.ConsistentRead)
	c := cost{table: units}
	if r.index != nil {
		c = cost{}
		c.addIndex(r.index, units)
	}
	if r.fetches() {
		c.table = readUnits(p.fetched, r.in.ConsistentRead)
	}
	return r.t.consumed(r.in.ReturnConsumedCapacity, c, plain)
}

// countsWrites reports whether a call wants to know what its writes cost.
func countsWrites(asked *string) bool { return is(asked, "TOTAL", "INDEXES") }

// addWrite adds the price of putting an item in the place of another; either
// may be nil. Each index whose entry changes costs too, twice when the entry
// moves.
func (c *cost) addWrite(t *table, before, after attribute.Map) {
	c.table += writeUnits(before.ItemSize(), after.ItemSize())
	for _, x := range t.indexes {
		c.addIndex(x, x.writeUnits(before, after))
	}
}

func (x *index) writeUnits(before, after attribute.Map) float64 {
	from, to := x.entry(before), x.entry(after)
	var was, is attribute.Map
	if from != nil {
		was = x.view.Apply(before)
	}
	if to != nil {
		is = x.view.Apply(after)
	}
	switch {
	case from == nil && to == nil:
		return 0
	case from != nil && to != nil && string(from) != string(to):
		return writeUnits(was.ItemSize(), 0) + writeUnits(0, is.ItemSize())
	case from != nil && to != nil && attribute.Equal(was, is):
		return 0
	}
	return writeUnits(was.ItemSize(), is.ItemSize())
}

// readUnits is the price of reading bytes in one go; an item that is not
// there costs as much as a small one.
func readUnits(bytes int, consistent bool) float64 {
	units := float64(max(ceil(bytes, readUnit), 1))
	if consistent {
		return units
	}
	return units / 2
}

// writeUnits is the price of replacing an item of one size by one of another.
func writeUnits(before, after int) float64 {
	return float64(max(ceil(before, writeUnit), ceil(after, writeUnit), 1))
}

func ceil(n, unit int) int { return (n + unit - 1) / unit }

// countWrite adds what it costs to put an item in the place of a stored one.
func (d *tableData) countWrite(used map[*table]*cost, t *table, found []byte, item attribute.Map) error {
	old, err := decodeStored(found)
	if err != nil {
		return err
	}
	if used[t] == nil {
		used[t] = &cost{}
	}
	used[t].addWrite(d.t, old, item)
	return nil
}

// consumedByTable is the answer's ConsumedCapacity for several tables, by
// their names.
func consumedByTable(asked *string, used map[*table]*cost, kind func(float64) capacity) (out []*consumedCapacity) {
	for t, c := range used {
		if one := t.consumed(asked, *c, kind); one != nil {
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b *consumedCapacity) int { return strings.Compare(a.TableName, b.TableName) })
	return out
}
