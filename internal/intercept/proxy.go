package intercept

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// Bounds of the proxy.
const (
	maxProxyHead   = 16 << 10 // bytes of a request head
	maxTunnels     = 4096     // tunnels and unfinished CONNECTs at once
	dialTimeout    = 10 * time.Second
	keepAliveIdle  = 5 * time.Minute // of a connection that we answer on
	tunnelIdle     = 10 * time.Minute
	shutdownPeriod = 500 * time.Millisecond // for answers under way
)

// Proxy is the HTTPS proxy of the functions' HTTPS_PROXY. CONNECT to port 443
// of a host that Route knows ends here, in TLS with a certificate of our CA;
// every other host is passed on untouched. Only callers on this machine that
// know the password of a function are served, so that it is no open relay.
type Proxy struct {
	CA *CA
	// Password is what the password of each function is made from;
	// crypto/rand.Text makes one. It must be set.
	Password string
	// Route returns the handler of an AWS host, without a port, or nil to pass
	// it on; ParseAWSHost helps. The handler gets requests with the host they
	// were sent to in Request.Host.
	Route func(host string) http.Handler
	// Offline refuses hosts that Route does not know instead of passing them on,
	// this machine's own names excepted.
	Offline bool
	// Feed gets an Intercepted event for each request that is answered, one for
	// each host that is passed on, and one for each refusal; it may be nil.
	Feed *telemetry.Feed
	// Log gets what goes wrong; nil means slog.Default().
	Log *slog.Logger
	// Dial opens connections to other hosts; nil means TCP with a time limit.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Idle closes a tunnel in which nothing was sent either way for that long.
	// Zero means 10 minutes.
	Idle time.Duration
}

// URL is the value of HTTPS_PROXY for a function, for the listener's address.
// The function's name is the user name: it tells in the Feed who called.
func (p *Proxy) URL(addr net.Addr, function string) string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(function, p.passwordOf(function)), Host: addr.String()}).String()
}

// passwordOf is the password of a function: nobody can call in another's name.
func (p *Proxy) passwordOf(function string) string {
	sum := hmac.New(sha256.New, []byte(p.Password))
	sum.Write([]byte(function))
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// Serve serves the proxy on a loopback listener until ctx ends, which is no
// error. Answers under way get a moment to finish; then it closes everything
// and returns when all has ended.
func (p *Proxy) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if !isLoopback(ln.Addr().String()) {
		return fmt.Errorf("the HTTPS proxy must listen on loopback, not on %s", ln.Addr())
	}
	if p.Password == "" {
		return errors.New("the HTTPS proxy has no password")
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	x := newExchange(base, p, ln.Addr())
	outer := &http.Server{
		Handler:           x,
		ReadHeaderTimeout: handshakeTimeout,
		IdleTimeout:       keepAliveIdle,
		MaxHeaderBytes:    maxProxyHead,
		ErrorLog:          slog.NewLogLogger(x.log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { outer.Close() })
	defer stop()
	x.start()
	err := outer.Serve(ln)
	outer.Close()
	x.stop(cancel)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve the HTTPS proxy: %w", err)
}

func (p *Proxy) dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if p.Dial != nil {
		return p.Dial(ctx, "tcp", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (p *Proxy) idle() time.Duration {
	if p.Idle > 0 {
		return p.Idle
	}
	return tunnelIdle
}

func isLoopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// A refusal is an answer to CONNECT that is not 200. The sentence is the reason
// phrase too, because that is all that Go's client and others show.
type refusal struct {
	status   int
	sentence string
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// write answers on a hijacked connection, which is closed afterwards.
func (r *refusal) write(c net.Conn) {
	sentence := strings.Map(printable, r.sentence)
	c.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	io.WriteString(c, "HTTP/1.1 "+strconv.Itoa(r.status)+" "+sentence+"\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(sentence)+1)+"\r\n\r\n"+sentence+"\n")
	c.Close()
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// caller checks who calls and returns the function's name.
func (p *Proxy) caller(r *http.Request) (function string, known bool) {
	credentials := http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	function, password, ok := credentials.BasicAuth()
	same := subtle.ConstantTimeCompare([]byte(password), []byte(p.passwordOf(function))) == 1
	return function, ok && same && isLoopback(r.RemoteAddr)
}
