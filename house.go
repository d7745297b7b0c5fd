package gatepost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/gatepost-dev/gatepost/internal/aws/dynamodb"
	"github.com/gatepost-dev/gatepost/internal/aws/elsewhere"
	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/internal/aws/lambda"
	"github.com/gatepost-dev/gatepost/internal/aws/sns"
	"github.com/gatepost-dev/gatepost/internal/aws/sqs"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/eventsource"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/instance"
	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// house is everything that an open server holds. It is opened from the ground
// up and closed from the roof down.
type house struct {
	cfg     Config
	current *current // what runs, which cfg.Stack was at the start
	feed    *telemetry.Feed
	watched <-chan telemetry.Event // for Config.Watch; nil without
	unwatch func()
	closers []func() error

	dir       *instance.Dir
	state     string // the folder of tables and queues
	secrets   instance.Credentials
	strict    *awswire.Verifier // knows the credentials that were given out and no others
	lenient   *awswire.Verifier // checks those, and lets others pass
	ca        *intercept.CA
	aws       net.Listener
	admin     net.Listener
	proxy     *intercept.Proxy
	proxyAt   net.Listener
	hook      string // the file that leads Node.js to the proxy
	metadata  *metadata
	apis      []*api
	bus       *bus.Bus
	tables    *dynamodb.Service
	queues    *sqs.Service
	kinesis   *kinesis.Service
	topics    *sns.Service
	endpoint  *awswire.Endpoint
	functions *function.Host
	elsewhere map[string]elsewhere.Target // by service
	// accountLimits bound all APIs together.
	accountLimits []*throttle.Bucket
	lambda        *lambda.Service

	// running counts what serve started; polling ends first at shutdown.
	running     sync.WaitGroup
	polling     sync.WaitGroup
	tasks       tasks
	sources     eventsource.Config
	stopServing context.CancelFunc
	failed      chan error

	// calls are the AWS calls under way. turn has one place, for the reset or the
	// Apply that runs; draining is closed when there will be no other.
	calls      turnstile
	cutBatches context.CancelFunc
	turn       chan struct{}
	draining   chan struct{}
}

// open opens every part, ground floor first, and serves nothing yet.
func open(ctx context.Context, cfg Config) (*house, error) {
	h := &house{
		cfg: cfg, current: newCurrent(cfg.Stack), feed: telemetry.NewFeed(), failed: make(chan error, 1),
		turn: make(chan struct{}, 1), draining: make(chan struct{}),
	}
	if cfg.Watch != nil { // from the first event: functions may start while the rest opens
		h.watched, h.unwatch = h.feed.Subscribe()
		h.onClose(func() error { h.unwatch(); return nil })
	}
	steps := []func(context.Context) error{
		h.openData, h.openCA, h.openPorts, h.openElsewhere, h.openTables, h.openQueues, h.openStreams, h.openEndpoint, h.openFunctions, h.openTopics, h.openLambda, h.openAPIs,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, h.close())
		}
	}
	return h, nil
}

// onClose notes what close must undo, last opened first.
func (h *house) onClose(f func() error) { h.closers = append(h.closers, f) }

func (h *house) close() error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	h.closers = nil
	return errors.Join(errs...)
}

func (h *house) openData(context.Context) (err error) {
	if h.dir, err = instance.Open(orElse(h.cfg.Data, instance.Folder)); err != nil {
		return err
	}
	h.onClose(h.dir.Close)
	if h.state = h.dir.Path; h.cfg.Ephemeral {
		h.cfg.SyncEveryWrite = false
		if h.state, err = h.dir.Scratch(); err != nil {
			return err
		}
	}
	if h.secrets, err = h.dir.Credentials(); err != nil {
		return err
	}
	given := h.secrets.Credentials
	lookup := func(id string) (awswire.Credentials, bool) { return given, id == given.AccessKeyID }
	h.strict = awswire.NewVerifier(lookup, awswire.VerifierOptions{})
	h.lenient = awswire.NewVerifier(lookup, awswire.VerifierOptions{AcceptUnknownKeys: true})
	return nil
}

func (h *house) openCA(context.Context) (err error) {
	if h.ca, err = intercept.OpenCA(h.dir.Path, h.domains()...); err != nil {
		return err
	}
	if h.ca.Warning != "" {
		h.cfg.Log.Warn(h.ca.Warning)
	}
	return nil
}

// openPorts takes the ports before anything slow happens, so that one in use
// is told at once.
func (h *house) openPorts(context.Context) (err error) {
	if h.aws, err = h.listen("AWS endpoint", "--aws", h.cfg.AWS); err != nil {
		return err
	}
	if h.admin, err = h.listen("console", "--console", h.cfg.Console); err != nil {
		return err
	}
	address := h.cfg.Gateway
	for i := range h.cfg.Stack.APIs {
		declared := &h.cfg.Stack.APIs[i]
		ln, err := h.listen("gateway of API "+declared.Name, "--gateway", address)
		if err != nil {
			return err
		}
		h.apis = append(h.apis, &api{declared: declared, listener: ln})
		if address, err = nextPort(address); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) openTables(context.Context) (err error) {
	h.tables, err = dynamodb.Open(dynamodb.Config{
		Path: filepath.Join(h.state, "tables.db"), Sync: h.cfg.SyncEveryWrite, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account,
		TTLDelay: h.cfg.TTLDelay, Feed: h.feed, Log: h.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("open the tables: %w", err)
	}
	h.onClose(h.tables.Close)
	if h.isElsewhere("dynamodb") {
		return nil
	}
	for _, t := range h.cfg.Stack.Tables {
		if err := h.tables.EnsureTable(t); err != nil {
			return fmt.Errorf("make the table %s: %w", t.Name, err)
		}
	}
	return nil
}

func (h *house) openQueues(context.Context) (err error) {
	h.bus, err = bus.Open(bus.Config{Dir: filepath.Join(h.state, "bus"), Sync: h.cfg.SyncEveryWrite, Log: h.cfg.Log})
	if err != nil {
		return fmt.Errorf("open the bus: %w", err)
	}
	h.onClose(h.bus.Close)
	h.queues, err = sqs.New(sqs.Config{
		Bus: h.bus, Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, SecretKey: h.secrets.HandleKey,
		MaxMessageSize: h.cfg.Limits.MaxQueueMessage,
		Feed:           h.feed, Log: h.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("open the queues: %w", err)
	}
	h.onClose(h.queues.Close)
	if h.isElsewhere("sqs") {
		return nil
	}
	for _, q := range deadLettersFirst(h.cfg.Stack.Queues) {
		if err := h.queues.EnsureQueue(q); err != nil {
			return fmt.Errorf("make the queue %s: %w", q.Name, err)
		}
	}
	return nil
}

func (h *house) openEndpoint(context.Context) error {
	h.endpoint = &awswire.Endpoint{Check: h.checkAWS(h.aws.Addr()), Log: h.cfg.Log}
	h.endpoint.Register(h.tables)
	h.endpoint.Register(h.tables.Streams())
	h.endpoint.Register(h.queues)
	h.endpoint.Register(h.kinesis)
	return nil
}

func (h *house) openFunctions(ctx context.Context) error {
	if err := h.openProxy(); err != nil {
		return err
	}
	h.functions = function.NewHost(function.Config{
		Region: h.cfg.Stack.Region, Account: h.cfg.Stack.Account, CacheDir: h.dir.Join("build"), SandboxDir: h.dir.Join("sandboxes"),
		Debug: h.cfg.Debug, Freeze: !h.cfg.KeepRunning, NoMemoryLimit: h.cfg.NoMemoryLimit, Feed: h.feed, Log: h.cfg.Log, Output: h.cfg.FunctionOutput,
	})
	h.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), endWithin)
		defer cancel()
		return h.functions.Close(ctx)
	})
	for _, f := range h.cfg.Stack.Functions {
		if err := h.addFunction(f); err != nil {
			return err
		}
	}
	if err := h.functions.Build(ctx, h.cfg.Built); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		// The other functions run; Built, the report and each invocation of the
		// broken one say what is wrong.
		h.cfg.Log.Debug("some functions could not be built", "error", err)
	}
	return nil
}

// openProxy makes the proxy that leads functions with amazonaws.com endpoints
// here. It serves as soon as functions run.
func (h *house) openProxy() (err error) {
	if h.proxyAt, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("listen for the functions' proxy: %w", err)
	}
	h.onClose(func() error { h.proxyAt.Close(); return nil })
	h.metadata = newMetadata(h.cfg.Stack.Region)
	if h.hook, err = intercept.WriteHook(h.dir.Path); err != nil {
		return err
	}
	h.proxy = &intercept.Proxy{CA: h.ca, Password: rand.Text(), Route: h.routeHost, Offline: h.cfg.Offline, Feed: h.feed, Log: h.cfg.Log}
	return nil
}

// checkAWS verifies the calls of the AWS endpoint at an address. On loopback it
// accepts any credentials from outside and verifies those that were given out
// here; anywhere else it takes no others.
func (h *house) checkAWS(at net.Addr) func(r *http.Request, body []byte) error {
	verifier := h.strict
	if isLoopback(at) {
		verifier = h.lenient
	}
	return func(r *http.Request, body []byte) error {
		_, err := verifier.Verify(r, body, "")
		return err
	}
}
