package gateway

import (
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/integration"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Closed runs $disconnect, once, when the connection has ended. Its outcome has
// nobody to be told to but the feed.
func (s *session) Closed(_ *conn.Conn, why conn.Reason) {
	g := s.g
	d := g.deployed.Load()
	r := d.disconnect
	e := telemetry.Event{Kind: telemetry.Disconnected, RouteKey: apigw.RouteDisconnect, Text: fmt.Sprintf("%s (%d %q)", why.Name, why.Code, why.Text)}
	if r.backend != nil {
		started := time.Now()
		in, err := s.disconnectRequest(d, why)
		if err == nil {
			e.RequestID = in.Context.RequestID
			_, err = r.backend.Call(g.stopping, in)
		}
		e.Function, e.Duration = r.Integration.Function, time.Since(started)
		if err != nil {
			e.Failed, e.Text = true, e.Text+": "+err.Error()
		}
	}
	g.record(s, e)
}

// disconnectRequest is the DISCONNECT event, with the four headers that API
// Gateway always gives it.
func (s *session) disconnectRequest(d *deployment, why conn.Reason) (*integration.Request, error) {
	code, text := why.Code, why.Text
	request := s.g.context(d, s, apigw.EventDisconnect, apigw.RouteDisconnect)
	request.DisconnectStatusCode, request.DisconnectReason = &code, &text
	lines := []apigw.Header{{Name: "Host", Value: s.host}, {Name: "x-api-key"}, {Name: "X-Forwarded-For"}, {Name: "x-restapi"}}
	in := &integration.Request{
		Kind: apigw.EventDisconnect, Context: &request, Headers: lines, StageVariables: d.api.Stage.Variables,
	}
	if !d.disconnect.backend.TakesEvent() {
		return in, nil
	}
	event := apigw.Event{
		Headers:           apigw.NewHeaders(lines),
		MultiValueHeaders: apigw.NewMultiHeaders(lines),
		StageVariables:    d.api.Stage.Variables,
		RequestContext:    request,
	}
	var err error
	in.Event, err = event.JSON()
	return in, err
}
