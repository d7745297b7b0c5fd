// Command restock is a function without a route: whoever runs the shop invokes it
// when a delivery has come. An event without items delivers the catalogue.
//
// Environment: STOCK_TABLE (required).
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gatepost-dev/gatepost/examples/inventory/shop"
	"github.com/gatepost-dev/gatepost/push/function"
)

func main() { function.Main(build) }

// delivery is the event, and the answer.
type delivery struct {
	Items []shop.Item `json:"items"`
}

func build(ctx context.Context, env *function.Environment) (function.Handler[delivery, delivery], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	s := shop.New(dynamodb.NewFromConfig(cfg), env.Text("STOCK_TABLE", "the table of items"), "")
	return func(ctx context.Context, d delivery) (delivery, error) {
		if len(d.Items) == 0 {
			d.Items = shop.Catalogue
		}
		for _, item := range d.Items {
			if item.SKU == "" || item.Name == "" || item.Left < 0 || item.Cents < 0 {
				return delivery{}, fmt.Errorf("%+v is no item: it needs sku and name, and no negative left and cents", item)
			}
		}
		return d, s.Restock(ctx, d.Items)
	}, nil
}
