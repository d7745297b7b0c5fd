package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/conformance"
	"github.com/gatepost-dev/gatepost/internal/conn"
)

// inMemory serves one connection over a pipe, for tests with a fake clock, and
// returns the client's end after the handshake.
func inMemory(t testing.TB, s *system, api *apigw.API, limits apigw.Limits) net.Conn {
	t.Helper()
	s.functions, s.hub, s.log = newFunctions(), conn.NewHub(limits), new(lockedBuffer)
	var err error
	if s.gateway, err = New(s.config(api, limits)); err != nil {
		t.Fatal(err)
	}
	return s.pipe(t, upgrade("/main", ""))
}

func (s *system) pipe(t testing.TB, request string) net.Conn {
	client, server := net.Pipe()
	go s.gateway.ServeConn(server, []byte(request))
	if resp, body := readAnswer(t, client); resp.StatusCode != 101 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return client
}

func (s *system) shutdown(t testing.TB) {
	t.Helper()
	if err := s.gateway.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// ordered is a route whose messages wait for each other.
func ordered(key string) apigw.Route {
	r := proxied(key, false)
	r.Ordered = true
	return r
}

// bodyOf returns the message in an event.
func bodyOf(event []byte) string {
	var e struct{ Body string }
	json.Unmarshal(event, &e)
	return e.Body
}

// TestOrderedMessagesKeepTheirOrder sends messages of two ordered routes and one
// that is not, each of which takes any time, on two connections.
func TestOrderedMessagesKeepTheirOrder(t *testing.T) {
	conformance.Covers(t, "route.ordered-opt-in")
	rapid.Check(t, func(rt *rapid.T) {
		routes := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "free"}), 1, 30).Draw(rt, "routes")
		times := rapid.SliceOfN(rapid.IntRange(0, 50), len(routes), len(routes)).Draw(rt, "times in ms")
		places := rapid.IntRange(1, 8).Draw(rt, "places in flight")
		synctest.Test(t, func(t *testing.T) {
			limits := apigw.DefaultLimits()
			limits.MaxInFlight = places
			s := new(system)
			client := inMemory(t, s, testAPI(ordered("a"), ordered("b"), proxied("free", false)), limits)
			var mu sync.Mutex
			var begun, ended []string
			running, most := 0, 0
			for _, name := range []string{"a", "b", "free"} {
				s.on(name, func(_ context.Context, event []byte) ([]byte, error) {
					var m struct{ N int }
					body := bodyOf(event)
					json.Unmarshal([]byte(body), &m)
					mu.Lock()
					begun = append(begun, fmt.Sprint(name, m.N))
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Duration(times[m.N]) * time.Millisecond)
					mu.Lock()
					ended = append(ended, fmt.Sprint(name, m.N))
					running--
					mu.Unlock()
					return nil, nil
				})
			}
			raw := &rawClient{t, client}
			for i, name := range routes {
				raw.send(fmt.Sprintf(`{"action":%q,"n":%d}`, name, i))
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(ended) != len(routes) || most > places {
				rt.Errorf("%d of %d messages were handled, %d at once with %d places", len(ended), len(routes), most, places)
			}
			for _, name := range []string{"a", "b"} {
				var want []string
				for i, r := range routes {
					if r == name {
						want = append(want, fmt.Sprint(name, i))
					}
				}
				for _, got := range [][]string{begun, ended} {
					got = slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[:1] != name })
					if !slices.Equal(got, want) {
						rt.Errorf("route %s: %v, want %v", name, got, want)
					}
				}
			}
			client.Close()
			s.shutdown(t)
		})
	})
}

// TestAnOrderedRouteHoldsUpNoOther holds that messages of another route, and of
// another connection, pass those that wait.
func TestAnOrderedRouteHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(system)
		first := &rawClient{t, inMemory(t, s, testAPI(ordered("a"), proxied("free", false)), apigw.DefaultLimits())}
		second := &rawClient{t, s.pipe(t, upgrade("/main", ""))}
		release := make(chan struct{})
		s.on("a", func(_ context.Context, event []byte) ([]byte, error) {
			if bodyOf(event) == `{"action":"a","hold":true}` {
				<-release
			}
			return nil, nil
		})
		first.send(`{"action":"a","hold":true}`)
		first.send(`{"action":"a"}`)
		first.send(`{"action":"free"}`)
		second.send(`{"action":"a"}`)
		synctest.Wait()
		if n, free := len(s.got("a")), len(s.got("free")); n != 2 || free != 1 {
			t.Errorf("%d messages of the ordered route and %d of the other have begun, want 2 (one a connection) and 1", n, free)
		}
		close(release)
		synctest.Wait()
		if n := len(s.got("a")); n != 3 {
			t.Errorf("%d messages of the ordered route were handled in the end, want 3", n)
		}
		first.Conn.Close()
		second.Conn.Close()
		s.shutdown(t)
	})
}

// TestAnOrderedMessageThatFailsLetsTheNextOneGo covers time limits, too.
func TestAnOrderedMessageThatFailsLetsTheNextOneGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := apigw.DefaultLimits()
		s := new(system)
		client := &rawClient{t, inMemory(t, s, testAPI(ordered("a")), limits)}
		s.on("a", never)
		go func() { // the error frames
			for b := make([]byte, 512); ; {
				if _, err := client.Read(b); err != nil {
					return
				}
			}
		}()
		for range 3 {
			client.send(`{"action":"a"}`)
		}
		for want := 1; want <= 3; want++ {
			synctest.Wait()
			if n := len(s.got("a")); n != want {
				t.Errorf("%d messages have begun, want %d", n, want)
			}
			time.Sleep(limits.IntegrationTimeout)
		}
		client.Conn.Close()
		s.shutdown(t)
	})
}
