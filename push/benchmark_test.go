package push_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

// BenchmarkPublish posts to 1,000 connections over real HTTP and signed, beside
// a loop that posts one by one, as post 1 does, for an endpoint that answers at
// once and for one that takes 5 ms, about what API Gateway takes. cpu-µs/post
// is of the whole process, the test's HTTP server included.
func BenchmarkPublish(b *testing.B) {
	const connections = 1000
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		endpoint := func(w http.ResponseWriter, r *http.Request) { time.Sleep(latency) }
		b.Run(fmt.Sprintf("answer=%v/OneByOne", latency), func(b *testing.B) {
			p := poster(b, endpoint, push.PosterOptions{})
			measure(b, connections, func() {
				for _, id := range ids(connections) {
					if err := p.Post(b.Context(), id, []byte("hello")); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("answer=%v/Publisher", latency), func(b *testing.B) {
			publisher := &push.Publisher{Roster: roster(b, ids(connections)...), Poster: poster(b, endpoint, push.PosterOptions{})}
			measure(b, connections, func() {
				if r, err := publisher.Publish(b.Context(), push.Everyone, []byte("hello")); err != nil || r.Sent != connections {
					b.Fatalf("report %+v, error %v", r, err)
				}
			})
		})
	}
}

// The endpoint of BenchmarkCrowd answers after crowdLatency, a good deal faster
// than API Gateway, and a stuck connection's post ends after crowdTimeout.
const (
	crowdLatency = 2 * time.Millisecond
	crowdTimeout = 750 * time.Millisecond
)

// BenchmarkCrowd posts one message to 10,000 connections of which 1,000 are
// dead and 100 are stuck, over real HTTP and signed: once as post 1 does, one
// by one, and once with a Publisher. Both delete the rows of the dead. A run of
// the first takes two minutes, so:
//
//	go test ./push -run - -bench Crowd -benchtime 1x
func BenchmarkCrowd(b *testing.B) {
	rates := map[string]float64{}
	for _, way := range []string{"OneByOne", "Publisher"} {
		b.Run(way, func(b *testing.B) {
			before := cpu(b)
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				c := newHTTPCrowd(b)
				b.StartTimer()
				start := time.Now()
				c.publish(b, way)
				spent += time.Since(start)
				b.StopTimer()
				c.check(b)
				b.StartTimer()
			}
			all := float64(b.N * crowdSize)
			rates[way] = all / spent.Seconds()
			b.ReportMetric(rates[way], "posts/s")
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/all, "cpu-µs/post")
			if one := rates["OneByOne"]; way == "Publisher" && one > 0 {
				b.ReportMetric(rates[way]/one, "x")
			}
		})
	}
}

// httpCrowd is a crowd behind an HTTP server.
type httpCrowd struct {
	rows   *push.Memory
	poster *push.ManagementPoster
	got    map[string]*atomic.Int32
}

func newHTTPCrowd(b *testing.B) *httpCrowd {
	c := &httpCrowd{rows: roster(b, ids(crowdSize)...), got: map[string]*atomic.Int32{}}
	for _, id := range ids(crowdSize) {
		c.got[id] = &atomic.Int32{}
	}
	c.poster = poster(b, func(w http.ResponseWriter, r *http.Request) {
		id := path.Base(r.URL.Path)
		switch crowdKind(id) {
		case "dead":
			answer(http.StatusGone, "GoneException", "")(w, r)
		case "silent", "slow":
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		default:
			io.Copy(io.Discard, r.Body)
			time.Sleep(crowdLatency)
			c.got[id].Add(1)
		}
	}, push.PosterOptions{Timeout: crowdTimeout})
	return c
}

func (c *httpCrowd) publish(b *testing.B, way string) {
	if way == "Publisher" {
		p := &push.Publisher{Roster: c.rows, Poster: c.poster, Log: quiet()}
		if r, err := p.Publish(b.Context(), push.Everyone, []byte("hello")); err != nil || r.Sent != 8900 || r.Gone != 1000 || len(r.Failed) != 100 {
			b.Fatalf("sent %d, gone %d, failed %d, error %v", r.Sent, r.Gone, len(r.Failed), err)
		}
		return
	}
	for _, id := range left(b, c.rows) {
		if err := c.poster.Post(b.Context(), id, []byte("hello")); errors.Is(err, push.ErrGone) {
			if err := c.rows.Remove(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// check finds every message where it belongs, once, and the dead gone.
func (c *httpCrowd) check(b *testing.B) {
	for id, n := range c.got {
		if live := crowdKind(id) == "live"; live && n.Load() != 1 || !live && n.Load() != 0 {
			b.Errorf("%s, %s, got the message %d times", id, crowdKind(id), n.Load())
		}
	}
	if n, err := c.rows.Count(b.Context()); n != 9000 || err != nil {
		b.Errorf("%d rows are left, %v; want 9000", n, err)
	}
}

func measure(b *testing.B, posts int, publish func()) {
	before := cpu(b)
	for b.Loop() {
		publish()
	}
	all := float64(b.N * posts)
	b.ReportMetric(all/b.Elapsed().Seconds(), "posts/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/all, "cpu-µs/post")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
