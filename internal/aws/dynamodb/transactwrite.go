package dynamodb

import (
	"context"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

type transactWriteInput struct {
	TransactItems               []transactItem `aws:"TransactWriteItem"`
	ClientRequestToken          *string
	ReturnConsumedCapacity      *string
	ReturnItemCollectionMetrics *string
}

// transactWriteItems makes all changes or none. All writes go one after the
// other, so two transactions are never in each other's way, and
// TransactionConflict is no reason that can occur.
func (s *Service) transactWriteItems(ctx context.Context, call *awswire.Call) (any, error) {
	in := &transactWriteInput{}
	if err := decode(call, in); err != nil {
		return nil, err
	}
	if err := in.constrain(); err != nil {
		return nil, err
	}
	ops, err := s.prepareTransaction(call, in)
	if err != nil {
		return nil, err
	}
	token := s.token(call, in.ClientRequestToken)
	used := make(map[*table]*cost)
	repeated := false
	err = s.store.update(ctx, &write{run: func(tx *writeTx) (err error) {
		if repeated, err = token.repeats(tx); repeated || err != nil {
			return err
		}
		return s.transact(tx, ops, used, token)
	}})
	if err != nil {
		return nil, err
	}
	return s.transactOutput(in, ops, used, repeated), nil
}

func (in *transactWriteInput) constrain() error {
	var c constraints
	c.returnConsumedCapacity(in.ReturnConsumedCapacity)
	c.returnItemCollectionMetrics(in.ReturnItemCollectionMetrics)
	c.count(len(in.TransactItems), in.TransactItems != nil, "[]", "transactItems", 1, maxTransact)
	c.optionalLength(in.ClientRequestToken, "clientRequestToken", 1, 36)
	for i := range in.TransactItems {
		in.TransactItems[i].constrain(&c, fmt.Sprintf("transactItems.%d.member.", i+1))
	}
	return c.err()
}

// prepareTransaction checks all actions before any of them runs.
func (s *Service) prepareTransaction(call *awswire.Call, in *transactWriteInput) ([]*transactOp, error) {
	ops := make([]*transactOp, len(in.TransactItems))
	for i := range in.TransactItems {
		kind, action, several := in.TransactItems[i].action()
		if several {
			return nil, errOneKind
		}
		var err error
		if ops[i], err = action.prepare(kind); err != nil {
			return nil, err
		}
	}
	seen := make(distinct)
	for _, op := range ops {
		t, err := s.table(s.tableID(call, *op.TableName))
		if err != nil {
			return nil, err
		}
		if err := op.fit(t); err != nil {
			return nil, err
		}
		if op.refused != nil {
			continue
		}
		if err := seen.add(t, op.key); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// transact settles all actions, and writes what they leave behind once no
// reason is against any.
func (s *Service) transact(tx *writeTx, ops []*transactOp, used map[*table]*cost, token *token) error {
	opened := make(map[*table]*tableData)
	reasons := make([]cancellationReason, len(ops))
	size := 0
	for i, op := range ops {
		d := opened[op.t]
		if d == nil {
			var err error
			if d, err = s.current(tx, op.t); err != nil {
				return err
			}
			opened[op.t], used[op.t] = d, &cost{}
		}
		err := op.refused
		if err == nil {
			err = op.settle(d)
		}
		fatal := false
		if reasons[i], fatal = op.reason(err); fatal {
			return err
		}
		size += max(op.item.ItemSize(), op.old.ItemSize())
	}
	if err := cancelled(reasons); err != nil {
		return err
	}
	if size > maxTransactBytes {
		return errTogether
	}
	for _, op := range ops {
		if err := op.write(opened[op.t], used[op.t]); err != nil {
			return err
		}
	}
	return token.keep(tx)
}

func (op *transactOp) write(d *tableData, used *cost) error {
	if op.kind == "conditionCheck" {
		used.table += writeUnits(op.old.ItemSize(), 0)
		return nil
	}
	used.addWrite(d.t, op.old, op.item)
	switch {
	case !op.writes:
		return nil
	case op.item == nil:
		return d.delete(op.key)
	}
	return d.put(op.key, op.item)
}

type transactWriteOutput struct {
	ConsumedCapacity      []*consumedCapacity          `json:",omitempty"`
	ItemCollectionMetrics map[string][]*itemCollection `json:",omitempty"`
}

// transactOutput is the answer. A call that repeats an earlier one costs what
// reading the items would.
func (s *Service) transactOutput(in *transactWriteInput, ops []*transactOp, used map[*table]*cost, repeated bool) *transactWriteOutput {
	out := &transactWriteOutput{}
	if repeated {
		out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, s.costOfReading(ops), doubledRead)
		return out
	}
	out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, used, doubledWrite)
	var keyed []keyedItem
	for _, op := range ops {
		if op.kind != "conditionCheck" {
			keyed = append(keyed, keyedItem{op.t, op.keyed().Map})
		}
	}
	out.ItemCollectionMetrics = s.collections(in.ReturnItemCollectionMetrics, keyed)
	return out
}

func (s *Service) costOfReading(ops []*transactOp) map[*table]*cost {
	used := make(map[*table]*cost)
	for _, op := range ops {
		item, err := s.read(op.t, op.key)
		if err != nil {
			continue // the table has gone since
		}
		if used[op.t] == nil {
			used[op.t] = &cost{}
		}
		used[op.t].table += readUnits(item.ItemSize(), true)
	}
	return used
}
