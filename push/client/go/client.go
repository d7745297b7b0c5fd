// Package client is a WebSocket that stays: it connects to an API Gateway
// WebSocket API, or to Gatepost, and connects again whenever its connection
// ends; it keeps idle connections alive, and replaces each before the two hours
// that API Gateway gives it are over. It behaves as the client for browsers in
// push/client/js does.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
)

var (
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("client: closed")
	// ErrTooLarge says that a message is above Options.MaxMessage.
	ErrTooLarge = errors.New("client: the message is too large")
	// ErrQueueFull says that as many messages or bytes wait as Options.Queue
	// lets.
	ErrQueueFull = errors.New("client: the queue is full")
	// ErrGaveUp says that the last of Backoff.Attempts has failed.
	ErrGaveUp = errors.New("client: gave up")
)

// Client is one WebSocket that stays, from Run to Close. Its methods may be
// called together.
type Client struct {
	address Address
	options Options
	queue   *queue
	random  func() float64 // from 0 to 1

	state   atomic.Int32
	ran     atomic.Bool
	once    sync.Once
	closing chan struct{}
}

// New returns a client that connects when Run is called.
func New(address Address, o Options) (*Client, error) {
	if address == nil {
		return nil, errors.New("client: no address to connect to")
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	return &Client{address: address, options: o, queue: newQueue(o.Queue), random: rand.Float64, closing: make(chan struct{})}, nil
}

// State says where the client is.
func (c *Client) State() State { return State(c.state.Load()) }

// Queued says how many messages wait to be sent; after Run, how many never were.
func (c *Client) Queued() int { return c.queue.length() }

// Send has a text message sent, or kept until there is a connection; messages
// keep their order. What is not UTF-8 in it is replaced by U+FFFD. It does not wait: ErrQueueFull, ErrTooLarge or ErrClosed say
// that the message was not taken. That it was taken does not mean that it has
// arrived: what a connection had taken when it broke may be lost.
func (c *Client) Send(text string) error {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > c.options.MaxMessage {
		return fmt.Errorf("%w: it has %d bytes, more than %d", ErrTooLarge, len(text), c.options.MaxMessage)
	}
	return c.queue.put(text)
}

// Close ends the client for good, and with it Run. If a connection is open, what
// waits for it is sent first, for at most 5 s. It does not wait for Run, and may be
// called more than once.
func (c *Client) Close() {
	c.once.Do(func() {
		c.queue.close()
		close(c.closing)
	})
}

// Run connects and stays connected until Close is called, which gives nil, until
// ctx ends, which gives its error and leaves connections without a goodbye, or
// until it gives up, which gives ErrGaveUp. It may be called once. All that it has
// started has ended when it returns.
func (c *Client) Run(ctx context.Context) error {
	if c.ran.Swap(true) {
		return errors.New("client: Run was called before; make a new Client")
	}
	return newRun(ctx, c).loop()
}
