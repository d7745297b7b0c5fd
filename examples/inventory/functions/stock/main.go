// Command stock is the function of the route stock: it answers with every item.
// A page asks when it is open, and then only listens.
//
// Environment: STOCK_TABLE (required).
package main

import (
	"context"
	"encoding/json"
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
	s := shop.New(dynamodb.NewFromConfig(cfg), env.Text("STOCK_TABLE", "the table of items"), "")
	return func(ctx context.Context, _ events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
		items, err := s.Stock(ctx)
		if err != nil {
			return events.APIGatewayProxyResponse{}, err
		}
		body, err := json.Marshal(map[string]any{"type": "stock", "items": items})
		return events.APIGatewayProxyResponse{StatusCode: http.StatusOK, Body: string(body)}, err
	}, nil
}
