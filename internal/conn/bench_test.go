package conn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/gatepost-dev/gatepost/apigw"
)

// counting is a Handler that drops.
type counting struct{ messages chan struct{} }

func (h counting) Message(*Conn, []byte) { h.messages <- struct{}{} }
func (h counting) Closed(*Conn, Reason)  {}

// BenchmarkReceive is one message after the other over a loopback socket, the
// client's write included.
func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{16, 128, 4000, 32 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			server, client := tcpPair(b)
			defer client.Close()
			h := counting{make(chan struct{}, 1)}
			serve(b, server, Options{Handler: h}, nil)
			wire := text(string(bytes.Repeat([]byte("r"), size))).wire()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				client.Write(wire)
				<-h.messages
			}
		})
	}
}

// BenchmarkParse is the reader alone: frames that are in memory already.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{16, 128, 4000, 32 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			wire := text(string(bytes.Repeat([]byte("p"), size))).wire()
			nc := &repeating{wire: wire, frames: b.N}
			h := counting{make(chan struct{}, b.N)}
			c := New(nc, Options{Limits: apigw.DefaultLimits(), Handler: h})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			c.readFrames()
		})
	}
}

// repeating sends the same frame again and again.
type repeating struct {
	script
	wire   []byte
	frames int
}

func (r *repeating) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		if r.frames == 0 {
			return 0, io.EOF
		}
		r.frames--
		r.in = r.wire
	}
	n := copy(p, r.in)
	r.in = r.in[n:]
	return n, nil
}

// discarding returns a hub with connections whose clients read and drop.
func discarding(b *testing.B, n int) *Hub {
	hub := NewHub(apigw.DefaultLimits())
	for i := range n {
		server, client := tcpPair(b)
		serve(b, server, Options{ID: id(i), Handler: newRecorder(), Hub: hub}, nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.Copy(io.Discard, client)
		}()
		b.Cleanup(func() {
			client.Close()
			<-done
		})
	}
	awaitLen(b, hub, n)
	return hub
}

func BenchmarkSend(b *testing.B) {
	for _, size := range []int{128, 4000, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			hub := discarding(b, 1)
			payload := bytes.Repeat([]byte("s"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for hub.Send(context.Background(), id(0), payload) != nil {
					hub.Get(id(0)).awaitWriter()
				}
			}
		})
	}
}

// BenchmarkBroadcast is per message to 100 connections; in "waiting" nothing is
// written meanwhile, so it is what Broadcast itself costs.
func BenchmarkBroadcast(b *testing.B) {
	for _, messages := range []int{1, 10} {
		b.Run(fmt.Sprint(messages), func(b *testing.B) {
			hub := discarding(b, 100)
			m := prepared(b, string(bytes.Repeat([]byte("b"), 128)))
			b.ReportAllocs()
			for b.Loop() {
				for range messages {
					hub.Broadcast(m)
				}
				hub.ready.wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*messages*100), "ns/delivery")
		})
	}
}

// BenchmarkGet is a look-up by id among 10,000.
func BenchmarkGet(b *testing.B) {
	hub := NewHub(apigw.DefaultLimits())
	for i := range 10_000 {
		nc, _ := net.Pipe()
		hub.Add(New(nc, Options{ID: id(i), Limits: apigw.DefaultLimits(), Hub: hub}))
	}
	for i := 0; b.Loop(); i++ {
		if hub.Get(id(i%10_000)) == nil {
			b.Fatal("missing")
		}
	}
}
