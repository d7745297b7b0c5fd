// Package lambda owns the Lambda API: Invoke in all its forms, the queue of
// asynchronous invocations, and what SDKs ask of the functions that run. It runs
// nothing itself. DESIGN.md says what becomes of an asynchronous invocation.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Sizes of events, in bytes ("Lambda quotas" in the developer guide).
const (
	DefaultMaxSync  = 6 << 20
	DefaultMaxAsync = 1 << 20
)

// largestAsync bounds Config.MaxAsync: with what goes along, the event must fit
// into a message of the bus.
const largestAsync = bus.MaxPayload / 2

// DefaultConcurrency is how many asynchronous invocations of one function run at
// a time when Config says nothing: half of what the function host runs, so that
// callers who wait find room.
const DefaultConcurrency = 5

// Functions is where functions run. Its methods may be called together.
type Functions interface {
	// List returns all functions, in the order in which they were declared.
	List() []Function
	// Invoke runs a function and returns its answer. The error is
	// apigw.ErrThrottled when the function has no room, and apigw.ErrFunction
	// when it failed; then it may have a method ErrorPayload() []byte with the
	// JSON document that Lambda answers. Any other error is a fault of the host.
	// When ctx ends Invoke returns its error, whatever the function does.
	Invoke(ctx context.Context, function string, in Invocation) ([]byte, error)
}

// Function is what the API tells of a function.
type Function struct {
	Name string
	// ARN may be empty: then it is made from Config's region and account.
	ARN              string
	Runtime, Handler string
	Timeout          time.Duration
	MemoryMB         int
	// Failure is why the function cannot run, for example that its build failed;
	// "" when it can.
	Failure string
}

// Invocation is what goes to a function.
type Invocation struct {
	// RequestID is the invocation's id: the one in the function's context and in
	// its log lines. The caller has been told it, and all attempts of an
	// asynchronous invocation have the same.
	RequestID string
	Event     []byte
	// ClientContext is a JSON object in one line for the header
	// Lambda-Runtime-Client-Context; nil for none.
	ClientContext []byte
}

// Logs finds what invocations wrote. Its method may be called together.
type Logs interface {
	// Trace returns what is still known of an invocation that has ended, oldest
	// first: the lines that its function wrote, and at last how it ended.
	Trace(requestID string) []telemetry.Event
}

// Config says what the API stands on and what it allows.
type Config struct {
	// Functions runs the functions. It must be set.
	Functions Functions
	// Bus keeps asynchronous invocations. It must be set, is opened before and
	// closed after the Service.
	Bus *bus.Bus
	// Logs finds log lines for callers who ask for them; nil means that they see
	// START, END and REPORT only.
	Logs Logs
	// Region and Account are where the functions are. Empty means us-east-1 and
	// 123456789012.
	Region, Account string
	// MaxSync and MaxAsync are the largest events in bytes; zero means
	// DefaultMaxSync and DefaultMaxAsync. MaxAsync is at most 2 MB.
	MaxSync, MaxAsync int
	// Concurrency is how many asynchronous invocations of one function run at a
	// time; zero means DefaultConcurrency.
	Concurrency int
	// Retries are the waits before a function that failed is invoked again, the
	// last one for all further retries. Nil means Lambda's, one and two minutes,
	// and an empty list at once. How many retries there are is for an
	// EventInvokeConfig to say.
	Retries []time.Duration
	// EventConfigs are the settings of functions that have some.
	EventConfigs []EventInvokeConfig
	// Queues and Topics take what EventConfigs send to SQS queues and SNS topics.
	// Nil means that there are none, and settings that name one are an error.
	Queues, Topics Destination
	// Feed gets an event for each asynchronous invocation that is given up or
	// recorded at a destination; nil for none.
	Feed *telemetry.Feed
	// Log gets what no caller can be told; nil means slog.Default().
	Log *slog.Logger
}

func withDefaults(cfg Config) Config {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	if cfg.MaxSync == 0 {
		cfg.MaxSync = DefaultMaxSync
	}
	if cfg.MaxAsync == 0 {
		cfg.MaxAsync = DefaultMaxAsync
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	if cfg.Retries == nil {
		cfg.Retries = []time.Duration{time.Minute, 2 * time.Minute}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return cfg
}

func (cfg *Config) check() error {
	switch {
	case cfg.MaxSync < 0 || cfg.MaxAsync < 0 || cfg.Concurrency < 0:
		return errors.New("the Lambda API's limits cannot be negative")
	case cfg.MaxAsync > largestAsync:
		return fmt.Errorf("MaxAsync is %d bytes and can be %d: the bus carries no more", cfg.MaxAsync, largestAsync)
	}
	return nil
}

// Service is the Lambda API and its asynchronous invocations. All methods may be
// called together.
type Service struct {
	config  Config
	configs atomic.Pointer[map[string]EventInvokeConfig] // by function
	// open makes the queue of a function's asynchronous invocations, or opens it.
	open func(ctx context.Context, function string) (queue, error)

	// taking ends when Close begins: no further invocation begins. running ends
	// the ones that run.
	taking, running        context.Context
	stopTaking, cutRunning context.CancelFunc

	// admin is held while a queue is made, and while all are emptied. It is taken
	// before mu, never while holding it.
	admin sync.Mutex

	mu      sync.RWMutex
	queues  map[string]queue // of asynchronous invocations, by function
	round   round
	started bool
	closed  bool
	// backs return what Close has cut off.
	backs []func()
	// calls counts running calls, pollers those who take invocations.
	calls, pollers sync.WaitGroup
}

// New returns the service with the asynchronous invocations that the bus holds.
// It accepts invocations at once and runs the asynchronous ones after Start.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Functions == nil || cfg.Bus == nil {
		return nil, errors.New("the Lambda API needs Functions and a Bus")
	}
	s, err := newService(cfg)
	if err != nil {
		return nil, err
	}
	s.open = s.openOnBus
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("recover asynchronous invocations: %w", err)
	}
	return s, nil
}

// newService returns a service that has no queues and cannot open any.
func newService(cfg Config) (*Service, error) {
	cfg = withDefaults(cfg)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	configs, err := cfg.eventConfigs()
	if err != nil {
		return nil, err
	}
	s := &Service{config: cfg, queues: make(map[string]queue)}
	s.configs.Store(&configs)
	s.taking, s.stopTaking = context.WithCancel(context.Background())
	s.running, s.cutRunning = context.WithCancel(context.Background())
	s.round = s.newRound()
	return s, nil
}

// Start begins to run asynchronous invocations. Call it when functions and
// destinations can take what was waiting.
func (s *Service) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closed {
		return
	}
	s.started = true
	for function, q := range s.queues {
		s.pollLocked(function, q)
	}
}

// Pause begins no further asynchronous invocation and returns when those that run
// have ended, or ctx has. Events are still accepted; they begin after the next
// start. Call it when functions are about to end, before Close.
func (s *Service) Pause(ctx context.Context) {
	s.stopTaking()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.pollers.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Close begins no further asynchronous invocation, waits for those that run until
// ctx ends, and then cuts them off: they begin again after the next start. Running
// calls of the API are waited for and cut off likewise. Close it before the host of
// the functions, whose end would count as their failure. It may be called twice;
// calls after it fail.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stopTaking()
	stop := context.AfterFunc(ctx, s.cutRunning)
	defer stop()
	s.pollers.Wait()
	s.calls.Wait()
	s.cutRunning()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, back := range s.backs {
		back()
	}
	s.backs = nil
	return nil
}

// begin counts a call in; done counts it out.
func (s *Service) begin() (done func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, bus.ErrClosed
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}
