package sns

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// counted takes everything and tells when the last one is there.
type counted struct {
	left atomic.Int64
	done chan struct{}
}

func (c *counted) SendToQueue(context.Context, string, QueueMessage) error {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
	return nil
}

// BenchmarkPublish measures from Publish to the delivery of the last message,
// with four publishers and a file store.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct {
		name          string
		subscriptions int
		raw           bool
	}{{"one queue, raw", 1, true}, {"one queue", 1, false}, {"ten queues, raw", 10, true}} {
		b.Run(c.name, func(b *testing.B) {
			end := &counted{done: make(chan struct{})}
			f := start(b, b.TempDir(), func(cfg *Config) { cfg.Queues = end })
			topic := f.create(b, "t", nil)
			for i := range c.subscriptions {
				f.join(b, topic, fmt.Sprintf("%s%d", queueA, i), map[string]string{"RawMessageDelivery": fmt.Sprint(c.raw)})
			}
			m := Message{Body: strings.Repeat("x", 500)}
			end.left.Store(int64(b.N * c.subscriptions))
			b.ResetTimer()
			b.SetParallelism(2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := f.Publish(b.Context(), topic, m); err != nil {
						b.Error(err)
					}
				}
			})
			<-end.done
		})
	}
}

func BenchmarkFilter(b *testing.B) {
	f, err := parseFilter(`{"$or":[{"metric":["cpu","disk"]},{"space":[{"prefix":"aws/"}]}],"detail":{"scope":["Service"],"value":[{"numeric":[">",0,"<=",100]}]}}`)
	if err != nil {
		b.Fatal(err)
	}
	body := `{"metric":"disk","detail":{"scope":"Service","value":42,"text":"` + strings.Repeat("x", 400) + `"}}`
	b.ReportAllocs()
	for b.Loop() {
		if !f.passesBody(body) {
			b.Fatal("it does not pass")
		}
	}
}
