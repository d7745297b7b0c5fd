// Package sdk2 is a function that calls AWS with the AWS SDK for Go v2 as functions
// do that know nothing of Gatepost: by AWS's own hosts. All versions of the
// SDK build it.
package sdk2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ToAPI and ToTable set a client's endpoint. Until November 2023 resolvers did
// that; newer versions have BaseEndpoint, and a command that uses it sets these.
var (
	ToAPI = func(o *apigatewaymanagementapi.Options, url string) {
		o.EndpointResolver = apigatewaymanagementapi.EndpointResolverFromURL(url)
	}
	ToTable = func(o *dynamodb.Options, url string) { o.EndpointResolver = dynamodb.EndpointResolverFromURL(url) }
)

// Start serves events.
func Start() { lambda.Start(handle) }

var name = os.Getenv("AWS_LAMBDA_FUNCTION_NAME")

func handle(ctx context.Context, e events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	if e.Body == "ping" { // from this function itself
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: "pong"}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return events.APIGatewayProxyResponse{}, err
	}
	c := e.RequestContext
	literal := fmt.Sprintf("https://%s.execute-api.%s.amazonaws.com/%s", c.APIID, cfg.Region, c.Stage)
	report := []string{"report of", name}
	for _, step := range []struct {
		what string
		do   func(context.Context, aws.Config) error
	}{{"put", put}, {"get", get}, {"queue", queue}, {"topic", topic}, {"invoke", invoke}} {
		if err := step.do(ctx, cfg); err != nil {
			report = append(report, step.what+" failed: "+err.Error())
			continue
		}
		report = append(report, step.what)
	}
	for _, p := range []struct{ endpoint, text string }{
		{literal, "literal"}, {"https://" + c.DomainName + "/" + c.Stage, "domain"}, {literal, strings.Join(report, " ")},
	} {
		if err := post(ctx, cfg, p.endpoint, c.ConnectionID, p.text); err != nil {
			return events.APIGatewayProxyResponse{}, fmt.Errorf("post to %s: %w", p.endpoint, err)
		}
	}
	return events.APIGatewayProxyResponse{StatusCode: 200}, nil
}

func post(ctx context.Context, cfg aws.Config, endpoint, id, text string) error {
	client := apigatewaymanagementapi.NewFromConfig(cfg, func(o *apigatewaymanagementapi.Options) { ToAPI(o, endpoint) })
	_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte(text)})
	return err
}

func put(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(os.Getenv("TABLE")), Item: map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: name}, "text": &types.AttributeValueMemberS{Value: "hello"},
	}})
	return err
}

func get(ctx context.Context, cfg aws.Config) error {
	client := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { ToTable(o, "https://dynamodb."+cfg.Region+".amazonaws.com") })
	out, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(os.Getenv("TABLE")), Key: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: name}}})
	if err != nil {
		return err
	}
	if text, ok := out.Item["text"].(*types.AttributeValueMemberS); !ok || text.Value != "hello" {
		return fmt.Errorf("the item is %v", out.Item)
	}
	return nil
}

func queue(ctx context.Context, cfg aws.Config) error {
	out, err := sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(os.Getenv("QUEUE")), MessageBody: aws.String("from " + name)})
	if err == nil && aws.ToString(out.MessageId) == "" {
		err = errors.New("the message has no id")
	}
	return err
}

func topic(ctx context.Context, cfg aws.Config) error {
	out, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: aws.String(os.Getenv("TOPIC")), Message: aws.String("from " + name)})
	if err == nil && aws.ToString(out.MessageId) == "" {
		err = errors.New("the message has no id")
	}
	return err
}

func invoke(ctx context.Context, cfg aws.Config) error {
	out, err := api.NewFromConfig(cfg).Invoke(ctx, &api.InvokeInput{FunctionName: &name, Payload: []byte(`{"body":"ping"}`)})
	if err == nil && !strings.Contains(string(out.Payload), "pong") {
		err = fmt.Errorf("the answer is %s", out.Payload)
	}
	return err
}
