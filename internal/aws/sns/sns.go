// Package sns owns topics: Amazon SNS's API over the bus, and the delivery of
// what is published to queues, functions and HTTP end points. DESIGN.md says
// what rides where and what a crash costs.
package sns

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Queues takes messages for SQS queues. Its methods may be called together.
type Queues interface {
	// SendToQueue returns nil once the queue has stored the message. An error
	// that is ErrNoEndpoint says that there is no such queue.
	SendToQueue(ctx context.Context, queueARN string, m QueueMessage) error
}

// QueueMessage is one message for a queue.
type QueueMessage struct {
	Body       string
	Attributes map[string]Attribute
	// GroupID goes to FIFO queues and, from standard topics, to standard ones;
	// DeduplicationID to FIFO queues only. "" is none.
	GroupID, DeduplicationID string
}

// Functions invokes Lambda functions. Its methods may be called together.
type Functions interface {
	// InvokeFunction runs the function with an event and waits for it. An error
	// that is ErrNoEndpoint says that there is no such function, one that is
	// ErrFunctionFailed that it ran and failed.
	InvokeFunction(ctx context.Context, functionARN string, event []byte) error
}

// Config says where topics live, whom they reach and how deliveries are tried
// again.
type Config struct {
	// Bus keeps topics, subscriptions and what waits for delivery. It is opened
	// before and closed after the Service.
	Bus *bus.Bus
	// Region is that of calls that name none, Account the owner of topics. Empty
	// means us-east-1 and 000000000000.
	Region, Account string
	// URLBase begins the links in messages (to confirm, to unsubscribe, to the
	// certificate), for example "http://127.0.0.1:4566". Empty means
	// "https://sns.REGION.amazonaws.com", which only clients whose calls to AWS
	// are led here can follow.
	URLBase string
	// Queues and Functions are the end points of the protocols sqs and lambda.
	// Nil means that there are none: deliveries to them fail as if the queue or
	// function did not exist.
	Queues    Queues
	Functions Functions
	// HTTP posts to HTTP end points; it must not follow redirects. Nil means a
	// client of its own, which waits 15 s for an answer, as SNS does.
	HTTP *http.Client
	// SigningKey returns the key that signs messages, of at least 2048 bits; it is
	// called once, when the first signature is needed. Nil means a key that is
	// forgotten at the end, and with it what subscribers know of its certificate.
	SigningKey func() (*rsa.PrivateKey, error)
	// Retries is the policy for queues and functions that cannot be reached; nil
	// means SNS's own, which goes on for 23 days. HTTP end points have the
	// policy that their topic or subscription declares.
	Retries *RetryPolicy
	// FunctionRetries are the waits before a function that failed is invoked
	// again; nil means Lambda's one and two minutes, an empty list never.
	FunctionRetries []time.Duration
	// Feed gets an event for each delivery and each message that is given up;
	// nil for none.
	Feed *telemetry.Feed
	// Log gets what no caller can be told; nil means slog.Default().
	Log *slog.Logger

	// ackWait is after how long a message comes back whose delivery was cut short
	// by the end of the process. While the process lives, deliveries that take
	// longer keep their messages. Tests want it short.
	ackWait time.Duration
}

const defaultAckWait = 10 * time.Second

func withDefaults(cfg Config) Config {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	cfg.URLBase = strings.TrimSuffix(cfg.URLBase, "/")
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if cfg.Retries == nil {
		p := managedRetries()
		cfg.Retries = &p
	}
	if cfg.FunctionRetries == nil {
		cfg.FunctionRetries = []time.Duration{time.Minute, 2 * time.Minute}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.ackWait == 0 {
		cfg.ackWait = defaultAckWait
	}
	return cfg
}

// Service is the topics of all regions, the API to them and their deliveries.
// All methods may be called together.
type Service struct {
	config Config
	signer *signer
	// records keeps topics and subscriptions, seen what was published to FIFO
	// topics in the last five minutes.
	records, seen *bus.Bucket
	// ctx ends with Close and ends the deliveries.
	ctx    context.Context
	cancel context.CancelFunc

	// admin is held while topics and subscriptions are made, changed or deleted.
	// It is taken before mu and a topic's order, never while holding them.
	admin sync.Mutex

	mu            sync.RWMutex
	topics        map[address]*topic
	subscriptions map[string]*subscription // by id
	started       bool
	closed        bool
	// work counts running calls and deliveries.
	work sync.WaitGroup
}

// New returns the service with the topics and subscriptions that the bus holds.
// It takes messages at once and delivers none before Start.
func New(cfg Config) (*Service, error) {
	s := &Service{config: withDefaults(cfg), topics: make(map[address]*topic), subscriptions: make(map[string]*subscription)}
	s.signer = newSigner(cfg.SigningKey)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.load(s.ctx); err != nil {
		s.cancel()
		return nil, err
	}
	return s, nil
}

// Start begins to deliver. Call it when queues and functions can take what was
// waiting, for a queue that is not there yet counts as one that does not exist.
func (s *Service) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closed {
		return
	}
	s.started = true
	for _, sub := range s.subscriptions {
		s.deliverLocked(sub)
	}
}

// deliverLocked starts the deliveries of a subscription once the service has
// started.
func (s *Service) deliverLocked(sub *subscription) {
	if !s.started || s.closed || sub.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	sub.stop, sub.ended = cancel, make(chan struct{})
	ended := sub.ended
	s.work.Go(func() {
		defer close(ended)
		sub.deliver(ctx)
	})
}

// Close ends the deliveries, giving back what was on its way, and waits for
// running calls. It may be called twice; calls after it fail.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
	return nil
}

// begin counts a call in; done counts it out.
func (s *Service) begin() (done func(), err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, bus.ErrClosed
	}
	s.work.Add(1)
	return s.work.Done, nil
}

// urlBase begins the links in messages of a region.
func (s *Service) urlBase(region string) string {
	if s.config.URLBase != "" {
		return s.config.URLBase
	}
	return "https://sns." + region + ".amazonaws.com"
}
