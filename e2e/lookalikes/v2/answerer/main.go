// What a queue triggers that API Gateway itself fills: the answer goes to the
// connection that the message's attributes name, with the SDK's second
// generation as it was at first.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	gateway := apigatewaymanagementapi.NewFromConfig(cfg, apigatewaymanagementapi.WithEndpointResolver(
		apigatewaymanagementapi.EndpointResolverFromURL(os.Getenv("ENDPOINT"))))
	lambda.Start(func(ctx context.Context, e events.SQSEvent) error {
		for _, m := range e.Records {
			answer, err := json.Marshal(map[string]string{"message": m.Body, "requestId": *m.MessageAttributes["requestId"].StringValue})
			if err != nil {
				return err
			}
			_, err = gateway.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
				ConnectionId: m.MessageAttributes["connectionId"].StringValue, Data: answer})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
