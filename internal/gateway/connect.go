package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/integration"
)

// connect runs the $connect integration, if there is one, and turns its outcome
// into a subprotocol to return or a refusal: a status other than 2xx reaches
// the client as it is.
func (o *opening) connect() *refusal {
	r := o.d.connect
	if r.backend == nil {
		return nil
	}
	request, err := o.connectRequest(r.backend.TakesEvent())
	if err != nil {
		return o.connectFailure(err)
	}
	answer, err := r.backend.Call(o.g.stopping, request)
	switch {
	case err != nil:
		return o.connectFailure(err)
	case answer.Status < 200:
		// A status of 1xx is no answer that HTTP could end with.
		return o.connectFailure(integration.ErrMalformed)
	case answer.Status > 299:
		return (&refusal{status: answer.Status, body: answer.Body}).because("refused by the $connect integration %s", r.Integration.Function)
	}
	o.subprotocol = answer.Header.Get("Sec-WebSocket-Protocol")
	return nil
}

// connectRequest is the CONNECT event, as the integration wants it.
func (o *opening) connectRequest(asEvent bool) (*integration.Request, error) {
	context := o.request()
	context.Authorizer = withLatency(o.s.authorizer, o.latency)
	context.Identity = o.s.identity
	headers := o.clientHeaders()
	r := &integration.Request{
		Kind: apigw.EventConnect, Headers: headers, Query: o.multiQuery,
		Context: context, StageVariables: o.d.api.Stage.Variables,
	}
	if !asEvent {
		return r, nil
	}
	event := apigw.Event{
		Headers:                         apigw.NewHeaders(headers),
		MultiValueHeaders:               apigw.NewMultiHeaders(headers),
		QueryStringParameters:           o.query,
		MultiValueQueryStringParameters: o.multiQuery,
		StageVariables:                  o.d.api.Stage.Variables,
		RequestContext:                  *context,
	}
	var err error
	r.Event, err = event.JSON()
	return r, err
}

// withLatency adds the authorizer's time in milliseconds, which CONNECT alone
// has.
func withLatency(authorizer []byte, latency *time.Duration) []byte {
	if latency == nil {
		return authorizer
	}
	b := append([]byte(nil), authorizer[:len(authorizer)-1]...)
	b = append(b, `,"integrationLatency":`...)
	return append(strconv.AppendInt(b, latency.Milliseconds(), 10), '}')
}

// connectFailure is what a client gets of a $connect that gave no answer: 504
// for one that is late, 502 for a function that failed or answered nonsense, 500
// for one that cannot be called, 415 where the templates let nothing pass.
func (o *opening) connectFailure(err error) *refusal {
	o.g.Log.Error("$connect failed", "function", o.d.connect.Integration.Function, "connectionId", o.s.id.String(), "error", err)
	no := refuse(http.StatusInternalServerError, internalError, textInternal)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		no = refuse(http.StatusGatewayTimeout, internalError, textTimeout)
	case errors.Is(err, integration.ErrUnsupportedMediaType):
		no = refuse(http.StatusUnsupportedMediaType, unsupportedMedia, textUnsupported)
	case errors.Is(err, apigw.ErrThrottled):
	case errors.Is(err, apigw.ErrFunction), errors.Is(err, integration.ErrMalformed):
		no.status = http.StatusBadGateway
	}
	return no.because("%v", err)
}

// clientHeaders are the client's headers without the hop-by-hop ones, with
// those that the gateway adds ("$connect" sample event of the developer guide).
// A client cannot set these for the function.
func (o *opening) clientHeaders() []apigw.Header {
	if o.headers != nil {
		return o.headers
	}
	lines := make([]apigw.Header, 0, len(o.h.headers)+4)
	for _, l := range o.h.headers {
		if !isOwnHeader(l.Name) {
			lines = append(lines, l)
		}
	}
	forwarded := o.s.identity.SourceIP
	if chain := o.h.get("X-Forwarded-For"); chain != "" {
		forwarded = chain + ", " + forwarded
	}
	o.headers = append(lines,
		apigw.Header{Name: "X-Amzn-Trace-Id", Value: newTraceID()},
		apigw.Header{Name: "X-Forwarded-For", Value: forwarded},
		apigw.Header{Name: "X-Forwarded-Port", Value: "443"},
		apigw.Header{Name: "X-Forwarded-Proto", Value: "https"})
	return o.headers
}

// isOwnHeader reports whether a header is dropped or set by the gateway.
func isOwnHeader(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "upgrade", "content-length", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id":
		return true
	}
	return false
}

// newTraceID returns "Root=1-<8 hex of the time>-<24 hex>".
func newTraceID() string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(time.Now().Unix()))
	rand.Read(b[4:])
	return "Root=1-" + hex.EncodeToString(b[:4]) + "-" + hex.EncodeToString(b[4:])
}
