package intercept

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// exchange is one run of a Proxy: it takes CONNECT requests and joins each
// connection with a handler of ours or with the far host.
type exchange struct {
	proxy *Proxy
	base  context.Context // ends when answers under way must end
	log   *slog.Logger
	conns *connSet // every connection from CONNECT to its end

	// inner answers on the connections that end here, fed through handed.
	inner   *http.Server
	handed  *HTTPListener
	serving sync.WaitGroup
}

// answeredConn is a connection that ends here, with its handler.
type answeredConn struct {
	net.Conn          // TLS
	raw      net.Conn // as in exchange.conns
	handler  http.Handler
}

type handlerKey struct{}

func newExchange(base context.Context, p *Proxy, addr net.Addr) *exchange {
	x := &exchange{proxy: p, base: base, log: p.Log, conns: newConnSet(), handed: NewHTTPListener(addr)}
	if x.log == nil {
		x.log = slog.Default()
	}
	x.inner = &http.Server{
		Handler:           http.HandlerFunc(answer),
		ReadHeaderTimeout: handshakeTimeout,
		IdleTimeout:       keepAliveIdle,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, handlerKey{}, c.(*answeredConn).handler)
		},
		ConnState: x.connState,
		ErrorLog:  slog.NewLogLogger(x.log.Handler(), slog.LevelDebug),
	}
	return x
}

// answer hands a request to the handler that was chosen at CONNECT.
func answer(w http.ResponseWriter, r *http.Request) {
	r.Context().Value(handlerKey{}).(http.Handler).ServeHTTP(w, r)
}

// connState lets go of a connection when inner has: its last handler has then
// returned, or has taken it over.
func (x *exchange) connState(c net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		x.letGo(c.(*answeredConn).raw)
	}
}

func (x *exchange) letGo(c net.Conn) {
	x.conns.remove(c)
	x.conns.done()
}

func (x *exchange) start() {
	x.serving.Go(func() { x.inner.Serve(x.handed) }) // always http.ErrServerClosed
}

// stop lets answers under way finish for a moment, then ends everything and
// waits for it.
func (x *exchange) stop(cancel context.CancelFunc) {
	grace, done := context.WithTimeout(x.base, shutdownPeriod)
	defer done()
	x.inner.Shutdown(grace)
	cancel()
	x.inner.Close()
	x.conns.close()
	x.conns.wait()
	x.serving.Wait()
}

// ServeHTTP takes one request to the proxy itself.
func (x *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	function, known := x.proxy.caller(r)
	switch {
	case !known:
		w.Header().Set("Proxy-Authenticate", `Basic realm="gatepost"`)
		http.Error(w, "Gatepost's HTTPS proxy is for its own functions: it needs the user and password of their HTTPS_PROXY.", http.StatusProxyAuthRequired)
	case r.Method != http.MethodConnect:
		http.Error(w, "Gatepost's proxy passes on HTTPS only (CONNECT): set it as HTTPS_PROXY, not as HTTP_PROXY.", http.StatusNotImplemented)
	default:
		x.connect(w, r.Host, function)
	}
}

// connect takes the connection over from net/http and sees it through.
func (x *exchange) connect(w http.ResponseWriter, target, function string) {
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		x.log.Error("cannot take over a CONNECT", "error", err)
		return
	}
	if !x.conns.add(c) {
		c.Close()
		return
	}
	c.SetDeadline(time.Time{}) // those were net/http's
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	if !x.join(c, early, target, function) {
		c.Close()
		x.letGo(c)
	}
}

// join answers CONNECT and joins the connection with what it asks for. True
// means that inner has it now, false that it has ended.
func (x *exchange) join(c net.Conn, early []byte, target, function string) (handed bool) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		refuse(http.StatusBadRequest, "CONNECT needs HOST:PORT.").write(c)
		return false
	}
	event := telemetry.Event{Kind: telemetry.Intercepted, Function: function, Text: "answered " + target}
	if handler := x.handler(host, port); handler != nil {
		x.proxy.Feed.Record(event)
		return x.terminate(c, early, strings.ToLower(host), handler)
	}
	far, refusal := x.reach(target)
	if refusal != nil {
		event.Failed, event.Text = true, "refused "+target+": "+refusal.sentence
		x.proxy.Feed.Record(event)
		refusal.write(c)
		return false
	}
	event.Text = "passed on " + target
	x.proxy.Feed.Record(event)
	if established(c) == nil {
		tunnel(replay(c, early), far, x.proxy.idle())
	}
	far.Close()
	return false
}

func (x *exchange) handler(host, port string) http.Handler {
	if port != "443" || x.proxy.Route == nil || !x.proxy.CA.permitted(strings.ToLower(host)) {
		return nil
	}
	return x.proxy.Route(strings.ToLower(host))
}

// reach opens the connection to a host that is not ours.
func (x *exchange) reach(target string) (net.Conn, *refusal) {
	if x.proxy.Offline {
		return nil, refuse(http.StatusForbidden, "Gatepost is offline and does not pass on connections to %s.", target)
	}
	if x.conns.len() > maxTunnels {
		return nil, refuse(http.StatusServiceUnavailable, "Gatepost's proxy has %d connections open, which is its limit.", maxTunnels)
	}
	far, err := x.proxy.dial(x.base, target)
	if err != nil {
		return nil, refuse(http.StatusBadGateway, "Gatepost's proxy cannot reach %s: %v.", target, err)
	}
	return far, nil
}

// terminate does the TLS handshake in the host's name and hands the
// connection to inner.
func (x *exchange) terminate(c net.Conn, early []byte, host string, handler http.Handler) (handed bool) {
	if established(c) != nil {
		return false
	}
	conf := x.proxy.CA.hostConfig(host)
	secure, err := handshake(c, early, conf, handshakeTimeout)
	if err != nil {
		x.log.Warn("a function's call could not be answered; does its program trust the CA file?", "host", host, "ca", x.proxy.CA.CertFile(), "error", err)
		return false
	}
	return x.handed.Hand(&answeredConn{Conn: secure, raw: c, handler: handler}, nil) == nil
}

// established is the answer to CONNECT after which the far side speaks.
func established(c net.Conn) error {
	_, err := io.WriteString(c, "HTTP/1.1 200 Connection Established\r\n\r\n")
	return err
}
