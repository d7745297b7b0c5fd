package gateway

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
)

// TestTheHandshakesTimeLimit runs on a fake clock: a client that trickles has no
// more time than one that is silent.
func TestTheHandshakesTimeLimit(t *testing.T) {
	conformance.Covers(t, "handshake.time-limit")
	for _, tt := range []struct {
		name  string
		every time.Duration
	}{{"silent", 0}, {"a byte a second", time.Second}, {"a byte every 10 ms", 10 * time.Millisecond}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(system)
				first := inMemory(t, s, testAPI(), apigw.DefaultLimits())
				client, server := net.Pipe()
				began := time.Now()
				go s.gateway.ServeConn(server, []byte("GET /main HT"))
				done := make(chan struct{})
				go func() {
					defer close(done)
					for tt.every > 0 {
						time.Sleep(tt.every)
						if _, err := client.Write([]byte("x")); err != nil {
							return
						}
					}
				}()
				resp, _ := readAnswer(t, client)
				if took := time.Since(began); resp.StatusCode != 408 || took != 10*time.Second {
					t.Errorf("%d after %v, want 408 after 10 s", resp.StatusCode, took)
				}
				client.Close()
				if tt.every > 0 {
					<-done
				}
				first.Close()
				s.shutdown(t)
			})
		})
	}
}

func TestTheHandshakesLimitEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(system)
		first := inMemory(t, s, testAPI(proxied("two", true)), apigw.DefaultLimits())
		s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
		end, server := net.Pipe()
		client := &rawClient{t, end}
		request := upgrade("/main", "")
		go s.gateway.ServeConn(server, []byte(request[:10]))
		io.WriteString(client, request[10:])
		if resp, _ := readAnswer(t, client); resp.StatusCode != 101 {
			t.Errorf("a head in two pieces: %d", resp.StatusCode)
		}
		time.Sleep(time.Minute)
		client.send(`{"action":"two"}`)
		if got := client.read(4); got != "\x81\x02hi" {
			t.Errorf("got %q", got)
		}
		client.Close()
		first.Close()
		s.shutdown(t)
	})
}

// waiting returns the number of half-open handshakes.
func (g *Gateway) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.halfOpen)
}

// TestShutdownWaitsForNoHead runs on a fake clock.
func TestShutdownWaitsForNoHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(system)
		first := inMemory(t, s, testAPI(), apigw.DefaultLimits())
		first.Close()
		client, server := net.Pipe()
		go s.gateway.ServeConn(server, []byte("GET /main HT"))
		synctest.Wait()
		began := time.Now()
		s.shutdown(t)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the shutdown took %v", took)
		}
		client.Close()
	})
}

// halfOpen opens n sockets that have sent only the beginning of a head, and
// returns when the gateway waits for the rest of each.
func (s *system) halfOpen(t testing.TB, n int) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, "GET /main HTTP/1.1\r\nHost: localhost:3001\r\n")
		conns = append(conns, c)
	}
	eventually(t, "the gateway waits for the heads", func() bool { return s.gateway.waiting() == n })
	return conns
}

func TestHalfOpenHandshakesAreBounded(t *testing.T) {
	conformance.Covers(t, "handshake.half-open-limit")
	limits := apigw.DefaultLimits()
	limits.MaxHandshakes, limits.Handshake = 5, time.Hour
	s := newSystem(t, limits)
	before := s.open(t)
	conns := s.halfOpen(t, 5)
	one, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	io.WriteString(one, "GET /main HT")
	one.SetReadDeadline(time.Now().Add(within))
	if n, err := one.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("one more got %d bytes, %v; want it closed at once", n, err)
	}
	// What is open goes on, and one of the waiting ones may finish.
	say(t, before, "x")
	if got := hear(t, before); !strings.Contains(got, "Forbidden") {
		t.Errorf("an open connection got %q", got)
	}
	io.WriteString(conns[0], strings.TrimPrefix(upgrade("/main", ""), "GET /main HTTP/1.1\r\nHost: localhost:3001\r\n"))
	if resp, _ := readAnswer(t, conns[0]); resp.StatusCode != 101 {
		t.Errorf("a head that was finished: %d", resp.StatusCode)
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "all places are free", func() bool { return s.gateway.waiting() == 0 })
	s.open(t)
}

// TestManyHalfOpenHandshakes holds that the gateway answers beside 2,000 of
// them, and that each costs little memory.
func TestManyHalfOpenHandshakes(t *testing.T) {
	conformance.Covers(t, "handshake.half-open-limit")
	limits := apigw.DefaultLimits()
	limits.Handshake, limits.ConnectRate = time.Hour, 0
	s := newSystem(t, limits, proxied("two", true))
	s.on("two", answer(`{"statusCode":200,"body":"hi"}`))
	const n = 2000
	before := held()
	conns := s.halfOpen(t, n)
	each := (held() - before) / n
	t.Logf("%d bytes are held for each half-open handshake, the client's socket included", each)
	// 512 bytes for what has come, a stack of 2 to 4 KB, Go's two sockets; a
	// buffer of 4 KB more would show.
	if each > 8<<10 {
		t.Errorf("%d bytes are held for each half-open handshake", each)
	}
	for range 20 {
		c := s.open(t)
		say(t, c, `{"action":"two"}`)
		if got := hear(t, c); got != "hi" {
			t.Errorf("got %q", got)
		}
	}
	for _, c := range conns {
		c.Close()
	}
}

// held returns the bytes in use by heap and stacks.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// TestAHeadInAnyPieces holds that a handshake is read alike however it is cut.
func TestAHeadInAnyPieces(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits())
	request := upgrade("/main", "X-Long: "+strings.Repeat("x", 2000)+"\r\n")
	for _, size := range []int{1, 2, 7, 511, 512, 513, len(request)} {
		client, server := net.Pipe()
		go s.gateway.ServeConn(server, []byte(request[:min(size, 5)]))
		go func() {
			for rest := request[min(size, 5):]; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(client, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		client.SetDeadline(time.Now().Add(within))
		if resp, _ := readAnswer(t, client); resp.StatusCode != 101 {
			t.Errorf("in pieces of %d: %d", size, resp.StatusCode)
		}
		client.Close()
	}
}

// FuzzHandshake holds that whatever comes as a first request is answered or
// closed, and that nobody is let in without the fields of RFC 6455.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(upgrade("/main", "")))
	f.Add([]byte(upgrade("/main?a=%zz&&=", "X: \xff\r\n")))
	f.Add([]byte("GET /main HTTP/1.1\r\n\r\n"))
	f.Add([]byte(strings.Replace(upgrade("http://h/main", ""), "13", "8", 1)))
	limits := apigw.DefaultLimits()
	limits.Handshake, limits.ConnectRate, limits.Rate = 50*time.Millisecond, 0, 0
	s := startSystem(f, testAPI(), limits, nil)
	f.Fuzz(func(t *testing.T, request []byte) {
		client, server := net.Pipe()
		defer client.Close()
		go s.gateway.ServeConn(server, request)
		client.SetDeadline(time.Now().Add(within))
		got := make([]byte, 12)
		n, _ := io.ReadFull(client, got)
		lower := strings.ToLower(string(request))
		for _, field := range []string{"upgrade:", "connection:", "sec-websocket-key:", "sec-websocket-version:", "host:"} {
			if string(got[:n]) == "HTTP/1.1 101" && !strings.Contains(lower, field) {
				t.Errorf("%q was let in without %s", request, field)
			}
		}
	})
}
