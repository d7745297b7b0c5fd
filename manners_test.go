package gatepost_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TestUnknownOperations: each service answers in its own protocol with the error
// that SDKs know, and names the operation.
func TestUnknownOperations(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	server := run(t, gatepost.Config{Stack: resetSystem(), Handlers: map[string]gatepost.Handler{"take": nothing(), "call": nothing()}})
	for _, tt := range []struct {
		service, method, path, target, form string
		status                              int
		code, names                         string
	}{
		{"dynamodb", "POST", "/", "DynamoDB_20120810.ExecuteStatement", "", 400, "UnknownOperationException", "ExecuteStatement"},
		{"dynamodb", "POST", "/", "DynamoDB_20120810.Levitate", "", 400, "UnknownOperationException", "Levitate"},
		{"dynamodb", "POST", "/", "DynamoDBStreams_20120810.Levitate", "", 400, "UnknownOperationException", "Levitate"},
		{"kinesis", "POST", "/", "Kinesis_20131202.Levitate", "", 400, "UnknownOperationException", "Levitate"},
		{"sqs", "POST", "/", "AmazonSQS.Levitate", "", 400, "UnknownOperationException", "Levitate"},
		{"sqs", "POST", "/", "", "Action=Levitate&Version=2012-11-05", 400, "InvalidAction", "Levitate"},
		{"sns", "POST", "/", "", "Action=CreatePlatformApplication&Version=2010-03-31", 400, "InvalidAction", "CreatePlatformApplication"},
		{"lambda", "POST", "/2015-03-31/functions", "", "", 404, "UnknownOperationException", "CreateFunction"},
		{"lambda", "DELETE", "/2015-03-31/functions/call", "", "", 404, "UnknownOperationException", "DeleteFunction"},
		{"events", "POST", "/", "AWSEvents.PutEvents", "", 400, "UnknownOperationException", "AWSEvents.PutEvents"},
		{"sts", "POST", "/", "", "Action=GetCallerIdentity&Version=2011-06-15", 400, "InvalidAction", "GetCallerIdentity"},
	} {
		name := tt.service + " " + tt.target + tt.form + tt.path
		body := tt.form
		if body == "" {
			body = "{}"
		}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, server.AWS()+tt.path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tt.target != "":
			req.Header.Set("X-Amz-Target", tt.target)
			req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		case tt.form != "":
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		sign(req, body, tt.service)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		code, message := readError(resp, text)
		if resp.StatusCode != tt.status || code != tt.code || !strings.Contains(message, tt.names) {
			t.Errorf("%s: %d %s\nwant %d %s with %q", name, resp.StatusCode, text, tt.status, tt.code, tt.names)
		}
		if resp.Header.Get("X-Amzn-Requestid") == "" {
			t.Errorf("%s: the answer has no request id", name)
		}
	}
}

func sign(r *http.Request, body, service string) {
	awswire.Sign(r, []byte(body), awswire.NewCredentials(), "eu-west-1", service, time.Now())
}

// readError reads what an SDK would: code and message, out of JSON, XML or the
// header of REST calls.
func readError(r *http.Response, text []byte) (code, message string) {
	var asJSON struct {
		Type    string `json:"__type"`
		Message string
	}
	if json.Unmarshal(text, &asJSON) == nil {
		code = asJSON.Type[strings.LastIndex(asJSON.Type, "#")+1:]
		if code == "" {
			code = r.Header.Get("X-Amzn-Errortype")
		}
		return code, asJSON.Message
	}
	var asXML struct {
		Error struct{ Code, Message string }
	}
	if err := xml.Unmarshal(text, &asXML); err != nil {
		return "", err.Error()
	}
	return asXML.Error.Code, asXML.Error.Message
}

// TestRegionsAndAccounts: every service accepts any region, and an access key of
// twelve digits as an account; what is made in one is in no other. Keys of another
// form belong to the account of the stack.
func TestRegionsAndAccounts(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	server := run(t, gatepost.Config{Stack: resetSystem(), Handlers: map[string]gatepost.Handler{"take": nothing(), "call": nothing()}})
	places := []struct{ region, key, account string }{
		{"us-east-1", "test", "000000000000"}, {"us-east-1", "111122223333", "111122223333"},
		{"ap-south-2", "000000000000", "000000000000"}, {"ap-south-2", "111122223333", "111122223333"}, {"mx-central-1", "AKIAIOSFODNN7EXAMPLE", "000000000000"},
	}
	for _, p := range places {
		c, body := clientsOf(server, p.region, p.key), p.region+p.account
		made, err := c.tables.CreateTable(t.Context(), tableOf("kept"))
		if err != nil {
			t.Fatal(err)
		}
		topic, err1 := c.topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("kept")})
		queue, err2 := c.queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("kept")})
		_, err3 := c.data.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("kept"), ShardCount: aws.Int32(1)})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		place := p.region + ":" + p.account + ":"
		for _, arn := range []string{*made.TableDescription.TableArn, *topic.TopicArn} {
			if !strings.Contains(arn, ":"+place) {
				t.Errorf("%+v: made %s", p, arn)
			}
		}
		if !strings.HasSuffix(*queue.QueueUrl, "/"+p.account+"/kept") {
			t.Errorf("%+v: made %s", p, *queue.QueueUrl)
		}
		c.send(t, "kept", body)
		_, err1 = c.tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("kept"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: body}}})
		_, err2 = c.topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:" + place + "kept")})
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range places {
		c, body := clientsOf(server, p.region, p.key), p.region+p.account
		if got := c.receive(t, "kept"); !slices.Equal(got, []string{body}) {
			t.Errorf("%+v: the queue holds %v", p, got)
		}
		items, err := c.tables.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("kept")})
		if err != nil || items.Count != 1 || items.Items[0]["pk"].(*types.AttributeValueMemberS).Value != body {
			t.Errorf("%+v: the table holds %v, %v", p, items, err)
		}
		if got, want := c.listed(t), "tables [kept], streams [kept], queues 1, topics 1, subscriptions 1, functions 0"; got != want {
			t.Errorf("%+v lists %s, want %s", p, got, want)
		}
	}
	for place, want := range map[[2]string]string{
		{"eu-west-1", "test"}:         "tables [roster], streams [], queues 4, topics 1, subscriptions 1, functions 2",
		{"eu-west-1", "000000000000"}: "tables [roster], streams [], queues 4, topics 1, subscriptions 1, functions 2",
		{"eu-west-1", "111122223333"}: "tables [], streams [], queues 0, topics 0, subscriptions 0, functions 0",
		{"eu-north-1", "test"}:        "tables [], streams [], queues 0, topics 0, subscriptions 0, functions 0",
	} {
		c := clientsOf(server, place[0], place[1])
		if got := c.listed(t); got != want {
			t.Errorf("%v lists %s, want %s", place, got, want)
		}
		_, err := c.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("call")})
		if there := strings.HasSuffix(want, "2"); there != (err == nil) || !there && !strings.Contains(fmt.Sprint(err), "ResourceNotFoundException") {
			t.Errorf("%v: the function answers %v", place, err)
		}
	}
}

// listed is what a place has, in a line.
func (c clients) listed(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	tables, err1 := c.tables.ListTables(ctx, nil)
	queues, err2 := c.queues.ListQueues(ctx, nil)
	topics, err3 := c.topics.ListTopics(ctx, nil)
	subs, err4 := c.topics.ListSubscriptions(ctx, nil)
	functions, err5 := c.lambda.ListFunctions(ctx, nil)
	data, err6 := c.data.ListStreams(ctx, nil)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("tables %v, streams %v, queues %d, topics %d, subscriptions %d, functions %d",
		tables.TableNames, data.StreamNames, len(queues.QueueUrls), len(topics.Topics), len(subs.Subscriptions), len(functions.Functions))
}
