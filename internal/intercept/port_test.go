package intercept

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// servePort runs a Port on loopback until the test ends, and returns its
// address.
func servePort(t testing.TB, p *Port) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Log = quiet
	run(t, func(ctx context.Context) error { return p.Serve(ctx, ln) })
	return ln.Addr().String()
}

// run starts serve, ends it with the test, and reports its error.
func run(t testing.TB, serve func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// echo answers with what kind of connection it was and all that it read.
func echo(c net.Conn, first []byte) {
	defer c.Close()
	kind := "plain "
	if _, ok := c.(*tls.Conn); ok {
		kind = "TLS "
	}
	io.WriteString(c, kind)
	c.Write(first)
	io.Copy(c, c)
}

func dialTLS(t testing.TB, ca *CA, c net.Conn, host string) *tls.Conn {
	t.Helper()
	secure := tls.Client(c, &tls.Config{RootCAs: pool(t, ca.BundleFile()), ServerName: host})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchangeAll writes, ends its side and reads to the end.
func exchangeAll(t testing.TB, c net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := closeWrite(c); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestPortTellsTLSFromPlain(t *testing.T) {
	ca := newCA(t)
	addr := servePort(t, &Port{TLS: ca.TLSConfig(), Handle: echo})
	long := strings.Repeat("0123456789", 2000) // more than the first read
	var all sync.WaitGroup
	for range 10 {
		for _, text := range []string{"G", "GET / HTTP/1.1\r\n\r\n", long} {
			all.Go(func() {
				if got := exchangeAll(t, dial(t, addr), text); got != "plain "+text {
					t.Errorf("plain: %d bytes came back for %d", len(got), len(text))
				}
				if got := exchangeAll(t, dialTLS(t, ca, dial(t, addr), "localhost"), text); got != "TLS "+text {
					t.Errorf("TLS: %d bytes came back for %d", len(got), len(text))
				}
			})
		}
	}
	all.Wait()
}

// dribble writes one byte at a time.
type dribble struct{ net.Conn }

func (d dribble) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestPortSlowTLSClient(t *testing.T) {
	ca := newCA(t)
	addr := servePort(t, &Port{TLS: ca.TLSConfig(), Handle: echo})
	if got := exchangeAll(t, dialTLS(t, ca, dribble{dial(t, addr)}, "localhost"), "hi"); got != "TLS hi" {
		t.Errorf("got %q", got)
	}
}

func TestServe(t *testing.T) {
	ca := newCA(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return Serve(ctx, ln, ca.TLSConfig(), echo) })
	if got := exchangeAll(t, dial(t, ln.Addr().String()), "hi"); got != "plain hi" {
		t.Errorf("got %q", got)
	}
}

func TestPortBadTLS(t *testing.T) {
	ca := newCA(t)
	addr := servePort(t, &Port{TLS: ca.TLSConfig(), Handle: func(c net.Conn, _ []byte) {
		c.Close()
		t.Error("a broken handshake was handed over")
	}})
	c := dial(t, addr)
	c.Write([]byte("\x16garbage that is no client hello at all"))
	io.Copy(io.Discard, c) // returns when the server closes
}

// TestPortSilentClient uses fake time: a client that says nothing, or begins a
// handshake and stops, is closed when its time is over, and not before.
func TestPortSilentClient(t *testing.T) {
	ca := newCA(t)
	for name, hello := range map[string]string{"nothing": "", "half a hello": "\x16\x03\x01"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := NewHTTPListener(nil)
				p := &Port{TLS: ca.TLSConfig(), Handshake: 3 * time.Second, Log: quiet, Handle: func(net.Conn, []byte) { t.Error("handed over") }}
				ctx, cancel := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() { p.Serve(ctx, ln) })
				client, server := net.Pipe()
				ln.Hand(server, nil)
				if hello != "" { // a pipe passes empty writes on
					io.WriteString(client, hello)
				}
				start := time.Now()
				io.Copy(io.Discard, client)
				if took := time.Since(start); took < 3*time.Second || took > 9*time.Second { // closing TLS may wait for its alert
					t.Errorf("closed after %v", took)
				}
				cancel()
				serving.Wait()
			})
		})
	}
}

// TestPortDeadlineEnds: what is handed over has no deadline left.
func TestPortDeadlineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newCA(t) // valid by the fake clock
		ln := NewHTTPListener(nil)
		p := &Port{TLS: ca.TLSConfig(), Handle: echo, Log: quiet}
		ctx, cancel := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() { p.Serve(ctx, ln) })
		for _, test := range []struct {
			want string
			wrap func(net.Conn) net.Conn
		}{
			{"plain x", func(c net.Conn) net.Conn { return c }},
			{"TLS x", func(c net.Conn) net.Conn { return dialTLS(t, ca, c, "localhost") }},
		} {
			raw, server := net.Pipe()
			ln.Hand(server, nil)
			client := test.wrap(raw)
			say := func(text, want string) {
				go io.WriteString(client, text)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
					t.Errorf("said %q, got %q, %v", text, got, err)
				}
			}
			say("x", test.want)
			time.Sleep(time.Hour)
			say("y", "y")
			raw.Close()
		}
		cancel()
		serving.Wait()
	})
}

func TestPortStop(t *testing.T) {
	ca := newCA(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	decided := make(chan net.Conn, 1)
	done := make(chan error, 1)
	go func() {
		p := &Port{TLS: ca.TLSConfig(), Handle: func(c net.Conn, first []byte) { decided <- c }, Handshake: time.Hour, Log: quiet}
		done <- p.Serve(ctx, ln)
	}()
	open := dial(t, ln.Addr().String())
	io.WriteString(open, "x")
	kept := <-decided
	silent := dial(t, ln.Addr().String())
	half := dial(t, ln.Addr().String())
	io.WriteString(half, "\x16\x03\x01")
	// The two are accepted once the next one is decided.
	io.WriteString(dial(t, ln.Addr().String()), "x")
	(<-decided).Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	for _, c := range []net.Conn{silent, half} {
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("an undecided connection is still open")
		}
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
	go func() { io.WriteString(kept, "still here"); kept.Close() }()
	if got, _ := io.ReadAll(open); string(got) != "still here" {
		t.Errorf("the decided connection says %q", got)
	}
}

// failing is a listener whose Accept fails.
type failing struct {
	net.Listener
	accept func() (net.Conn, error)
}

func (f failing) Accept() (net.Conn, error) { return f.accept() }
func (f failing) Close() error              { return nil }

func TestPortAcceptErrors(t *testing.T) {
	full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		start := time.Now()
		err := (&Port{Log: quiet}).Serve(t.Context(), failing{accept: func() (net.Conn, error) {
			if calls.Add(1) <= 12 {
				return nil, full
			}
			return nil, broken
		}})
		if !errors.Is(err, broken) {
			t.Errorf("Serve: %v", err)
		}
		// 5, 10, … 640 ms, then four times a second.
		if took := time.Since(start); took != 1275*time.Millisecond+4*time.Second {
			t.Errorf("12 failures took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := (&Port{Log: quiet}).Serve(ctx, failing{accept: func() (net.Conn, error) { return nil, full }}); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestHTTPListener(t *testing.T) {
	l := NewHTTPListener(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7})
	if l.Addr().String() != "127.0.0.1:7" {
		t.Errorf("address %v", l.Addr())
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(append([]byte(r.URL.Path+" "), body...))
	})}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	defer serving.Wait()
	defer server.Close()
	const request = "POST /path HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
	for cut := 0; cut <= len(request); cut += 7 {
		client, c := net.Pipe()
		if err := l.Hand(c, []byte(request[:cut])); err != nil {
			t.Fatal(err)
		}
		if cut < len(request) {
			if _, err := io.WriteString(client, request[cut:]); err != nil {
				t.Fatal(err)
			}
		}
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if body, _ := io.ReadAll(response.Body); string(body) != "/path hello" {
			t.Errorf("cut at %d: %q", cut, body)
		}
		client.Close()
	}
}

func TestHTTPListenerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewHTTPListener(nil)
		_, c := net.Pipe()
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if err := l.Hand(c, nil); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Hand: %v", err)
				}
			})
		}
		synctest.Wait()
		l.Close()
		l.Close()
		waiting.Wait()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if err := l.Hand(c, nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Hand after Close: %v", err)
		}
	})
}

// FuzzPort: whatever comes first, it is either plain and handed over with
// every byte, or TLS; nothing hangs or panics.
func FuzzPort(f *testing.F) {
	ca := newCA(f)
	for _, seed := range []string{"GET / HTTP/1.1\r\n", "\x16", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "\x00", "\x80\x2e\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		client, server := net.Pipe()
		opened := make(chan struct{})
		var writing sync.WaitGroup
		writing.Go(func() {
			client.Write(data)
			if data[0] != tlsHandshake {
				<-opened // a closed pipe takes no deadlines
			}
			client.Close()
		})
		writing.Go(func() { io.Copy(io.Discard, client) })
		c, first, err := (&Port{TLS: ca.TLSConfig(), Handshake: time.Second}).open(server)
		close(opened)
		if plain := data[0] != tlsHandshake; plain != (err == nil) {
			t.Errorf("%q: %v", data, err)
		}
		if err == nil {
			rest, _ := io.ReadAll(c)
			if !bytes.Equal(append(first, rest...), data) {
				t.Errorf("%q became %q", data, append(first, rest...))
			}
		}
		server.Close()
		writing.Wait()
	})
}

// BenchmarkPort is what the first bytes cost a plain connection, from accept
// to Handle, without the kernel.
func BenchmarkPort(b *testing.B) {
	p := &Port{}
	data := bytes.Repeat([]byte("x"), 400)
	c := &scripted{}
	b.ReportAllocs()
	for b.Loop() {
		c.data = data
		if _, _, err := p.open(c); err != nil {
			b.Fatal(err)
		}
	}
}

// scripted is a connection that reads data once.
type scripted struct {
	net.Conn
	data []byte
}

func (s *scripted) Read(p []byte) (int, error)      { return copy(p, s.data), nil }
func (s *scripted) SetReadDeadline(time.Time) error { return nil }
