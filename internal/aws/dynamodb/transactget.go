package dynamodb

import (
	"context"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

type transactGet struct {
	TableName                *string
	Key                      attribute.Input
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
}

type transactGetItem struct{ Get *transactGet }

// getOp is a read on its way.
type getOp struct {
	*transactGet
	t       *table
	key     []byte
	project *expression.Projection
	refused error
	size    int
}

type transactResponse struct {
	Item *attribute.Map `json:",omitempty"`
}

// transactGetItems reads all items as they are at one moment.
func (s *Service) transactGetItems(_ context.Context, call *awswire.Call) (any, error) {
	var in struct {
		TransactItems          []transactGetItem `aws:"TransactGetItem"`
		ReturnConsumedCapacity *string
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := constrainGets(in.TransactItems, in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	ops, err := s.prepareGets(call, in.TransactItems)
	if err != nil {
		return nil, err
	}
	out := struct {
		Responses        []transactResponse
		ConsumedCapacity []*consumedCapacity `json:",omitempty"`
	}{}
	if out.Responses, err = s.readTogether(ops); err != nil {
		return nil, err
	}
	used := make(map[*table]*cost)
	for _, op := range ops {
		if used[op.t] == nil {
			used[op.t] = &cost{}
		}
		used[op.t].table += readUnits(op.size, true)
	}
	out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, used, doubledRead)
	return out, nil
}

func constrainGets(items []transactGetItem, capacity *string) error {
	var c constraints
	c.returnConsumedCapacity(capacity)
	c.count(len(items), items != nil, "[]", "transactItems", 1, maxTransact)
	for i, item := range items {
		at := fmt.Sprintf("transactItems.%d.member.get", i+1)
		if item.Get == nil {
			c.add(nil, at, notNull)
			continue
		}
		c.name(item.Get.TableName, at+".tableName")
		if item.Get.Key.Map == nil {
			c.add(nil, at+".key", notNull)
		}
	}
	return c.err()
}

func (s *Service) prepareGets(call *awswire.Call, items []transactGetItem) ([]*getOp, error) {
	ops := make([]*getOp, len(items))
	for i, item := range items {
		op := &getOp{transactGet: item.Get}
		p := projectionInput{ProjectionExpression: op.ProjectionExpression}
		var err error
		op.project, err = p.prepare(&bindings{ExpressionAttributeNames: op.ExpressionAttributeNames}, func() error {
			_, err := op.Key.Check()
			return err
		})
		if err != nil {
			return nil, err
		}
		ops[i] = op
	}
	seen := make(distinct)
	for _, op := range ops {
		t, err := s.table(s.tableID(call, *op.TableName))
		if err != nil {
			return nil, err
		}
		if err := op.fit(t, seen); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func (op *getOp) fit(t *table, seen distinct) error {
	op.t = t
	err := t.checkKey(op.Key.Map)
	if isEmptyKey(err) {
		return err
	}
	if op.refused = err; err != nil {
		return nil
	}
	if err := t.checkScalarKeys(op.project.Paths()); err != nil {
		return err
	}
	op.key = t.keys.key(op.Key.Map)
	return seen.add(t, op.key)
}

// readTogether reads the items in one transaction of the store.
func (s *Service) readTogether(ops []*getOp) ([]transactResponse, error) {
	reasons := make([]cancellationReason, len(ops))
	for i, op := range ops {
		reasons[i], _ = (&transactOp{transactAction: &transactAction{}}).reason(op.refused)
	}
	if err := cancelled(reasons); err != nil {
		return nil, err
	}
	responses := make([]transactResponse, len(ops))
	total := 0
	err := s.store.view(func(tx *bbolt.Tx) error {
		for i, op := range ops {
			d, err := op.t.data(tx)
			if err != nil {
				return err
			}
			item, err := d.get(op.key)
			if err != nil {
				return err
			}
			op.size = item.ItemSize()
			if total += op.size; total > maxTransactBytes {
				return errTogether
			}
			if item != nil {
				shown := op.project.Apply(item)
				responses[i].Item = &shown
			}
		}
		return nil
	})
	return responses, err
}
