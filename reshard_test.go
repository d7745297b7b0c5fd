package gatepost_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestMappingOfAStreamThatIsScaled: records of a key come in their order while
// shards are split and merged, because parents are read before their children.
func TestMappingOfAStreamThatIsScaled(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	clicks := stack.DataStream{Name: "clicks", ARN: "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks", Shards: 1}
	system := &stack.Stack{
		Functions: []stack.Function{{Name: "take", Runtime: "provided.al2023", Handler: "bootstrap", Timeout: 20 * time.Second, MemoryMB: 128}},
		Streams:   []stack.DataStream{clicks},
		Mappings: []stack.EventSourceMapping{{Function: "take", SourceARN: clicks.ARN, BatchSize: 7,
			Stream: &stack.StreamSettings{StartingPosition: "TRIM_HORIZON", MaxRetries: -1, Parallelization: 1}}},
	}
	got := make(chan string, 1000)
	server := run(t, gatepost.Config{Stack: system, Handlers: map[string]gatepost.Handler{"take": gatepost.NewHandler(func(e events.KinesisEvent) error {
		for _, r := range e.Records {
			got <- r.Kinesis.PartitionKey + " " + string(r.Kinesis.Data)
		}
		return nil
	})}})
	client, n := streamsAt(server.AWS()), 0
	put := func() {
		t.Helper()
		for _, key := range []string{"ann", "bob", "cyd"} {
			if _, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: &key, Data: fmt.Append(nil, n)}); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	for _, count := range []int32{2, 4, 2, 1} {
		for range 10 {
			put()
		}
		if _, err := client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: aws.String("clicks"), TargetShardCount: &count, ScalingType: streamtypes.ScalingTypeUniformScaling}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	next := make(map[string]int)
	for range 3 * n {
		select {
		case text := <-got:
			var key string
			var at int
			if _, err := fmt.Sscan(text, &key, &at); err != nil || at != next[key] {
				t.Fatalf("%s comes in the place of %d (%v)", text, next[key], err)
			}
			next[key]++
		case <-time.After(patience):
			t.Fatalf("of %d records of each key came %v", n, next)
		}
	}
}
