// Package gatepost runs API Gateway WebSocket APIs: the gateway, the Lambda
// functions behind it, and the tables and queues that they use, in one process
// with the functions as its children, or as handlers of the program itself.
//
// A program of your own embeds it in three lines:
//
//	s, err := gatepost.LoadStack("template.yaml")
//	server, err := gatepost.New(gatepost.Config{Stack: s})
//	err = server.Run(ctx)
package gatepost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/aws/elsewhere"
	"github.com/gatepost-dev/gatepost/internal/function"
	"github.com/gatepost-dev/gatepost/internal/serverless"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/template"
	"github.com/gatepost-dev/gatepost/stack"
)

// Where things listen when Config says nothing. A second API takes the port
// after the first one's.
const (
	DefaultGateway = "127.0.0.1:3001"
	DefaultAWS     = "127.0.0.1:4566"
	DefaultConsole = "127.0.0.1:4400"
)

// Event is one thing that happened: a client came, a function answered, a line
// was logged.
type Event = telemetry.Event

// Build tells how the build of one function ended.
type Build = function.BuildResult

// FunctionStatus is the state of one function: how it was built, its sandboxes
// and its invocations.
type FunctionStatus = function.Status

// Config says what to run and where. Only Stack is needed.
type Config struct {
	// Stack is what to run; LoadStack reads one from a template. In one that a
	// program makes itself, empty names, numbers and ARNs get AWS's defaults.
	Stack *stack.Stack
	// Data is the folder for everything kept on disk. Empty means .gatepost in
	// the working directory. One running server a folder.
	Data string
	// Gateway, AWS and Console are host:port to listen on. Empty means
	// DefaultGateway, DefaultAWS, DefaultConsole; port 0 takes a free one.
	// An address that is not loopback opens Gatepost to the network.
	Gateway, AWS, Console string
	// TTLDelay is how long an item of a table stays after its time to live. Zero
	// means that it goes within seconds; on AWS it takes up to some days.
	TTLDelay time.Duration
	// Limits bound clients. The zero value means apigw.DefaultLimits().
	Limits apigw.Limits
	// Endpoints name services that run elsewhere, by service (dynamodb, kinesis,
	// sqs, sns, lambda): a URL such as "http://127.0.0.1:8000", or "aws" for AWS
	// itself. Functions and integrations then reach that one, and mappings read its
	// queues, but not its streams. Tables, queues and data streams of the stack are
	// made there, but not on AWS.
	Endpoints map[string]string
	// AsyncRetries are the waits before an asynchronous invocation that failed is
	// tried again, the last one for all further retries. Nil means Lambda's, one
	// and two minutes.
	AsyncRetries []time.Duration
	// Handlers are the functions of the stack that run in this process, by name or
	// by logical id; all others run behind sandboxes. They need no code, no
	// runtime and no build, and get the same events, time limit (the context's
	// deadline), concurrency and errors. See NewHandler.
	//
	// A handler shares everything with this process: it gets no environment of
	// its own (Server.Environment has what it needs), what it logs goes where
	// this process logs, os.Exit ends everything, and one that does not heed its
	// context cannot be ended: past the time limit its caller has the error, and
	// it keeps its place until it returns.
	Handlers map[string]Handler
	// KeepRunning lets the processes of functions go on between their events. By
	// default they are stopped (SIGSTOP) from the moment they ask for an event
	// until one comes, as Lambda freezes them: as with every other zero value here,
	// what happens is what happens on AWS, so that a test that embeds a Server finds
	// the goroutine that nobody waits for. The Freeze of a function in Stack wins.
	// A program that watches SIGCHLD itself sees each stop of a child.
	KeepRunning bool
	// Debug names the functions that run under a debugger, by name or by logical
	// id. FunctionStatus says where it listens. Integrations wait for them a day.
	Debug map[string]Debug
	// Environment is given to every function that does not set the name itself.
	Environment map[string]string
	// Override sets variables of functions over the stack's, by the function's
	// name or logical id; "" is for every function, and one function's own win
	// over that. Values that lead elsewhere what Gatepost leads to itself are
	// respected, see docs/interception.md.
	Override map[string]map[string]string
	// Offline keeps the HTTPS calls of functions on this machine: what Gatepost
	// does not answer for itself is refused, with an error that says so.
	Offline bool
	// Log gets Gatepost's own log. Nil means none.
	Log *slog.Logger
	// Built is told of each function that was built, as it happens. It may be
	// nil, and it is called by one goroutine at a time.
	Built func(Build)
	// NoMemoryLimit lets functions use more memory than their MemorySize. Without
	// it one that does is killed, as on Lambda; on Linux only.
	NoMemoryLimit bool
	// Watch is told of every event while the server runs, in order, by one
	// goroutine. Events are dropped when it is slow. It may be nil.
	Watch func(Event)
	// FunctionOutput gets the lines that functions write, each with the
	// function's name and request id. Nil means that only Watch sees them.
	FunctionOutput io.Writer
	// SyncEveryWrite makes an answer of the AWS endpoint mean that the data is
	// on the disk, not only with the operating system.
	SyncEveryWrite bool
	// Ephemeral keeps tables, queues and topics for this run only, in memory where
	// the system has files there. What is in the data folder stays as it is, and is
	// not seen. It goes before SyncEveryWrite.
	Ephemeral bool
	// AllowReset has POST /_gatepost/reset on the AWS endpoint's port empty
	// everything, for tests that run beside this process: any program on this
	// machine can do it then. Reset does it without.
	AllowReset bool
}

// The shutdown takes two seconds at most. drainWithin bounds the $disconnect of
// every connection and the invocations that run, endWithin then the ends of the
// function processes; the rest is for the stores, and for a machine that is busy.
const (
	drainWithin = 800 * time.Millisecond
	endWithin   = 600 * time.Millisecond
)

// Server runs one stack. Make it with New.
type Server struct {
	cfg      Config
	override atomic.Pointer[map[string]map[string]string] // Config.Override as it is now

	ready chan struct{}
	house *house // set before ready is closed
}

// LoadStack reads a template or a serverless.yml: a file, or the folder that holds
// one.
func LoadStack(path string) (*stack.Stack, error) {
	if file, found := serverless.Means(path); found {
		return serverless.Load(file, serverless.Options{})
	}
	return template.Load(path, template.Options{})
}

// New checks the configuration and returns a server. It opens nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Stack == nil {
		return nil, errors.New("Config.Stack is nil; LoadStack reads one from a template")
	}
	if cfg.TTLDelay < 0 {
		return nil, fmt.Errorf("Config.TTLDelay is %s: an item cannot go before its time", cfg.TTLDelay)
	}
	if cfg.Limits == (apigw.Limits{}) {
		cfg.Limits = apigw.DefaultLimits()
	}
	cfg, err := cfg.ofStack()
	if err != nil {
		return nil, err
	}
	for service, at := range cfg.Endpoints {
		if _, err := elsewhere.ParseTarget(service+"="+at, cfg.Stack.Region); err != nil {
			return nil, fmt.Errorf("Config.Endpoints: %w", err)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Gateway = orElse(cfg.Gateway, DefaultGateway)
	cfg.AWS = orElse(cfg.AWS, DefaultAWS)
	cfg.Console = orElse(cfg.Console, DefaultConsole)
	return &Server{cfg: cfg, ready: make(chan struct{})}, nil
}

// ofStack checks the stack and what the configuration says of it, and returns
// the configuration with a stack of its own that has all of that in it.
func (cfg Config) ofStack() (_ Config, err error) {
	cfg.Stack = withDefaults(cfg.Stack)
	if err := cfg.Stack.Validate(); err != nil {
		return cfg, fmt.Errorf("the stack cannot run: %w", err)
	}
	if cfg.Stack, err = override(cfg.Stack, cfg.Override); err != nil {
		return cfg, err
	}
	if cfg.Handlers, err = handlersOf(cfg.Stack, cfg.Handlers); err != nil {
		return cfg, err
	}
	if cfg.Debug, err = debugOf(cfg.Stack, cfg.Debug, cfg.Handlers); err != nil {
		return cfg, err
	}
	waitForDebuggers(&cfg)
	return cfg, nil
}

func orElse(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// Run opens, serves until ctx ends, and closes everything in order: clients
// are told to go (1001), their $disconnect runs, invocations end, processes
// end, stores are closed. It returns nil after a clean end, and may be called
// once.
func (s *Server) Run(ctx context.Context) (err error) {
	h, err := open(ctx, s.cfg)
	if err != nil {
		if ctx.Err() != nil {
			return nil // interrupted before it was ready
		}
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.serve(); err != nil {
		return err
	}
	s.house = h
	close(s.ready)
	select {
	case <-ctx.Done():
	case err = <-h.failed:
	}
	return errors.Join(err, h.drain())
}

// Ready is closed when everything serves.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Address is where one API is to be found.
type Address struct {
	// Name and Stage say which.
	Name, Stage string
	// URL is where clients connect, "ws://127.0.0.1:3001/main"; TLS is spoken
	// on the same port.
	URL string
	// Callback is the management endpoint, "https://localhost:3001/main".
	Callback string
}

// Addresses returns where the APIs are, in the stack's order. It may be called
// after Ready.
func (s *Server) Addresses() []Address { return s.house.addresses() }

// AWS returns the URL of the AWS endpoint. It may be called after Ready.
func (s *Server) AWS() string { return "http://" + s.house.aws.Addr().String() }

// Console returns the URL of the admin API. It may be called after Ready.
func (s *Server) Console() string { return "http://" + s.house.admin.Addr().String() }

// Data returns the data folder's absolute path. It may be called after Ready.
func (s *Server) Data() string { return s.house.dir.Path }

// Functions returns the state of the functions. It may be called after Ready.
func (s *Server) Functions() []FunctionStatus { return s.house.functions.Functions() }
