package intercept

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// speaking returns a client that knows these protocols.
func speaking(t testing.TB, transport *http.Transport, set func(*http.Protocols)) *http.Client {
	transport.Protocols = new(http.Protocols)
	set(transport.Protocols)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func onlyHTTP2(p *http.Protocols)   { p.SetHTTP2(true); p.SetUnencryptedHTTP2(true) }
func bothOverTLS(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }

// ask posts a body of 100 KB and returns the protocol that the server saw.
func ask(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	answer, err := client.Post(url, "text/plain", strings.NewReader(strings.Repeat("x", 100<<10)))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

var tellProtocol = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprint(w, r.Proto, " ", r.Host, " ", len(body), " ", err)
})

// TestPortSpeaksHTTP2: on one port, with and without TLS, clients that speak
// HTTP/2 only get it, and those that know both get HTTP/1.1.
func TestPortSpeaksHTTP2(t *testing.T) {
	ca := newCA(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := NewHTTPListener(ln.Addr())
	server := &http.Server{Handler: tellProtocol, Protocols: Protocols()}
	t.Cleanup(func() { server.Close() })
	go server.Serve(plain)
	run(t, func(ctx context.Context) error {
		return Serve(ctx, ln, OfferHTTP2(ca.TLSConfig()), func(c net.Conn, first []byte) {
			if plain.Hand(c, first) != nil {
				c.Close()
			}
		})
	})
	roots := pool(t, ca.BundleFile())
	for _, tt := range []struct {
		scheme, want string
		set          func(*http.Protocols)
	}{
		{"http://", "HTTP/2.0", onlyHTTP2},
		{"https://", "HTTP/2.0", onlyHTTP2},
		{"http://", "HTTP/1.1", bothOverTLS},
		{"https://", "HTTP/1.1", bothOverTLS},
	} {
		client := speaking(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, tt.set)
		for range 2 {
			if got := ask(t, client, tt.scheme+ln.Addr().String()+"/"); got != tt.want+" "+ln.Addr().String()+" 102400 <nil>" {
				t.Errorf("%s asked for, and answered was %q, want %s", tt.scheme, got, tt.want)
			}
		}
	}
}

// TestProxyAnswersInHTTP2: also through the proxy, and the feed tells of each
// request.
func TestProxyAnswersInHTTP2(t *testing.T) {
	const host = "kinesis.us-east-1.amazonaws.com"
	p := &Proxy{CA: newCA(t), Route: routeTo(host, tellProtocol)}
	proxy := startProxy(t, p)
	for want, set := range map[string]func(*http.Protocols){"HTTP/2.0": onlyHTTP2, "HTTP/1.1": bothOverTLS} {
		client := speaking(t, through(t, proxy, pool(t, p.CA.BundleFile())).Transport.(*http.Transport).Clone(), set)
		for range 2 {
			if got := ask(t, client, "https://"+host+"/"); got != want+" "+host+" 102400 <nil>" {
				t.Errorf("answered was %q, want %s", got, want)
			}
		}
	}
	told := strings.Split(eventTexts(p.Feed), "\n")
	if n := len(slices.DeleteFunc(told, func(line string) bool { return !strings.Contains(line, "POST / at "+host) })); n != 4 {
		t.Errorf("the feed tells of %d calls, want 4:\n%s", n, eventTexts(p.Feed))
	}
}
