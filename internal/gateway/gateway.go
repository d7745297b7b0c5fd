// Package gateway owns one WebSocket API's data plane: the handshake that
// authorization, API keys and $connect decide, the choice of a route for each
// message, its throttles and models, the integration and its answer, and the
// one $disconnect at the end.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/integration"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// Invoker runs a Lambda function with an event and returns what it answered.
// An error wraps apigw.ErrFunction, apigw.ErrThrottled or the context's error;
// one with a method ErrorPayload() []byte tells the JSON that the function
// reported.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// Limiter bounds how often something happens: a *throttle.Bucket is one.
type Limiter interface {
	// Allow takes one of what there is, or reports that there is none.
	Allow() bool
}

// Config is what a Gateway needs. What may be nil says so.
type Config struct {
	// API is the API to serve; it is read and never changed.
	API *apigw.API
	// Domain is the events' domainName, "localhost:3001": functions build the
	// management endpoint from it. Clients of a custom domain get that one.
	Domain string
	// Region and Account are those of the ARNs that authorizers see and of
	// signatures.
	Region, Account string
	// Limits bound clients; see apigw.DefaultLimits.
	Limits apigw.Limits
	// IDs gives out connection, message and request ids.
	IDs *apigw.IDs
	// Hub holds the open connections.
	Hub *conn.Hub
	// Backends reach what the routes lead to. Nil will do for an API without
	// integrations.
	Backends *integration.Backends
	// Invoker runs authorizers. Nil will do for an API without one.
	Invoker Invoker
	// Verifier knows the credentials whose signatures open a $connect route with
	// AWS_IAM; it must not accept unknown ones. Nil will do for an API without
	// such a route.
	Verifier *awswire.Verifier
	// AccountLimit bounds handshakes and messages, ConnectLimit new connections.
	// On AWS both are the account's: give them to all gateways, the first to
	// @connections too. Nil means a bucket of its own, from Limits.Rate and
	// Limits.Burst, or from Limits.ConnectRate.
	AccountLimit, ConnectLimit Limiter
	// HandOver takes over connections whose first request is not a WebSocket
	// handshake, with the bytes read so far, which are valid until it returns.
	HandOver func(c net.Conn, read []byte) error
	// Feed is told of what happens; it may be nil.
	Feed *telemetry.Feed
	// Log gets what no client is told; it may be nil.
	Log *slog.Logger
}

// Gateway serves one API. Its methods may be called together.
type Gateway struct {
	Config
	// deployed is the API that is served, compiled.
	deployed atomic.Pointer[deployment]

	// stopping ends integrations that still run when Shutdown gives up.
	stopping context.Context
	stop     context.CancelFunc

	mu     sync.Mutex
	closed bool
	// halfOpen are the sockets whose request head has not come yet.
	halfOpen map[net.Conn]struct{}
	// work counts handshakes and integrations that are under way.
	work sync.WaitGroup
}

// New checks and compiles the configuration and returns a gateway that serves
// nothing yet. The error names the API, and the route where there is one.
func New(cfg Config) (*Gateway, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.AccountLimit == nil {
		cfg.AccountLimit = bucketOf(cfg.Limits.Rate, cfg.Limits.Burst)
	}
	if cfg.ConnectLimit == nil {
		cfg.ConnectLimit = bucketOf(cfg.Limits.ConnectRate, cfg.Limits.ConnectRate)
	}
	g := &Gateway{Config: cfg, halfOpen: make(map[net.Conn]struct{})}
	if err := g.Deploy(cfg.API); err != nil {
		return nil, err
	}
	g.stopping, g.stop = context.WithCancel(context.Background())
	return g, nil
}

// bucketOf makes a bucket of a limit for which zero means none.
func bucketOf(rate, burst int) *throttle.Bucket {
	if rate <= 0 {
		return nil
	}
	return throttle.NewBucket(float64(rate), burst)
}

// Deploy replaces the API that is served: open connections follow the new
// routes from their next message. Throttles and quotas begin anew. After an
// error, which is New's, everything is as it was.
func (g *Gateway) Deploy(api *apigw.API) error {
	d, err := g.compile(api)
	if err != nil {
		return err
	}
	g.deployed.Store(d)
	return nil
}

// begin counts a piece of work in, unless the gateway is shutting down.
func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.work.Add(1)
	return true
}

// await enters a socket whose request head has not come, unless there are too
// many or the gateway is shutting down. leave takes it out.
func (g *Gateway) await(nc net.Conn) (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if most := g.Limits.MaxHandshakes; g.closed || most > 0 && len(g.halfOpen) >= most {
		return false
	}
	g.halfOpen[nc] = struct{}{}
	return true
}

func (g *Gateway) leave(nc net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.halfOpen, nc)
}

// refuseWork lets nothing begin any more and returns the sockets that nobody
// needs to wait for.
func (g *Gateway) refuseWork() []net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return slices.Collect(maps.Keys(g.halfOpen))
}

// lastMoment is how long what was cut off has to end.
const lastMoment = 200 * time.Millisecond

// Shutdown closes every connection with 1001, lets their $disconnect and the
// integrations that run come to an end, and returns when all is done or ctx
// ends; what still runs then is cut off, and not waited for if it does not end
// at once: a client that does not answer its close frame has seconds for that.
// The listener must be closed before.
func (g *Gateway) Shutdown(ctx context.Context) error {
	defer g.stop()
	for _, nc := range g.refuseWork() {
		nc.Close()
	}
	drainErr := g.Hub.Drain(ctx, conn.Draining)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.work.Wait()
	}()
	select {
	case <-done:
		return drainErr
	case <-ctx.Done():
		g.stop()
		select {
		case <-done:
		case <-time.After(lastMoment):
		}
		return errors.Join(drainErr, ctx.Err())
	}
}

// context fills in what every event of a connection shares.
func (g *Gateway) context(d *deployment, s *session, kind apigw.EventType, routeKey string) apigw.RequestContext {
	now := time.Now()
	request := g.IDs.Request()
	return apigw.RequestContext{
		RouteKey:          routeKey,
		Authorizer:        s.authorizer,
		EventType:         kind,
		ExtendedRequestID: request,
		RequestTime:       apigw.RequestTime(now),
		MessageDirection:  "IN",
		Stage:             d.api.Stage.Name,
		ConnectedAt:       s.connectedAt.UnixMilli(),
		RequestTimeEpoch:  now.UnixMilli(),
		Identity:          s.identity,
		RequestID:         request,
		DomainName:        s.domain,
		ConnectionID:      s.id,
		APIID:             d.api.ID,
	}
}

// record tells the feed of something that happened on a connection.
func (g *Gateway) record(s *session, e telemetry.Event) {
	e.API = g.deployed.Load().api.Name
	e.ConnectionID = s.id.String()
	g.Feed.Record(e)
}
