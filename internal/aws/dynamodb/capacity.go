package dynamodb

// Capacity units are what AWS bills; they are told on request. Reading counts
// by 4 KB and half when it need not be consistent, writing by 1 KB.
const (
	readUnit  = 4 << 10
	writeUnit = 1 << 10
)

type capacity struct{ CapacityUnits float64 }

type consumedCapacity struct {
	TableName              string
	CapacityUnits          float64
	Table                  *capacity           `json:",omitempty"`
	LocalSecondaryIndexes  map[string]capacity `json:",omitempty"`
	GlobalSecondaryIndexes map[string]capacity `json:",omitempty"`
}

// consumed makes the answer's ConsumedCapacity, nil when none is asked for.
func (t *table) consumed(asked *string, units float64) *consumedCapacity {
	if !is(asked, "TOTAL", "INDEXES") {
		return nil
	}
	c := &consumedCapacity{TableName: t.Name, CapacityUnits: units}
	if is(asked, "INDEXES") {
		c.Table = &capacity{units}
	}
	return c
}

// consumed is what reading a page has cost.
func (r *reading) consumed(p *page) *consumedCapacity {
	consistent := r.in.ConsistentRead
	units := readUnits(p.bytes, consistent)
	if r.index == nil {
		return r.t.consumed(r.in.ReturnConsumedCapacity, units)
	}
	fetched := 0.0
	if r.fetches() {
		fetched = readUnits(p.fetched, consistent)
	}
	c := r.t.consumed(r.in.ReturnConsumedCapacity, units+fetched)
	c.through(r.index, units, fetched)
	return c
}

// through books units for an index, and what was fetched for the table.
func (c *consumedCapacity) through(x *index, indexUnits, tableUnits float64) {
	if c == nil || c.Table == nil {
		return
	}
	units := map[string]capacity{x.Name: {indexUnits}}
	c.Table = &capacity{tableUnits}
	if x.Local {
		c.LocalSecondaryIndexes = units
	} else {
		c.GlobalSecondaryIndexes = units
	}
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
