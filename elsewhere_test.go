package gatepost_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// recordsVariable makes this program a function that writes the bodies of its
// messages to the file that the variable names.
const recordsVariable = "GATEPOST_TEST_RECORDS"

func TestMain(m *testing.M) {
	if file := os.Getenv(recordsVariable); file != "" {
		lambda.Start(func(e events.SQSEvent) error { return os.WriteFile(file, []byte(e.Records[0].Body), 0o600) })
	}
	os.Exit(m.Run())
}

// run starts a server in Europe and returns it once it is ready; it ends with the
// test.
func run(t *testing.T, cfg gatepost.Config) *gatepost.Server {
	t.Helper()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Stack.Region, cfg.Stack.Account = "eu-west-1", "000000000000"
	return serve(t, cfg)
}

// tableAndQueue is a system with a table and a queue with dead letters.
func tableAndQueue() *stack.Stack {
	arn := func(name string) string { return "arn:aws:sqs:eu-west-1:000000000000:" + name }
	queue := func(name string) stack.Queue {
		return stack.Queue{Name: name, ARN: arn(name), VisibilityTimeout: 30 * time.Second, Retention: time.Hour, MaxMessageSize: 1 << 20}
	}
	orders := queue("orders")
	orders.Redrive = &stack.Redrive{DeadLetterARN: arn("dead"), MaxReceiveCount: 3}
	return &stack.Stack{
		Tables: []stack.Table{{Name: "roster", ARN: "arn:aws:dynamodb:eu-west-1:000000000000:table/roster", TTLAttribute: "ttl", StreamView: "KEYS_ONLY",
			Key:        []stack.KeyElement{{Attribute: "pk", Type: "HASH"}},
			Attributes: []stack.Attribute{{Name: "pk", Type: "S"}, {Name: "user", Type: "S"}},
			Indexes:    []stack.TableIndex{{Name: "byUser", Key: []stack.KeyElement{{Attribute: "user", Type: "HASH"}}, Projection: "ALL"}}}},
		Queues: []stack.Queue{orders, queue("dead")},
	}
}

func anybody() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("test", "test", "")
}

func tablesAt(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{BaseEndpoint: &url, Region: "eu-west-1", Credentials: anybody(), RetryMaxAttempts: 1})
}

func queuesAt(url string) *sqs.Client {
	return sqs.New(sqs.Options{BaseEndpoint: &url, Region: "eu-west-1", Credentials: anybody(), RetryMaxAttempts: 1})
}

// TestServicesElsewhere: a system whose table and queue another program keeps,
// here a second Gatepost that starts with nothing.
func TestServicesElsewhere(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	keeper := run(t, gatepost.Config{Stack: &stack.Stack{}})
	system := tableAndQueue()
	records := filepath.Join(t.TempDir(), "records")
	system.Functions = []stack.Function{{Name: "take", Runtime: "provided.al2023", Handler: "bootstrap", Timeout: 20 * time.Second, MemoryMB: 128,
		Command: []string{os.Args[0]}, Environment: map[string]string{recordsVariable: records}}}
	system.Mappings = []stack.EventSourceMapping{{Function: "take", SourceARN: system.Queues[0].ARN, BatchSize: 10}}
	here := run(t, gatepost.Config{Stack: system, Endpoints: map[string]string{"dynamodb": keeper.AWS(), "sqs": keeper.AWS()}})

	item := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "c1"}, "user": &types.AttributeValueMemberS{Value: "ann"}}
	if _, err := tablesAt(here.AWS()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("roster"), Item: item}); err != nil {
		t.Fatal(err)
	}
	got, err := tablesAt(keeper.AWS()).Query(t.Context(), &dynamodb.QueryInput{TableName: aws.String("roster"), IndexName: aws.String("byUser"),
		KeyConditionExpression: aws.String("#u = :u"), ExpressionAttributeNames: map[string]string{"#u": "user"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":u": item["user"]}})
	if err != nil || got.Count != 1 {
		t.Errorf("the keeper has %+v, %v", got, err)
	}
	ttl, err := tablesAt(keeper.AWS()).DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("roster")})
	if err != nil || aws.ToString(ttl.TimeToLiveDescription.AttributeName) != "ttl" {
		t.Errorf("the keeper's table expires by %+v, %v", ttl, err)
	}
	table, err := tablesAt(keeper.AWS()).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("roster")})
	if err != nil || table.Table.StreamSpecification == nil || table.Table.StreamSpecification.StreamViewType != types.StreamViewTypeKeysOnly {
		t.Errorf("the keeper's table is %+v, %v", table, err)
	}

	url, err := queuesAt(here.AWS()).GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queuesAt(here.AWS()).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: aws.String("an order")}); err != nil {
		t.Fatal(err)
	}
	if body := awaitFile(t, records); body != "an order" {
		t.Errorf("the function got %q", body)
	}
	attributes, err := queuesAt(keeper.AWS()).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil || !strings.Contains(attributes.Attributes["RedrivePolicy"], `:dead"`) {
		t.Errorf("the keeper's queue has %+v, %v", attributes, err)
	}
}

// awaitFile returns what a file holds once it is there.
func awaitFile(t *testing.T, path string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if data, err := os.ReadFile(path); err == nil && len(data) > 0 {
			return string(data)
		}
	}
	t.Fatalf("nobody has written %s", path)
	return ""
}

// TestAServiceElsewhereThatDoesNotAnswer: the start says so, and a call while it
// is away gets an error that SDKs try again.
func TestAServiceElsewhereThatDoesNotAnswer(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + ln.Addr().String()
	ln.Close()
	here := run(t, gatepost.Config{Stack: &stack.Stack{}, Endpoints: map[string]string{"dynamodb": nobody}})
	_, err = tablesAt(here.AWS()).ListTables(t.Context(), nil)
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "ServiceUnavailable" || !strings.Contains(refused.ErrorMessage(), nobody) {
		t.Errorf("a call is answered %v", err)
	}

	system := tableAndQueue()
	server, err := gatepost.New(gatepost.Config{Stack: system, Data: filepath.Join(t.TempDir(), "data"), Gateway: "127.0.0.1:0", AWS: "127.0.0.1:0", Console: "127.0.0.1:0",
		Endpoints: map[string]string{"dynamodb": nobody}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "make the table roster at "+nobody) {
		t.Errorf("Run = %v", err)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for service, at := range map[string]string{"s3": "http://127.0.0.1:1", "sqs": "127.0.0.1:9324", "dynamodb": "http://127.0.0.1:8000/path"} {
		_, err := gatepost.New(gatepost.Config{Stack: &stack.Stack{}, Endpoints: map[string]string{service: at}})
		if err == nil || !strings.Contains(err.Error(), "dynamodb, kinesis, sqs, sns, lambda") && !strings.Contains(err.Error(), "http://127.0.0.1:8000, nor") {
			t.Errorf("%s=%s: %v", service, at, err)
		}
	}
}

func streamsAt(url string) *kinesis.Client {
	return kinesis.New(kinesis.Options{BaseEndpoint: &url, Region: "eu-west-1", Credentials: anybody(), RetryMaxAttempts: 1})
}

// TestDataStreamsElsewhere: a system whose data streams another program keeps.
func TestDataStreamsElsewhere(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	keeper := run(t, gatepost.Config{Stack: &stack.Stack{}})
	system := &stack.Stack{Streams: []stack.DataStream{
		{Name: "clicks", ARN: "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks", Shards: 2, Retention: 48 * time.Hour},
		{Name: "calm", ARN: "arn:aws:kinesis:eu-west-1:000000000000:stream/calm", OnDemand: true},
	}}
	here := run(t, gatepost.Config{Stack: system, Endpoints: map[string]string{"kinesis": keeper.AWS()}})
	for name, want := range map[string]streamtypes.StreamDescriptionSummary{
		"clicks": {OpenShardCount: aws.Int32(2), RetentionPeriodHours: aws.Int32(48)}, "calm": {OpenShardCount: aws.Int32(4), RetentionPeriodHours: aws.Int32(24)},
	} {
		out, err := streamsAt(keeper.AWS()).DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &name})
		if err != nil || *out.StreamDescriptionSummary.OpenShardCount != *want.OpenShardCount || *out.StreamDescriptionSummary.RetentionPeriodHours != *want.RetentionPeriodHours {
			t.Errorf("the keeper's stream %s is %+v, %v", name, out, err)
		}
	}

	put, err := streamsAt(here.AWS()).PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("ann"), Data: []byte("a click")})
	if err != nil {
		t.Fatal(err)
	}
	at, err := streamsAt(keeper.AWS()).GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("clicks"), ShardId: put.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	got, err := streamsAt(keeper.AWS()).GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
	if err != nil || len(got.Records) != 1 || string(got.Records[0].Data) != "a click" {
		t.Errorf("the keeper has %+v, %v", got, err)
	}
}
