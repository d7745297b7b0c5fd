package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

// kills is how often TestKilled kills; GATEPOST_KILLS says another number:
//
//	GATEPOST_KILLS=200 go test ./e2e -run TestKilled -v -timeout 30m
const kills = 12

// killedTemplate has a table with an index, queues of both kinds, and a topic.
const killedTemplate = `
Resources:
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: items
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: sk, AttributeType: S}, {AttributeName: owner, AttributeType: S}]
      GlobalSecondaryIndexes:
        - {IndexName: byOwner, KeySchema: [{AttributeName: owner, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}], Projection: {ProjectionType: ALL}}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
  Work:
    Type: AWS::SQS::Queue
    Properties: {QueueName: work, VisibilityTimeout: 4}
  Line:
    Type: AWS::SQS::Queue
    Properties: {QueueName: line.fifo, FifoQueue: true, VisibilityTimeout: 4}
  Fed:
    Type: AWS::SQS::Queue
    Properties: {QueueName: fed, VisibilityTimeout: 4}
  News:
    Type: AWS::SNS::Topic
    Properties: {TopicName: news}
  NewsToFed:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Fed.Arn, RawMessageDelivery: true}
`

// TestKilled kills gatepost at random moments, also while it starts, under a load of
// several clients with the AWS SDK, and starts it again on the same data. What was
// acknowledged is there after each start, what was deleted does not come back,
// transactions are whole, indexes agree with their table, and groups of FIFO queues
// keep their order, over all lives.
func TestKilled(t *testing.T) {
	t.Parallel()
	n := kills
	if text := os.Getenv("GATEPOST_KILLS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("GATEPOST_KILLS=%s: %v", text, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(killedTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l := newLoad(t)
	unready := 0
	for range n {
		if rand.IntN(6) == 0 { // while it starts
			unready++
			p := startProgram(t, dir)
			time.Sleep(rand.N(200 * time.Millisecond))
			p.kill()
		}
		p := startProgram(t, dir)
		l.check(p.calls(t))
		stop := l.begin(p.calls(t))
		time.Sleep(20*time.Millisecond + rand.N(500*time.Millisecond))
		p.kill()
		stop()
		if t.Failed() {
			break
		}
	}
	p := startProgram(t, dir)
	l.check(p.calls(t))
	t.Logf("at the end there are %d, %d and %d messages", l.work.size(p.calls(t)), l.line.size(p.calls(t)), l.fed.size(p.calls(t)))
	l.drain(p.calls(t))
	p.kill()
	t.Logf("%d kills, %d more while it started; %d operations acknowledged, %d messages received, in %s",
		n, unready, l.acknowledged.Load(), l.received.Load(), time.Since(began).Round(time.Second))
}

// program is one life of gatepost.
type program struct {
	cmd   *exec.Cmd
	dir   string
	ended chan struct{}
}

func startProgram(t *testing.T, dir string) *program {
	t.Helper()
	return startProgramWith(t, dir, []string{binary})
}

// startProgramWith starts it by a command line that ends with the program.
func startProgramWith(t *testing.T, dir string, command []string, flags ...string) *program {
	t.Helper()
	command = append(command, "dev", dir, "--quiet", "--gateway", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	command = append(command, flags...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd, dir, make(chan struct{})}
	go func() { defer close(p.ended); cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

// kill ends it with SIGKILL and waits for that. It may be called twice.
func (p *program) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.ended
}

// calls waits until it is ready and returns the SDK's clients of it.
func (p *program) calls(t *testing.T) calls {
	t.Helper()
	for end := time.Now().Add(readyWithin); ; time.Sleep(5 * time.Millisecond) {
		r, err := instance.Find(filepath.Join(p.dir, "data"))
		if err == nil && r.PID == p.cmd.Process.Pid {
			return callsTo(r.AWS)
		}
		select {
		case <-p.ended:
			t.Fatalf("gatepost ended by itself: %v", p.cmd.ProcessState)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("gatepost is not ready: %v", err)
		}
	}
}

// calls are the SDK's clients of one life; no call is tried again.
type calls struct {
	at     string
	tables *dynamodb.Client
	queues *sqs.Client
	topics *sns.Client
}

func callsTo(at string) calls {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &at, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient: &http.Client{Timeout: callWithin, Transport: wholeBody{&http.Transport{MaxIdleConnsPerHost: 100}}},
	}
	return calls{at, dynamodb.NewFromConfig(cfg), sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)}
}

func (c calls) url(queue string) *string { return aws.String(c.at + "/000000000000/" + queue) }

// wholeBody gives the transport a request body of its own. The SDK closes the one
// that it made as soon as there is an answer; a transport that has not looked for
// its end by then, as on a busy machine, breaks off in the middle of the answer.
type wholeBody struct{ next http.RoundTripper }

func (w wholeBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return w.next.RoundTrip(r)
}

// load is what clients do, and what they know of it over all lives.
type load struct {
	t                      *testing.T
	items                  []*itemLoad
	work, line, fed        *queueLoad
	acknowledged, received atomic.Int64
}

func newLoad(t *testing.T) *load {
	l := &load{t: t}
	for n := range 4 {
		l.items = append(l.items, newItemLoad(l, fmt.Sprint("owner", n)))
	}
	l.work, l.line, l.fed = newQueueLoad(l, "work"), newQueueLoad(l, "line.fifo"), newQueueLoad(l, "fed")
	// SNS delivers at least once: what a crash has it deliver again is another
	// message to the queue.
	l.fed.comesTwice = true
	return l
}

// begin has all clients work until calls fail, because the program is gone.
func (l *load) begin(c calls) (wait func()) {
	var all sync.WaitGroup
	repeat := func(do func(c calls) error) {
		all.Go(func() {
			for {
				if err := do(c); err != nil {
					l.report(err)
					return
				}
			}
		})
	}
	for _, i := range l.items {
		repeat(i.step)
	}
	for n := range 3 {
		sender := fmt.Sprint("s", n, "-", rand.Uint64())
		repeat(func(c calls) error { return l.work.send(c, sender) })
		repeat(func(c calls) error { return l.line.sendInOrder(c, fmt.Sprint("group", n)) })
		repeat(l.work.receive)
		repeat(l.line.receive)
	}
	publisher := fmt.Sprint("p", rand.Uint64())
	repeat(func(c calls) error { return l.fed.publish(c, publisher) })
	repeat(l.fed.receive)
	return all.Wait
}

// report complains about an error that is an answer: one that the program gave
// because it ended is none.
func (l *load) report(err error) {
	var answer smithy.APIError
	if errors.As(err, &answer) && !strings.Contains(err.Error(), "connection") {
		l.t.Errorf("a call was refused: %v", err)
	}
}

// check compares what is there with what the clients know.
func (l *load) check(c calls) {
	l.t.Helper()
	for _, i := range l.items {
		i.check(c)
	}
	for _, q := range []*queueLoad{l.work, l.line} {
		q.count(c)
	}
}

// drain takes everything out of the queues: nothing that is owed is missing.
func (l *load) drain(c calls) {
	var all sync.WaitGroup
	for _, q := range []*queueLoad{l.work, l.line, l.fed} {
		all.Go(func() { q.drain(c) })
	}
	all.Wait()
}

// forever is the context of a call whose program may be killed at any time.
var forever = context.Background()
