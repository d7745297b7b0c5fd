// Package sdk1 is a function that calls AWS with the AWS SDK for Go v1 as functions
// do that know nothing of Gatepost: by AWS's own hosts.
package sdk1

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	api "github.com/aws/aws-sdk-go/service/lambda"
	"github.com/aws/aws-sdk-go/service/sns"
	"github.com/aws/aws-sdk-go/service/sqs"
)

// Start serves events.
func Start() { lambda.Start(handle) }

var name = os.Getenv("AWS_LAMBDA_FUNCTION_NAME")

func handle(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	if e.Body == "ping" { // from this function itself
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: "pong"}, nil
	}
	s := session.Must(session.NewSession())
	c := e.RequestContext
	literal := fmt.Sprintf("https://%s.execute-api.%s.amazonaws.com/%s", c.APIID, os.Getenv("AWS_REGION"), c.Stage)
	report := []string{"report of", name}
	for _, step := range []struct {
		what string
		do   func(*session.Session) error
	}{{"put", put}, {"get", get}, {"queue", queue}, {"topic", topic}, {"invoke", invoke}} {
		if err := step.do(s); err != nil {
			report = append(report, step.what+" failed: "+err.Error())
			continue
		}
		report = append(report, step.what)
	}
	for _, p := range []struct{ endpoint, text string }{
		{literal, "literal"}, {"https://" + c.DomainName + "/" + c.Stage, "domain"}, {c.DomainName + "/" + c.Stage, "without a scheme"}, {literal, strings.Join(report, " ")},
	} {
		if err := post(s, p.endpoint, c.ConnectionID, p.text); err != nil {
			return events.APIGatewayProxyResponse{}, fmt.Errorf("post to %s: %w", p.endpoint, err)
		}
	}
	return events.APIGatewayProxyResponse{StatusCode: 200}, nil
}

func post(s *session.Session, endpoint, id, text string) error {
	_, err := apigatewaymanagementapi.New(s, aws.NewConfig().WithEndpoint(endpoint)).PostToConnection(
		&apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(text)})
	return err
}

func put(s *session.Session) error {
	_, err := dynamodb.New(s).PutItem(&dynamodb.PutItemInput{TableName: aws.String(os.Getenv("TABLE")),
		Item: map[string]*dynamodb.AttributeValue{"id": {S: &name}, "text": {S: aws.String("hello")}}})
	return err
}

func get(s *session.Session) error {
	out, err := dynamodb.New(s, aws.NewConfig().WithEndpoint("https://dynamodb."+os.Getenv("AWS_REGION")+".amazonaws.com")).GetItem(
		&dynamodb.GetItemInput{TableName: aws.String(os.Getenv("TABLE")), Key: map[string]*dynamodb.AttributeValue{"id": {S: &name}}})
	if err == nil && (out.Item["text"] == nil || *out.Item["text"].S != "hello") {
		err = fmt.Errorf("the item is %v", out.Item)
	}
	return err
}

func queue(s *session.Session) error {
	out, err := sqs.New(s).SendMessage(&sqs.SendMessageInput{QueueUrl: aws.String(os.Getenv("QUEUE")), MessageBody: aws.String("from " + name)})
	return withID(err, out.MessageId)
}

func topic(s *session.Session) error {
	out, err := sns.New(s).Publish(&sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC")), Message: aws.String("from " + name)})
	return withID(err, out.MessageId)
}

func invoke(s *session.Session) error {
	out, err := api.New(s).Invoke(&api.InvokeInput{FunctionName: &name, Payload: []byte(`{"body":"ping"}`)})
	if err == nil && !strings.Contains(string(out.Payload), "pong") {
		err = fmt.Errorf("the answer is %s", out.Payload)
	}
	return err
}

func withID(err error, id *string) error {
	if err == nil && aws.StringValue(id) == "" {
		err = errors.New("the message has no id")
	}
	return err
}
