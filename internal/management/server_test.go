package management

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
)

// serve runs a Server on loopback and returns its address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if s.Hand(c, nil) != nil {
				c.Close()
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.Close()
		accepting.Wait()
	})
	return ln.Addr().String()
}

// mirror answers with what it read.
var mirror = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.RemoteAddr != "", " ", err))
	switch r.URL.Path {
	case "/none":
		w.WriteHeader(http.StatusNoContent)
	case "/panic":
		panic("on purpose")
	case "/split":
		w.Header().Set("X-Split", "a\r\nX-Evil: b")
	case "/ignore":
	default:
		w.Write(body)
	}
})

func exchangeRaw(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, text)
	c.(*net.TCPConn).CloseWrite()
	out, _ := io.ReadAll(c)
	return string(out)
}

func TestServerAnswers(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxHead, limits.MaxMessage = 5000, 1000
	address := serve(t, &Server{Handler: mirror, Limits: limits, Log: slog.New(slog.DiscardHandler)})
	pad := strings.Repeat("x", 6000)
	for _, tt := range []struct {
		name, text string
		want       []string
		not        string
	}{
		{"a body", "POST /a?b=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", []string{"HTTP/1.1 200 OK\r\nDate: ", "\r\nX-Seen: POST /a?b=%20 h true <nil>\r\n", "\r\nContent-Length: 2\r\n", "\r\n\r\nhi"}, "Connection: close"},
		{"chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", []string{"200 OK", "\r\n\r\nhi!"}, ""},
		{"no body", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"200 OK", "Content-Length: 0\r\n"}, ""},
		{"204", "DELETE /none HTTP/1.1\r\nHost: h\r\n\r\n", []string{"204 No Content"}, "Content-Length"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", []string{"200 OK", "Content-Length: 2\r\n\r\n"}, "\r\n\r\nhi"},
		{"two behind each other", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n2", []string{"\r\n\r\n1HTTP/1.1 200", "\r\n\r\n2"}, ""},
		{"a body nobody read", "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1GET / HTTP/1.1\r\nHost: h\r\n\r\n", []string{"POST /ignore", "GET / h"}, ""},
		{"close is asked for", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", []string{"GET /a", "Connection: close"}, "GET /b"},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\nHost: h\r\n\r\nGET /b HTTP/1.0\r\nHost: h\r\n\r\n", []string{"GET /a", "Connection: close"}, "GET /b"},
		{"a client that waits for 100", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi", []string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"}, ""},
		{"a header with a line break", "GET /split HTTP/1.1\r\nHost: h\r\n\r\n", []string{"X-Split: a  X-Evil: b\r\n"}, "\nX-Evil"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []string{"400 Bad Request", "Connection: close"}, "X-Seen"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{"400 Bad Request"}, "X-Seen"},
		{"no HTTP", "hello\r\n\r\n", []string{"400 Bad Request"}, "X-Seen"},
		{"lengths that disagree", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", []string{"400 Bad Request"}, "X-Seen"},
		{"half a head", "GET / HTTP/1.1\r\nHo", []string{"400 Bad Request"}, "X-Seen"},
		{"a long head", "GET / HTTP/1.1\r\nHost: h\r\nX-Pad: " + pad + "\r\n\r\n", []string{"431 Request Header Fields Too Large"}, "X-Seen"},
		{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", []string{"unexpected EOF"}, ""},
		{"a panic", "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n", nil, "HTTP"},
		{"nothing", "", nil, "HTTP"},
	} {
		got := exchangeRaw(t, address, tt.text)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q has no %q", tt.name, got, want)
			}
		}
		if tt.not != "" && strings.Contains(got, tt.not) {
			t.Errorf("%s: %q has %q", tt.name, got, tt.not)
		}
	}
}

func TestServerBoundsABody(t *testing.T) {
	limits := apigw.DefaultLimits()
	limits.MaxMessage = 1000
	address := serve(t, &Server{Handler: mirror, Limits: limits})
	body := strings.NewReader(strings.Repeat("x", 3*maxDrain))
	resp, err := http.Post("http://"+address, "text/plain", struct{ io.Reader }{body})
	if err != nil {
		return // the server has closed on a client that was still sending
	}
	defer resp.Body.Close()
	if seen := resp.Header.Get("X-Seen"); !strings.Contains(seen, errOverBound.Error()) {
		t.Errorf("the handler read a body of 3 MiB: %s", seen)
	}
}

// TestServerWithTheRealClient sends bodies of all sizes over connections that
// are used again.
func TestServerWithTheRealClient(t *testing.T) {
	address := serve(t, &Server{Handler: mirror})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			sent := bytes.Repeat([]byte("y"), i*i*3)
			resp, err := client.Post("http://"+address, "text/plain", bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back as %d, %v", len(sent), len(got), err)
			}
		})
	}
	all.Wait()
}

func TestServerClose(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := &Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	})}
	address := serve(t, s)
	busy, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := io.WriteString(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.Close()
		cancel()
	}()
	select {
	case <-ctx.Done():
		t.Error("Close did not wait for the handler")
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	<-ctx.Done()
	idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an idle connection after Close: %v", err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := s.Hand(b, nil); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Hand after Close: %v", err)
	}
}

func TestHoldsRequest(t *testing.T) {
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n":                                    true,
		"GET / HTTP/1.1\r\nHost: h\r\n":                                        false,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi":            true,
		"POST / HTTP/1.1\r\nContent-Length: 2\r\nHost: h\r\n\r\nhi":            true,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nh":             false,
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0":    false,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999\r\n\r\n": false,
		"": false,
	} {
		var r reader
		r.Reset(strings.NewReader(text))
		r.Peek(1)
		if got := r.holdsRequest(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// FuzzServer holds that no input makes the server panic, hang, or answer with
// something that is not HTTP.
func FuzzServer(f *testing.F) {
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		client, server := net.Pipe()
		s := &Server{Handler: mirror, Log: slog.New(slog.DiscardHandler)}
		if err := s.Hand(server, nil); err != nil {
			t.Fatal(err)
		}
		done := make(chan string)
		go func() {
			out, _ := io.ReadAll(client)
			done <- string(out)
		}()
		client.SetWriteDeadline(time.Now().Add(time.Second))
		client.Write(input)
		go s.Close()
		if out := <-done; out != "" && !strings.HasPrefix(out, "HTTP/1.1 ") {
			t.Errorf("answer %q", out)
		}
		client.Close()
		s.Close()
	})
}
