// Package shop holds the shop's stock and its orders, in two DynamoDB tables:
// Stock has an item a row, Orders an order. Nobody else writes to them, so what
// the stream of Stock tells is all that ever happens to a count.
package shop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a row of Stock.
type Item struct {
	SKU   string `dynamodbav:"SKU" json:"sku"`
	Name  string `dynamodbav:"Name" json:"name"`
	Cents int64  `dynamodbav:"Cents" json:"cents"` // the price
	Left  int64  `dynamodbav:"Left" json:"left"`
	// Version grows with each change of the row, so that whoever gets two of
	// them, in whatever order, knows the newer one.
	Version int64 `dynamodbav:"Version" json:"version"`
}

// Order is a row of Orders.
type Order struct {
	// ID is made by the customer's page, which may send an order again when it
	// has not seen the answer: an ID counts once.
	ID       string `dynamodbav:"ID" json:"id"`
	SKU      string `dynamodbav:"SKU" json:"sku"`
	Quantity int64  `dynamodbav:"Quantity" json:"quantity"`
	At       string `dynamodbav:"At" json:"-"` // RFC 3339, UTC
}

// MaxQuantity is the most that one order takes of an item.
const MaxQuantity = 10

// Outcome is what became of an order.
type Outcome string

// An order is placed, or there are not as many left, or there is no such item,
// or it is no order at all.
const (
	Placed  Outcome = "placed"
	SoldOut Outcome = "sold out"
	Unknown Outcome = "unknown item"
	Invalid Outcome = "not an order"
)

// ErrBusy says that too many orders for one item came at once; try again.
var ErrBusy = errors.New("shop: too many orders at once")

// attempts is how often an order is tried against others for the same item.
const attempts = 8

// Shop is the two tables. Its methods may be called together.
type Shop struct {
	client        *dynamodb.Client
	stock, orders string
}

// New returns the shop in two tables.
func New(client *dynamodb.Client, stock, orders string) *Shop { return &Shop{client, stock, orders} }

// Place takes an order: writes it down and takes its items from the stock, both
// or neither. The same order again is placed already, and takes nothing.
func (s *Shop) Place(ctx context.Context, o Order) (Outcome, error) {
	if o.ID == "" || len(o.ID) > 64 || o.SKU == "" || len(o.SKU) > 64 || o.Quantity < 1 || o.Quantity > MaxQuantity {
		return Invalid, nil
	}
	o.At = time.Now().UTC().Format(time.RFC3339)
	for attempt := range attempts {
		outcome, err := s.place(ctx, o)
		if !errors.Is(err, ErrBusy) {
			return outcome, err
		}
		pause := time.Duration(rand.Int64N(int64(10*time.Millisecond) << attempt))
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pause):
		}
	}
	return "", ErrBusy
}

func (s *Shop) place(ctx context.Context, o Order) (Outcome, error) {
	row, err := attributevalue.MarshalMap(o)
	if err != nil {
		return "", err
	}
	quantity := &types.AttributeValueMemberN{Value: fmt.Sprint(o.Quantity)}
	_, err = s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: &s.orders, Item: row, ConditionExpression: aws.String("attribute_not_exists(ID)")}},
		// The race for the last item is decided here: the condition and the
		// change are one step, and only one order finds the condition true.
		{Update: &types.Update{
			TableName:                           &s.stock,
			Key:                                 map[string]types.AttributeValue{"SKU": row["SKU"]},
			UpdateExpression:                    aws.String("SET #left = #left - :quantity ADD Version :one"),
			ConditionExpression:                 aws.String("#left >= :quantity"),
			ExpressionAttributeNames:            map[string]string{"#left": "Left"}, // a reserved word
			ExpressionAttributeValues:           map[string]types.AttributeValue{":quantity": quantity, ":one": one},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
	}})
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok && len(cancelled.CancellationReasons) == 2 {
		return outcomeOf(cancelled.CancellationReasons[0], cancelled.CancellationReasons[1], err)
	}
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	return Placed, nil
}

// outcomeOf says what it means that the transaction was cancelled.
func outcomeOf(order, stock types.CancellationReason, err error) (Outcome, error) {
	const failed = "ConditionalCheckFailed"
	switch {
	case aws.ToString(order.Code) == failed:
		return Placed, nil // before
	case aws.ToString(stock.Code) == failed && len(stock.Item) == 0:
		return Unknown, nil
	case aws.ToString(stock.Code) == failed:
		return SoldOut, nil
	case aws.ToString(order.Code) == "TransactionConflict" || aws.ToString(stock.Code) == "TransactionConflict":
		return "", ErrBusy
	}
	return "", fmt.Errorf("place an order: %w", err)
}

// Stock is every item, by name. It reads the whole table: a shop window of this
// size is one page.
func (s *Shop) Stock(ctx context.Context) ([]Item, error) {
	var items []Item
	pages := dynamodb.NewScanPaginator(s.client, &dynamodb.ScanInput{TableName: &s.stock, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the stock: %w", err)
		}
		var some []Item
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &some); err != nil {
			return nil, fmt.Errorf("read the stock: %w", err)
		}
		items = append(items, some...)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return items, nil
}

// Restock puts items on the shelf: each has Left of them then, whatever there
// was before. Their versions are not looked at.
func (s *Shop) Restock(ctx context.Context, items []Item) error {
	for _, item := range items {
		row, err := attributevalue.MarshalMap(item)
		if err != nil {
			return err
		}
		_, err = s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName:                 &s.stock,
			Key:                       map[string]types.AttributeValue{"SKU": row["SKU"]},
			UpdateExpression:          aws.String("SET #name = :name, Cents = :cents, #left = :left ADD Version :one"),
			ExpressionAttributeNames:  map[string]string{"#name": "Name", "#left": "Left"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":name": row["Name"], ":cents": row["Cents"], ":left": row["Left"], ":one": one},
		})
		if err != nil {
			return fmt.Errorf("restock %s: %w", item.SKU, err)
		}
	}
	return nil
}

var one = &types.AttributeValueMemberN{Value: "1"}

// Catalogue is what the shop sells, and how much of it comes with each delivery.
var Catalogue = []Item{
	{SKU: "kettle", Name: "Copper kettle", Cents: 4900, Left: 12},
	{SKU: "lamp", Name: "Desk lamp", Cents: 7900, Left: 3},
	{SKU: "mug", Name: "Stoneware mug", Cents: 1400, Left: 25},
	{SKU: "print", Name: "Signed print", Cents: 12000, Left: 1},
}
