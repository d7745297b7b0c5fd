// What the queue triggers: every message to every connection of the roster. The
// table is read with the SDK's second generation, the posts go out with the
// first, to an endpoint that the template gives.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	first "github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigatewaymanagementapi"
)

var (
	db      *dynamodb.Client
	gateway = apigatewaymanagementapi.New(session.Must(session.NewSession(&first.Config{
		Region: first.String(os.Getenv("REGION")), Endpoint: first.String(os.Getenv("API_ENDPOINT"))})))
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	db = dynamodb.NewFromConfig(cfg)
	lambda.Start(handle)
}

func handle(ctx context.Context, e events.SQSEvent) error {
	for _, m := range e.Records {
		if strings.HasPrefix(m.Body, "poison") {
			return errors.New("nobody can take this")
		}
		if err := toAll(ctx, []byte(m.Body)); err != nil {
			return err
		}
	}
	return nil
}

func toAll(ctx context.Context, message []byte) error {
	out, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("SocketRoster")})
	if err != nil {
		return err
	}
	var rows []struct {
		ConnectionID string `dynamodbav:"ConnectionId"`
	}
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := gateway.PostToConnection(&apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &r.ConnectionID, Data: message}); err != nil {
			return err
		}
	}
	return nil
}
