package apigw

import "time"

// Limits are the bounds of a WebSocket API. The zero value is not useful;
// start from DefaultLimits, whose values are API Gateway's quotas
// ("Quotas for WebSocket APIs" in the developer guide) unless said otherwise.
type Limits struct {
	// MaxFrame is the largest payload of one frame from a client, in bytes. A
	// larger one closes the connection with 1009.
	MaxFrame int
	// MaxMessage is the largest message in either direction, in bytes.
	MaxMessage int
	// Idle closes a connection with 1001 when no data frame passed in either
	// direction for that long. Control frames do not count.
	Idle time.Duration
	// MaxAge closes a connection with 1001 when it has lived that long.
	MaxAge time.Duration
	// IntegrationTimeout bounds one integration call (50 ms to 29 s).
	IntegrationTimeout time.Duration
	// Handshake bounds the time from the accepted socket to the whole request
	// head. Gatepost's own; AWS does not publish one.
	Handshake time.Duration
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
		Handshake:          10 * time.Second,
		MaxHead:            14 << 10,
		MaxPending:         1 << 20,
		WriteStall:         10 * time.Second,
		MaxInFlight:        256,
	}
}
