// $connect and $disconnect keep a roster, with the second generation of the SDK
// as it was at first: its DynamoDB client fails without a correct checksum.
package main

import (
	"context"
	"log"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type row struct {
	PK           string
	SK           string
	ConnectionID string    `dynamodbav:"ConnectionId"`
	Established  time.Time `dynamodbav:"EstablishedTime"`
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	r := roster{dynamodb.NewFromConfig(cfg), aws.String("SocketRoster")}
	lambda.Start(r.handle)
}

type roster struct {
	db    *dynamodb.Client
	table *string
}

func (r roster) handle(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	id, key := e.RequestContext.ConnectionID, "CONN#"+e.RequestContext.ConnectionID
	if e.RequestContext.RouteKey == "$disconnect" {
		_, err := r.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: r.table, Key: map[string]types.AttributeValue{
			"PK": &types.AttributeValueMemberS{Value: key}, "SK": &types.AttributeValueMemberS{Value: key}}})
		return events.APIGatewayProxyResponse{StatusCode: 200}, err
	}
	item, err := attributevalue.MarshalMap(row{key, key, id, time.Now()})
	if err == nil {
		_, err = r.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: r.table, Item: item})
	}
	return events.APIGatewayProxyResponse{StatusCode: 200}, err
}
