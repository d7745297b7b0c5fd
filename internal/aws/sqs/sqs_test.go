package sqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/stack"
)

// fixture is a service behind its real front door, with the SDK's client.
type fixture struct {
	*Service
	bus    *bus.Bus
	feed   *telemetry.Feed
	server *httptest.Server
	client *awssqs.Client
}

var testKey = []byte("the key that outlives a restart!")

// start opens a bus in dir ("" for memory) and a service on it.
func start(t testing.TB, dir string, change ...func(*Config)) *fixture {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := bus.Open(bus.Config{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{bus: b, feed: telemetry.NewFeed()}
	t.Cleanup(f.stop)
	cfg := Config{Bus: b, Region: "eu-west-1", Account: "123456789012", SecretKey: testKey, Feed: f.feed, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	f.Service, err = New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := &awswire.Endpoint{Log: log}
	endpoint.Register(f)
	f.server = httptest.NewServer(endpoint)
	f.client = client(f.server.URL)
	return f
}

// workOf is the work queue of a standard queue.
func workOf(q *queue) *bus.WorkQueue { return q.line.(*standard).work }

// stop may be called twice.
func (f *fixture) stop() {
	if f.Service != nil {
		f.Service.Close()
	}
	if f.server != nil {
		f.server.Close()
	}
	f.bus.Close()
}

func client(url string) *awssqs.Client {
	return awssqs.New(awssqs.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}},
	})
}

// create makes a queue and returns its URL.
func (f *fixture) create(t testing.TB, name string, attributes map[string]string) string {
	t.Helper()
	out, err := f.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueueUrl
}

func (f *fixture) send(t testing.TB, url string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// receive takes up to ten messages, with all attributes.
func (f *fixture) receive(t testing.TB, url string, wait int32) []types.Message {
	t.Helper()
	out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

// want checks messages given as "body/receive count".
func want(t testing.TB, got []types.Message, bodies ...string) {
	t.Helper()
	var have []string
	for _, m := range got {
		have = append(have, *m.Body+"/"+m.Attributes["ApproximateReceiveCount"])
	}
	slices.Sort(have)
	if !slices.Equal(have, bodies) {
		t.Fatalf("received %v, want %v", have, bodies)
	}
}

func (f *fixture) delete(t testing.TB, url string, messages ...types.Message) {
	t.Helper()
	for _, m := range messages {
		if _, err := f.client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *fixture) attributes(t testing.TB, url string, names ...types.QueueAttributeName) map[string]string {
	t.Helper()
	out, err := f.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		t.Fatal(err)
	}
	return out.Attributes
}

// wantCounts checks the numbers of visible, hidden and delayed messages.
func (f *fixture) wantCounts(t testing.TB, url string, visible, hidden, delayed int) {
	t.Helper()
	a := f.attributes(t, url, "All")
	got := a["ApproximateNumberOfMessages"] + " " + a["ApproximateNumberOfMessagesNotVisible"] + " " + a["ApproximateNumberOfMessagesDelayed"]
	if want := fmt.Sprint(visible, hidden, delayed); got != want {
		t.Fatalf("visible, hidden, delayed = %s, want %s", got, want)
	}
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestSendReceiveDelete(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "socket-queue", nil)
	if url != f.server.URL+"/123456789012/socket-queue" {
		t.Errorf("queue URL %s", url)
	}
	before := time.Now().UnixMilli()
	body := "{\"hello\": \"wörld\"}\r\n\t<&>\u2028\U0001F600"
	sent, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{
		QueueUrl: &url, MessageBody: &body, MessageGroupId: aws.String("tenant-1"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"timestamp": {DataType: aws.String("Number"), StringValue: aws.String("1493147359900")},
			"raw.bytes": {DataType: aws.String("Binary.x"), BinaryValue: []byte{0, 255, 10}},
		},
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-2-3")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := f.receive(t, url, 0)
	if len(got) != 1 {
		t.Fatalf("received %d messages", len(got))
	}
	m := got[0]
	if *m.Body != body || *m.MessageId != *sent.MessageId || *m.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Errorf("received %q id %s digest %s", *m.Body, *m.MessageId, *m.MD5OfMessageAttributes)
	}
	if a := m.MessageAttributes["raw.bytes"]; *a.DataType != "Binary.x" || string(a.BinaryValue) != "\x00\xff\n" || len(m.MessageAttributes) != 2 {
		t.Errorf("attributes %v", m.MessageAttributes)
	}
	for name, want := range map[string]string{"ApproximateReceiveCount": "1", "SenderId": "123456789012", "AWSTraceHeader": "Root=1-2-3", "MessageGroupId": "tenant-1"} {
		if m.Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, m.Attributes[name], want)
		}
	}
	first, sentAt := m.Attributes["ApproximateFirstReceiveTimestamp"], m.Attributes["SentTimestamp"]
	if sentAt < fmt.Sprint(before) || first < sentAt || first > fmt.Sprint(time.Now().UnixMilli()) || len(m.Attributes) != 6 {
		t.Errorf("system attributes %v", m.Attributes)
	}
	f.wantCounts(t, url, 0, 1, 0)
	f.delete(t, url, m, m) // the second time is a success, too
	f.wantCounts(t, url, 0, 0, 0)
}

func TestQueueOperations(t *testing.T) {
	f := start(t, "")
	dlq := f.create(t, "jobs-dlq", nil)
	arn := f.attributes(t, dlq, "QueueArn")["QueueArn"]
	policy := `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":"3"}`
	attributes := map[string]string{"VisibilityTimeout": "90", "RedrivePolicy": policy, "Policy": "{}"}
	url := f.create(t, "jobs", attributes)
	if again := f.create(t, "jobs", attributes); again != url {
		t.Errorf("created again: %s, want %s", again, url)
	}
	_, err := f.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{"VisibilityTimeout": "91"}})
	if _, ok := errors.AsType[*types.QueueNameExists](err); !ok || !strings.Contains(err.Error(), "VisibilityTimeout") {
		t.Errorf("created with another timeout: %v", err)
	}
	got := f.attributes(t, url, "All")
	for name, want := range map[string]string{
		"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:jobs", "VisibilityTimeout": "90", "MaximumMessageSize": "1048576",
		"MessageRetentionPeriod": "345600", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0", "Policy": "{}",
		"RedrivePolicy":               `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":3}`,
		"ApproximateNumberOfMessages": "0", "CreatedTimestamp": got["LastModifiedTimestamp"],
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	_, err = f.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &url,
		Attributes: map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": "", "Policy": ""}})
	if err != nil {
		t.Fatal(err)
	}
	got = f.attributes(t, url, "VisibilityTimeout", "RedrivePolicy", "Policy")
	if len(got) != 1 || got["VisibilityTimeout"] != "1" {
		t.Errorf("after setting: %v", got)
	}
	if q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs"); workOf(q).Config().AckWait != time.Second {
		t.Errorf("the bus has a wait of %v", workOf(q).Config().AckWait)
	}
	found, err := f.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: aws.String("jobs")})
	if err != nil || *found.QueueUrl != url {
		t.Errorf("GetQueueUrl: %v, %v", found, err)
	}
	if _, err := f.client.DeleteQueue(t.Context(), &awssqs.DeleteQueueInput{QueueUrl: &url}); err != nil {
		t.Fatal(err)
	}
	_, err = f.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: aws.String("jobs")})
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("after deletion: %v", err)
	}
}

func TestListQueues(t *testing.T) {
	f := start(t, "")
	for _, name := range []string{"b-2", "a", "b-1", "b-3"} {
		f.create(t, name, nil)
	}
	in := &awssqs.ListQueuesInput{QueueNamePrefix: aws.String("b-"), MaxResults: aws.Int32(2)}
	var names []string
	for pages := awssqs.NewListQueuesPaginator(f.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range page.QueueUrls {
			names = append(names, url[strings.LastIndex(url, "/")+1:])
		}
		names = append(names, "|")
	}
	if got := strings.Join(names, " "); got != "b-1 b-2 | b-3 |" {
		t.Errorf("listed %s", got)
	}
}

// TestRegions: a queue lives in the region that the call is signed for.
func TestRegions(t *testing.T) {
	f := start(t, "")
	f.create(t, "here", nil)
	_, err := f.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: aws.String("here")}, func(o *awssqs.Options) { o.Region = "us-east-2" })
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
		t.Errorf("in another region: %v", err)
	}
}

// TestForeignURL: only a URL's path counts, whatever host it names.
func TestForeignURL(t *testing.T) {
	f := start(t, "")
	f.create(t, "jobs", nil)
	foreign := "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
	f.send(t, foreign, "a")
	want(t, f.receive(t, "http://localhost:1/123456789012/jobs", 0), "a/1")
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	f.send(t, url, "a")
	change := func(m types.Message, seconds int32) error {
		_, err := f.client.ChangeMessageVisibility(t.Context(), &awssqs.ChangeMessageVisibilityInput{
			QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
		return err
	}
	first := f.receive(t, url, 0)
	want(t, first, "a/1")
	want(t, f.receive(t, url, 0))
	if err := change(first[0], 43190); err != nil { // 43200 counts from the receive
		t.Fatal(err)
	}
	if err := change(first[0], 0); err != nil {
		t.Fatal(err)
	}
	f.wantCounts(t, url, 1, 0, 0)
	if got := code(change(first[0], 10)); got != "AWS.SimpleQueueService.MessageNotInflight" {
		t.Errorf("changing a visible message: %s", got)
	}
	second := f.receive(t, url, 0)
	want(t, second, "a/2")
	if second[0].Attributes["ApproximateFirstReceiveTimestamp"] != first[0].Attributes["ApproximateFirstReceiveTimestamp"] {
		t.Errorf("the first receive moved: %v, then %v", first[0].Attributes, second[0].Attributes)
	}
	if err := change(second[0], 1); err != nil {
		t.Fatal(err)
	}
	want(t, f.receive(t, url, 5), "a/3")
	f.delete(t, url, first...) // an old handle does it, too
	f.wantCounts(t, url, 0, 0, 0)
	if got := code(change(first[0], 10)); got != "InvalidParameterValue" {
		t.Errorf("changing a deleted message: %s", got)
	}
}

// TestReceiveVisibility: a receive's own timeout goes before the queue's, zero
// and times beyond what the bus waits by itself included.
func TestReceiveVisibility(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"VisibilityTimeout": "0"})
	f.send(t, url, "a")
	want(t, f.receive(t, url, 0), "a/1")
	want(t, f.receive(t, url, 0), "a/2")
	take := func(seconds int32) {
		t.Helper()
		out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, VisibilityTimeout: seconds, WaitTimeSeconds: 5})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("receive: %v, %v", out, err)
		}
	}
	// The SDK leaves a timeout of zero out; the queue's own is zero.
	take(1)
	take(43200)
	q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs")
	lease, _ := workOf(q).Lease(1)
	if left := time.Until(lease.Until); left < 11*time.Hour || lease.Count != 4 {
		t.Errorf("hidden for %v after %d receives", left, lease.Count)
	}
	want(t, f.receive(t, url, 1))
}

// TestAckWait: the bus never waits long by itself, see DESIGN.md.
func TestAckWait(t *testing.T) {
	for visibility, want := range map[time.Duration]time.Duration{
		0: maxAckWait, time.Second: time.Second, maxAckWait: maxAckWait, maxAckWait + 1: maxAckWait, maxVisibility: maxAckWait,
	} {
		r := newRecord(address{"r", "1", "jobs"}, settings{VisibilityTimeout: visibility, Retention: time.Minute})
		if got := r.busConfig(); got.AckWait != want || got.Duplicates != time.Minute {
			t.Errorf("visibility timeout %v: %+v, want a wait of %v", visibility, got, want)
		}
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"DelaySeconds": "900"})
	f.send(t, url, "much later")
	start := time.Now()
	if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("later"), DelaySeconds: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantCounts(t, url, 0, 0, 2)
	want(t, f.receive(t, url, 0))
	want(t, f.receive(t, url, 5), "later/1")
	if took := time.Since(start); took < time.Second || took > 3*time.Second {
		t.Errorf("came after %v, want 1 s", took)
	}
	f.wantCounts(t, url, 0, 1, 1)
}

func TestDeadLetters(t *testing.T) {
	for _, limit := range []int{1, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			f := start(t, "")
			dlq := f.create(t, "dlq", nil)
			url := f.create(t, "jobs", map[string]string{"VisibilityTimeout": "0",
				"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dlq","maxReceiveCount":%d}`, limit)})
			if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("poison"),
				MessageAttributes: map[string]types.MessageAttributeValue{"n": {DataType: aws.String("String"), StringValue: aws.String("v")}}}); err != nil {
				t.Fatal(err)
			}
			var m types.Message
			for i := range limit {
				got := f.receive(t, url, 0)
				want(t, got, fmt.Sprint("poison/", i+1))
				m = got[0]
			}
			f.send(t, url, "sound")
			// The move makes room: the sound one comes in the same call.
			for _, got := range f.receive(t, url, 1) {
				f.delete(t, url, got)
			}
			f.wantCounts(t, url, 0, 0, 0)
			dead := f.receive(t, dlq, 0)
			want(t, dead, "poison/1")
			if *dead[0].MessageId != *m.MessageId || dead[0].Attributes["SentTimestamp"] != m.Attributes["SentTimestamp"] ||
				*dead[0].MD5OfMessageAttributes != *m.MD5OfMessageAttributes {
				t.Errorf("dead letter %v, was %v", dead[0], m)
			}
			if source := dead[0].Attributes["DeadLetterQueueSourceArn"]; source != "arn:aws:sqs:eu-west-1:123456789012:jobs" {
				t.Errorf("source %s", source)
			}
			events := f.feed.Recent(10)
			if len(events) != 1 || events[0].Kind != telemetry.DeadLettered || events[0].RequestID != *m.MessageId {
				t.Errorf("feed: %+v", events)
			}
		})
	}
}

// TestDeadLetterQueueGone: without its dead-letter queue a message stays.
func TestDeadLetterQueueGone(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	err := f.EnsureQueue(stack.Queue{Name: "jobs", VisibilityTimeout: 20 * time.Millisecond,
		Redrive: &stack.Redrive{DeadLetterARN: "arn:aws:sqs:eu-west-1:123456789012:later", MaxReceiveCount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	url := f.server.URL + "/123456789012/jobs"
	f.send(t, url, "a")
	want(t, f.receive(t, url, 0), "a/1")
	want(t, f.receive(t, url, 1))
	if err := f.EnsureQueue(stack.Queue{Name: "later"}); err != nil {
		t.Fatal(err)
	}
	want(t, f.receive(t, url, 1))
	want(t, f.receive(t, f.server.URL+"/123456789012/later", 0), "a/1")
}

// TestLongPoll: a waiting receive is woken by a message, at once.
func TestLongPoll(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
	woken := make(chan time.Time)
	go func() {
		in := &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10}
		if out, err := f.client.ReceiveMessage(t.Context(), in); err != nil || len(out.Messages) != 1 {
			t.Errorf("receive: %v, %v", out, err)
		}
		woken <- time.Now()
	}()
	f.awaitWaits(t, 1)
	sent := time.Now()
	f.send(t, url, "a")
	if took := (<-woken).Sub(sent); took > time.Second {
		t.Errorf("woke after %v", took)
	}
}

// awaitWaits returns once n receives wait.
func (f *fixture) awaitWaits(t testing.TB, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(f.waits) != n; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d receives wait, want %d", len(f.waits), n)
		}
	}
}

// TestClientLeaves: a receive whose client hangs up ends, and takes no message
// and no receive count with it.
func TestClientLeaves(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := f.client.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
			gone <- err
		}()
		f.awaitWaits(t, 1)
		cancel()
		if err := <-gone; err == nil {
			t.Fatal("the receive was not cut short")
		}
		f.awaitWaits(t, 0)
		f.send(t, url, "a")
		got := f.receive(t, url, 5)
		want(t, got, "a/1")
		f.delete(t, url, got...)
	}
}

func TestTooManyWaits(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	for range cap(f.waits) {
		f.waits <- struct{}{}
	}
	_, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 1})
	if _, ok := errors.AsType[*types.RequestThrottled](err); !ok {
		t.Errorf("one too many: %v", err)
	}
	want(t, f.receive(t, url, 0)) // who does not wait needs no place
}

func TestPurge(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	f.send(t, url, "a", "b")
	out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url})
	if err != nil || len(out.Messages) != 1 {
		t.Fatal(out, err)
	}
	if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("c"), DelaySeconds: 900}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &url}); err != nil {
		t.Fatal(err)
	}
	f.wantCounts(t, url, 0, 0, 0)
	f.delete(t, url, out.Messages[0])
	f.send(t, url, "d")
	want(t, f.receive(t, url, 0), "d/1")
}

// TestWaitersAtClose: Close ends waiting receives with no messages.
func TestWaitersAtClose(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	ended := make(chan error)
	go func() {
		out, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20})
		if err == nil && len(out.Messages) > 0 {
			err = errors.New("messages out of nowhere")
		}
		ended <- err
	}()
	f.awaitWaits(t, 1)
	closing := time.Now()
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(closing); took > 10*time.Second {
		t.Errorf("Close took %v", took)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := f.Receive(t.Context(), "arn:aws:sqs:eu-west-1:123456789012:jobs", 1, 0); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestInProcess: what event source mappings use.
func TestInProcess(t *testing.T) {
	f := start(t, "")
	arn := "arn:aws:sqs:eu-west-1:123456789012:jobs"
	if err := f.EnsureQueue(stack.Queue{Name: "jobs", ARN: arn, VisibilityTimeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	url := f.server.URL + "/123456789012/jobs"
	for i := range 25 {
		f.send(t, url, fmt.Sprintf("%02d", i))
	}
	got, err := f.Receive(t.Context(), arn, 100, time.Second)
	if err != nil || len(got) != 25 || got[24].Body != "24" || got[24].MD5OfBody != md5Hex([]byte("24")) {
		t.Fatalf("received %d, %v", len(got), err)
	}
	if err := f.ChangeVisibility(t.Context(), arn, got[0].ReceiptHandle, 0); err != nil {
		t.Fatal(err)
	}
	again, err := f.Receive(t.Context(), arn, 100, time.Second)
	if err != nil || len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Fatalf("received %v, %v", again, err)
	}
	var handles []string
	for _, m := range got {
		handles = append(handles, m.ReceiptHandle)
	}
	if err := f.Delete(t.Context(), arn, handles); err != nil {
		t.Fatal(err)
	}
	f.wantCounts(t, url, 0, 0, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := f.Receive(ctx, arn, 1, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a receive that was cut short: %v", err)
	}
	for what, err := range map[string]error{
		"handle": f.Delete(t.Context(), arn, []string{"x"}),
		"queue":  f.Delete(t.Context(), arn+"x", handles),
		"ARN":    f.ChangeVisibility(t.Context(), "jobs", handles[0], 0),
	} {
		if err == nil {
			t.Errorf("wrong %s: no error", what)
		}
	}
}

func TestEnsureQueue(t *testing.T) {
	f := start(t, "")
	q := stack.Queue{Name: "jobs", VisibilityTimeout: 90 * time.Second, Redrive: &stack.Redrive{DeadLetterARN: "arn:aws:sqs:eu-west-1:123456789012:dlq", MaxReceiveCount: 1}}
	for range 2 {
		if err := f.EnsureQueue(q); err != nil {
			t.Fatal(err)
		}
	}
	url := f.server.URL + "/123456789012/jobs"
	f.send(t, url, "a")
	if _, err := f.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"Policy": "{}", "DelaySeconds": "5"}}); err != nil {
		t.Fatal(err)
	}
	q.Redrive, q.VisibilityTimeout = nil, 20*time.Second
	if err := f.EnsureQueue(q); err != nil {
		t.Fatal(err)
	}
	got := f.attributes(t, url, "All")
	if got["VisibilityTimeout"] != "20" || got["DelaySeconds"] != "0" || got["RedrivePolicy"] != "" || got["Policy"] != "{}" || got["ApproximateNumberOfMessages"] != "1" {
		t.Errorf("after ensuring: %v", got)
	}
	for text, bad := range map[string]stack.Queue{
		"suffix":            {Name: ".fifo"},
		"VisibilityTimeout": {Name: "x", VisibilityTimeout: 13 * time.Hour},
		"maxReceiveCount":   {Name: "x", Redrive: &stack.Redrive{DeadLetterARN: "arn:aws:sqs:eu-west-1:1:x"}},
		"names another":     {Name: "x", ARN: "arn:aws:sqs:eu-west-1:1:y"},
		"ARN":               {Name: "x", ARN: "x"},
		"alphanumeric":      {Name: "a b"},
	} {
		if err := f.EnsureQueue(bad); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want something about %s", bad, err, text)
		}
	}
}
