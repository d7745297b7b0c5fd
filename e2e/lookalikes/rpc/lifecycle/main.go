// $connect and $disconnect of a system that pushes through a topic: a row with
// an end, and on $connect a message that greets the client from outside. The
// region stands in the code.
package main

import (
	"encoding/json"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/sns"
)

var (
	sdk   = session.Must(session.NewSession(&aws.Config{Region: aws.String("eu-west-2")}))
	table = aws.String("lookalike-connections")
)

func main() { lambda.Start(handle) }

func handle(r events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	ok := events.APIGatewayProxyResponse{StatusCode: 200}
	c := r.RequestContext
	// Rows are sorted by when the connection began.
	item := map[string]*dynamodb.AttributeValue{
		"pk": {S: aws.String("connection")},
		"sk": {N: aws.String(strconv.FormatInt(c.ConnectedAt, 10))},
	}
	db := dynamodb.New(sdk)
	if c.EventType == "DISCONNECT" {
		_, err := db.DeleteItem(&dynamodb.DeleteItemInput{TableName: table, Key: item})
		return ok, err
	}
	item["id"] = &dynamodb.AttributeValue{S: aws.String(c.ConnectionID)}
	item["ttl"] = &dynamodb.AttributeValue{N: aws.String(strconv.FormatInt(time.Now().Add(20*time.Minute).Unix(), 10))}
	if _, err := db.PutItem(&dynamodb.PutItemInput{TableName: table, Item: item, ReturnValues: aws.String("NONE")}); err != nil {
		return ok, err
	}
	push, err := json.Marshal(map[string]string{"connectionId": c.ConnectionID, "callbackUrl": "https://" + c.DomainName + "/" + c.Stage})
	if err != nil {
		return ok, err
	}
	_, err = sns.New(sdk).Publish(&sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC_ARN")), Message: aws.String(string(push))})
	return ok, err
}
