package push_test

import (
	"fmt"
	"net/http"
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
