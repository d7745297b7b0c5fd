package dynamodb

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

// writeInput is what the requests that write one item share.
type writeInput struct {
	TableName                   *string
	ReturnValues                *string
	ReturnConsumedCapacity      *string
	ReturnItemCollectionMetrics *string
	conditionInput
	bindings
}

// writeOutput is the answer of calls that write one item.
type writeOutput struct {
	Attributes            attribute.Map     `json:",omitempty"`
	ConsumedCapacity      *consumedCapacity `json:",omitempty"`
	ItemCollectionMetrics *itemCollection   `json:",omitempty"`
}

// constrain checks the members by themselves; at and there are the name of the
// item or key and whether it was given.
func (in *writeInput) constrain(at string, there bool) error {
	var c constraints
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	c.tableName(in.TableName)
	c.returnItemCollectionMetrics(in.ReturnItemCollectionMetrics)
	c.returnValues(in.ReturnValues)
	c.returnOnCheckFailure(in.ReturnValuesOnConditionCheckFailure)
	if !there {
		c.add(nil, at, notNull)
	}
	c.oneOf(in.ConditionalOperator, "conditionalOperator", "OR", "AND")
	in.Expected.constrain(&c, "expected", false)
	return c.err()
}

// checkUse checks what is given with the condition of a write that has no
// other expression.
func (in *writeInput) checkUse() error {
	condition, older := in.conditionInput.parameters()
	return in.bindings.checkUse([]parameter{condition}, older)
}

// oldOnly refuses ReturnValues that only UpdateItem has.
func (in *writeInput) oldOnly() error {
	if in.ReturnValues != nil && !is(in.ReturnValues, "ALL_OLD", "NONE") {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// condition parses the condition of a write that has no other expression.
func (in *writeInput) condition() (*expression.Condition, error) {
	older, err := in.older()
	if err != nil {
		return nil, err
	}
	b, err := in.bind()
	if err != nil {
		return nil, err
	}
	condition, err := in.conditionInput.parse(b, older)
	if err != nil {
		return nil, err
	}
	return condition, b.CheckUsed()
}

// meets returns a ConditionalCheckFailedException when the condition does not
// hold for the item that is there.
func (in *writeInput) meets(condition *expression.Condition, old attribute.Map) error {
	if condition.Matches(old) {
		return nil
	}
	err := awswire.Errorf("ConditionalCheckFailedException", "The conditional request failed")
	if old != nil && is(in.ReturnValuesOnConditionCheckFailure, "ALL_OLD") {
		err.Fields = map[string]any{"Item": old}
	}
	return err
}

// checkReplacement checks what PutItem and DeleteItem have in common, in AWS's
// order. member names the item or key that the call must have.
func (in *writeInput) checkReplacement(member string, given *attribute.Input) error {
	if err := in.constrain(member, given.Map != nil); err != nil {
		return err
	}
	if err := in.checkUse(); err != nil {
		return err
	}
	if _, err := given.Check(); err != nil {
		return err
	}
	return in.oldOnly()
}

func (s *Service) putItem(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		writeInput
		Item attribute.Input
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := in.checkReplacement("item", &in.Item); err != nil {
		return nil, err
	}
	item := in.Item.Map
	if item.ItemSize() > maxItem {
		return nil, errItemSize
	}
	condition, err := in.condition()
	if err != nil {
		return nil, err
	}
	t, err := s.table(s.tableID(call, *in.TableName))
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(item); err != nil {
		return nil, err
	}
	return s.replaceItem(ctx, t, &in.writeInput, condition, item, item)
}

var errItemSize = invalid("Item size has exceeded the maximum allowed size")

func (s *Service) deleteItem(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		writeInput
		Key attribute.Input
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := in.checkReplacement("key", &in.Key); err != nil {
		return nil, err
	}
	condition, err := in.condition()
	if err != nil {
		return nil, err
	}
	t, err := s.table(s.tableID(call, *in.TableName))
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(in.Key.Map); err != nil {
		return nil, err
	}
	return s.replaceItem(ctx, t, &in.writeInput, condition, in.Key.Map, nil)
}

// replaceItem puts an item, or deletes the one under the key when item is nil.
// keyed is an item that has the key.
func (s *Service) replaceItem(ctx context.Context, t *table, in *writeInput, condition *expression.Condition, keyed, item attribute.Map) (any, error) {
	key := t.keys.key(keyed)
	var stored []byte
	if item != nil {
		stored = encodeItem(item)
	}
	returnOld := is(in.ReturnValues, "ALL_OLD")
	var old attribute.Map
	var used cost
	counts := countsWrites(in.ReturnConsumedCapacity)
	err := s.store.update(ctx, &write{run: func(tx *writeTx) error {
		d, err := s.current(tx, t)
		if err != nil {
			return err
		}
		found := d.items.Get(key)
		if found != nil && (condition != nil || returnOld || counts) {
			if old, err = decodeItem(found); err != nil {
				return err
			}
		}
		if err := in.meets(condition, old); err != nil {
			return err
		}
		if counts {
			used.addWrite(d.t, old, item)
		}
		if item == nil && found == nil {
			return nil
		}
		return d.replace(key, item, stored)
	}})
	if err != nil {
		return nil, err
	}
	out := &writeOutput{
		ConsumedCapacity:      t.consumed(in.ReturnConsumedCapacity, used, plain),
		ItemCollectionMetrics: s.collection(in.ReturnItemCollectionMetrics, t, keyed),
	}
	if returnOld {
		out.Attributes = old
	}
	return out, nil
}

func (s *Service) getItem(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		TableName              *string
		Key                    attribute.Input
		ConsistentRead         bool
		ReturnConsumedCapacity *string
		projectionInput
		bindings
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	var c constraints
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	c.attributesToGet(in.AttributesToGet, "attributesToGet")
	c.tableName(in.TableName)
	if in.Key.Map == nil {
		c.add(nil, "key", notNull)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	t, project, err := s.prepareGet(s.tableID(call, *in.TableName), &in.Key, &in.projectionInput, &in.bindings)
	if err != nil {
		return nil, err
	}
	item, err := s.read(t, t.keys.key(in.Key.Map))
	if err != nil {
		return nil, err
	}
	out := struct {
		Item             *attribute.Map    `json:",omitempty"`
		ConsumedCapacity *consumedCapacity `json:",omitempty"`
	}{ConsumedCapacity: t.consumed(in.ReturnConsumedCapacity, cost{table: readUnits(item.ItemSize(), in.ConsistentRead)}, plain)}
	if item != nil {
		item = project.Apply(item)
		out.Item = &item
	}
	return out, nil
}

// prepareGet checks the rest of a GetItem request.
func (s *Service) prepareGet(id tableID, key *attribute.Input, p *projectionInput, names *bindings) (*table, *expression.Projection, error) {
	project, err := p.prepare(names, func() error {
		_, err := key.Check()
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	t, err := s.table(id)
	if err != nil {
		return nil, nil, err
	}
	if err := t.checkKey(key.Map); err != nil {
		return nil, nil, err
	}
	return t, project, t.checkScalarKeys(project.Paths())
}

// read returns the item under the key, or nil.
func (s *Service) read(t *table, key []byte) (item attribute.Map, err error) {
	err = s.store.view(func(tx *bbolt.Tx) error {
		d, err := t.data(tx)
		if err != nil {
			return err
		}
		item, err = d.get(key)
		return err
	})
	return item, err
}
