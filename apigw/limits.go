package apigw

import "time"

// Limits are the bounds of a WebSocket API, and of what feeds it. The zero value is not useful;
// start from DefaultLimits, whose values are API Gateway's quotas
// ("Quotas for WebSocket APIs" in the developer guide) unless said otherwise.
type Limits struct {
	// MaxFrame is the largest payload of one frame from a client, in bytes. A
	// larger one closes the connection with 1009. Zero means no limit of its own;
	// 64 MiB hold all the same.
	MaxFrame int
	// MaxMessage is the largest message in either direction, in bytes. Zero
	// means no limit of its own; 64 MiB hold all the same.
	MaxMessage int
	// Idle closes a connection with 1001 when no data frame passed in either
	// direction for that long. Control frames do not count; see
	// PingRenewsIdle.
	Idle time.Duration
	// PingRenewsIdle makes a client's ping count as traffic. AWS does not say
	// whether it does.
	PingRenewsIdle bool
	// Compression lets clients agree on permessage-deflate (RFC 7692). API
	// Gateway does not offer it. MaxFrame counts what comes over the wire then,
	// MaxMessage what it expands to.
	Compression bool
	// MaxAge closes a connection with 1001 when it has lived that long.
	MaxAge time.Duration
	// IntegrationTimeout bounds one integration call (50 ms to 29 s).
	IntegrationTimeout time.Duration
	// ConnectRate is how many handshakes a second may begin, and how many at
	// once; past it a client gets 429. Zero means no limit.
	ConnectRate int
	// Rate and Burst are the account's token bucket for handshakes, messages
	// and calls of @connections: Burst at once, refilled with Rate a second.
	// Past it they get 429, or its frame. Zero means no limit.
	Rate, Burst int
	// Handshake bounds the time from the accepted socket to the whole request
	// head. Gatepost's own; AWS does not publish one.
	Handshake time.Duration
	// MaxHandshakes bounds the sockets whose request head has not come yet; a
	// further one is closed. Gatepost's own. Zero means no limit.
	MaxHandshakes int
	// MaxURL is the longest request target of a handshake, in bytes.
	MaxURL int
	// MaxHead is the largest request head (request line and headers) in bytes.
	// AWS: 10,240 for all headers and 4,096 for the URL.
	MaxHead int
	// MaxPending bounds the bytes that wait to be written to one slow
	// connection. Past it sends answer ErrBacklog, and a connection that stays
	// full for WriteStall is closed by name. Gatepost's own.
	MaxPending int
	// WriteStall is how long one write to a client may take before the
	// connection is closed as slow. Gatepost's own.
	WriteStall time.Duration
	// MaxInFlight bounds the messages of one connection that are being handled
	// at once; past it the reader waits, which slows the client through TCP.
	// Gatepost's own.
	MaxInFlight int
	// MaxQueueMessage is the largest message that a queue takes, in bytes (SQS's
	// quota, "Quotas related to messages"): 1 KiB to 1 MiB. It is the
	// MaximumMessageSize of queues that say none, and bounds that of others. Zero
	// means SQS's own.
	MaxQueueMessage int
}

// DefaultLimits returns API Gateway's quotas, and Gatepost's own defaults
// where AWS publishes none.
func DefaultLimits() Limits {
	return Limits{
		MaxFrame:           32 << 10,
		MaxMessage:         128 << 10,
		Idle:               10 * time.Minute,
		MaxAge:             2 * time.Hour,
		IntegrationTimeout: 29 * time.Second,
		ConnectRate:        500,
		Rate:               10_000,
		Burst:              5_000,
		Handshake:          10 * time.Second,
		MaxHandshakes:      20_000,
		MaxURL:             4096,
		MaxHead:            14 << 10,
		MaxPending:         1 << 20,
		WriteStall:         10 * time.Second,
		MaxInFlight:        256,
		MaxQueueMessage:    1 << 20,
	}
}
