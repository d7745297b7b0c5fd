package shop

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// What a cancelled transaction means. The tables themselves are in the end-to-end
// tests.
func TestOutcomeOfACancelledTransaction(t *testing.T) {
	item := map[string]types.AttributeValue{"SKU": &types.AttributeValueMemberS{Value: "mug"}}
	reason := func(code string) types.CancellationReason { return types.CancellationReason{Code: aws.String(code)} }
	none, failed := reason("None"), reason("ConditionalCheckFailed")
	withItem := failed
	withItem.Item = item
	cause := errors.New("cancelled")
	for name, c := range map[string]struct {
		order, stock types.CancellationReason
		want         Outcome
		err          error
	}{
		"the order is there already":             {failed, none, Placed, nil},
		"it is there, and nothing is left since": {failed, withItem, Placed, nil},
		"not enough is left":                     {none, withItem, SoldOut, nil},
		"there is no such item":                  {none, failed, Unknown, nil},
		"another order for the item":             {none, reason("TransactionConflict"), "", ErrBusy},
		"the same order at the same time":        {reason("TransactionConflict"), none, "", ErrBusy},
		"anything else":                          {none, reason("ThrottlingError"), "", cause},
	} {
		got, err := outcomeOf(c.order, c.stock, cause)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, err, c.want, c.err)
		}
	}
}

func TestWhatIsNoOrder(t *testing.T) {
	s := New(nil, "stock", "orders") // a call would panic
	for name, o := range map[string]Order{
		"no id":    {SKU: "mug", Quantity: 1},
		"no item":  {ID: "1", Quantity: 1},
		"none":     {ID: "1", SKU: "mug"},
		"negative": {ID: "1", SKU: "mug", Quantity: -1},
		"too many": {ID: "1", SKU: "mug", Quantity: MaxQuantity + 1},
		"long id":  {ID: string(make([]byte, 65)), SKU: "mug", Quantity: 1},
	} {
		if got, err := s.Place(t.Context(), o); got != Invalid || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
