package gatepost_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// resetSystem has a table, queues, topics and two functions: one takes a queue's
// messages, and one is invoked.
func resetSystem() *stack.Stack {
	s := tableAndQueue()
	fifo, fed := s.Queues[0], s.Queues[0]
	fifo.Name, fifo.ARN, fifo.Redrive, fifo.FIFO = "line.fifo", "arn:aws:sqs:eu-west-1:000000000000:line.fifo", nil, &stack.FIFO{}
	fed.Name, fed.ARN, fed.Redrive, fed.VisibilityTimeout = "fed", "arn:aws:sqs:eu-west-1:000000000000:fed", nil, time.Second
	s.Queues = append(s.Queues, fifo, fed)
	s.Topics = []stack.Topic{{Name: "news", ARN: "arn:aws:sns:eu-west-1:000000000000:news"}}
	s.Subscriptions = []stack.Subscription{{TopicARN: s.Topics[0].ARN, Protocol: "sqs", Endpoint: s.Queues[0].ARN}}
	s.Functions = []stack.Function{{Name: "take", Timeout: time.Minute, MaxConcurrency: 100}, {Name: "call", Timeout: time.Minute}}
	s.Mappings = []stack.EventSourceMapping{{Function: "take", SourceARN: fed.ARN, BatchSize: 1}}
	return s
}

func nothing() gatepost.Handler {
	return gatepost.NewHandler(func(context.Context) error { return nil })
}

// clients are the SDK's, of one region and account.
type clients struct {
	tables *dynamodb.Client
	queues *sqs.Client
	topics *sns.Client
	lambda *lambda.Client
	data   *kinesis.Client
}

func clientsOf(server *gatepost.Server, region, key string) clients {
	cfg := aws.Config{Region: region, BaseEndpoint: aws.String(server.AWS()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "any", "")}
	return clients{dynamodb.NewFromConfig(cfg), sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg), lambda.NewFromConfig(cfg), kinesis.NewFromConfig(cfg)}
}

func (c clients) url(t *testing.T, queue string) *string {
	t.Helper()
	out, err := c.queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func (c clients) send(t *testing.T, queue, body string) {
	t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: c.url(t, queue), MessageBody: &body}
	if strings.HasSuffix(queue, ".fifo") {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String("group"), &body
	}
	if _, err := c.queues.SendMessage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// receive returns the bodies of what is in a queue.
func (c clients) receive(t *testing.T, queue string) (bodies []string) {
	t.Helper()
	out, err := c.queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: c.url(t, queue), MaxNumberOfMessages: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Messages {
		bodies = append(bodies, *m.Body)
	}
	return bodies
}

func put(ctx context.Context, c clients, table string) error {
	_, err := c.tables.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "1"}}})
	return err
}

// tableOf is a table whose items have the key pk, a string.
func tableOf(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}}}
}

func (c clients) items(t *testing.T, table string) int32 {
	t.Helper()
	out, err := c.tables.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	return out.Count
}

func reset(t *testing.T, server *gatepost.Server, o gatepost.ResetOptions) gatepost.ResetReport {
	t.Helper()
	r, err := server.Reset(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReset: after a reset everything is as it was at the first start, in every
// region and account.
func TestReset(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	server := run(t, gatepost.Config{Stack: resetSystem(), Handlers: map[string]gatepost.Handler{"take": nothing(), "call": nothing()}})
	own, other := clientsOf(server, "eu-west-1", "test"), clientsOf(server, "ap-south-1", "111122223333")
	for _, c := range []clients{own, other} {
		_, err1 := c.queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("made")})
		_, err2 := c.topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("made")})
		_, err3 := c.tables.CreateTable(t.Context(), tableOf("made"))
		if err := errors.Join(err1, err2, err3, put(t.Context(), c, "made")); err != nil {
			t.Fatal(err)
		}
		c.send(t, "made", "old")
	}
	own.send(t, "line.fifo", "once")
	own.send(t, "orders", "old")
	if err := put(t.Context(), own, "roster"); err != nil {
		t.Fatal(err)
	}
	news := "arn:aws:sns:eu-west-1:000000000000:news"
	if _, err := own.topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &news, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:eu-west-1:000000000000:dead")}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.queues.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: own.url(t, "dead")}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.queues.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: own.url(t, "orders"), Attributes: map[string]string{"DelaySeconds": "900"}}); err != nil {
		t.Fatal(err)
	}

	r := reset(t, server, gatepost.ResetOptions{})
	if want := (gatepost.Emptied{Kept: 4, Removed: 1}); r.Queues != want { // two were made, and dead is there again
		t.Errorf("queues: %+v, want %+v", r.Queues, want)
	}
	if want := (gatepost.Emptied{Kept: 1, Removed: 2}); r.Topics != want || r.Tables != want {
		t.Errorf("topics: %+v, tables: %+v, want %+v", r.Topics, r.Tables, want)
	}
	for _, c := range []clients{own, other} {
		if _, err := c.queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("made")}); err == nil {
			t.Error("a queue that was made is there after the reset")
		}
		if tables, err := c.tables.ListTables(t.Context(), nil); err != nil || strings.Contains(strings.Join(tables.TableNames, " "), "made") {
			t.Errorf("tables %v, %v", tables.TableNames, err)
		}
	}
	if topics, err := other.topics.ListTopics(t.Context(), nil); err != nil || len(topics.Topics) != 0 {
		t.Errorf("topics %v, %v", topics, err)
	}
	if n := own.items(t, "roster"); n != 0 {
		t.Errorf("the table has %d items", n)
	}
	for _, queue := range []string{"orders", "line.fifo", "dead"} {
		if got := own.receive(t, queue); len(got) != 0 {
			t.Errorf("%s holds %v", queue, got)
		}
	}
	subs, err := own.topics.ListSubscriptionsByTopic(t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: &news})
	if err != nil || len(subs.Subscriptions) != 1 || !strings.HasSuffix(*subs.Subscriptions[0].Endpoint, ":orders") {
		t.Errorf("subscriptions %+v, %v", subs, err)
	}

	// All of it works, and remembers nothing.
	own.send(t, "line.fifo", "once")
	if got := own.receive(t, "line.fifo"); len(got) != 1 {
		t.Errorf("a message with a deduplication id from before came as %v", got)
	}
	if _, err := own.topics.Publish(t.Context(), &sns.PublishInput{TopicArn: &news, Message: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	await(t, "the delivery of a topic, without the delay that a call had set", func() bool { return len(own.receive(t, "orders")) == 1 })
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// TestResetCutsOff: what functions had in their hands does not come again, and what
// they would have done after it does not happen.
func TestResetCutsOff(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	var taken, called, finished atomic.Int32
	held := func(ctx context.Context, begun *atomic.Int32) error {
		begun.Add(1)
		<-ctx.Done()
		finished.Add(1)
		return ctx.Err()
	}
	server := run(t, gatepost.Config{Stack: resetSystem(), AsyncRetries: []time.Duration{time.Millisecond}, Handlers: map[string]gatepost.Handler{
		"take": gatepost.NewHandler(func(ctx context.Context, _ events.SQSEvent) error { return held(ctx, &taken) }),
		"call": gatepost.NewHandler(func(ctx context.Context) error { return held(ctx, &called) }),
	}})
	c := clientsOf(server, "eu-west-1", "test")
	invoke := func(how lambdatypes.InvocationType) (*lambda.InvokeOutput, error) {
		return c.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("call"), InvocationType: how})
	}
	for range 20 {
		c.send(t, "fed", "old")
		if _, err := invoke(lambdatypes.InvocationTypeEvent); err != nil {
			t.Fatal(err)
		}
	}
	waited := make(chan error, 1)
	go func() {
		out, err := invoke(lambdatypes.InvocationTypeRequestResponse)
		if err == nil && !strings.Contains(string(out.Payload), "Runtime.ExitError") && !strings.Contains(string(out.Payload), "context canceled") {
			err = errors.New(string(out.Payload))
		}
		waited <- err
	}()
	await(t, "function at work", func() bool { return taken.Load() >= 5 && called.Load() >= 2 })

	r := reset(t, server, gatepost.ResetOptions{})
	if r.CutOff < 6 || r.Invocations < 15 {
		t.Errorf("%+v: want at least the batches and calls that ran, and the invocations that waited", r)
	}
	if err := <-waited; err != nil {
		t.Errorf("the caller of a function that was cut off got %v", err)
	}
	await(t, "end of all handlers", func() bool { return finished.Load() == taken.Load()+called.Load() })
	before := taken.Load() + called.Load()
	if r = reset(t, server, gatepost.ResetOptions{}); r.CutOff != 0 || r.Invocations != 0 {
		t.Errorf("something was left: %+v", r)
	}
	if after := taken.Load() + called.Load(); after != before {
		t.Errorf("%d old events came after the reset", after-before)
	}
	c.send(t, "fed", "new")
	await(t, "new message at its function", func() bool { return taken.Load()+called.Load() > before })
}

// TestResetEmptiesBatchingWindows: a message that a mapping holds until its batch is
// full is gone, too.
func TestResetEmptiesBatchingWindows(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	system := resetSystem()
	system.Mappings[0].BatchSize, system.Mappings[0].Window = 100, 2*time.Second
	got := make(chan string, 100)
	server := run(t, gatepost.Config{Stack: system, Handlers: map[string]gatepost.Handler{"call": nothing(),
		"take": gatepost.NewHandler(func(e events.SQSEvent) {
			for _, m := range e.Records {
				got <- m.Body
			}
		})}})
	c := clientsOf(server, "eu-west-1", "test")
	c.send(t, "fed", "old")
	await(t, "message with the mapping", func() bool {
		out, err := c.queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: c.url(t, "fed"), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
		return err == nil && out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
	})
	reset(t, server, gatepost.ResetOptions{})
	c.send(t, "fed", "new")
	select {
	case body := <-got:
		if body != "new" {
			t.Errorf("%q came after the reset", body)
		}
	case <-time.After(patience):
		t.Error("nothing came after the reset")
	}
}

// TestResetUnderTraffic resets again and again while everything is in use. Then it
// stops the traffic and resets once more: nothing is left, and everything works.
func TestResetUnderTraffic(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	var server *gatepost.Server
	ready := make(chan struct{})
	server = run(t, gatepost.Config{Stack: resetSystem(), Handlers: map[string]gatepost.Handler{
		// A function that uses everything, too.
		"take": gatepost.NewHandler(func(ctx context.Context) error {
			<-ready
			return put(ctx, clientsOf(server, "eu-west-1", "test"), "roster")
		}),
		"call": nothing(),
	}})
	close(ready)
	c := clientsOf(server, "eu-west-1", "test")
	fed, orders := c.url(t, "fed"), c.url(t, "orders")
	news := aws.String("arn:aws:sns:eu-west-1:000000000000:news")
	var all sync.WaitGroup
	traffic, stop := context.WithCancel(t.Context())
	defer stop()
	var done atomic.Int64
	// What changes something is not given up half-way: the server may read a call
	// that its client has cancelled after the last reset.
	calls := t.Context()
	for _, do := range []func() error{
		func() error { return put(calls, c, "roster") },
		func() error {
			_, err := c.queues.SendMessage(calls, &sqs.SendMessageInput{QueueUrl: fed, MessageBody: aws.String("x")})
			return err
		},
		func() error {
			_, err := c.queues.ReceiveMessage(traffic, &sqs.ReceiveMessageInput{QueueUrl: orders, WaitTimeSeconds: 20})
			return err
		},
		func() error {
			_, err := c.topics.Publish(calls, &sns.PublishInput{TopicArn: news, Message: aws.String("x")})
			return err
		},
		func() error {
			_, err := c.lambda.Invoke(calls, &lambda.InvokeInput{FunctionName: aws.String("call"), InvocationType: lambdatypes.InvocationTypeEvent})
			return err
		},
		func() error {
			_, err := c.lambda.Invoke(calls, &lambda.InvokeInput{FunctionName: aws.String("call")})
			return err
		},
	} {
		all.Go(func() {
			for traffic.Err() == nil {
				// Nothing fails that waited for a reset; a call that a reset found
				// under way may.
				if err := do(); err != nil && traffic.Err() == nil {
					t.Logf("during a reset: %v", err)
				}
				done.Add(1)
			}
		})
	}
	for range 8 {
		n := done.Load()
		reset(t, server, gatepost.ResetOptions{})
		await(t, "traffic after a reset", func() bool { return done.Load() > n+30 })
	}
	stop()
	all.Wait()
	reset(t, server, gatepost.ResetOptions{})
	if n, got := c.items(t, "roster"), c.receive(t, "orders"); n != 0 || len(got) != 0 {
		t.Errorf("after the last reset: %d items, messages %v", n, got)
	}
	if r := reset(t, server, gatepost.ResetOptions{}); r.Invocations != 0 {
		t.Errorf("after the last reset: %+v", r)
	}
}

// TestResetsTakeTurns, and one that is under way does not hold up the end.
func TestResetsTakeTurns(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	server := run(t, gatepost.Config{Stack: resetSystem(), Handlers: map[string]gatepost.Handler{"take": nothing(), "call": nothing()}})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { reset(t, server, gatepost.ResetOptions{KeepFunctions: true}) })
	}
	all.Wait()
	go func() {
		for {
			if _, err := server.Reset(context.Background(), gatepost.ResetOptions{}); err != nil {
				return // the server is ending
			}
		}
	}()
}

// TestWhoMayReset: programs on this machine, if the server allows it; no page in a
// browser.
func TestWhoMayReset(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	open := run(t, gatepost.Config{Stack: resetSystem(), AllowReset: true, Handlers: map[string]gatepost.Handler{"take": nothing(), "call": nothing()}})
	shut := run(t, gatepost.Config{Stack: &stack.Stack{}})
	type header map[string]string
	for _, tt := range []struct {
		name   string
		server *gatepost.Server
		method string
		query  string
		header header
		status int
		says   string
	}{
		{"a program", open, "POST", "", nil, 200, `"queues":{"kept":4,"removed":0}`},
		{"with options", open, "POST", "?connections=close&functions=keep", nil, 200, `"processes":0`},
		{"with the defaults said", open, "POST", "?connections=keep&functions=renew", nil, 200, `"connections":0`},
		{"an option that is none", open, "POST", "?connection=close", nil, 400, "The parameters are"},
		{"an option twice", open, "POST", "?functions=keep&functions=renew", nil, 400, "The parameters are"},
		{"another method", open, "GET", "", nil, 405, "POST"},
		{"a page's fetch", open, "POST", "", header{"Origin": "https://example.com"}, 403, "web page"},
		{"a sandboxed page", open, "POST", "", header{"Origin": "null"}, 403, "web page"},
		{"a page of this machine", open, "POST", "", header{"Origin": "http://127.0.0.1:4566"}, 403, "web page"},
		{"a page's form", open, "POST", "", header{"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}, 403, "web page"},
		{"a name that leads here", open, "POST", "", header{"Host": "rebound.example.com:4566"}, 401, "token"},
		{"where it is switched off", shut, "POST", "", nil, 403, "switched off"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, tt.server.AWS()+"/_gatepost/reset"+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range tt.header {
			req.Header.Set(name, value)
			if name == "Host" {
				req.Host = value
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) || !json.Valid(body) {
			t.Errorf("%s: %d %s, %v; want %d with %q", tt.name, resp.StatusCode, body, err, tt.status, tt.says)
		}
	}
}
