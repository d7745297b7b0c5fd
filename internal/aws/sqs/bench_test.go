package sqs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/gatepost-dev/gatepost/internal/uuid"
)

const benchBody = `{"connectionId":"L0SM9cOFvHcCIhw=","action":"publish","data":"0123456789012345678901234567890123456789012345678901234567890123456789"}`

func report(b *testing.B, per int) {
	b.ReportMetric(float64(b.N*per)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkSend is a confirmed send, to a standard and a FIFO queue: through the
// operation alone, from 64 clients and in batches, and through HTTP.
func BenchmarkSend(b *testing.B) {
	for _, suffix := range []string{"", ".fifo"} {
		name := "bench" + suffix
		b.Run("direct/"+name, func(b *testing.B) {
			c := startBench(b, name)
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					in := &sendMessageInput{QueueUrl: "/123456789012/" + name, MessageBody: benchBody}
					if suffix != "" {
						in.MessageGroupId, in.MessageDeduplicationId = "g", uuid.New()
					}
					if _, err := sendMessage(b.Context(), c, in); err != nil {
						b.Error(err)
					}
				}
			})
			report(b, 1)
		})
		b.Run("pipelined/"+name, func(b *testing.B) {
			c := startBench(b, name)
			for b.Loop() {
				in := &sendMessageBatchInput{QueueUrl: "/123456789012/" + name}
				for i := range 10 {
					e := sendEntry{Id: fmt.Sprint(i), MessageBody: benchBody}
					if suffix != "" {
						e.MessageGroupId, e.MessageDeduplicationId = "g", uuid.New()
					}
					in.Entries = append(in.Entries, e)
				}
				if out, err := sendMessageBatch(b.Context(), c, in); err != nil || len(out.Failed) > 0 {
					b.Fatal(out, err)
				}
			}
			report(b, 10)
		})
	}
	b.Run("sdk", func(b *testing.B) {
		f := start(b, b.TempDir())
		url := f.create(b, "bench", nil)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := f.client.SendMessage(b.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(benchBody)}); err != nil {
					b.Error(err)
				}
			}
		})
		report(b, 1)
	})
}

// startBench makes a queue for a benchmark.
func startBench(b *testing.B, name string) *caller {
	f := start(b, b.TempDir())
	if strings.HasSuffix(name, fifoSuffix) {
		f.createFIFO(b, name, nil)
	} else {
		f.create(b, name, nil)
	}
	return &caller{Service: f.Service, region: "eu-west-1", account: "123456789012", sender: "s"}
}

// BenchmarkHTTP is SendMessage by 64 plain HTTP clients over connections that stay,
// beside the floor: the same request to a server that only reads it and answers as
// much. CPU is that of the whole process, the clients included.
func BenchmarkHTTP(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		answer := make([]byte, 110)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Write(answer)
		}))
		b.Cleanup(server.Close)
		hammer(b, server)
	})
	b.Run("send", func(b *testing.B) {
		f := start(b, b.TempDir())
		f.create(b, "bench", nil)
		hammer(b, f.server)
	})
}

// hammer makes b.N calls from 64 connections.
func hammer(b *testing.B, server *httptest.Server) {
	body := fmt.Sprintf(`{"QueueUrl":"/123456789012/bench","MessageBody":%q}`, benchBody)
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261120/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	var left atomic.Int64
	left.Store(int64(b.N))
	var clients sync.WaitGroup
	before := cpuTime()
	b.ResetTimer()
	for range 64 {
		clients.Go(func() {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			for in := bufio.NewReader(conn); left.Add(-1) >= 0; {
				conn.Write(request)
				answer, err := http.ReadResponse(in, nil)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Error(answer, err)
					return
				}
				io.Copy(io.Discard, answer.Body)
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/call")
	report(b, 1)
}

// cpuTime is the CPU time of the process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReceiveDelete takes and deletes batches of ten, as an event source
// mapping does. A visibility of 90 s is asked for message by message.
func BenchmarkReceiveDelete(b *testing.B) {
	for _, q := range []struct{ name, visibility string }{{"bench", "30"}, {"bench", "90"}, {"bench.fifo", "30"}} {
		b.Run(q.name+"/visibility="+q.visibility, func(b *testing.B) {
			c := startBench(b, q.name)
			arn := "arn:aws:sqs:eu-west-1:123456789012:" + q.name
			queue, _ := c.byARN(arn)
			r := queue.record()
			var err error
			if r.Settings, err = r.Settings.with(map[string]string{"VisibilityTimeout": q.visibility}); err != nil {
				b.Fatal(err)
			}
			if err := queue.update(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			for n := range b.N {
				in := &sendMessageBatchInput{QueueUrl: "/123456789012/" + q.name}
				for i := range 10 {
					e := sendEntry{Id: fmt.Sprint(i), MessageBody: benchBody}
					if r.Settings.FIFO != nil {
						e.MessageGroupId, e.MessageDeduplicationId = fmt.Sprint(n), fmt.Sprint(n, i)
						e.MessageDeduplicationId = strings.ReplaceAll(e.MessageDeduplicationId, " ", "-")
					}
					in.Entries = append(in.Entries, e)
				}
				if out, err := sendMessageBatch(b.Context(), c, in); err != nil || len(out.Failed) > 0 {
					b.Fatal(out, err)
				}
			}
			b.ResetTimer()
			for range b.N {
				got, err := c.Receive(b.Context(), arn, 10, time.Second)
				if err != nil || len(got) != 10 {
					b.Fatal(len(got), err)
				}
				handles := make([]string, 10)
				for i, m := range got {
					handles[i] = m.ReceiptHandle
				}
				if err := c.Delete(b.Context(), arn, handles); err != nil {
					b.Fatal(err)
				}
			}
			report(b, 10)
		})
	}
}
