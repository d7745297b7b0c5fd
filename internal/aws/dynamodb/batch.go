package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

// Limits of DynamoDB on batches.
const (
	maxBatchGet   = 100
	maxBatchWrite = 25
	// maxBatchAnswer is where BatchGetItem stops reading, in bytes.
	maxBatchAnswer = 16 << 20
	// maxBatchTable is what it reads of one table. AWS stops after 1 MB of one
	// partition, once an item does not fit any more; here a table has one.
	maxBatchTable = 1<<20 + maxItem - 3
)

// batchKeys is what BatchGetItem asks of one table.
type batchKeys struct {
	Keys           []attribute.Input
	ConsistentRead bool
	projectionInput
	ExpressionAttributeNames map[string]string
}

// batchRead is what has been prepared for one table.
type batchRead struct {
	t       *table
	keys    [][]byte
	project *expression.Projection
}

type batchGetOutput struct {
	Responses        map[string][]attribute.Map
	UnprocessedKeys  map[string]unprocessedKeys
	ConsumedCapacity []*consumedCapacity `json:",omitempty"`
}

// unprocessedKeys is a request for what was not read.
type unprocessedKeys struct {
	Keys                     []attribute.Map
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	AttributesToGet          []string          `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

func (s *Service) batchGetItem(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		RequestItems           map[string]*batchKeys `aws:"KeysAndAttributes"`
		ReturnConsumedCapacity *string
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(in.RequestItems))
	if err := constrainGet(in.RequestItems, names, in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	total := 0
	reads := make(map[string]*batchRead)
	for _, name := range names {
		b, err := prepareBatch(in.RequestItems[name], &total)
		if err != nil {
			return nil, err
		}
		reads[name] = b
	}
	for _, name := range names {
		if err := reads[name].find(s, s.tableID(call, name), in.RequestItems[name]); err != nil {
			return nil, err
		}
	}
	out := &batchGetOutput{Responses: make(map[string][]attribute.Map), UnprocessedKeys: make(map[string]unprocessedKeys)}
	err := s.store.view(func(tx *bbolt.Tx) error {
		room := maxBatchAnswer
		for _, name := range names {
			if err := out.read(tx, name, reads[name], in.RequestItems[name], in.ReturnConsumedCapacity, &room); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func constrainGet(items map[string]*batchKeys, names []string, capacity *string) error {
	var c constraints
	c.returnConsumedCapacity(capacity)
	c.requestItems(len(items), items != nil, names, maxBatchGet)
	for _, name := range names {
		request := items[name]
		at := "requestItems." + name + ".member."
		if request == nil {
			c.add(nil, at[:len(at)-1], notNull)
			continue
		}
		c.count(len(request.Keys), request.Keys != nil, "[]", at+"keys", 1, maxBatchGet)
		c.attributesToGet(request.AttributesToGet, at+"attributesToGet")
	}
	return c.err()
}

// requestItems checks the tables of a batch.
func (c *constraints) requestItems(n int, there bool, names []string, most int) {
	c.count(n, there, "{}", "requestItems", 1, most)
	for _, name := range names {
		if short := nameOf(name); len(short) < 3 || len(short) > 255 || !isName(short) {
			c.add("{"+name+"=...}", "requestItems", "Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: "+namePattern+"]")
		}
	}
}

func prepareBatch(in *batchKeys, total *int) (*batchRead, error) {
	project, err := in.prepare(&bindings{ExpressionAttributeNames: in.ExpressionAttributeNames}, func() error { return nil })
	if err != nil {
		return nil, err
	}
	return &batchRead{project: project}, in.checkKeys(total)
}

// checkKeys checks the keys as far as that goes without the table, and adds
// them to the total.
func (in *batchKeys) checkKeys(total *int) error {
	seen := make(map[string]bool)
	for i := range in.Keys {
		key := &in.Keys[i]
		if _, err := key.Check(); err != nil {
			return err
		}
		text := string(attribute.AppendItem(nil, key.Map))
		if seen[text] {
			return errDuplicateKeys
		}
		seen[text] = true
		if *total++; *total > maxBatchGet {
			return invalid("Too many items requested for the BatchGetItem call")
		}
	}
	return nil
}

// find looks the table up and checks the keys against it.
func (b *batchRead) find(s *Service, id tableID, in *batchKeys) (err error) {
	if b.t, err = s.table(id); err != nil {
		return err
	}
	for i := range in.Keys {
		if err := b.t.checkKey(in.Keys[i].Map); err != nil {
			return err
		}
		b.keys = append(b.keys, b.t.keys.key(in.Keys[i].Map))
	}
	return b.t.checkScalarKeys(b.project.Paths())
}

var errDuplicateKeys = invalid("Provided list of item keys contains duplicates")

// read reads a table's part of a batch as far as there is room in the answer.
func (out *batchGetOutput) read(tx *bbolt.Tx, name string, b *batchRead, in *batchKeys, capacity *string, room *int) error {
	d, err := b.t.data(tx)
	if err != nil {
		return err
	}
	items := []attribute.Map{}
	units, read := 0.0, 0
	rest := unprocessedKeys{nil, in.ConsistentRead, in.ProjectionExpression, in.AttributesToGet, in.ExpressionAttributeNames}
	for i, key := range b.keys {
		size := storedSize(d.items.Get(key))
		if *room <= 0 || read+size > maxBatchTable {
			rest.Keys = append(rest.Keys, in.Keys[i].Map)
			units += readUnits(0, in.ConsistentRead)
			continue
		}
		item, err := d.get(key)
		if err != nil {
			return fmt.Errorf("read table %s: %w", b.t.Name, err)
		}
		units += readUnits(size, in.ConsistentRead)
		*room -= size
		read += size
		if item != nil {
			items = append(items, b.project.Apply(item))
		}
	}
	out.Responses[name] = items
	if rest.Keys != nil {
		out.UnprocessedKeys[name] = rest
	}
	if c := b.t.consumed(capacity, cost{table: units}, plain); c != nil {
		out.ConsumedCapacity = append(out.ConsumedCapacity, c)
	}
	return nil
}

// batchEntry is one change of BatchWriteItem.
type batchEntry struct {
	PutRequest    *struct{ Item attribute.Input }
	DeleteRequest *struct{ Key attribute.Input }
}

// batchChange is a prepared batchEntry; a nil item deletes.
type batchChange struct {
	t      *table
	keyed  attribute.Map // an item that has the key
	key    []byte
	item   attribute.Map
	stored []byte
}

func (s *Service) batchWriteItem(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		RequestItems                map[string][]batchEntry `aws:"WriteRequest"`
		ReturnConsumedCapacity      *string
		ReturnItemCollectionMetrics *string
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(in.RequestItems))
	var c constraints
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	c.returnItemCollectionMetrics(in.ReturnItemCollectionMetrics)
	c.requestItems(len(in.RequestItems), in.RequestItems != nil, names, maxBatchWrite)
	for _, name := range names {
		if n := len(in.RequestItems[name]); n < 1 || n > maxBatchWrite {
			c.add("{"+name+"=[...]}", "requestItems", "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
		}
		for i := range in.RequestItems[name] {
			in.RequestItems[name][i].constrain(&c, fmt.Sprintf("requestItems.%s.member.%d.member.", name, i+1))
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	changes, err := s.prepareWrites(call, in.RequestItems, names)
	if err != nil {
		return nil, err
	}
	var used map[*table]*cost // nil when nobody asks
	if countsWrites(in.ReturnConsumedCapacity) {
		used = make(map[*table]*cost)
	}
	err = s.store.update(ctx, &write{run: func(tx *writeTx) error { return s.writeBatch(tx, changes, used) }})
	if err != nil {
		return nil, err
	}
	out := struct {
		UnprocessedItems      map[string]json.RawMessage
		ConsumedCapacity      []*consumedCapacity          `json:",omitempty"`
		ItemCollectionMetrics map[string][]*itemCollection `json:",omitempty"`
	}{UnprocessedItems: map[string]json.RawMessage{}}
	out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, used, plain)
	keyed := make([]keyedItem, len(changes))
	for i, c := range changes {
		keyed[i] = keyedItem{c.t, c.keyed}
	}
	out.ItemCollectionMetrics = s.collections(in.ReturnItemCollectionMetrics, keyed)
	return out, nil
}

// prepareWrites checks all changes: one wrong change fails the batch.
func (s *Service) prepareWrites(call *awswire.Call, requests map[string][]batchEntry, names []string) ([]batchChange, error) {
	total := 0
	for _, name := range names {
		for i := range requests[name] {
			if err := requests[name][i].check(); err != nil {
				return nil, err
			}
			total++
		}
	}
	if total > maxBatchWrite {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	var changes []batchChange
	for _, name := range names {
		t, err := s.table(s.tableID(call, name))
		if err != nil {
			return nil, err
		}
		seen := make(map[string]bool)
		for i := range requests[name] {
			change, err := t.prepareEntry(&requests[name][i])
			if err != nil {
				return nil, err
			}
			if seen[string(change.key)] {
				return nil, errDuplicateKeys
			}
			seen[string(change.key)] = true
			changes = append(changes, change)
		}
	}
	return changes, nil
}

func (e *batchEntry) constrain(c *constraints, at string) {
	if e.DeleteRequest != nil && e.DeleteRequest.Key.Map == nil {
		c.add(nil, at+"deleteRequest.key", notNull)
	}
	if e.PutRequest != nil && e.PutRequest.Item.Map == nil {
		c.add(nil, at+"putRequest.item", notNull)
	}
}

func (e *batchEntry) check() error {
	if (e.PutRequest == nil) == (e.DeleteRequest == nil) {
		return invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	if e.PutRequest == nil {
		_, err := e.DeleteRequest.Key.Check()
		return err
	}
	if _, err := e.PutRequest.Item.Check(); err != nil {
		return err
	}
	if e.PutRequest.Item.Map.ItemSize() > maxItem {
		return errItemSize
	}
	return nil
}

func (t *table) prepareEntry(e *batchEntry) (batchChange, error) {
	if e.DeleteRequest != nil {
		key := e.DeleteRequest.Key.Map
		if err := t.checkKey(key); err != nil {
			return batchChange{}, err
		}
		return batchChange{t: t, keyed: key, key: t.keys.key(key)}, nil
	}
	item := e.PutRequest.Item.Map
	for _, k := range t.keys {
		if v := item.Get(k.Name); v == nil || v.Type() != k.Type {
			return batchChange{}, errKeySchema
		}
	}
	if err := t.checkItem(item); err != nil {
		return batchChange{}, err
	}
	return batchChange{t, item, t.keys.key(item), item, encodeItem(item)}, nil
}

// writeBatch makes the changes and adds up what they cost, unless used is nil.
func (s *Service) writeBatch(tx *writeTx, changes []batchChange, used map[*table]*cost) error {
	opened := make(map[*table]*tableData)
	for _, c := range changes {
		if opened[c.t] != nil {
			continue
		}
		d, err := s.current(tx, c.t)
		if err != nil {
			return err
		}
		opened[c.t] = d
	}
	for _, c := range changes {
		d := opened[c.t]
		found := d.items.Get(c.key)
		if used != nil {
			if err := d.countWrite(used, c.t, found, c.item); err != nil {
				return err
			}
		}
		if c.item == nil && found == nil {
			continue
		}
		if err := d.replace(c.key, c.item, c.stored); err != nil {
			return err
		}
	}
	return nil
}
