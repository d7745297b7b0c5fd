package sns

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/crashtest"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

func TestMain(m *testing.M) {
	crashtest.Main(publishUntilKilled)
	flag.Set("rapid.nofailfile", "true") // the command line comes later and wins
	flag.Set("rapid.checks", "30")
	os.Exit(m.Run())
}

// patience bounds every wait of the tests.
const patience = 20 * time.Second

const (
	region  = "eu-west-1"
	account = "123456789012"
	queueA  = "arn:aws:sqs:eu-west-1:123456789012:a"
	queueB  = "arn:aws:sqs:eu-west-1:123456789012:b"
	dlq     = "arn:aws:sqs:eu-west-1:123456789012:dlq"
	worker1 = "arn:aws:lambda:eu-west-1:123456789012:function:worker"
)

// delivery is what an end point got: of queues the message, of functions the
// event.
type delivery struct {
	to    string
	queue QueueMessage
	event []byte
}

// endpoints are queues and functions that keep what they get and fail as told.
type endpoints struct {
	mu  sync.Mutex
	got []delivery
	// fail, when set, decides about a delivery before it is kept.
	fail    func(d delivery) error
	changed chan struct{}
}

func newEndpoints() *endpoints { return &endpoints{changed: make(chan struct{}, 1)} }

func (e *endpoints) SendToQueue(_ context.Context, arn string, m QueueMessage) error {
	return e.take(delivery{to: arn, queue: m})
}

func (e *endpoints) InvokeFunction(_ context.Context, arn string, event []byte) error {
	return e.take(delivery{to: arn, event: event})
}

func (e *endpoints) take(d delivery) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		if err := e.fail(d); err != nil {
			return err
		}
	}
	e.got = append(e.got, d)
	select {
	case e.changed <- struct{}{}:
	default:
	}
	return nil
}

func (e *endpoints) failing(fail func(delivery) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = fail
}

// to returns what one end point has got so far.
func (e *endpoints) to(arn string) []delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.got), func(d delivery) bool { return d.to != arn })
}

// await waits until an end point has got n deliveries and returns them.
func (e *endpoints) await(t testing.TB, arn string, n int) []delivery {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if got := e.to(arn); len(got) >= n {
			if len(got) > n {
				t.Fatalf("%s got %d deliveries, want %d", arn, len(got), n)
			}
			return got
		}
		select {
		case <-e.changed:
		case <-time.After(50 * time.Millisecond): // somebody else took the signal
		case <-deadline.C:
			t.Fatalf("%s got %d deliveries in %v, want %d", arn, len(e.to(arn)), patience, n)
		}
	}
}

// bodies are the messages in what a queue got: with SNS's document around them
// they are read out of it.
func bodies(t testing.TB, ds []delivery) []string {
	t.Helper()
	var all []string
	for _, d := range ds {
		all = append(all, document(t, d.queue.Body)["Message"].(string))
	}
	return all
}

func document(t testing.TB, text string) map[string]any {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

// fixture is a service behind its real front door, with the SDK's client.
type fixture struct {
	*Service
	*endpoints
	bus    *bus.Bus
	feed   *telemetry.Feed
	server *httptest.Server
	client *awssns.Client
}

// quick are retry policies that tests need not wait for.
var quick = RetryPolicy{NoDelay: 2, MinDelay: 1, Min: time.Millisecond, Max: time.Millisecond}

// start opens a bus in dir ("" for memory) and a service on it that delivers.
func start(t testing.TB, dir string, change ...func(*Config)) *fixture {
	t.Helper()
	f := prepare(t, dir, change...)
	f.Start()
	return f
}

// prepare is start without the deliveries.
func prepare(t testing.TB, dir string, change ...func(*Config)) *fixture {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := bus.Open(bus.Config{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{bus: b, feed: telemetry.NewFeed(), endpoints: newEndpoints()}
	t.Cleanup(f.stop)
	endpoint := &awswire.Endpoint{Log: log, Check: func(r *http.Request, _ []byte) error {
		if r.Header.Get("Authorization") == "" {
			return &awswire.Error{Code: "MissingAuthenticationToken", Status: 403}
		}
		return nil
	}}
	f.server = httptest.NewUnstartedServer(endpoint)
	url := "http://" + f.server.Listener.Addr().String()
	retries := quick
	cfg := Config{Bus: b, Region: region, Account: account, URLBase: url, Queues: f.endpoints, Functions: f.endpoints,
		SigningKey: signingKey, Retries: &retries, FunctionRetries: []time.Duration{time.Millisecond, 2 * time.Millisecond}, Feed: f.feed, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	if f.Service, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	endpoint.Register(f)
	f.server.Config.Handler = f.Links(endpoint)
	f.server.Start()
	f.client = awssns.New(awssns.Options{
		Region: region, BaseEndpoint: aws.String(url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
		HTTPClient:  &http.Client{Transport: wholeBody{new(http.Transport)}},
	})
	return f
}

// wholeBody gives the transport a request body of its own. The SDK closes the
// one that it made as soon as there is an answer; when the transport has not
// looked for the body's end by then, as happens on a busy machine, it breaks
// the connection off in the middle of the answer.
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

// signingKey is made once, as it takes a while.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// stop may be called twice.
func (f *fixture) stop() {
	if f.Service != nil {
		f.Service.Close()
	}
	f.server.Close()
	f.bus.Close()
}

// create makes a topic and returns its ARN.
func (f *fixture) create(t testing.TB, name string, attributes map[string]string) string {
	t.Helper()
	if strings.HasSuffix(name, ".fifo") {
		if attributes == nil {
			attributes = make(map[string]string)
		}
		attributes["FifoTopic"] = "true"
	}
	out, err := f.client.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *out.TopicArn
}

// join subscribes an end point, whose protocol follows from its form, and
// returns the subscription's ARN.
func (f *fixture) join(t testing.TB, topic, endpoint string, attributes map[string]string) string {
	t.Helper()
	protocol, _, _ := strings.Cut(endpoint, ":")
	if protocol == "arn" {
		protocol = strings.Split(endpoint, ":")[2]
	}
	out, err := f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &topic, Protocol: &protocol, Endpoint: &endpoint,
		Attributes: attributes, ReturnSubscriptionArn: true})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SubscriptionArn
}

// say publishes messages, one after the other.
func (f *fixture) say(t testing.TB, topic string, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if _, err := f.Publish(t.Context(), topic, Message{Body: m}); err != nil {
			t.Fatal(err)
		}
	}
}

// wantError fails the test unless err is an API error with the code and the text.
func wantError(t testing.TB, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("error %v, want %s: %s", err, code, text)
		return
	}
	if api.ErrorCode() != code || !strings.HasPrefix(api.ErrorMessage(), text) {
		t.Errorf("error %s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

// functions is Functions as a function.
type functions func(arn string, event []byte) error

func (f functions) InvokeFunction(_ context.Context, arn string, event []byte) error {
	return f(arn, event)
}
