package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

func TestDisconnect(t *testing.T) {
	for _, tt := range []struct {
		rule, name string
		end        func(t *testing.T, s *system, c *rawClient)
		code       int
		reason     string
	}{
		{rule: "lifecycle.disconnect-client-reason", name: "client with a code and a text", end: func(_ *testing.T, _ *system, c *rawClient) { c.close(4001, "enough") }, code: 4001, reason: "enough"},
		{rule: "lifecycle.disconnect-client-reason", name: "client with a code", end: func(_ *testing.T, _ *system, c *rawClient) { c.close(1000, "") }, code: 1000},
		{rule: "lifecycle.disconnect-1001-empty", name: "client whose tab is closed", end: func(_ *testing.T, _ *system, c *rawClient) { c.close(1001, "") }, code: 1001},
		{rule: "lifecycle.disconnect-bare-1005", name: "client without a code", end: func(_ *testing.T, _ *system, c *rawClient) { c.frame(8, "") }, code: 1005, reason: "Client-side close frame status not set"},
		{rule: "lifecycle.disconnect-lost-1006", name: "socket closed", end: func(_ *testing.T, _ *system, c *rawClient) { c.Conn.Close() }, code: 1006},
		{rule: "lifecycle.disconnect-lost-1006", name: "socket reset", end: func(_ *testing.T, _ *system, c *rawClient) {
			c.Conn.(*net.TCPConn).SetLinger(0)
			c.Conn.Close()
		}, code: 1006},
		{rule: "lifecycle.disconnect-delete", name: "deleted", end: func(t *testing.T, s *system, c *rawClient) {
			for conn := range s.hub.All() {
				s.hub.Delete(t.Context(), conn.ID())
			}
			c.frame(8, "\x03\xe8")
		}, code: 1000, reason: "Connection Closed Normally"},
		{rule: "lifecycle.binary-1003 lifecycle.disconnect-server-close", name: "binary", end: func(_ *testing.T, _ *system, c *rawClient) { c.frame(2, "x"); c.frame(8, "\x03\xeb") }, code: 1003, reason: conn.Binary.Text},
		{rule: "lifecycle.invalid-utf8-1007 lifecycle.disconnect-server-close", name: "text that is not UTF-8", end: func(_ *testing.T, _ *system, c *rawClient) { c.frame(1, "\xff"); c.frame(8, "\x03\xef") }, code: 1007, reason: conn.BadText.Text},
		{rule: "lifecycle.disconnect-server-close limit.frame-32k-1009 limit.too-big-reason", name: "a frame over 32 KB", end: func(_ *testing.T, _ *system, c *rawClient) {
			c.Write([]byte{0x81, 0xfe, 0x80, 0x01, 0, 0, 0, 0})
			c.Write(make([]byte, 0x8001))
			c.frame(8, "\x03\xf1")
		}, code: 1009, reason: "Message too big"},
		{rule: "lifecycle.disconnect-server-close", name: "a frame that is not masked", end: func(_ *testing.T, _ *system, c *rawClient) {
			c.Write([]byte{0x81, 1, 'x'})
			c.frame(8, "\x03\xea")
		}, code: 1002, reason: ""},
	} {
		conformance.Covers(t, tt.rule)
		conformance.Covers(t, "lifecycle.disconnect-once event.disconnect-status")
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteDisconnect, false), proxied(apigw.RouteDefault, false))
			c := s.rawOpen(t, upgrade("/main", ""))
			tt.end(t, s, c)
			eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) > 0 })
			eventually(t, "the hub forgot it", func() bool { return s.hub.Len() == 0 })
			var e struct {
				RequestContext struct {
					DisconnectStatusCode int
					DisconnectReason     string
				}
			}
			event := s.decodeEvent(t, "disconnect", &e)
			if r := e.RequestContext; r.DisconnectStatusCode != tt.code || r.DisconnectReason != tt.reason && tt.code != 1002 || tt.code == 1002 && r.DisconnectReason == "" {
				t.Errorf("%d %q, want %d %q: %s", r.DisconnectStatusCode, r.DisconnectReason, tt.code, tt.reason, event)
			}
			if n := len(s.got("default")); n != 0 {
				t.Errorf("a route was invoked %d times", n)
			}
		})
	}
}

// TestTheServersTimeLimits runs on a fake clock.
func TestTheServersTimeLimits(t *testing.T) {
	for _, tt := range []struct {
		rule, name string
		after      time.Duration
		keepAlive  time.Duration
	}{
		{rule: "lifecycle.disconnect-idle limit.idle-10m-1001", name: "idle", after: 10 * time.Minute},
		{rule: "limit.age-2h limit.age-close-code lifecycle.disconnect-server-close", name: "age", after: 2 * time.Hour, keepAlive: 9 * time.Minute},
	} {
		conformance.Covers(t, tt.rule)
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(system)
				client := &rawClient{t, inMemory(t, s, testAPI(proxied(apigw.RouteDisconnect, false), proxied(apigw.RouteDefault, false)), apigw.DefaultLimits())}
				client.SetDeadline(time.Time{})
				sweeping, stop := context.WithCancel(context.Background())
				go s.hub.Run(sweeping)
				began := time.Now()
				closed := make(chan string)
				go func() {
					frame := client.read(2 + 2 + len("Going away"))
					client.close(1001, "")
					closed <- frame
				}()
				frame := ""
				for frame == "" {
					wait := tt.keepAlive
					if wait == 0 {
						wait = time.Hour * 24
					}
					select {
					case frame = <-closed:
					case <-time.After(wait):
						client.send("still here")
					}
				}
				if took := time.Since(began); took < tt.after || took > tt.after+3*time.Second {
					t.Errorf("closed after %v, want %v", took, tt.after)
				}
				if frame[2:] != "\x03\xe9Going away" {
					t.Errorf("the client was told %q", frame)
				}
				time.Sleep(10 * time.Second)
				if events := s.got("disconnect"); len(events) != 1 || !strings.Contains(events[0], `"disconnectStatusCode":1001,`) || !strings.Contains(events[0], `"disconnectReason":"Going away"`) {
					t.Errorf("$disconnect: %v", events)
				}
				stop()
				client.Conn.Close()
				s.shutdown(t)
			})
		})
	}
}

func TestAClientThatLeavesDuringConnect(t *testing.T) {
	conformance.Covers(t, "handshake.client-gone lifecycle.disconnect-not-for-refused")
	for _, tt := range []struct {
		answer string
		runs   int
	}{{`{"statusCode":200}`, 1}, {`{"statusCode":403}`, 0}} {
		s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteConnect, false), proxied(apigw.RouteDisconnect, false))
		asked, release := make(chan struct{}), make(chan struct{})
		s.on("connect", func(context.Context, []byte) ([]byte, error) {
			close(asked)
			<-release
			return []byte(tt.answer), nil
		})
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, upgrade("/main", ""))
		<-asked
		c.Close()
		close(release)
		if tt.runs > 0 {
			eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 })
		}
		if err := s.gateway.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		events := s.got("disconnect")
		if len(events) != tt.runs || tt.runs == 1 && !strings.Contains(events[0], `"disconnectStatusCode":1006,`) {
			t.Errorf("after %s: $disconnect got %v", tt.answer, events)
		}
	}
}

func TestAPostDuringDisconnectIsGone(t *testing.T) {
	conformance.Covers(t, "management.gone-after-close")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteDisconnect, false))
	var during atomic.Value
	s.on("disconnect", func(ctx context.Context, event []byte) ([]byte, error) {
		during.Store(fmt.Sprint(s.hub.Send(ctx, connectionOf(t, string(event)), []byte("too late"))))
		return nil, nil
	})
	s.open(t).Close(1000, "")
	eventually(t, "$disconnect ran", func() bool { return during.Load() != nil })
	if during.Load() != apigw.ErrGone.Error() {
		t.Errorf("a post from $disconnect: %v", during.Load())
	}
}

func TestWhatDisconnectReturnsIsIgnored(t *testing.T) {
	conformance.Covers(t, "integration.disconnect-ignored")
	for name, run := range map[string]func(context.Context, []byte) ([]byte, error){"nonsense": answer(`"x"`), "an error": fails("boom"), "nothing": answer(``)} {
		s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteDisconnect, false))
		s.on("disconnect", run)
		s.open(t).Close(1000, "")
		eventually(t, "$disconnect ran", func() bool { return len(s.got("disconnect")) == 1 && s.hub.Len() == 0 })
		if log := s.log.String(); strings.Contains(log, "panic") {
			t.Errorf("%s: %s", name, log)
		}
	}
}

func TestAPingInvokesNothing(t *testing.T) {
	conformance.Covers(t, "lifecycle.pong")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteDefault, false))
	c := s.rawOpen(t, upgrade("/main", ""))
	c.frame(9, "hello")
	if got := c.read(7); got != "\x8a\x05hello" {
		t.Errorf("got %q", got)
	}
	if n := len(s.got("default")); n != 0 {
		t.Errorf("a ping invoked a route %d times", n)
	}
}

func TestAFunctionMayPostToItsOwnConnection(t *testing.T) {
	conformance.Covers(t, "lifecycle.post-during-message")
	s := newSystem(t, apigw.DefaultLimits(), proxied("two", true))
	s.on("two", func(ctx context.Context, event []byte) ([]byte, error) {
		if err := s.hub.Send(ctx, connectionOf(t, string(event)), []byte("posted")); err != nil {
			return nil, err
		}
		return []byte(`{"statusCode":200,"body":"answered"}`), nil
	})
	c := s.open(t)
	say(t, c, `{"action":"two"}`)
	if first, second := hear(t, c), hear(t, c); first != "posted" || second != "answered" {
		t.Errorf("%q and %q", first, second)
	}
}

func TestShutdownTellsClientsAndRunsDisconnect(t *testing.T) {
	conformance.Covers(t, "lifecycle.disconnect-drain-1001")
	s := newSystem(t, apigw.DefaultLimits(), proxied(apigw.RouteDisconnect, false))
	c := s.open(t)
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(context.Background())
		closed <- err
	}()
	if err := s.gateway.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client was told %v, want 1001", err)
	}
	if events := s.got("disconnect"); len(events) != 1 || !strings.Contains(events[0], `"disconnectStatusCode":1001`) {
		t.Errorf("$disconnect: %v", events)
	}
	if _, _, err := s.dial(t, "", nil); err == nil {
		t.Error("a client came in after the shutdown")
	}
}

func TestShutdownCutsOffWhatDoesNotEnd(t *testing.T) {
	s := newSystem(t, apigw.DefaultLimits(), proxied("slow", false))
	s.on("slow", never)
	c := s.open(t)
	say(t, c, `{"action":"slow"}`)
	eventually(t, "the function runs", func() bool { return len(s.got("slow")) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.gateway.Shutdown(ctx); err == nil {
		t.Error("a function that never ends has ended")
	}
}

// TestShutdownDoesNotWaitForAClientThatDoesNotAnswer runs on a fake clock.
func TestShutdownDoesNotWaitForAClientThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(system)
		client := inMemory(t, s, testAPI(), apigw.DefaultLimits())
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.gateway.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(began); took > time.Second+lastMoment {
			t.Errorf("the shutdown took %v", took)
		}
		client.Close()
	})
}

// TestTheServerSendsNothingByItself runs on a fake clock: a silent client hears
// nothing, no ping either, until the idle limit.
func TestTheServerSendsNothingByItself(t *testing.T) {
	conformance.Covers(t, "lifecycle.no-server-ping")
	synctest.Test(t, func(t *testing.T) {
		s := new(system)
		client := inMemory(t, s, testAPI(), apigw.DefaultLimits())
		sweeping, stop := context.WithCancel(context.Background())
		go s.hub.Run(sweeping)
		client.SetDeadline(time.Now().Add(10*time.Minute - 5*time.Second))
		if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes came to a silent client, %v", n, err)
		}
		stop()
		client.Close()
		s.shutdown(t)
	})
}

func TestThereIsNoLimitOnOpenConnections(t *testing.T) {
	conformance.Covers(t, "limit.no-connection-count")
	limits := apigw.DefaultLimits()
	limits.ConnectRate = 0 // the test should not take seconds
	s := newSystem(t, limits)
	const n = 1200 // more than a second's new connections
	for range n {
		s.rawOpen(t, upgrade("/main", ""))
	}
	eventually(t, "all are open", func() bool { return s.hub.Len() == n })
}
