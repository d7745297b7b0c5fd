package sqs

import (
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/internal/crashtest"
)

func TestMain(m *testing.M) {
	crashtest.Main(workUntilKilled)
	flag.Set("rapid.nofailfile", "true") // the command line comes later and wins
	flag.Set("rapid.checks", "50")
	os.Exit(m.Run())
}

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, dir)
	f.create(t, "dlq", nil)
	url := f.create(t, "jobs", map[string]string{"VisibilityTimeout": "1",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dlq","maxReceiveCount":1}`})
	f.send(t, url, "hidden", "deleted later")
	first := f.receive(t, url, 0)
	want(t, first, "deleted later/1", "hidden/1")
	f.send(t, url, "waiting")
	if _, err := f.client.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("delayed"), DelaySeconds: 1}); err != nil {
		t.Fatal(err)
	}
	before := f.attributes(t, url, "All")
	f.stop()

	f = start(t, dir)
	url = f.server.URL + "/123456789012/jobs"
	after := f.attributes(t, url, "All")
	for name, text := range before {
		if after[name] != text && name != "ApproximateNumberOfMessagesDelayed" && name != "ApproximateNumberOfMessages" {
			t.Errorf("%s = %s after the restart, was %s", name, after[name], text)
		}
	}
	f.delete(t, url, first[slices.IndexFunc(first, func(m types.Message) bool { return *m.Body == "deleted later" })])
	// The message that was out when the process ended is tried once more,
	// though the limit is one receive.
	var got []types.Message
	for range 3 {
		if len(got) < 3 {
			got = append(got, f.receive(t, url, 5)...)
		}
	}
	want(t, got, "delayed/1", "hidden/1", "waiting/1")
	want(t, f.receive(t, url, 2))
	dead := f.receive(t, f.server.URL+"/123456789012/dlq", 0)
	want(t, dead, "delayed/1", "hidden/1", "waiting/1")
}

// TestHalfMadeQueue: a queue whose consumer was never made, as the process was
// killed in between, is completed.
func TestHalfMadeQueue(t *testing.T) {
	f := start(t, "")
	f.create(t, "jobs", nil)
	q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs")
	half := workOf(q).Config()
	half.AckWait = time.Minute // not what the record says
	if err := workOf(q).Update(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	again, err := New(f.config)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if q, _ := again.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs"); workOf(q).Config().AckWait != 30*time.Second {
		t.Errorf("wait of %v", workOf(q).Config().AckWait)
	}
}
