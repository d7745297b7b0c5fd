// Package gateway owns one WebSocket API's data plane: the handshake that
// $connect decides, the choice of a route for each message, the integration
// and its answer, and the one $disconnect at the end.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Invoker runs a Lambda function with an event and returns what it answered.
// An error wraps apigw.ErrFunction, apigw.ErrThrottled or the context's error.
type Invoker interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
}

// Config is what a Gateway needs. Only Feed and Log may be nil.
type Config struct {
	// API is the API to serve; it is read and never changed.
	API *apigw.API
	// Domain is the events' domainName, "localhost:3001": functions build the
	// management endpoint from it.
	Domain string
	// Limits bound clients; see apigw.DefaultLimits.
	Limits apigw.Limits
	// IDs gives out connection, message and request ids.
	IDs *apigw.IDs
	// Hub holds the open connections.
	Hub *conn.Hub
	// Invoker runs the functions.
	Invoker Invoker
	// HandOver takes over connections whose first request is not a WebSocket
	// handshake, with the bytes read so far, which are valid until it returns.
	HandOver func(c net.Conn, read []byte) error
	Feed     *telemetry.Feed
	Log      *slog.Logger
}

// Gateway serves one API. Its methods may be called together.
type Gateway struct {
	Config
	route *apigw.Expression

	// stopping ends integrations that still run when Shutdown gives up.
	stopping context.Context
	stop     context.CancelFunc

	mu     sync.Mutex
	closed bool
	// work counts handshakes and integrations that are under way.
	work sync.WaitGroup
}

// New checks the configuration and returns a gateway that serves nothing yet.
func New(cfg Config) (*Gateway, error) {
	expression, err := apigw.ParseExpression(cfg.API.RouteSelectionExpression)
	if err != nil {
		return nil, fmt.Errorf("API %s: %w", cfg.API.Name, err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{Config: cfg, route: expression}
	g.stopping, g.stop = context.WithCancel(context.Background())
	return g, nil
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

// Shutdown closes every connection with 1001, lets their $disconnect and the
// integrations that run come to an end, and returns when all is done or ctx
// ends; what still runs then is cut off. The listener must be closed before.
func (g *Gateway) Shutdown(ctx context.Context) error {
	defer g.stop()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
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
		<-done
		return errors.Join(drainErr, ctx.Err())
	}
}

// invoke runs the integration of a route within its time limit.
func (g *Gateway) invoke(route *apigw.Route, event *apigw.Event) ([]byte, error) {
	body, err := event.JSON()
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return g.invokeRaw(route, body)
}

func (g *Gateway) invokeRaw(route *apigw.Route, event []byte) ([]byte, error) {
	limit := route.Integration.Timeout
	if limit == 0 {
		limit = g.Limits.IntegrationTimeout
	}
	ctx, cancel := context.WithTimeout(g.stopping, limit)
	defer cancel()
	return g.Invoker.Invoke(ctx, route.Integration.Function, event)
}

// context fills in what every event of a connection shares.
func (g *Gateway) context(s *session, kind apigw.EventType, routeKey string) apigw.RequestContext {
	now := time.Now()
	request := g.IDs.Request()
	return apigw.RequestContext{
		RouteKey:          routeKey,
		EventType:         kind,
		ExtendedRequestID: request,
		RequestTime:       apigw.RequestTime(now),
		MessageDirection:  "IN",
		Stage:             g.API.Stage.Name,
		ConnectedAt:       s.connectedAt.UnixMilli(),
		RequestTimeEpoch:  now.UnixMilli(),
		Identity:          s.identity,
		RequestID:         request,
		DomainName:        g.Domain,
		ConnectionID:      s.id,
		APIID:             g.API.ID,
	}
}

// record tells the feed of something that happened on a connection.
func (g *Gateway) record(s *session, e telemetry.Event) {
	e.API = g.API.Name
	e.ConnectionID = s.id.String()
	g.Feed.Record(e)
}
