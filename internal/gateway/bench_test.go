package gateway

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/apigw"
	"github.com/gatepost-dev/gatepost/internal/throttle"
)

// benchmarked serves an API whose function echo answers at once. Its limits are
// the default ones, with buckets that a benchmark does not empty.
func benchmarked(b *testing.B, limited bool) *system {
	limits := apigw.DefaultLimits()
	limits.Rate, limits.ConnectRate = 0, 0
	api := testAPI(proxied("echo", true))
	s := startSystem(b, api, limits, func(cfg *Config) {
		if limited {
			api.Stage.Throttle = &apigw.Throttle{Rate: 1e9, Burst: 1 << 30}
			cfg.AccountLimit, cfg.ConnectLimit = throttle.NewBucket(1e9, 1<<30), throttle.NewBucket(1e9, 1<<30)
		}
	})
	s.functions.run["echo"] = func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"statusCode":200,"body":"echoed"}`), nil
	}
	return s
}

func BenchmarkHandshake(b *testing.B) {
	for name, limited := range map[string]bool{"unlimited": false, "limited": true} {
		b.Run(name, func(b *testing.B) {
			s := benchmarked(b, limited)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			request := []byte(upgrade("/main", "User-Agent: bench\r\nOrigin: http://localhost\r\n"))
			answer := make([]byte, 512)
			b.ReportAllocs()
			for b.Loop() {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				server, err := ln.Accept()
				if err != nil {
					b.Fatal(err)
				}
				s.gateway.ServeConn(server, request)
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}

// BenchmarkEcho has 64 messages of one connection in flight.
func BenchmarkEcho(b *testing.B) {
	for name, limited := range map[string]bool{"unlimited": false, "limited": true} {
		b.Run(name, func(b *testing.B) {
			s := benchmarked(b, limited)
			c := s.rawOpen(b, upgrade("/main", ""))
			c.SetDeadline(time.Time{})
			frame := append([]byte{0x81, 0x80 | 33, 0, 0, 0, 0}, `{"action":"echo","text":"abcdef"}`...)
			const inFlight = 64
			var batch []byte
			for range inFlight {
				batch = append(batch, frame...)
			}
			answers := make([]byte, inFlight*(2+len("echoed")))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%inFlight != 0 {
					continue
				}
				if _, err := c.Write(batch); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, answers); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
