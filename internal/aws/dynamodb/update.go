package dynamodb

import (
	"context"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

type updateItemInput struct {
	writeInput
	Key              attribute.Input
	UpdateExpression *string
	AttributeUpdates legacyUpdates `aws:"AttributeValueUpdate"`
}

// updating is one UpdateItem on its way.
type updating struct {
	in        *updateItemInput
	t         *table
	key       []byte
	update    *expression.Update // nil when there is none
	condition *expression.Condition
	old, item attribute.Map
	used      cost
}

func (s *Service) updateItem(ctx context.Context, call *awswire.Call) (any, error) {
	in := &updateItemInput{}
	if err := decode(call, in); err != nil {
		return nil, err
	}
	if err := in.constrain("key", in.Key.Map != nil); err != nil {
		return nil, err
	}
	u := &updating{in: in}
	if err := u.parse(); err != nil {
		return nil, err
	}
	var err error
	if u.t, err = s.table(s.tableID(call, *in.TableName)); err != nil {
		return nil, err
	}
	if err := u.t.checkKey(in.Key.Map); err != nil {
		return nil, err
	}
	if u.update != nil {
		if err := u.t.checkUpdate(u.update); err != nil {
			return nil, err
		}
	}
	u.key = u.t.keys.key(in.Key.Map)
	err = s.store.update(ctx, &write{run: func(tx *writeTx) error { return u.run(s, tx) }})
	if err != nil {
		return nil, err
	}
	out := u.output()
	out.ItemCollectionMetrics = s.collection(in.ReturnItemCollectionMetrics, u.t, in.Key.Map)
	return out, nil
}

func (u *updating) parse() error {
	in := u.in
	condition, expected := in.conditionInput.parameters()
	err := in.bindings.checkUse([]parameter{{updateExpression, in.UpdateExpression != nil}, condition}, parameter{"AttributeUpdates", in.AttributeUpdates != nil}, expected)
	if err != nil {
		return err
	}
	if _, err := in.Key.Check(); err != nil {
		return err
	}
	if in.AttributeUpdates != nil {
		changes, err := in.AttributeUpdates.changes()
		if err != nil {
			return err
		}
		u.update = expression.ChangeAll(changes)
	}
	older, err := in.older()
	if err != nil {
		return err
	}
	b, err := in.bind()
	if err != nil {
		return err
	}
	if in.UpdateExpression != nil {
		if u.update, err = expression.ParseUpdate(*in.UpdateExpression, b); err != nil {
			return err
		}
	}
	if u.condition, err = in.conditionInput.parse(b, older); err != nil {
		return err
	}
	return b.CheckUsed()
}

// run makes the change inside of the transaction.
func (u *updating) run(s *Service, tx *writeTx) error {
	d, err := s.current(tx, u.t)
	if err != nil {
		return err
	}
	if u.old, err = d.get(u.key); err != nil {
		return err
	}
	if err := u.in.meets(u.condition, u.old); err != nil {
		return err
	}
	if err := u.apply(d.t); err != nil {
		return err
	}
	if countsWrites(u.in.ReturnConsumedCapacity) {
		u.used.addWrite(d.t, u.old, u.item)
	}
	if u.item == nil {
		return nil
	}
	return d.put(u.key, u.item)
}

// apply fills in the new item. It stays nil when the update would only take
// something away from an item that does not exist.
func (u *updating) apply(t *table) error {
	u.item = u.old
	if u.old == nil {
		if u.update != nil && !u.update.Creates() {
			return nil
		}
		u.item = u.in.Key.Map
	}
	if u.update == nil {
		return nil
	}
	var err error
	if u.item, err = u.update.Apply(u.item); err != nil {
		return err
	}
	return t.checkUpdated(u.item)
}

func (u *updating) output() *writeOutput {
	in := u.in
	out := &writeOutput{ConsumedCapacity: u.t.consumed(in.ReturnConsumedCapacity, u.used, plain)}
	var changed *expression.Projection
	if u.update != nil {
		changed = u.update.Projection()
	}
	switch {
	case is(in.ReturnValues, "ALL_OLD"):
		out.Attributes = u.old
	case is(in.ReturnValues, "ALL_NEW"):
		out.Attributes = u.item
	case is(in.ReturnValues, "UPDATED_OLD") && u.update != nil:
		out.Attributes = changed.Apply(u.old)
	case is(in.ReturnValues, "UPDATED_NEW") && u.update != nil:
		out.Attributes = changed.Apply(u.item)
	}
	return out
}
