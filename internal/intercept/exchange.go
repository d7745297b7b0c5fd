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

	mu   sync.Mutex
	told map[string]bool // hosts that are not ours and were told of

	// inner answers on the connections that end here, fed through handed.
	inner   *http.Server
	handed  *HTTPListener
	serving sync.WaitGroup
}

// answeredConn is a connection that ends here, with who opened it, to where, and
// its handler.
type answeredConn struct {
	net.Conn          // TLS
	raw      net.Conn // as in exchange.conns
	function string
	host     string
	handler  http.Handler
}

type connKey struct{}

func newExchange(base context.Context, p *Proxy, addr net.Addr) *exchange {
	x := &exchange{proxy: p, base: base, log: p.Log, conns: newConnSet(), told: make(map[string]bool), handed: NewHTTPListener(addr)}
	if x.log == nil {
		x.log = slog.Default()
	}
	x.inner = &http.Server{
		Handler:           http.HandlerFunc(x.answer),
		Protocols:         Protocols(),
		ReadHeaderTimeout: handshakeTimeout,
		IdleTimeout:       keepAliveIdle,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: x.connState,
		ErrorLog:  slog.NewLogLogger(x.log.Handler(), slog.LevelDebug),
	}
	return x
}

// answer tells of a request and hands it to the handler that was chosen at
// CONNECT.
func (x *exchange) answer(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*answeredConn)
	asked := operation(r)
	x.proxy.Feed.Record(telemetry.Event{Kind: telemetry.Intercepted, Function: c.function, Source: c.host, Operation: asked, Text: asked + " at " + c.host})
	c.handler.ServeHTTP(w, r)
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
	case r.Method != http.MethodConnect && x.proxy.Offline:
		refused := offline(r.Host)
		x.tell(function, r.URL.Hostname(), "refused "+r.Host+": "+refused.sentence, true)
		http.Error(w, refused.sentence, refused.status)
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
	host = strings.ToLower(host)
	if handler := x.handler(host, port); handler != nil {
		return x.terminate(early, &answeredConn{raw: c, function: function, host: host, handler: handler})
	}
	far, refused := x.reach(host, target)
	if refused != nil {
		x.tell(function, host, "refused "+target+": "+refused.sentence, true)
		refused.write(c)
		return false
	}
	x.tellOnce(function, host, "passed on "+target)
	if established(c) == nil {
		tunnel(replay(c, early), far, x.proxy.idle())
	}
	far.Close()
	return false
}

// tell records what became of a call to a host that is not answered here.
func (x *exchange) tell(function, host, text string, failed bool) {
	x.proxy.Feed.Record(telemetry.Event{Kind: telemetry.Intercepted, Function: function, Source: host, Text: text, Failed: failed})
}

// maxTold bounds the hosts that are remembered as told of.
const maxTold = 4096

// tellOnce is tell for the first call to a host.
func (x *exchange) tellOnce(function, host, text string) {
	x.mu.Lock()
	known := x.told[host]
	if len(x.told) < maxTold {
		x.told[host] = true
	}
	x.mu.Unlock()
	if known {
		return
	}
	if why := unserved(host); why != "" {
		text += ": " + why
	}
	x.tell(function, host, text, false)
}

// unserved says why a host of AWS is not answered here; "" for other hosts.
func unserved(host string) string {
	switch h, ok := ParseAWSHost(host); {
	case !ok:
		return ""
	case h.API != "":
		return "no API of this stack has the id " + h.API + ", so the call goes to AWS itself, which does not know the credentials that functions have here"
	case h.Service == "":
		return "Gatepost does not serve this host, so the call goes to AWS itself, which does not know the credentials that functions have here"
	default:
		return "Gatepost does not serve " + h.Service + ", so the call goes to AWS itself, which does not know the credentials that functions have here"
	}
}

func (x *exchange) handler(host, port string) http.Handler {
	if port != "443" || x.proxy.Route == nil || !x.proxy.CA.permitted(host) {
		return nil
	}
	return x.proxy.Route(host)
}

// reach opens the connection to a host that is not ours.
func (x *exchange) reach(host, target string) (net.Conn, *refusal) {
	if x.proxy.Offline && !isThisMachine(host) {
		return nil, offline(target)
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

// offline is the refusal of what leads away from this machine.
func offline(target string) *refusal {
	return refuse(http.StatusForbidden, "Gatepost runs with --offline and does not pass on connections to %s.", target)
}

// isThisMachine reports whether a host is this machine by its own name.
func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// terminate does the TLS handshake in the host's name and hands the
// connection to inner.
func (x *exchange) terminate(early []byte, c *answeredConn) (handed bool) {
	if established(c.raw) != nil {
		return false
	}
	secure, err := handshake(c.raw, early, OfferHTTP2(x.proxy.CA.hostConfig(c.host)), handshakeTimeout)
	if err != nil {
		x.tell(c.function, c.host, "a call to "+c.host+" was not answered because its TLS handshake failed; does the program trust "+x.proxy.CA.CertFile()+"? "+err.Error(), true)
		x.log.Warn("a function's call could not be answered; does its program trust the CA file?", "function", c.function, "host", c.host, "ca", x.proxy.CA.CertFile(), "error", err)
		return false
	}
	c.Conn = secure
	return x.handed.Hand(c, nil) == nil
}

// established is the answer to CONNECT after which the far side speaks.
func established(c net.Conn) error {
	_, err := io.WriteString(c, "HTTP/1.1 200 Connection Established\r\n\r\n")
	return err
}
