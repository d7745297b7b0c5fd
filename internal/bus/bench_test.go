package bus

import (
	"testing"
	"time"
)

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		bus, err := Open(Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		bus.Close()
		b.StartTimer()
	}
}

func BenchmarkPublish(b *testing.B) {
	data := make([]byte, 300)
	for _, sync := range []bool{false, true} {
		name := map[bool]string{false: "interval", true: "always"}[sync]
		b.Run("sync="+name+"/one", func(b *testing.B) {
			q := ensure(b, open(b, Config{Dir: b.TempDir(), Sync: sync}), workConfig)
			for b.Loop() {
				if err := q.Publish(b.Context(), Message{Data: data}); err != nil {
					b.Fatal(err)
				}
			}
			report(b, 1)
		})
		b.Run("sync="+name+"/clients=64", func(b *testing.B) {
			q := ensure(b, open(b, Config{Dir: b.TempDir(), Sync: sync}), workConfig)
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := q.Publish(b.Context(), Message{Data: data}); err != nil {
						b.Error(err)
					}
				}
			})
			report(b, 1)
		})
		b.Run("sync="+name+"/batches", func(b *testing.B) {
			q := ensure(b, open(b, Config{Dir: b.TempDir(), Sync: sync}), workConfig)
			batch := make([]Message, 10)
			for i := range batch {
				batch[i].Data = data
			}
			for b.Loop() {
				for _, err := range q.PublishAll(b.Context(), batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			report(b, 10)
		})
	}
}

func BenchmarkFetchAck(b *testing.B) {
	for _, hide := range []bool{false, true} {
		name := map[bool]string{false: "ack", true: "hide+ack"}[hide]
		b.Run(name, func(b *testing.B) {
			q := ensure(b, open(b, Config{Dir: b.TempDir()}), workConfig)
			fillQueue(b, q, b.N*10)
			b.ResetTimer()
			for range b.N {
				got := fetch(b, q, 10, time.Second)
				receipts := make([]Receipt, len(got))
				for i, d := range got {
					receipts[i] = d.Receipt
				}
				if hide {
					q.Hide(b.Context(), time.Minute, receipts...)
				}
				if err := q.Ack(b.Context(), receipts...); err != nil {
					b.Fatal(err)
				}
			}
			report(b, 10)
		})
	}
}

func fillQueue(b *testing.B, q *WorkQueue, n int) {
	data := make([]byte, 300)
	for n > 0 {
		batch := make([]Message, min(n, 1000))
		for i := range batch {
			batch[i].Data = data
		}
		for _, err := range q.PublishAll(b.Context(), batch) {
			if err != nil {
				b.Fatal(err)
			}
		}
		n -= len(batch)
	}
}

func report(b *testing.B, per int) {
	b.ReportMetric(float64(b.N*per)/b.Elapsed().Seconds(), "messages/s")
}
