package sqs

import (
	"strings"
	"testing"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// TestMessageLimit: the service's limit is the default of its queues, and none
// can have more: neither one that a client asks for, nor one of a template, nor
// one from before.
func TestMessageLimit(t *testing.T) {
	dir := t.TempDir()
	f := start(t, dir)
	old := f.create(t, "old", nil)
	if got := f.attributes(t, old, "All")["MaximumMessageSize"]; got != "1048576" {
		t.Fatalf("by default %s", got)
	}
	f.stop()
	f = start(t, dir, func(c *Config) { c.MaxMessageSize = 256 << 10 })
	if err := f.EnsureQueue(stack.Queue{Name: "declared", MaxMessageSize: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	f.create(t, "new", nil)
	body := strings.Repeat("x", 256<<10)
	for _, name := range []string{"old", "declared", "new"} {
		url := f.server.URL + "/123456789012/" + name
		if got := f.attributes(t, url, "All")["MaximumMessageSize"]; got != "262144" {
			t.Errorf("of the queue %s %s", name, got)
		}
		f.send(t, url, body)
		larger := body + "x"
		if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &larger}); code(err) != "InvalidParameterValue" || !strings.Contains(err.Error(), "shorter than 262144 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		id := "1"
		batch := &awssqs.SendMessageBatchInput{QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{{Id: &id, MessageBody: &larger}}}
		if _, err := f.client.SendMessageBatch(t.Context(), batch); code(err) != "AWS.SimpleQueueService.BatchRequestTooLong" {
			t.Errorf("%s: %v", name, err)
		}
		attributes := map[string]string{"MaximumMessageSize": "262145"}
		if _, err := f.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: attributes}); code(err) != "InvalidAttributeValue" {
			t.Errorf("%s: %v", name, err)
		}
		again := name + "er"
		if _, err := f.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &again, Attributes: attributes}); code(err) != "InvalidAttributeValue" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessageLimitOfTheService(t *testing.T) {
	b, err := bus.Open(bus.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, size := range []int{-1, 1023, 1<<20 + 1} {
		if s, err := New(Config{Bus: b, MaxMessageSize: size}); err == nil || !strings.Contains(err.Error(), "set 1024 (1KB) to 1048576 (1MB)") {
			t.Errorf("%d: %v, %v", size, s, err)
		}
	}
}
