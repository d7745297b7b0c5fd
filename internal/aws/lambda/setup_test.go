package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"maps"
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
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/crashtest"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

const (
	region  = "eu-west-1"
	account = "123456789012"
	prefix  = "arn:aws:lambda:" + region + ":" + account + ":function:"
)

// within bounds every wait: long enough for a machine that is busy.
const within = 40 * time.Second

func TestMain(m *testing.M) {
	crashtest.Main(acceptUntilKilled)
	flag.Set("rapid.nofailfile", "true") // the command line comes later and wins
	flag.Set("rapid.checks", "50")
	os.Exit(m.Run())
}

// call is one invocation that a function got.
type call struct {
	function string
	Invocation
}

// functions stand in for the function host. Without run, a function answers with
// its event.
type functions struct {
	run  func(ctx context.Context, c call) ([]byte, error)
	list []Function

	mu   sync.Mutex
	got  []call
	logs map[string][]telemetry.Event
}

func (f *functions) List() []Function { return slices.Clone(f.list) }

func (f *functions) Invoke(ctx context.Context, function string, in Invocation) ([]byte, error) {
	c := call{function, in}
	f.mu.Lock()
	f.got = append(f.got, c)
	f.mu.Unlock()
	if f.run == nil {
		return in.Event, nil
	}
	return f.run(ctx, c)
}

func (f *functions) calls() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func (f *functions) Trace(requestID string) []telemetry.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logs[requestID]
}

// failure is a function's failure as the host reports it.
type failure struct{ payload string }

func (f failure) Error() string        { return "function failed: " + f.payload }
func (f failure) ErrorPayload() []byte { return []byte(f.payload) }
func (f failure) Unwrap() error        { return apigw.ErrFunction }

var boom = failure{`{"errorMessage":"boom","errorType":"Error"}`}

// inbox is a destination that remembers.
type inbox struct {
	refuse func(arn string) error

	mu  sync.Mutex
	got []delivered
}

type delivered struct {
	arn string
	Message
}

func (i *inbox) Deliver(_ context.Context, arn string, m Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		if err := i.refuse(arn); err != nil {
			return err
		}
	}
	i.got = append(i.got, delivered{arn, m})
	return nil
}

func (i *inbox) messages() []delivered {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.got)
}

// fixture is a service behind its real front door, which checks signatures, with
// the SDK's client.
type fixture struct {
	*Service
	functions      *functions
	queues, topics *inbox
	feed           *telemetry.Feed
	bus            *bus.Bus
	server         *httptest.Server
	client         *awslambda.Client
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func someFunctions() *functions {
	return &functions{logs: make(map[string][]telemetry.Event), list: []Function{
		{Name: "echo", Runtime: "provided.al2023", Handler: "bootstrap", Timeout: 3 * time.Second, MemoryMB: 128},
		{Name: "other_1-a", ARN: prefix + "other_1-a", Runtime: "nodejs22.x", Handler: "index.handler", Timeout: 30 * time.Second, MemoryMB: 256},
		{Name: "broken", Runtime: "python3.13", Failure: "there is no python3.13"},
	}}
}

// start opens a bus in dir ("" for memory) and a service on it.
func start(t testing.TB, dir string, change func(*Config, *functions)) *fixture {
	t.Helper()
	b, err := bus.Open(bus.Config{Dir: dir, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{functions: someFunctions(), queues: &inbox{}, topics: &inbox{}, feed: telemetry.NewFeed(), bus: b}
	t.Cleanup(f.stop)
	cfg := Config{Functions: f.functions, Logs: f.functions, Bus: b, Region: region, Account: account, Queues: f.queues, Topics: f.topics,
		Feed: f.feed, Log: quiet(), Retries: []time.Duration{}}
	if change != nil {
		change(&cfg, f.functions)
	}
	if f.Service, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	f.Start()
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) {
		return awswire.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, id == "AKID"
	}, awswire.VerifierOptions{})
	endpoint := &awswire.Endpoint{Log: quiet(), Check: func(r *http.Request, body []byte) error {
		_, err := verifier.Verify(r, body, "lambda")
		return err
	}}
	endpoint.RegisterREST(f)
	f.server = httptest.NewServer(endpoint)
	f.client = f.newClient("secret")
	return f
}

func (f *fixture) newClient(secret string) *awslambda.Client {
	return awslambda.New(awslambda.Options{
		Region: region, BaseEndpoint: aws.String(f.server.URL), RetryMaxAttempts: 1, HTTPClient: f.server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("AKID", secret, ""),
	})
}

// stop may be called twice.
func (f *fixture) stop() {
	if f.Service != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		f.Service.Close(ctx)
	}
	if f.server != nil {
		f.server.Close()
	}
	f.bus.Close()
}

// await waits until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v there is still no %s", within, what)
		}
		time.Sleep(2 * time.Millisecond) // between looks, not for something to happen
	}
}

// send makes a plain HTTP call past the signatures and returns the answer.
func (f *fixture) send(t testing.TB, method, path string, header http.Header, body string) *httptest.ResponseRecorder {
	t.Helper()
	endpoint := &awswire.Endpoint{Log: quiet()}
	endpoint.RegisterREST(f)
	return serve(endpoint, method, path, body, header)
}

func serve(h http.Handler, method, path, body string, headers ...http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, header := range headers {
		maps.Copy(r.Header, header)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// parsed is a JSON document.
func parsed(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out
}

var errHost = errors.New("the host has a fault")
