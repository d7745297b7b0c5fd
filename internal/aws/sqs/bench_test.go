package sqs

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const benchBody = `{"connectionId":"L0SM9cOFvHcCIhw=","action":"publish","data":"0123456789012345678901234567890123456789012345678901234567890123456789"}`

const benchARN = "arn:aws:sqs:eu-west-1:123456789012:bench"

func report(b *testing.B, per int) {
	b.ReportMetric(float64(b.N*per)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkSend is a confirmed send from 64 clients: through the operation
// alone, and through HTTP with the SDK's client in the same process.
func BenchmarkSend(b *testing.B) {
	b.Run("direct", func(b *testing.B) {
		f := start(b, b.TempDir())
		f.create(b, "bench", nil)
		c := &caller{Service: f.Service, region: "eu-west-1", sender: "s"}
		in := &sendMessageInput{QueueUrl: "/123456789012/bench", MessageBody: benchBody}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := sendMessage(b.Context(), c, in); err != nil {
					b.Error(err)
				}
			}
		})
		report(b, 1)
	})
	b.Run("http", func(b *testing.B) {
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
	b.Run("http-batch", func(b *testing.B) {
		f := start(b, b.TempDir())
		url := f.create(b, "bench", nil)
		entries := make([]types.SendMessageBatchRequestEntry, 10)
		for i := range entries {
			entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(benchBody)}
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := f.client.SendMessageBatch(b.Context(), &awssqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries}); err != nil {
					b.Error(err)
				}
			}
		})
		report(b, 10)
	})
}

// BenchmarkReceiveDelete takes and deletes batches of ten, as an event source
// mapping does.
func BenchmarkReceiveDelete(b *testing.B) {
	for _, visibility := range []string{"30", "90"} {
		b.Run("visibility="+visibility, func(b *testing.B) {
			f := start(b, b.TempDir())
			f.create(b, "bench", map[string]string{"VisibilityTimeout": visibility})
			c := &caller{Service: f.Service, region: "eu-west-1", sender: "s"}
			in := &sendMessageBatchInput{QueueUrl: "/123456789012/bench"}
			for i := range 10 {
				in.Entries = append(in.Entries, sendEntry{Id: fmt.Sprint(i), MessageBody: benchBody})
			}
			for range b.N {
				if _, err := sendMessageBatch(b.Context(), c, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for range b.N {
				got, err := f.Receive(b.Context(), benchARN, 10, time.Second)
				if err != nil || len(got) != 10 {
					b.Fatal(len(got), err)
				}
				handles := make([]string, 10)
				for i, m := range got {
					handles[i] = m.ReceiptHandle
				}
				if err := f.Delete(b.Context(), benchARN, handles); err != nil {
					b.Fatal(err)
				}
			}
			report(b, 10)
		})
	}
}
