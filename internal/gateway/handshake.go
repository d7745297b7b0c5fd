package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conn"
	"github.com/gatepost-dev/gatepost/internal/management"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// ServeConn takes a socket that was just accepted, with the bytes that were
// read from it already (valid until ServeConn returns). A WebSocket handshake
// is held until $connect has answered; then the connection lives on in a
// goroutine of its own. Any other request is handed to Config.HandOver.
func (g *Gateway) ServeConn(nc net.Conn, first []byte) {
	if !g.begin() {
		nc.Close()
		return
	}
	defer g.work.Done()
	buf := headBuffers.Get().(*[]byte)
	defer headBuffers.Put(buf)
	nc.SetReadDeadline(time.Now().Add(g.Limits.Handshake))
	read, length, err := readHead(nc, first, *buf, g.Limits.MaxHead)
	*buf = read[:0]
	if err != nil {
		g.refuseHead(nc, err)
		return
	}
	h, err := parseHead(read[:length])
	if err != nil {
		g.refuseHead(nc, err)
		return
	}
	if !h.isUpgrade() {
		nc.SetReadDeadline(time.Time{})
		if err := g.HandOver(nc, read); err != nil {
			nc.Close()
		}
		return
	}
	g.handshake(nc, &h, read[length:])
}

// refuseHead answers a request that could not be read.
func (g *Gateway) refuseHead(nc net.Conn, err error) {
	switch {
	case errors.Is(err, errHeadTooLarge):
		text := fmt.Sprintf("Request header is larger than %d bytes", g.Limits.MaxHead)
		refuse(nc, refusal{status: http.StatusRequestHeaderFieldsTooLarge, body: messageBody(text)}, g.IDs.Request())
	case errors.Is(err, errHeadMalformed):
		refuse(nc, refusal{status: http.StatusBadRequest, body: messageBody("Bad Request")}, g.IDs.Request())
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(nc, refusal{status: http.StatusRequestTimeout, body: messageBody("Request Timeout")}, g.IDs.Request())
	default:
		nc.Close()
	}
}

// refusal is a handshake's HTTP answer other than 101.
type refusal struct {
	status int
	body   []byte
	header string // a further header line, with its CRLF
	why    string // for the feed
}

func messageBody(text string) []byte { return fmt.Appendf(nil, `{"message":%q}`, text) }

// handshake answers a request for a WebSocket: 101 and a connection, or the
// status that refuses it.
func (g *Gateway) handshake(nc net.Conn, h *head, rest []byte) {
	started := time.Now()
	s := g.newSession(nc, h)
	no := g.check(h)
	var subprotocol string
	if no == nil {
		subprotocol, no = g.authorize(s, h)
	}
	if no != nil {
		refuse(nc, *no, g.IDs.Request())
		g.record(s, telemetry.Event{Kind: telemetry.Refused, RouteKey: apigw.RouteConnect, Duration: time.Since(started), Failed: true, Text: fmt.Sprintf("%d %s", no.status, no.why)})
		return
	}
	nc.SetDeadline(time.Time{})
	c := conn.New(nc, conn.Options{ID: s.id, Identity: s.identity, ConnectedAt: s.connectedAt, Limits: g.Limits, Handler: s, Hub: g.Hub, Greeting: switching(h, subprotocol)})
	g.record(s, telemetry.Event{Kind: telemetry.Connected, RouteKey: apigw.RouteConnect, Duration: time.Since(started), Text: s.identity.SourceIP})
	g.work.Add(1)
	// A goroutine of its own: this one's stack has grown, and an idle
	// connection should not pay for that.
	rest = append([]byte(nil), rest...)
	go func() {
		defer g.work.Done()
		c.Serve(rest)
	}()
}

func (g *Gateway) newSession(nc net.Conn, h *head) *session {
	ip, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		ip = nc.RemoteAddr().String()
	}
	return &session{
		g:           g,
		id:          g.IDs.Connection(),
		connectedAt: time.Now(),
		host:        strings.Clone(h.get("Host")),
		identity:    apigw.Identity{SourceIP: ip, UserAgent: strings.Clone(h.get("User-Agent"))},
	}
}

// check applies what must hold before $connect is asked: the URL, which is the
// stage and nothing below it, and the handshake fields of RFC 6455 section
// 4.2.1.
func (g *Gateway) check(h *head) *refusal {
	path, _ := h.splitTarget()
	stage := "/" + g.API.Stage.Name
	if path != stage && path != stage+"/" {
		return &refusal{status: http.StatusForbidden, body: messageBody("Forbidden"), why: "no stage at " + path}
	}
	if v := h.get("Sec-WebSocket-Version"); v != "13" {
		return &refusal{status: http.StatusUpgradeRequired, body: messageBody("Upgrade Required"), header: "Sec-WebSocket-Version: 13\r\n", why: "WebSocket version " + v}
	}
	key, err := base64.StdEncoding.DecodeString(h.get("Sec-WebSocket-Key"))
	if err != nil || len(key) != 16 || h.proto != "HTTP/1.1" || h.get("Host") == "" {
		return &refusal{status: http.StatusBadRequest, body: messageBody("Bad Request"), why: "malformed handshake"}
	}
	return nil
}

// authorize runs $connect, if the API has one, and turns its outcome into a
// subprotocol to return or a refusal. A status other than 2xx reaches the
// client as it is; a function that fails is 502, one that is late 504.
func (g *Gateway) authorize(s *session, h *head) (subprotocol string, no *refusal) {
	route := g.API.Route(apigw.RouteConnect)
	if route == nil || route.Integration == nil {
		return "", nil
	}
	out, err := g.invoke(route, g.connectEvent(s, h))
	if err != nil {
		return "", g.connectFailure(err)
	}
	answer, err := parseProxyOutput(out)
	if err != nil {
		g.Log.Error("the $connect function's answer is malformed", "function", route.Integration.Function, "connectionId", s.id.String(), "error", err)
		return "", &refusal{status: http.StatusBadGateway, body: messageBody("Internal server error"), why: "malformed answer: " + err.Error()}
	}
	if answer.status < 200 || answer.status > 299 {
		return "", &refusal{status: answer.status, body: []byte(answer.body), why: "refused by " + route.Integration.Function}
	}
	return answer.header("Sec-WebSocket-Protocol"), nil
}

func (g *Gateway) connectFailure(err error) *refusal {
	no := &refusal{status: http.StatusBadGateway, body: messageBody("Internal server error"), why: err.Error()}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		no.status, no.body = http.StatusGatewayTimeout, messageBody("Endpoint request timed out")
	case errors.Is(err, apigw.ErrThrottled), !errors.Is(err, apigw.ErrFunction):
		no.status = http.StatusInternalServerError
	}
	return no
}

// connectEvent is the CONNECT event: the client's headers without the
// hop-by-hop ones, with those that the gateway adds ("$connect" sample event of
// the developer guide).
func (g *Gateway) connectEvent(s *session, h *head) *apigw.Event {
	lines := make([]apigw.Header, 0, len(h.headers)+4)
	for _, l := range h.headers {
		switch strings.ToLower(l.Name) {
		case "connection", "upgrade", "content-length":
		case "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id":
			// Set below; a client must not be able to set them for the function.
		default:
			lines = append(lines, l)
		}
	}
	forwarded := s.identity.SourceIP
	if chain := h.get("X-Forwarded-For"); chain != "" {
		forwarded = chain + ", " + forwarded
	}
	lines = append(lines,
		apigw.Header{Name: "X-Amzn-Trace-Id", Value: newTraceID()},
		apigw.Header{Name: "X-Forwarded-For", Value: forwarded},
		apigw.Header{Name: "X-Forwarded-Port", Value: "443"},
		apigw.Header{Name: "X-Forwarded-Proto", Value: "https"})
	_, query := h.splitTarget()
	e := &apigw.Event{
		Headers:           apigw.NewHeaders(lines),
		MultiValueHeaders: apigw.NewMultiHeaders(lines),
		StageVariables:    g.API.Stage.Variables,
		RequestContext:    g.context(s, apigw.EventConnect, apigw.RouteConnect),
	}
	e.QueryStringParameters, e.MultiValueQueryStringParameters = parameters(query)
	return e
}

// newTraceID returns "Root=1-<8 hex of the time>-<24 hex>".
func newTraceID() string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(time.Now().Unix()))
	rand.Read(b[4:])
	return "Root=1-" + hex.EncodeToString(b[:4]) + "-" + hex.EncodeToString(b[4:])
}

// acceptGUID is fixed by RFC 6455 section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// switching is the 101 answer. Of the function's headers only the subprotocol
// passes, and none is chosen on the function's behalf.
func switching(h *head, subprotocol string) []byte {
	sum := sha1.Sum([]byte(h.get("Sec-WebSocket-Key") + acceptGUID))
	out := make([]byte, 0, 160+len(subprotocol))
	out = append(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	out = base64.StdEncoding.AppendEncode(out, sum[:])
	if subprotocol != "" && isFieldValue(subprotocol) {
		out = append(out, "\r\nSec-WebSocket-Protocol: "...)
		out = append(out, subprotocol...)
	}
	return append(out, "\r\n\r\n"...)
}

// refuseWrite bounds how long a refused client may take to read its answer.
const refuseWrite = 5 * time.Second

// refuse answers a handshake with an HTTP status and closes the socket.
func refuse(nc net.Conn, no refusal, requestID string) {
	text := http.StatusText(no.status)
	if text == "" {
		text = "Status"
	}
	var out []byte
	out = fmt.Appendf(out, "HTTP/1.1 %d %s\r\n%sContent-Type: application/json\r\nx-amzn-RequestId: %s\r\nDate: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		no.status, text, no.header, requestID, time.Now().UTC().Format(http.TimeFormat), len(no.body))
	out = append(out, no.body...)
	nc.SetDeadline(time.Now().Add(refuseWrite))
	nc.Write(out)
	management.CloseGently(nc)
}
