package gatepost_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/gatepost-dev/gatepost"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestResetOfStreams: what a mapping has not read of a stream does not come after a
// reset, and what is written right behind the reset does, also with LATEST.
func TestResetOfStreams(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	system := resetSystem()
	system.Tables[0].StreamView = "NEW_IMAGE"
	system.Tables[0].StreamARN = system.Tables[0].ARN + "/stream/2020-01-01T00:00:00.000"
	system.Streams = []stack.DataStream{{Name: "clicks", ARN: "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks", Shards: 1}}
	system.Mappings = nil
	for _, arn := range []string{system.Tables[0].StreamARN, system.Streams[0].ARN} {
		system.Mappings = append(system.Mappings, stack.EventSourceMapping{Function: "take", SourceARN: arn, BatchSize: 1,
			Stream: &stack.StreamSettings{StartingPosition: "LATEST", MaxRetries: -1, Parallelization: 1}})
	}
	got := make(chan string, 100)
	server := run(t, gatepost.Config{Stack: system, Handlers: map[string]gatepost.Handler{"call": nothing(),
		"take": gatepost.NewHandler(func(e struct {
			Records []struct {
				Dynamodb events.DynamoDBStreamRecord
				Kinesis  events.KinesisRecord
			}
		}) error {
			r := e.Records[0]
			body := string(r.Kinesis.Data)
			if key, ok := r.Dynamodb.Keys["pk"]; ok {
				body = "table " + key.String()
			}
			got <- body
			if body == "table stuck" || body == "stream stuck" {
				return fmt.Errorf("%s is tried again and again, and holds up its shard", body)
			}
			return nil
		})}})
	c := clientsOf(server, "eu-west-1", "test")
	write := func(text string) {
		t.Helper()
		_, err := c.tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("roster"), Item: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: text}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.data.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("a"), Data: []byte("stream " + text)}); err != nil {
			t.Fatal(err)
		}
	}
	await := func(wanted ...string) {
		t.Helper()
		for end := time.After(patience); len(wanted) > 0; {
			select {
			case body := <-got:
				wanted = slices.DeleteFunc(wanted, func(w string) bool { return w == body })
			case <-end:
				t.Fatalf("%v did not come", wanted)
			}
		}
	}
	// LATEST begins some time after the start: write until the mappings read.
	begun := make(map[string]bool)
	for end := time.Now().Add(patience); len(begun) < 2; {
		write("first")
		select {
		case body := <-got:
			begun[body] = true
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(end) {
				t.Fatalf("the mappings read %v", begun)
			}
		}
	}
	for round := range 3 {
		write("stuck")
		write("behind")
		await("table stuck", "stream stuck")
		reset(t, server, gatepost.ResetOptions{})
		for len(got) > 0 {
			<-got
		}
		write(fmt.Sprint("new ", round))
		came := []string{}
		for range 2 {
			select {
			case body := <-got:
				came = append(came, body)
				if body != fmt.Sprint("table new ", round) && body != fmt.Sprint("stream new ", round) {
					t.Errorf("%q came after the reset", body)
				}
			case <-time.After(patience):
				t.Fatalf("round %d: of what was written after the reset came only %q", round, came)
			}
		}
	}
}
