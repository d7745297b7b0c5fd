// Command order is the function of the route order: it takes one order and
// answers what became of it. Everybody else learns of it from announce.
//
// Environment: STOCK_TABLE and ORDERS_TABLE (required).
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gatepost-dev/gatepost/examples/inventory/shop"
	"github.com/gatepost-dev/gatepost/push/function"
)

func main() { function.Main(build) }

func build(ctx context.Context, env *function.Environment) (function.Handler[events.APIGatewayWebsocketProxyRequest, events.APIGatewayProxyResponse], error) {
	cfg, err := function.AWS(ctx, env)
	if err != nil {
		return nil, err
	}
	h := handler{
		shop: shop.New(dynamodb.NewFromConfig(cfg), env.Text("STOCK_TABLE", "the table of items"), env.Text("ORDERS_TABLE", "the table of orders")),
		log:  function.Log(),
	}
	return h.handle, nil
}

type handler struct {
	shop *shop.Shop
	log  *slog.Logger
}

// answer is what the page gets.
type answer struct {
	Type    string       `json:"type"` // "order"
	ID      string       `json:"id"`
	SKU     string       `json:"sku"`
	Outcome shop.Outcome `json:"outcome"`
}

// handle answers every order, or fails: then the page, which has no answer,
// sends the order again.
func (h handler) handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	ctx, cancel := function.Deadline(ctx)
	defer cancel()
	var o shop.Order
	outcome := shop.Invalid
	if err := json.Unmarshal([]byte(event.Body), &o); err == nil {
		if outcome, err = h.shop.Place(ctx, o); err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
	}
	function.WithRequest(ctx, h.log).Info("order", "sku", o.SKU, "quantity", o.Quantity, "outcome", outcome)
	body, err := json.Marshal(answer{"order", o.ID, o.SKU, outcome})
	return events.APIGatewayProxyResponse{StatusCode: http.StatusOK, Body: string(body)}, err
}
