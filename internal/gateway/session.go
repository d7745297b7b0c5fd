package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// session is what the gateway knows of one connection. It is the connection's
// conn.Handler.
type session struct {
	g           *Gateway
	id          apigw.ConnectionID
	connectedAt time.Time
	host        string
	identity    apigw.Identity
	// inFlight bounds the messages under way; made with the first message, by
	// the reader's goroutine, which alone touches the variable.
	inFlight chan struct{}
}

// Message routes one message and runs its integration beside those of the
// connection's other messages: API Gateway promises no order between them.
func (s *session) Message(c *conn.Conn, data []byte) {
	g := s.g
	route := g.selectRoute(data)
	if route == nil {
		request := g.IDs.Request()
		g.record(s, telemetry.Event{Kind: telemetry.MessageIn, RequestID: request, Bytes: len(data), Failed: true, Text: "no route: Forbidden"})
		s.sendError(c, "Forbidden", request)
		return
	}
	event, request, err := s.messageEvent(route.Key, data)
	if err != nil || route.Integration == nil {
		g.record(s, telemetry.Event{Kind: telemetry.MessageIn, RouteKey: route.Key, RequestID: request, Bytes: len(data), Failed: true, Text: "the route has no integration"})
		s.sendError(c, "Internal server error", request)
		return
	}
	if s.inFlight == nil {
		s.inFlight = make(chan struct{}, max(1, g.Limits.MaxInFlight))
	}
	s.inFlight <- struct{}{}
	// The reader itself is counted in g.work, so the counter is not zero here.
	g.work.Add(1)
	size, inFlight := len(data), s.inFlight
	go func() {
		defer g.work.Done()
		defer func() { <-inFlight }()
		s.integrate(c, route, event, request, size)
	}()
}

// selectRoute returns the route for a message, or nil for Forbidden.
func (g *Gateway) selectRoute(data []byte) *apigw.Route {
	if key, ok := g.route.Evaluate(data); ok && key != apigw.RouteConnect && key != apigw.RouteDisconnect {
		if route := g.API.Route(key); route != nil {
			return route
		}
	}
	return g.API.Route(apigw.RouteDefault)
}

// messageEvent is the MESSAGE event: no headers, and the body as it came.
func (s *session) messageEvent(routeKey string, data []byte) (event []byte, requestID string, err error) {
	body := string(data)
	e := &apigw.Event{
		StageVariables: s.g.API.Stage.Variables,
		RequestContext: s.g.context(s, apigw.EventMessage, routeKey),
		Body:           &body,
	}
	e.RequestContext.MessageID = s.g.IDs.Message()
	event, err = e.JSON()
	return event, e.RequestContext.RequestID, err
}

// integrate runs a route's function and answers as API Gateway does: nothing
// on a one-way route, the body on a two-way route, the error frame when the
// integration fails.
func (s *session) integrate(c *conn.Conn, route *apigw.Route, event []byte, request string, size int) {
	started := time.Now()
	out, err := s.g.invokeRaw(route, event)
	var answer *proxyOutput
	if err == nil && !(isNothing(out) && !route.TwoWay) {
		answer, err = parseProxyOutput(out)
	}
	e := telemetry.Event{Kind: telemetry.MessageIn, RouteKey: route.Key, Function: route.Integration.Function, RequestID: request, Bytes: size, Duration: time.Since(started)}
	if err == nil && route.TwoWay {
		err = c.Send([]byte(answer.body))
		if errors.Is(err, apigw.ErrGone) {
			err = nil // the client has left; nobody waits for the answer
		}
	}
	if err != nil {
		e.Failed, e.Text = true, err.Error()
		s.sendError(c, errorText(err), request)
	}
	s.g.record(s, e)
}

// errorText is what the client is told of a failed integration.
func errorText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "Endpoint request timed out"
	}
	return "Internal server error"
}

// sendError sends the gateway's error frame. Its spaces are API Gateway's own:
// clients compare the bytes.
func (s *session) sendError(c *conn.Conn, text, requestID string) {
	frame := fmt.Appendf(nil, `{"message": "%s", "connectionId":"%s", "requestId":"%s"}`, text, s.id, requestID)
	if err := c.Send(frame); err != nil && !errors.Is(err, apigw.ErrGone) {
		s.g.Log.Warn("an error frame could not be sent", "connectionId", s.id.String(), "error", err)
	}
}

// Closed runs $disconnect, once, when the connection has ended. Its outcome
// has nobody to be told to but the feed.
func (s *session) Closed(c *conn.Conn, why conn.Reason) {
	g := s.g
	e := telemetry.Event{Kind: telemetry.Disconnected, RouteKey: apigw.RouteDisconnect, Text: fmt.Sprintf("%s (%d %q)", why.Name, why.Code, why.Text)}
	if route := g.API.Route(apigw.RouteDisconnect); route != nil && route.Integration != nil {
		started := time.Now()
		_, err := g.invoke(route, g.disconnectEvent(s, why))
		e.Function, e.Duration = route.Integration.Function, time.Since(started)
		if err != nil {
			e.Failed, e.Text = true, e.Text+": "+err.Error()
		}
	}
	g.record(s, e)
}

// disconnectEvent is the DISCONNECT event, with the four headers that API
// Gateway always gives it.
func (g *Gateway) disconnectEvent(s *session, why conn.Reason) *apigw.Event {
	lines := []apigw.Header{{Name: "Host", Value: s.host}, {Name: "x-api-key"}, {Name: "X-Forwarded-For"}, {Name: "x-restapi"}}
	e := &apigw.Event{
		Headers:           apigw.NewHeaders(lines),
		MultiValueHeaders: apigw.NewMultiHeaders(lines),
		StageVariables:    g.API.Stage.Variables,
		RequestContext:    g.context(s, apigw.EventDisconnect, apigw.RouteDisconnect),
	}
	code, text := why.Code, why.Text
	e.RequestContext.DisconnectStatusCode, e.RequestContext.DisconnectReason = &code, &text
	return e
}
