package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/integration"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// session is what the gateway knows of one connection. It is the connection's
// conn.Handler.
type session struct {
	g           *Gateway
	id          apigw.ConnectionID
	connectedAt time.Time
	// host is the client's Host header, domain what events call it.
	host, domain string
	identity     apigw.Identity
	// authorizer is requestContext.authorizer; nil without one.
	authorizer json.RawMessage
	// usage meters the client's API key; nil without one.
	usage *usage
	// inFlight bounds the messages under way; made with the first message. It and
	// lines belong to the reader's goroutine.
	inFlight chan struct{}
	lines    lineup
}

// The texts of what the gateway itself tells a client.
const (
	textForbidden   = "Forbidden"
	textInternal    = "Internal server error"
	textTimeout     = "Endpoint request timed out"
	textTooMany     = "Too Many Requests"
	textLimit       = "Limit Exceeded"
	textBadBody     = "Bad request body"
	textUnsupported = "Unsupported Media Type"
)

// message is one message on its way.
type message struct {
	s       *session
	c       *conn.Conn
	route   *route
	context *apigw.RequestContext
	size    int
}

// Message routes one message and runs its integration beside those of the
// connection's other messages: API Gateway promises no order between them.
func (s *session) Message(c *conn.Conn, data []byte) {
	g := s.g
	d := g.deployed.Load()
	request := g.context(d, s, apigw.EventMessage, "")
	request.MessageID = g.IDs.Message()
	m := &message{s: s, c: c, context: &request, size: len(data)}
	m.route = d.find(data, m.variable)
	if no := m.refuse(data); no != "" {
		return
	}
	in, err := m.integrationRequest(d, data)
	if err != nil {
		m.fail(textInternal, err.Error())
		return
	}
	m.start(in)
}

// variable is a variable of $context in a selection expression.
func (m *message) variable(name string) (string, bool) {
	return integration.ContextText(integration.ContextValue(m.context), name)
}

// refuse answers a message that reaches no integration, and returns what it was
// told; "" for one that goes on.
func (m *message) refuse(data []byte) (text string) {
	r, g := m.route, m.s.g
	if r != nil {
		m.context.RouteKey = r.Key
	}
	switch {
	case r != nil && (!m.s.usage.allowRate(r.Key) || !r.limit.Allow()), !g.AccountLimit.Allow():
		return m.fail(textTooMany, "throttled")
	case !m.s.usage.allowQuota():
		return m.fail(textLimit, "the quota of the API key is used up")
	case r == nil:
		return m.fail(textForbidden, "no route: Forbidden")
	}
	if err := r.models.check(data, m.variable); err != nil {
		return m.fail(textBadBody, "bad request body: "+err.Error())
	}
	if r.backend == nil {
		return m.fail(textInternal, "the route has no integration")
	}
	return ""
}

// integrationRequest is the MESSAGE event as the integration wants it: no
// headers, and the body as it came.
func (m *message) integrationRequest(d *deployment, data []byte) (*integration.Request, error) {
	in := &integration.Request{
		Kind: apigw.EventMessage, OneWay: !m.route.TwoWay,
		Context: m.context, StageVariables: d.api.Stage.Variables,
	}
	if !m.route.backend.TakesEvent() {
		in.Body = bytes.Clone(data) // the connection takes its own back
		return in, nil
	}
	body := string(data)
	event := apigw.Event{StageVariables: d.api.Stage.Variables, RequestContext: *m.context, Body: &body}
	var err error
	in.Event, err = event.JSON()
	return in, err
}

// start runs the integration beside those of the connection's other messages,
// once there is a place for it; meanwhile the reader waits, and the client with
// it.
func (m *message) start(in *integration.Request) {
	s := m.s
	if s.inFlight == nil {
		s.inFlight = make(chan struct{}, max(1, s.g.Limits.MaxInFlight))
	}
	s.inFlight <- struct{}{}
	// The reader itself is counted in g.work, so the counter is not zero here.
	s.g.work.Add(1)
	place := s.inFlight
	leave := func() { <-place; s.g.work.Done() }
	if !m.route.Ordered {
		m.integrate(in, leave)
		return
	}
	wait, done := s.lines.join(m.route.Key)
	go func() {
		wait()
		m.integrate(in, func() { done(); leave() })
	}()
}

// integrate runs the integration and answers as API Gateway does: nothing on a
// one-way route, the body on a two-way route, the error frame when the
// integration fails. It does not wait: leave is called at the end.
func (m *message) integrate(in *integration.Request, leave func()) {
	started := time.Now()
	m.route.backend.CallThen(m.s.g.stopping, in, func(answer *integration.Response, err error) {
		defer leave()
		m.answer(answer, err, time.Since(started))
	})
}

// answer tells the client, and the feed, what has become of the integration.
func (m *message) answer(answer *integration.Response, err error, took time.Duration) {
	e := telemetry.Event{Kind: telemetry.MessageIn, RouteKey: m.route.Key, Function: m.route.Integration.Function, RequestID: m.context.RequestID, Bytes: m.size, Duration: took}
	if err == nil && m.route.TwoWay {
		err = m.c.Send(answer.Body)
		if errors.Is(err, apigw.ErrGone) {
			err = nil // the client has left; nobody waits for the answer
		}
	}
	if err != nil {
		e.Failed, e.Text = true, err.Error()
		m.sendError(errorText(err))
	}
	m.s.g.record(m.s, e)
}

// errorText is what the client is told of a failed integration.
func errorText(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return textTimeout
	case errors.Is(err, integration.ErrUnsupportedMediaType):
		return textUnsupported
	}
	return textInternal
}

// fail answers a message that no integration gets, tells the feed why, and
// returns the text of the answer.
func (m *message) fail(text, why string) string {
	m.s.g.record(m.s, telemetry.Event{Kind: telemetry.MessageIn, RouteKey: m.context.RouteKey, RequestID: m.context.RequestID, Bytes: m.size, Failed: true, Text: why})
	m.sendError(text)
	return text
}

// sendError sends the gateway's error frame. Its spaces are API Gateway's own:
// clients compare the bytes. A bad request body names the message, every other
// error the request ("Working with routes for WebSocket APIs" in the developer
// guide has both).
func (m *message) sendError(text string) {
	name, id := "requestId", m.context.RequestID
	if text == textBadBody {
		name, id = "messageId", m.context.MessageID
	}
	frame := fmt.Appendf(nil, `{"message": "%s", "connectionId":"%s", "%s":"%s"}`, text, m.s.id, name, id)
	if err := m.c.Send(frame); err != nil && !errors.Is(err, apigw.ErrGone) {
		// Not louder: a client that does not read can bring it about.
		m.s.g.Log.Debug("an error frame could not be sent", "connectionId", m.s.id.String(), "error", err)
	}
}
