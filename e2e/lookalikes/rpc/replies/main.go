// The routes of a system that pushes through a topic: what is written down and
// not answered, what is answered, and what is answered later, from outside.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/dynamodb/expression"
	"github.com/aws/aws-sdk-go/service/sns"
)

var (
	sdk   = session.Must(session.NewSession(&aws.Config{Region: aws.String("eu-west-2")}))
	table = aws.String("lookalike-connections")
)

func main() { lambda.Start(handle) }

func handle(r events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	answer, err := reply(r)
	return events.APIGatewayProxyResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: answer}, err
}

func reply(r events.APIGatewayWebsocketProxyRequest) (string, error) {
	var m struct {
		Action  string
		Data    json.RawMessage
		Minutes int
	}
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		return `{"message":"not JSON"}`, nil
	}
	switch m.Action {
	case "later":
		return "", later(r.RequestContext, string(m.Data))
	case "recent":
		n, err := recent(time.Now().Add(-time.Duration(m.Minutes) * time.Minute))
		return fmt.Sprintf(`{"connections":%d}`, n), err
	case "stale":
		return "", stale()
	}
	fmt.Printf("%s: %s\n", m.Action, m.Data)
	return `{"message":"by route response"}`, nil
}

// later answers through the topic.
func later(c events.APIGatewayWebsocketProxyRequestContext, text string) error {
	push, err := json.Marshal(map[string]string{
		"connectionId": c.ConnectionID, "callbackUrl": "https://" + c.DomainName + "/" + c.Stage, "text": "later: " + text})
	if err != nil {
		return err
	}
	_, err = sns.New(sdk).Publish(&sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC_ARN")), Message: aws.String(string(push))})
	return err
}

// recent counts the connections that began after a time.
func recent(after time.Time) (int, error) {
	key := expression.Key("pk").Equal(expression.Value("connection")).And(expression.Key("sk").GreaterThan(expression.Value(after.UnixMilli())))
	e, err := expression.NewBuilder().WithKeyCondition(key).Build()
	if err != nil {
		return 0, err
	}
	out, err := dynamodb.New(sdk).Query(&dynamodb.QueryInput{
		TableName: table, KeyConditionExpression: e.KeyCondition(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(),
	})
	if err != nil {
		return 0, err
	}
	return len(out.Items), nil
}

// stale leaves a row that has ended a minute ago, as a lost $disconnect does.
func stale() error {
	now := time.Now()
	_, err := dynamodb.New(sdk).PutItem(&dynamodb.PutItemInput{TableName: table, Item: map[string]*dynamodb.AttributeValue{
		"pk":  {S: aws.String("connection")},
		"sk":  {N: aws.String(strconv.FormatInt(now.UnixMilli(), 10))},
		"id":  {S: aws.String("lost")},
		"ttl": {N: aws.String(strconv.FormatInt(now.Add(-time.Minute).Unix(), 10))},
	}})
	return err
}
