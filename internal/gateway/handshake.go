package gateway

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/management"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// opening is a handshake that is being decided.
type opening struct {
	g *Gateway
	d *deployment
	h *head
	s *session
	// secure: the client speaks TLS with us.
	secure bool
	// context is what request made.
	context *apigw.RequestContext
	// query is the URL's, the last value of each name and all of them.
	query      map[string]string
	multiQuery map[string][]string
	// headers are what integrations see of the client's.
	headers []apigw.Header
	// usageKey is the API key that an authorizer found.
	usageKey string
	// latency is how long the authorizer took; nil without one.
	latency *time.Duration
	// subprotocol is what the $connect integration chose.
	subprotocol string
}

// handshake answers a request for a WebSocket: 101 and a connection, or the
// status that refuses it.
func (g *Gateway) handshake(nc net.Conn, h *head, rest []byte) {
	started := time.Now()
	o := g.newOpening(nc, h)
	if no := o.decide(); no != nil {
		// First the feed: who waits for the answer finds it there.
		request := o.request().RequestID
		g.record(o.s, telemetry.Event{Kind: telemetry.Refused, RouteKey: apigw.RouteConnect, RequestID: request, Duration: time.Since(started), Failed: true, Text: fmt.Sprintf("%d %s", no.status, no.why)})
		no.write(nc, request)
		return
	}
	s := o.s
	public := apigw.Identity{SourceIP: s.identity.SourceIP, UserAgent: s.identity.UserAgent}
	extension, compress := g.negotiate(h)
	c := conn.New(nc, conn.Options{ID: s.id, Identity: public, ConnectedAt: s.connectedAt, Limits: g.Limits, Handler: s, Hub: g.Hub, Compress: compress, Greeting: switching(h, o.subprotocol, extension)})
	e := telemetry.Event{Kind: telemetry.Connected, RouteKey: apigw.RouteConnect, Duration: time.Since(started), Text: s.identity.SourceIP}
	if o.context != nil {
		e.RequestID = o.context.RequestID
	}
	g.record(s, e)
	g.work.Add(1)
	// A goroutine of its own: this one's stack has grown, and an idle
	// connection should not pay for that.
	rest = append([]byte(nil), rest...)
	go func() {
		defer g.work.Done()
		c.Serve(rest)
	}()
}

func (g *Gateway) newOpening(nc net.Conn, h *head) *opening {
	address := nc.RemoteAddr().String()
	ip, _, err := net.SplitHostPort(address)
	if err != nil {
		ip = address
	}
	d := g.deployed.Load()
	s := &session{
		g:           g,
		id:          g.IDs.Connection(),
		connectedAt: time.Now(),
		host:        strings.Clone(h.get("Host")),
		identity:    apigw.Identity{SourceIP: ip, UserAgent: strings.Clone(h.get("User-Agent"))},
	}
	s.domain = domainName(d.api, s.host, g.Domain)
	_, secure := nc.(interface{ NetConn() net.Conn })
	return &opening{g: g, d: d, h: h, s: s, secure: secure}
}

// request is the request context of the handshake's events, of the authorizer's
// and $connect's alike. Its request id is what a refused client gets.
func (o *opening) request() *apigw.RequestContext {
	if o.context == nil {
		c := o.g.context(o.d, o.s, apigw.EventConnect, apigw.RouteConnect)
		o.context = &c
	}
	return o.context
}

// domainName is what events call the host: the custom domain, with the port
// that the client used, so that functions which build the management endpoint
// from it come back the same way; else the gateway's own.
func domainName(api *apigw.API, host, own string) string {
	for _, d := range api.Domains {
		if len(host) >= len(d.Name) && strings.EqualFold(host[:len(d.Name)], d.Name) && (len(host) == len(d.Name) || host[len(d.Name)] == ':') {
			return d.Name + host[len(d.Name):]
		}
	}
	return own
}

// steps are all that may refuse a handshake, the cheap ones first.
var steps = [...]func(*opening) *refusal{
	(*opening).checkURL, (*opening).checkFields, (*opening).throttle, (*opening).authorize,
	(*opening).checkAPIKey, (*opening).checkParameters, (*opening).connect,
}

// decide returns why a client is refused, or nil. A refusal leaves no trace of
// the connection.
func (o *opening) decide() *refusal {
	for _, step := range steps {
		if no := step(o); no != nil {
			return no
		}
	}
	return nil
}

// checkURL holds the URL to its length, and to be a stage's and nothing below
// it.
func (o *opening) checkURL() *refusal {
	if most := o.g.Limits.MaxURL; most > 0 && len(o.h.target) > most {
		return refuse(http.StatusRequestURITooLong, badRequest, "Request-URI Too Long").because("the URL has %d bytes, %d are allowed", len(o.h.target), most)
	}
	path, query := o.h.splitTarget()
	o.query, o.multiQuery = parameters(query)
	if !isStage(o.d.api, o.s.host, path) {
		return refuse(http.StatusForbidden, forbidden, "Forbidden").because("no stage at %s%s", o.s.host, path)
	}
	return nil
}

// isStage reports whether a path, as it was sent, is the one under which the
// API answers at a host, with or without a slash behind it.
func isStage(api *apigw.API, host, path string) bool {
	plain, err := url.PathUnescape(path)
	if err != nil || !strings.HasPrefix(plain, "/") || strings.Contains(plain, "//") {
		return false
	}
	rest, ok := management.Rest(api, host, plain)
	return ok && rest == ""
}

// checkFields applies RFC 6455 section 4.2.1, and RFC 9112 on the message's
// framing: a handshake has no body.
func (o *opening) checkFields() *refusal {
	h := o.h
	if v := h.get("Sec-WebSocket-Version"); v != "13" {
		no := refuse(http.StatusUpgradeRequired, badRequest, "Upgrade Required").because("WebSocket version %q", v)
		no.header = "Sec-WebSocket-Version: 13\r\n"
		return no
	}
	key, err := base64.StdEncoding.DecodeString(h.get("Sec-WebSocket-Key"))
	length := h.get("Content-Length")
	switch {
	case err != nil || len(key) != 16 || h.count("Sec-WebSocket-Key") != 1:
	case h.proto != "HTTP/1.1" || o.s.host == "" || h.count("Host") != 1:
	case length != "" && length != "0" || h.count("Content-Length") > 1 || h.count("Transfer-Encoding") > 0:
	default:
		return nil
	}
	return refuse(http.StatusBadRequest, badRequest, "Bad Request").because("malformed handshake")
}

// throttle holds the handshake to the rate of new connections, to the stage's
// and to the account's.
func (o *opening) throttle() *refusal {
	if o.g.ConnectLimit.Allow() && o.d.connect.limit.Allow() && o.g.AccountLimit.Allow() {
		return nil
	}
	return refuse(http.StatusTooManyRequests, tooManyRequests, textTooMany)
}

// acceptGUID is fixed by RFC 6455 section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// negotiate agrees on compression, where that is switched on.
func (g *Gateway) negotiate(h *head) (extension string, compress bool) {
	if !g.Limits.Compression {
		return "", false
	}
	return conn.NegotiateDeflate(h.values("Sec-WebSocket-Extensions"))
}

// switching is the 101 answer. Of the integration's headers only the
// subprotocol passes, and none is chosen on the function's behalf.
func switching(h *head, subprotocol, extension string) []byte {
	sum := sha1.Sum([]byte(h.get("Sec-WebSocket-Key") + acceptGUID))
	out := make([]byte, 0, 160+len(subprotocol))
	out = append(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	out = base64.StdEncoding.AppendEncode(out, sum[:])
	if subprotocol != "" && isFieldValue(subprotocol) {
		out = append(out, "\r\nSec-WebSocket-Protocol: "...)
		out = append(out, subprotocol...)
	}
	if extension != "" {
		out = append(out, "\r\nSec-WebSocket-Extensions: "...)
		out = append(out, extension...)
	}
	return append(out, "\r\n\r\n"...)
}
