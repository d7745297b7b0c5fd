package sqs

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/stack"
)

// childDir is the variable that makes the test binary the process that
// TestKilled kills; it holds the data folder.
const childDir = "GATEPOST_SQS_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println("failed", sendUntilKilled(dir))
		os.Exit(1)
	}
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

// TestKilled: what was acknowledged before kill -9 is there afterwards, with
// what was out at that moment.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var sent []string
	for len(sent) < 2000 {
		line, err := lines.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "failed") {
			t.Fatalf("child said %q, %v", line, err)
		}
		sent = append(sent, strings.TrimSpace(line))
	}
	child.Process.Kill()
	rest, _ := io.ReadAll(lines)
	child.Wait()
	// A line that was cut off is no acknowledgement.
	for line := range strings.Lines(string(rest)) {
		if body, whole := strings.CutSuffix(line, "\n"); whole {
			sent = append(sent, body)
		}
	}

	f := start(t, dir)
	arn := "arn:aws:sqs:eu-west-1:123456789012:jobs"
	seen := make(map[string]bool)
	for _, body := range sent {
		seen[body] = false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for missing := len(seen); missing > 0; {
		got, err := f.Receive(ctx, arn, 1000, 5*time.Second)
		if err != nil || len(got) == 0 {
			t.Fatalf("%d of %d messages are lost (%v)", missing, len(seen), err)
		}
		for _, m := range got {
			if before, acknowledged := seen[m.Body]; acknowledged && !before {
				seen[m.Body] = true
				missing--
			}
		}
	}
}

// sendUntilKilled sends with several senders, says what was acknowledged, and
// receives now and then without deleting.
func sendUntilKilled(dir string) error {
	b, err := bus.Open(bus.Config{Dir: dir})
	if err != nil {
		return err
	}
	s, err := New(Config{Bus: b, Region: "eu-west-1", Account: "123456789012", SecretKey: testKey})
	if err != nil {
		return err
	}
	arn := "arn:aws:sqs:eu-west-1:123456789012:jobs"
	if err := s.EnsureQueue(stack.Queue{Name: "jobs", VisibilityTimeout: time.Second}); err != nil {
		return err
	}
	failed := make(chan error)
	for sender := range 4 {
		go func() {
			for n := 0; ; n++ {
				body := fmt.Sprintf("%d-%d", sender, n)
				in := &sendMessageInput{QueueUrl: "/123456789012/jobs", MessageBody: body}
				if _, err := sendMessage(context.Background(), &caller{Service: s, region: "eu-west-1"}, in); err != nil {
					failed <- err
				}
				fmt.Println(body)
				if n%50 == 0 {
					s.Receive(context.Background(), arn, 10, 0)
				}
			}
		}()
	}
	return <-failed
}
