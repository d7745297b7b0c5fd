package dynamodb

import (
	"fmt"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/attribute"
	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb/expression"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// Limits of DynamoDB on transactions.
const (
	maxTransact = 100
	// maxTransactBytes is of all items together.
	maxTransactBytes = 4 << 20
)

// transactAction is one of the four kinds of action in TransactWriteItems;
// each has some of the members.
type transactAction struct {
	TableName                           *string
	Item, Key                           attribute.Input
	UpdateExpression                    *string
	ConditionExpression                 *string
	ReturnValuesOnConditionCheckFailure *string
	bindings
}

type transactItem struct {
	ConditionCheck, Put, Delete, Update *transactAction
}

// action returns the item's action and the name of its kind; several is true
// when it has not exactly one.
func (i *transactItem) action() (kind string, a *transactAction, several bool) {
	n := 0
	for _, given := range []struct {
		kind string
		a    *transactAction
	}{{"conditionCheck", i.ConditionCheck}, {"put", i.Put}, {"delete", i.Delete}, {"update", i.Update}} {
		if given.a != nil {
			kind, a = given.kind, given.a
			n++
		}
	}
	return kind, a, n != 1
}

func (i *transactItem) constrain(c *constraints, at string) {
	for kind, a := range map[string]*transactAction{"conditionCheck": i.ConditionCheck, "put": i.Put, "delete": i.Delete, "update": i.Update} {
		if a != nil {
			a.constrain(c, at+kind+".", kind)
		}
	}
}

func (a *transactAction) constrain(c *constraints, at, kind string) {
	c.name(a.TableName, at+"tableName")
	switch {
	case kind == "put" && a.Item.Map == nil:
		c.add(nil, at+"item", notNull)
	case kind != "put" && a.Key.Map == nil:
		c.add(nil, at+"key", notNull)
	}
	if kind == "conditionCheck" && a.ConditionExpression == nil {
		c.add(nil, at+"conditionExpression", notNull)
	}
	if kind == "update" && a.UpdateExpression == nil {
		c.add(nil, at+"updateExpression", notNull)
	}
	c.oneOf(a.ReturnValuesOnConditionCheckFailure, at+"returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
}

// transactOp is an action on its way.
type transactOp struct {
	*transactAction
	kind      string
	t         *table
	key       []byte
	condition *expression.Condition
	update    *expression.Update
	// refused is what is wrong with the action for its table. AWS finds it only
	// when the transaction runs.
	refused error
	// item is what the action leaves behind, nil for nothing; writes is true
	// when it changes something.
	item   attribute.Map
	writes bool
	old    attribute.Map
}

// prepare checks the action as far as that goes without its table.
func (a *transactAction) prepare(kind string) (*transactOp, error) {
	op := &transactOp{transactAction: a, kind: kind}
	expressions := []parameter{{conditionExpression, a.ConditionExpression != nil}}
	if kind == "update" {
		expressions = append([]parameter{{updateExpression, true}}, expressions...)
	}
	if err := a.checkUse(expressions); err != nil {
		return nil, err
	}
	if _, err := op.keyed().Check(); err != nil {
		return nil, err
	}
	if kind == "put" && a.Item.Map.ItemSize() > maxItem {
		return nil, errItemSize
	}
	b, err := a.bind()
	if err != nil {
		return nil, err
	}
	if kind == "update" {
		if op.update, err = expression.ParseUpdate(*a.UpdateExpression, b); err != nil {
			return nil, err
		}
	}
	if a.ConditionExpression != nil {
		if op.condition, err = expression.ParseCondition(conditionExpression, *a.ConditionExpression, b); err != nil {
			return nil, err
		}
	}
	return op, b.CheckUsed()
}

// keyed is the member that has the key.
func (op *transactOp) keyed() *attribute.Input {
	if op.kind == "put" {
		return &op.Item
	}
	return &op.Key
}

// fit checks the action against its table.
func (op *transactOp) fit(t *table) error {
	op.t = t
	var err error
	switch op.kind {
	case "put":
		err = t.checkItem(op.Item.Map)
	case "update":
		if err = t.checkKey(op.Key.Map); err == nil {
			err = t.checkUpdate(op.update)
		}
	default:
		err = t.checkKey(op.Key.Map)
	}
	if isEmptyKey(err) {
		return err
	}
	if op.refused = err; err == nil {
		op.key = t.keys.key(op.keyed().Map)
	}
	return nil
}

// isEmptyKey recognises the errors of keys without content, which AWS finds
// before a transaction runs.
func isEmptyKey(err error) bool {
	return err != nil && strings.Contains(err.Error(), "cannot contain an empty")
}

// settle finds out what the action leaves behind, or why it cannot be done.
func (op *transactOp) settle(d *tableData) (err error) {
	if op.old, err = d.get(op.key); err != nil {
		return err
	}
	if !op.condition.Matches(op.old) {
		return errConditionFailed
	}
	switch op.kind {
	case "put":
		op.item, op.writes = op.Item.Map, true
	case "delete":
		op.writes = op.old != nil
	case "update":
		u := updating{in: &updateItemInput{Key: op.Key}, update: op.update, old: op.old}
		if err := u.apply(d.t); err != nil {
			return err
		}
		op.item, op.writes = u.item, u.item != nil
	default:
		op.item = op.old
	}
	return nil
}

var errConditionFailed = awswire.Errorf("ConditionalCheckFailedException", "The conditional request failed")

// cancellationReason is why an action could not be done; the code None says
// that it could.
type cancellationReason struct {
	Code    string
	Message string        `json:",omitempty"`
	Item    attribute.Map `json:",omitempty"`
}

// reason turns what settle returned into the answer's words. fatal is true for
// an error that is no reason, but ends the call.
func (op *transactOp) reason(err error) (r cancellationReason, fatal bool) {
	err = wireError(err)
	switch e, ok := err.(*awswire.Error); {
	case err == nil:
		return cancellationReason{Code: "None"}, false
	case !ok || isEmptyKey(err):
		return r, true
	case e.Code == "ConditionalCheckFailedException":
		r = cancellationReason{Code: "ConditionalCheckFailed", Message: e.Message}
		if is(op.ReturnValuesOnConditionCheckFailure, "ALL_OLD") {
			r.Item = op.old
		}
		return r, false
	case e.Code == "ValidationException":
		return cancellationReason{Code: "ValidationError", Message: e.Message}, false
	}
	return r, true
}

// cancelled is the answer of a transaction that could not be done; nil when no
// reason is against it.
func cancelled(reasons []cancellationReason) error {
	codes := make([]string, len(reasons))
	failed := false
	for i, r := range reasons {
		codes[i] = r.Code
		failed = failed || r.Code != "None"
	}
	if !failed {
		return nil
	}
	err := awswire.Errorf("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	err.Fields = map[string]any{"CancellationReasons": reasons}
	return err
}

var (
	errOneItem  = invalid("Transaction request cannot include multiple operations on one item")
	errTogether = invalid("The aggregate size of the items in the transaction exceeds %d MB", maxTransactBytes>>20)
	errOneKind  = invalid("TransactItems can only contain one of Check, Put, Update or Delete")
)

// distinct notes which items a transaction is about.
type distinct map[string]bool

func (d distinct) add(t *table, key []byte) error {
	id := fmt.Sprint(t.Number) + " " + string(key)
	if d[id] {
		return errOneItem
	}
	d[id] = true
	return nil
}
