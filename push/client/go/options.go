package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// MaxFrame is the largest frame that API Gateway takes, in bytes. Send cuts
	// a larger message into several frames, which no browser can.
	MaxFrame = 32 << 10
	// MaxMessage is the largest message that API Gateway takes and sends, in
	// bytes.
	MaxMessage = 128 << 10
	// DefaultKeepAlive is sent when a connection has been idle for a while. The
	// cheapest route for it is one with a MOCK integration: no function runs.
	DefaultKeepAlive = `{"action":"ping"}`
)

// Target is where to connect.
type Target struct {
	// URL is a ws, wss, http or https address.
	URL string
	// Header is sent with the handshake; nil for none.
	Header http.Header
	// Subprotocols are offered; nil for none.
	Subprotocols []string
}

// Address says where to connect. It is called anew for each connection, so that
// it can fetch a fresh token; its error counts as a failed attempt. The context
// ends with the attempt.
type Address func(ctx context.Context) (Target, error)

// At is the Address of a fixed URL.
func At(url string) Address {
	return func(context.Context) (Target, error) { return Target{URL: url}, nil }
}

// Options are the settings of a Client. A field that is zero has its default.
type Options struct {
	// Handlers are told what happens.
	Handlers Handlers
	// HTTPClient makes the handshakes; nil means http.DefaultClient.
	HTTPClient *http.Client
	// ConnectTimeout is how long an attempt may take, Address included; 15 s.
	ConnectTimeout time.Duration
	// MaxMessage bounds a message in either direction, in bytes; MaxMessage.
	MaxMessage int
	Backoff    Backoff
	KeepAlive  KeepAlive
	Renew      Renew
	Queue      Queue
}

// Backoff says how long to wait between attempts: before attempt n a random time
// up to Base * 2^(n-1), at most Max.
type Backoff struct {
	Base time.Duration // 1 s
	Max  time.Duration // 30 s
	// Attempts is after how many failures in a row Run gives up; 0 for never.
	Attempts int
	// StableAfter is how long a connection lasts that ends the row of failures;
	// 10 s.
	StableAfter time.Duration
}

// KeepAlive keeps a connection from being closed because nothing passes: API
// Gateway does so after 10 minutes.
type KeepAlive struct {
	// Every is after how much silence, in both directions, Message is sent;
	// 8 min, and negative for never.
	Every time.Duration
	// Message is DefaultKeepAlive unless set.
	Message string
	// AnswerWithin is how soon something must be received then, or else the
	// connection counts as lost; 0 if nothing answers.
	AnswerWithin time.Duration
}

// Renew replaces a connection before API Gateway ends it, after two hours. The
// new one is open before the old one is closed.
type Renew struct {
	// After is the age at which it happens, from which up to a tenth is taken
	// at random; 110 min, and negative for never.
	After time.Duration
	// Overlap is how long the old connection is still heard, for messages whose
	// senders do not know the new one yet; 5 s.
	Overlap time.Duration
}

// Queue bounds what waits while there is no connection, or is not sent yet.
type Queue struct {
	Messages int // 100
	Bytes    int // 1 MB
}

// Handlers are told what happens, one at a time and in order, by Run's
// goroutine: while one of them works, nothing else does. Each may be nil. They
// may call every method of the Client but Run.
type Handlers struct {
	// Message gets what was received. It may keep data.
	Message func(data []byte)
	// Open is told of a new connection; renewed when it has taken over from
	// one that was still open, so that nothing can have been missed.
	Open func(renewed bool)
	// Lost is told that the connection has ended, and not by Close.
	Lost func(Loss)
	// Wait is told of a failure and of the pause before the next attempt.
	Wait func(Pause)
	// State is told of every change.
	State func(now, before State)
}

// Loss is how a connection ended.
type Loss struct {
	// Code and Reason are the server's; 1006 when it said none.
	Code   int
	Reason string
	// Err is what the connection's last read returned.
	Err error
}

// Pause is the time between two attempts.
type Pause struct {
	Delay   time.Duration
	Attempt int   // how many have failed in a row
	Err     error // why the last one has; a *Refusal when the server refused it
	// Renewing is set while a connection is open, and its successor failed.
	Renewing bool
}

// Refusal is a handshake that the server answered with something else than a
// connection.
type Refusal struct {
	Status int
	Err    error
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the handshake was refused with %d: %v", r.Status, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// State is where a Client is.
type State int32

// A Client begins as Connecting. It stays Open during a renewal, waits for its
// next attempt, or is closed for good.
const (
	Connecting State = iota
	Open
	Waiting
	Closed
)

func (s State) String() string {
	return [...]string{"connecting", "open", "waiting", "closed"}[s]
}

// complete fills in the defaults and refuses what cannot be meant.
func (o Options) complete() (Options, error) {
	o.HTTPClient = orElse(o.HTTPClient, http.DefaultClient)
	o.ConnectTimeout = orElse(o.ConnectTimeout, 15*time.Second)
	o.MaxMessage = orElse(o.MaxMessage, MaxMessage)
	o.Backoff.Base = orElse(o.Backoff.Base, time.Second)
	o.Backoff.Max = orElse(o.Backoff.Max, 30*time.Second)
	o.Backoff.StableAfter = orElse(o.Backoff.StableAfter, 10*time.Second)
	o.KeepAlive.Every = orElse(o.KeepAlive.Every, 8*time.Minute)
	o.KeepAlive.Message = orElse(o.KeepAlive.Message, DefaultKeepAlive)
	o.Renew.After = orElse(o.Renew.After, 110*time.Minute)
	o.Renew.Overlap = orElse(o.Renew.Overlap, 5*time.Second)
	o.Queue.Messages = orElse(o.Queue.Messages, 100)
	o.Queue.Bytes = orElse(o.Queue.Bytes, 1<<20)
	if o.ConnectTimeout < 0 || o.MaxMessage < 0 || o.Backoff.Base < 0 || o.Backoff.Max < 0 || o.Backoff.Attempts < 0 ||
		o.Backoff.StableAfter < 0 || o.KeepAlive.AnswerWithin < 0 || o.Renew.Overlap < 0 || o.Queue.Messages < 0 || o.Queue.Bytes < 0 {
		return o, errors.New("client: a negative option; only KeepAlive.Every and Renew.After may be negative, which switches them off")
	}
	return o, nil
}

// orElse is a value, or its default when it is zero.
func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
