package intercept

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

const apiHost = "abc.execute-api.us-east-1.amazonaws.com"

// startProxy runs a proxy on loopback until the test ends and returns its URL
// for the function "publish".
func startProxy(t testing.TB, p *Proxy) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if p.CA == nil {
		p.CA = newCA(t)
	}
	p.Password, p.Log, p.Feed = "pass word", quiet, telemetry.NewFeed()
	run(t, func(ctx context.Context) error { return p.Serve(ctx, ln) })
	return proxyURL(t, p, ln)
}

func proxyURL(t testing.TB, p *Proxy, ln net.Listener) *url.URL {
	t.Helper()
	u, err := url.Parse(p.URL(ln.Addr(), "publish"))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// routeTo answers for one host.
func routeTo(host string, h http.HandlerFunc) func(string) http.Handler {
	return func(asked string) http.Handler {
		if asked == host {
			return h
		}
		return nil
	}
}

// through is an HTTP client that uses the proxy and trusts what the bundle says.
func through(t testing.TB, proxy *url.URL, roots *x509.CertPool) *http.Client {
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func eventTexts(f *telemetry.Feed) string {
	var lines []string
	for _, e := range f.Recent(100) {
		lines = append(lines, fmt.Sprintf("%s %s %s %v", e.Kind, e.Function, e.Text, e.Failed))
	}
	return strings.Join(lines, "\n")
}

// TestProxyAnswersSDK: the real client with an endpoint of AWS in its code
// reaches our handler, unmodified, on one kept connection.
func TestProxyAnswersSDK(t *testing.T) {
	key := awswire.NewCredentials()
	verifier := awswire.NewVerifier(func(id string) (awswire.Credentials, bool) { return key, id == key.AccessKeyID }, awswire.VerifierOptions{})
	var got []string
	p := &Proxy{CA: newCA(t), Route: routeTo(apiHost, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := verifier.Verify(r, body, "execute-api"); err != nil {
			t.Errorf("signature: %v", err)
		}
		got = append(got, r.Host+r.RequestURI+" "+string(body))
	})}
	proxy := startProxy(t, p)
	client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String("https://" + apiHost + "/main"),
		Region:       "us-east-1",
		HTTPClient:   through(t, proxy, pool(t, p.CA.BundleFile())),
		Credentials:  credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, key.SessionToken),
	})
	for i := range 3 {
		_, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String("id="), Data: fmt.Append(nil, i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{apiHost + "/main/@connections/id%3D 0", apiHost + "/main/@connections/id%3D 1", apiHost + "/main/@connections/id%3D 2"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("requests %q, want %q", got, want)
	}
	line := "intercepted publish PostToConnection at " + apiHost + " false"
	if got, want := eventTexts(p.Feed), line+"\n"+line+"\n"+line; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

// TestProxyPassesOn: another server is reached with its own certificate, and
// both directions are untouched.
func TestProxyPassesOn(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	defer server.Close()
	p := &Proxy{Route: func(string) http.Handler { return http.NotFoundHandler() }}
	proxy := startProxy(t, p)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	response, err := through(t, proxy, roots).Post(server.URL, "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back for %d, %v", len(got), len(body), err)
	}
	if got, want := eventTexts(p.Feed), "intercepted publish passed on "+strings.TrimPrefix(server.URL, "https://")+" false"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

// connectTo opens a tunnel by hand, with early bytes in the same packet as
// CONNECT, and returns the connection after the proxy's answer.
func connectTo(t testing.TB, proxy *url.URL, target, early string) (net.Conn, string) {
	t.Helper()
	c := dial(t, proxy.Host)
	r := &http.Request{Header: http.Header{}}
	password, _ := proxy.User.Password()
	r.SetBasicAuth(proxy.User.Username(), password)
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s\r\n\r\n%s", target, target, r.Header.Get("Authorization"), early)
	var head []byte
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
		if _, err := c.Read(one); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
	}
	return c, string(head)
}

// listenWith serves each connection of a loopback listener with handle.
func listenWith(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { handle(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}

// TestTunnelHalfClose: the far side hears our end and may still answer at
// length.
func TestTunnelHalfClose(t *testing.T) {
	far := listenWith(t, func(c net.Conn) {
		defer c.Close()
		text, _ := io.ReadAll(c)
		io.WriteString(c, "you said "+string(text))
	})
	c, head := connectTo(t, startProxy(t, &Proxy{}), far, "early ")
	if head != "HTTP/1.1 200 Connection Established\r\n\r\n" {
		t.Fatalf("answer %q", head)
	}
	if got := exchangeAll(t, c, "and late"); got != "you said early and late" {
		t.Errorf("got %q", got)
	}
}

func TestTunnelIdle(t *testing.T) {
	closed := make(chan struct{})
	far := listenWith(t, func(c net.Conn) {
		defer c.Close()
		io.Copy(c, c)
		close(closed)
	})
	c, _ := connectTo(t, startProxy(t, &Proxy{Idle: 20 * time.Millisecond}), far, "")
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("the idle tunnel ended with %v", err)
	}
	<-closed
}

// TestTunnelStopsWithServe: the end of the proxy ends idle tunnels both ways.
func TestTunnelStopsWithServe(t *testing.T) {
	closed := make(chan struct{})
	far := listenWith(t, func(c net.Conn) {
		defer c.Close()
		io.Copy(io.Discard, c)
		close(closed)
	})
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	p := &Proxy{CA: newCA(t), Password: "p", Log: quiet}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, ln) }()
	connectTo(t, proxyURL(t, p, ln), far, "")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	<-closed
}

// TestAnswersFinish: an answer under way when the proxy stops still arrives; a
// longer one is told by its context.
func TestAnswersFinish(t *testing.T) {
	for _, slow := range []bool{false, true} {
		t.Run(fmt.Sprint("slow ", slow), func(t *testing.T) {
			ln, _ := net.Listen("tcp", "127.0.0.1:0")
			ctx, cancel := context.WithCancel(t.Context())
			told := false
			p := &Proxy{CA: newCA(t), Password: "p", Log: quiet, Route: routeTo(apiHost, func(w http.ResponseWriter, r *http.Request) {
				cancel()
				if slow {
					<-r.Context().Done()
					told = true
					return
				}
				io.WriteString(w, "done")
			})}
			done := make(chan error, 1)
			go func() { done <- p.Serve(ctx, ln) }()
			response, err := through(t, proxyURL(t, p, ln), pool(t, p.CA.BundleFile())).Get("https://" + apiHost)
			if !slow {
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(response.Body); string(body) != "done" {
					t.Errorf("answer %q, %v", body, err)
				}
				response.Body.Close()
			}
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
			if told != slow { // read after Serve: it waits for handlers
				t.Errorf("told %v", told)
			}
		})
	}
}

func TestProxyRefusals(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	shut := nobody.Addr().String()
	for _, test := range []struct {
		name    string
		offline bool
		user    *url.Userinfo
		target  string
		want    string
		event   string
	}{
		{"offline", true, nil, "https://example.com/", "Gatepost runs with --offline and does not pass on connections to example.com:443.",
			"intercepted publish refused example.com:443: Gatepost runs with --offline and does not pass on connections to example.com:443. true"},
		{"unknown API, offline", true, nil, "https://zzz.execute-api.us-east-1.amazonaws.com/", "Gatepost runs with --offline", "intercepted publish refused"},
		{"our API on another port, offline", true, nil, "https://" + apiHost + ":8443/", "Gatepost runs with --offline", "intercepted publish refused"},
		{"nobody there", false, nil, "https://" + shut + "/", "Gatepost's proxy cannot reach " + shut + ": dial tcp " + shut + ": connect: connection refused.", "intercepted publish refused " + shut},
		{"no password", false, url.User("publish"), "https://" + apiHost + "/", "Proxy Authentication Required", ""},
		{"wrong password", false, url.UserPassword("publish", "pass wort"), "https://" + apiHost + "/", "Proxy Authentication Required", ""},
		{"another function's password", false, url.UserPassword("publish", new(Proxy).passwordOf("other")), "https://" + apiHost + "/", "Proxy Authentication Required", ""},
		{"no user", false, new(url.Userinfo), "https://" + apiHost + "/", "Proxy Authentication Required", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &Proxy{Offline: test.offline, Route: routeTo(apiHost, func(http.ResponseWriter, *http.Request) { t.Error("answered") })}
			proxy := startProxy(t, p)
			if test.user != nil {
				proxy.User = test.user
			}
			_, err := through(t, proxy, nil).Get(test.target)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if got := eventTexts(p.Feed); !strings.HasPrefix(got, test.event) || (got == "") != (test.event == "") {
				t.Errorf("events %q, want %q", got, test.event)
			}
		})
	}
}

func TestProxyPlainHTTP(t *testing.T) {
	proxy := startProxy(t, &Proxy{})
	response, err := through(t, proxy, nil).Get("http://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 501 || !strings.Contains(string(body), "set it as HTTPS_PROXY, not as HTTP_PROXY") {
		t.Errorf("%s %s", response.Status, body)
	}
	// And without a password, not even that.
	proxy.User = nil
	response, err = through(t, proxy, nil).Get("http://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 407 || response.Header.Get("Proxy-Authenticate") != `Basic realm="gatepost"` {
		t.Errorf("%s %v", response.Status, response.Header)
	}
}

func TestProxyBadTargets(t *testing.T) {
	proxy := startProxy(t, &Proxy{Offline: true})
	for _, target := range []string{"example.com", "a:b:c", "[::1"} {
		c := dial(t, proxy.Host)
		password, _ := proxy.User.Password()
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(proxy.User.Username(), password)
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\nConnection: close\r\n\r\n", target, r.Header.Get("Authorization"))
		if answer, _ := io.ReadAll(c); !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
			t.Errorf("CONNECT %s: %q", target, answer)
		}
	}
}

// TestProxyDistrusted: a function that does not know our CA fails, and only it.
func TestProxyDistrusted(t *testing.T) {
	p := &Proxy{Route: routeTo(apiHost, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })}
	proxy := startProxy(t, p)
	if _, err := through(t, proxy, x509.NewCertPool()).Get("https://" + apiHost); err == nil {
		t.Error("an unknown CA was trusted")
	}
	c, _ := connectTo(t, proxy, apiHost+":443", "")
	io.WriteString(c, "GET / HTTP/1.1\r\n\r\n") // no TLS at all
	io.Copy(io.Discard, c)
	response, err := through(t, proxy, pool(t, p.CA.CertFile())).Get("https://" + apiHost)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestProxyTogether(t *testing.T) {
	p := &Proxy{Route: func(host string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, host+" "+r.Host) })
	}}
	proxy := startProxy(t, p)
	roots := pool(t, p.CA.CertFile())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			host := fmt.Sprintf("api%d.execute-api.eu-west-1.amazonaws.com", i%5)
			client := through(t, proxy, roots)
			reused := 0
			trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
				if info.Reused {
					reused++
				}
			}}
			for range 3 {
				r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "https://"+strings.ToUpper(host), nil)
				response, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if string(body) != host+" "+strings.ToUpper(host) {
					t.Errorf("answer %q", body)
				}
			}
			if reused != 2 {
				t.Errorf("%d of 3 requests on a kept connection", reused)
			}
		})
	}
	all.Wait()
}

func TestProxyListensOnLoopbackOnly(t *testing.T) {
	p := &Proxy{Password: "p"}
	for _, addr := range []string{"0.0.0.0:80", "192.168.1.1:80", "[::]:80"} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Serve(t.Context(), NewHTTPListener(a)); err == nil || !strings.Contains(err.Error(), "must listen on loopback") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := new(Proxy).Serve(t.Context(), NewHTTPListener(&net.TCPAddr{IP: net.IPv6loopback})); err == nil || !strings.Contains(err.Error(), "no password") {
		t.Errorf("without a password: %v", err)
	}
	// A peer from elsewhere is refused, whatever it knows.
	r := httptest.NewRequest("CONNECT", "http://x/", nil)
	for peer, want := range map[string]bool{"127.0.0.1:9": true, "[::1]:9": true, "[::ffff:127.0.0.1]:9": true, "10.0.0.1:9": false, "": false} {
		r.RemoteAddr = peer
		basic := &http.Request{Header: http.Header{}}
		basic.SetBasicAuth("f", p.passwordOf("f"))
		r.Header["Proxy-Authorization"] = basic.Header["Authorization"]
		if function, known := p.caller(r); known != want || function != "f" {
			t.Errorf("peer %q: %q, %v", peer, function, known)
		}
	}
}

// TestCurl: a program that reads nothing but the environment.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not on this machine; install it to hold that it reaches the proxy by its environment")
	}
	p := &Proxy{Route: routeTo(apiHost, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.Host) })}
	proxy := startProxy(t, p)
	cmd := exec.CommandContext(t.Context(), curl, "-sS", "--max-time", "20", "https://"+apiHost+"/main")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range Environment(Surroundings{ProxyURL: proxy.String(), CAFile: p.CA.CertFile(), BundleFile: p.CA.BundleFile()}, nil) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "hello "+apiHost {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPasswordsAreByFunction: a function cannot call in another's name.
func TestPasswordsAreByFunction(t *testing.T) {
	p := &Proxy{Route: func(string) http.Handler { return http.NotFoundHandler() }}
	proxy := startProxy(t, p)
	password, _ := proxy.User.Password()
	proxy.User = url.UserPassword("roster", password)
	if _, err := through(t, proxy, pool(t, p.CA.CertFile())).Get("https://" + apiHost); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
		t.Errorf("publish as roster: %v", err)
	}
	if strings.Contains(proxy.String(), p.Password) {
		t.Error("the common password is in the URL")
	}
}

// TestProxyTellsOfHostsOnce: a host that is passed on is told of once, and one of
// AWS with the reason; each refusal is told.
func TestProxyTellsOfHostsOnce(t *testing.T) {
	far := httptest.NewTLSServer(http.NotFoundHandler())
	defer far.Close()
	p := &Proxy{Route: func(string) http.Handler { return nil },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, far.Listener.Addr().String())
		}}
	proxy := startProxy(t, p)
	for _, host := range []string{"s3.eu-west-1.amazonaws.com", "zzz.execute-api.us-east-1.amazonaws.com", "a.b.sqs.us-east-1.amazonaws.com", "example.com", "s3.eu-west-1.amazonaws.com"} {
		if _, err := through(t, proxy, x509.NewCertPool()).Get("https://" + host); err == nil {
			t.Errorf("%s: a certificate was trusted", host)
		}
	}
	const itself = ", so the call goes to AWS itself, which does not know the credentials that functions have here false"
	want := "intercepted publish passed on s3.eu-west-1.amazonaws.com:443: Gatepost does not serve s3" + itself + "\n" +
		"intercepted publish passed on zzz.execute-api.us-east-1.amazonaws.com:443: no API of this stack has the id zzz" + itself + "\n" +
		"intercepted publish passed on a.b.sqs.us-east-1.amazonaws.com:443: Gatepost does not serve this host" + itself + "\n" +
		"intercepted publish passed on example.com:443 false"
	if got := eventTexts(p.Feed); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
	if e := p.Feed.Recent(1)[0]; e.Source != "example.com" {
		t.Errorf("the host of the event is %q", e.Source)
	}
}

// TestOfflineAllowsThisMachine: --offline keeps calls from leaving the machine,
// and no others.
func TestOfflineAllowsThisMachine(t *testing.T) {
	far := listenWith(t, func(c net.Conn) { defer c.Close(); io.WriteString(c, "here") })
	c, head := connectTo(t, startProxy(t, &Proxy{Offline: true}), far, "")
	if got, _ := io.ReadAll(c); !strings.HasPrefix(head, "HTTP/1.1 200") || string(got) != "here" {
		t.Errorf("%q, then %q", head, got)
	}
}

func TestOfflineRefusesPlainHTTP(t *testing.T) {
	p := &Proxy{Offline: true}
	proxy := startProxy(t, p)
	response, err := through(t, proxy, nil).Get("http://example.com/secret?token=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 403 || !strings.Contains(string(body), "--offline") {
		t.Errorf("%s %s", response.Status, body)
	}
	if got := eventTexts(p.Feed); !strings.HasPrefix(got, "intercepted publish refused example.com: Gatepost runs with --offline") || strings.Contains(got, "token") {
		t.Errorf("events %q", got)
	}
}
