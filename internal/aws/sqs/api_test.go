package sqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/stack"
)

func TestTags(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	if _, err := f.client.TagQueue(t.Context(), &awssqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.UntagQueue(t.Context(), &awssqs.UntagQueueInput{QueueUrl: &url, TagKeys: []string{"a", "never"}}); err != nil {
		t.Fatal(err)
	}
	out, err := f.client.ListQueueTags(t.Context(), &awssqs.ListQueueTagsInput{QueueUrl: &url})
	if err != nil || len(out.Tags) != 1 || out.Tags["b"] != "2" {
		t.Errorf("tags %v, %v", out, err)
	}
	path := "/123456789012/jobs"
	f.query(t, path, "TagQueue", "Tag.1.Key=c\nTag.1.Value=3")
	f.query(t, path, "UntagQueue", "TagKey.1=b")
	if _, body := f.query(t, path, "ListQueueTags", ""); !strings.Contains(body, "<ListQueueTagsResult><Tag><Key>c</Key><Value>3</Value></Tag></ListQueueTagsResult>") {
		t.Errorf("tags %s", body)
	}
	many := make(map[string]string)
	for i := range maxTags + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for _, bad := range []map[string]string{many, {"aws:x": ""}, {"": "x"}, {"x": strings.Repeat("x", 257)}} {
		if _, err := f.client.TagQueue(t.Context(), &awssqs.TagQueueInput{QueueUrl: &url, Tags: bad}); code(err) != "InvalidParameterValue" {
			t.Errorf("%d tags: %v", len(bad), err)
		}
	}
}

func TestPermissions(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	add := func(label string) error {
		_, err := f.client.AddPermission(t.Context(), &awssqs.AddPermissionInput{QueueUrl: &url, Label: &label,
			AWSAccountIds: []string{"111122223333"}, Actions: []string{"SendMessage", "*"}})
		return err
	}
	if err := errors.Join(add("one"), add("two")); err != nil {
		t.Fatal(err)
	}
	if err := add("one"); code(err) != "InvalidParameterValue" {
		t.Errorf("the same label again: %v", err)
	}
	remove := func(label string) error {
		_, err := f.client.RemovePermission(t.Context(), &awssqs.RemovePermissionInput{QueueUrl: &url, Label: &label})
		return err
	}
	if err := remove("two"); err != nil {
		t.Fatal(err)
	}
	const want = `{"Version":"2012-10-17","Id":"arn:aws:sqs:eu-west-1:123456789012:jobs/SQSDefaultPolicy","Statement":[{"Action":["SQS:SendMessage","SQS:*"],"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root"]},"Resource":"arn:aws:sqs:eu-west-1:123456789012:jobs","Sid":"one"}]}`
	if got := f.attributes(t, url, "Policy")["Policy"]; got != want {
		t.Errorf("policy %s\nwant %s", got, want)
	}
	if err := remove("two"); code(err) != "InvalidParameterValue" || !strings.Contains(err.Error(), "can't find label") {
		t.Errorf("a label that is not there: %v", err)
	}
	if err := remove("one"); err != nil {
		t.Fatal(err)
	}
	if got := f.attributes(t, url, "All")["Policy"]; got != "" {
		t.Errorf("the last permission left %s", got)
	}
}

func TestPurgePause(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	purge := func() error {
		_, err := f.client.PurgeQueue(t.Context(), &awssqs.PurgeQueueInput{QueueUrl: &url})
		return err
	}
	if err := purge(); err != nil {
		t.Fatal(err)
	}
	if _, refused := errors.AsType[*types.PurgeQueueInProgress](purge()); !refused {
		t.Error("a purge within 60 seconds was not refused")
	}
	q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs")
	q.purged.Add(-purgePause.Milliseconds())
	if err := purge(); err != nil {
		t.Error(err)
	}
}

// TestQueueURLs: a queue is found by every form that its URL has had.
func TestQueueURLs(t *testing.T) {
	f := start(t, "")
	f.create(t, "jobs", nil)
	for _, url := range []string{
		f.server.URL + "/123456789012/jobs", "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "https://eu-west-1.queue.amazonaws.com/123456789012/jobs",
		"https://queue.amazonaws.com/123456789012/jobs", "http://sqs.eu-west-1.localhost.localstack.cloud:4566/123456789012/jobs",
		"http://localhost:4566/queue/eu-west-1/123456789012/jobs", "http://localhost:9324/queue/jobs", "http://localhost:4566/jobs", "/123456789012/jobs", "/jobs",
	} {
		if _, err := f.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, want := range map[string]string{"jobs": "InvalidAddress", "http://h": "InvalidAddress", "http://h/1//jobs": "InvalidAddress", "%": "InvalidAddress",
		"http://h/000000000000/jobs": "AWS.SimpleQueueService.NonExistentQueue"} {
		if _, err := f.client.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: &url}); code(err) != want {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

// TestAccounts: an access key of twelve digits is an account of its own.
func TestAccounts(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", map[string]string{"VisibilityTimeout": "60"})
	as := func(o *awssqs.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("111122223333", "x", "")
	}
	out, err := f.client.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: aws.String("jobs")}, as)
	if err != nil || *out.QueueUrl != f.server.URL+"/111122223333/jobs" {
		t.Fatalf("%v, %v", out, err)
	}
	f.send(t, *out.QueueUrl, "theirs")
	f.wantCounts(t, url, 0, 0, 0)
	list, err := f.client.ListQueues(t.Context(), &awssqs.ListQueuesInput{}, as)
	if err != nil || len(list.QueueUrls) != 1 || list.QueueUrls[0] != *out.QueueUrl {
		t.Errorf("listed %v, %v", list, err)
	}
	found, err := f.client.GetQueueUrl(t.Context(), &awssqs.GetQueueUrlInput{QueueName: aws.String("jobs"), QueueOwnerAWSAccountId: aws.String("111122223333")})
	if err != nil || *found.QueueUrl != *out.QueueUrl {
		t.Errorf("another account's queue: %v, %v", found, err)
	}
}

func TestFIFOErrors(t *testing.T) {
	f := start(t, "")
	f.createFIFO(t, "jobs.fifo", map[string]string{"ContentBasedDeduplication": "false"})
	f.create(t, "plain", nil)
	const jobs, plain = `"QueueUrl":"/123456789012/jobs.fifo"`, `"QueueUrl":"/123456789012/plain"`
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ operation, body, kind, text string }{
		{"SendMessage", `{` + jobs + `,"MessageBody":"x"}`, "MissingRequiredParameterException", "The request must contain the parameter MessageGroupId."},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageGroupId":"a"}`, "InvalidParameterValueException", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageGroupId":"a b","MessageDeduplicationId":"1"}`, "InvalidParameterValueException", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageGroupId":"a","MessageDeduplicationId":"` + long + `"}`, "InvalidParameterValueException", "MessageDeduplicationId can only"},
		{"SendMessage", `{` + jobs + `,"MessageBody":"x","MessageGroupId":"a","MessageDeduplicationId":"1","DelaySeconds":5}`, "InvalidParameterValueException", "Value 5 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{"SendMessage", `{` + plain + `,"MessageBody":"x","MessageGroupId":"` + long + `"}`, "InvalidParameterValueException", "MessageGroupId"},
		{"ReceiveMessage", `{` + jobs + `,"ReceiveRequestAttemptId":"a b"}`, "InvalidParameterValueException", "ReceiveRequestAttemptId"},
		{"ReceiveMessage", `{` + plain + `,"ReceiveRequestAttemptId":"a"}`, "InvalidParameterValueException", "queue type"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"FifoQueue":"false"}}`, "InvalidAttributeValue", "Modifying queue type is not supported"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"ContentBasedDeduplication":"yes"}}`, "InvalidAttributeValue", "ContentBasedDeduplication"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"DeduplicationScope":"all"}}`, "InvalidAttributeValue", "DeduplicationScope"},
		{"SetQueueAttributes", `{` + jobs + `,"Attributes":{"FifoThroughputLimit":"perMessageGroupId"}}`, "InvalidAttributeValue", "only when the value for DeduplicationScope is messageGroup"},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"ContentBasedDeduplication":"true"}}`, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"Policy":"x"}}`, "InvalidAttributeValue", "Policy"},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"SqsManagedSseEnabled":"x"}}`, "InvalidAttributeValue", "SqsManagedSseEnabled"},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"KmsDataKeyReusePeriodSeconds":"1"}}`, "InvalidAttributeValue", "KmsDataKeyReusePeriodSeconds"},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\"}"}}`, "InvalidParameterValueException", "1 to 10"},
		{"SetQueueAttributes", `{` + plain + `,"Attributes":{"RedriveAllowPolicy":"{\"redrivePermission\":\"denyAll\",\"sourceQueueArns\":[\"x\"]}"}}`, "InvalidParameterValueException", "byQueue"},
		{"CreateQueue", `{"QueueName":"` + strings.Repeat("x", 76) + `.fifo","Attributes":{"FifoQueue":"true"}}`, "InvalidParameterValueException", "1 to 80"},
		{"CreateQueue", `{"QueueName":"x.fifo","Attributes":{"FifoQueue":"maybe"}}`, "InvalidAttributeValue", "FifoQueue"},
		{"StartMessageMoveTask", `{}`, "MissingRequiredParameterException", "SourceArn"},
		{"StartMessageMoveTask", `{"SourceArn":"x"}`, "InvalidParameterValueException", "ARN"},
		{"StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:eu-west-1:123456789012:plain"}`, "InvalidParameterValueException", "Source queue must be configured as a Dead Letter Queue."},
		{"AddPermission", `{` + plain + `,"Label":"a b","AWSAccountIds":["111122223333"],"Actions":["*"]}`, "InvalidParameterValueException", "Label"},
		{"AddPermission", `{` + plain + `,"Label":"a","AWSAccountIds":["1"],"Actions":["*"]}`, "InvalidParameterValueException", "PrincipalId"},
		{"AddPermission", `{` + plain + `,"Label":"a","AWSAccountIds":["111122223333"],"Actions":["Dance"]}`, "InvalidParameterValueException", "ActionName"},
		{"AddPermission", `{` + plain + `,"Label":"a","Actions":["*"]}`, "MissingRequiredParameterException", "AWSAccountIds"},
	} {
		status, body := f.call(t, c.operation, c.body)
		if status != 400 || !strings.Contains(body, "#"+c.kind+`"`) || !strings.Contains(body, c.text) {
			t.Errorf("%s %.120s: %d %s\nwant %s with %q", c.operation, c.body, status, body, c.kind, c.text)
		}
	}
	// A batch's entries fail one by one, and the others keep their order.
	_, body := f.call(t, "SendMessageBatch", `{`+jobs+`,"Entries":[{"Id":"1","MessageBody":"a","MessageGroupId":"g","MessageDeduplicationId":"1"},{"Id":"2","MessageBody":"b"},{"Id":"3","MessageBody":"c","MessageGroupId":"g","MessageDeduplicationId":"3"},{"Id":"4","MessageBody":"a","MessageGroupId":"g","MessageDeduplicationId":"1"}]}`)
	var out sendMessageBatchOutput
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Successful) != 3 || len(out.Failed) != 1 || out.Failed[0].Code != "MissingParameter" ||
		out.Successful[0].MessageId != out.Successful[2].MessageId || out.Successful[0].SequenceNumber >= out.Successful[1].SequenceNumber {
		t.Errorf("batch: %s", body)
	}
	wantInOrder(t, f.receive(t, f.server.URL+"/123456789012/jobs.fifo", 0), "a", "c")
}

// TestMoveTask: dead letters go back to where they came from, as new messages.
func TestMoveTask(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		t.Run("queue"+suffix, func(t *testing.T) {
			f := start(t, "")
			create := f.create
			if suffix != "" {
				create = f.createFIFO
			}
			dlq := create(t, "dlq"+suffix, nil)
			source := "arn:aws:sqs:eu-west-1:123456789012:dlq" + suffix
			policy := map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + source + `","maxReceiveCount":1}`, "VisibilityTimeout": "0"}
			var urls, ids []string
			for _, name := range []string{"one", "two"} {
				url := create(t, name+suffix, policy)
				urls = append(urls, url)
				for i := range 3 {
					in := &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(fmt.Sprint(name, i)), MessageGroupId: aws.String("g" + name)}
					out, err := f.client.SendMessage(t.Context(), in)
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, *out.MessageId)
				}
				f.receive(t, url, 0)
				wantInOrder(t, f.receive(t, url, 0))
			}
			f.wantCounts(t, dlq, 6, 0, 0)
			sources, err := f.client.ListDeadLetterSourceQueues(t.Context(), &awssqs.ListDeadLetterSourceQueuesInput{QueueUrl: &dlq})
			if err != nil || len(sources.QueueUrls) != 2 || sources.QueueUrls[0] != urls[0] {
				t.Errorf("sources %v, %v", sources, err)
			}
			if _, err := f.client.StartMessageMoveTask(t.Context(), &awssqs.StartMessageMoveTaskInput{SourceArn: &source}); err != nil {
				t.Fatal(err)
			}
			task := f.awaitTask(t, source, "COMPLETED")
			if task.ApproximateNumberOfMessagesMoved != 6 || *task.ApproximateNumberOfMessagesToMove != 6 || task.TaskHandle != nil || task.StartedTimestamp == 0 {
				t.Errorf("task %+v", task)
			}
			f.wantCounts(t, dlq, 0, 0, 0)
			for i, url := range urls {
				f.wantCounts(t, url, 3, 0, 0)
				for n, m := range f.receive(t, url, 0) {
					if *m.MessageId == ids[3*i+n] || m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
						t.Errorf("came back as %s with %v", *m.MessageId, m.Attributes)
					}
				}
			}
		})
	}
}

// awaitTask returns the latest task of a queue once it has a status.
func (f *fixture) awaitTask(t testing.TB, source, status string) types.ListMessageMoveTasksResultEntry {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		out, err := f.client.ListMessageMoveTasks(t.Context(), &awssqs.ListMessageMoveTasksInput{SourceArn: &source})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Results) == 1 && *out.Results[0].Status == status {
			return out.Results[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("the task is %+v, want %s", out.Results, status)
		}
	}
}

// TestMoveTaskGoesOn: a slow task can be seen and cancelled, is the only one, and
// goes on after a restart.
func TestMoveTaskGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := start(t, dir)
	f.create(t, "dlq", nil)
	f.create(t, "elsewhere", nil)
	source := "arn:aws:sqs:eu-west-1:123456789012:dlq"
	f.create(t, "jobs", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + source + `","maxReceiveCount":1}`})
	for i := range 20 {
		f.send(t, f.server.URL+"/123456789012/dlq", fmt.Sprint(i))
	}
	begin := &awssqs.StartMessageMoveTaskInput{SourceArn: &source, DestinationArn: aws.String("arn:aws:sqs:eu-west-1:123456789012:elsewhere"), MaxNumberOfMessagesPerSecond: aws.Int32(1)}
	started, err := f.client.StartMessageMoveTask(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.StartMessageMoveTask(t.Context(), begin); code(err) != "AWS.SimpleQueueService.UnsupportedOperation" {
		t.Errorf("a second task: %v", err)
	}
	f.stop()
	f = start(t, dir)
	if task := f.awaitTask(t, source, "RUNNING"); *task.TaskHandle != *started.TaskHandle || *task.MaxNumberOfMessagesPerSecond != 1 {
		t.Errorf("after the restart: %+v", task)
	}
	if _, err := f.client.CancelMessageMoveTask(t.Context(), &awssqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle}); err != nil {
		t.Fatal(err)
	}
	f.awaitTask(t, source, "CANCELLED")
	if _, err := f.client.CancelMessageMoveTask(t.Context(), &awssqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle}); code(err) != "AWS.SimpleQueueService.UnsupportedOperation" {
		t.Errorf("cancelled twice: %v", err)
	}
	_, err = f.client.CancelMessageMoveTask(t.Context(), &awssqs.CancelMessageMoveTaskInput{TaskHandle: aws.String("x")})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); !missing {
		t.Errorf("no such task: %v", err)
	}
	dlq, to := f.server.URL+"/123456789012/dlq", f.server.URL+"/123456789012/elsewhere"
	left := f.attributes(t, dlq, "All")
	moved := f.attributes(t, to, "All")["ApproximateNumberOfMessages"]
	if fmt.Sprint(moved, left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == "0200" {
		t.Error("nothing was moved")
	}
}

// TestStandardRetention: a message's age counts from when it was sent, also in a
// dead-letter queue.
func TestStandardRetention(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "jobs", nil)
	q, _ := f.byARN("arn:aws:sqs:eu-west-1:123456789012:jobs")
	old := &envelope{ID: "1", Sent: time.Now().Add(-q.record().Settings.Retention - time.Second).UnixMilli(), body: "old"}
	if err := q.line.accept(t.Context(), old, "move"); err != nil {
		t.Fatal(err)
	}
	f.send(t, url, "new")
	want(t, f.receive(t, url, 0), "new/1")
	f.wantCounts(t, url, 0, 1, 0)
}

func TestReset(t *testing.T) {
	f := start(t, "")
	for _, name := range []string{"mine", "mine.fifo"} {
		if err := f.EnsureQueue(stack.Queue{Name: name, VisibilityTimeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	mine, inOrder := f.server.URL+"/123456789012/mine", f.server.URL+"/123456789012/mine.fifo"
	other := f.create(t, "theirs", nil)
	f.send(t, mine, "a", "b")
	f.send(t, other, "c")
	first := &awssqs.SendMessageInput{QueueUrl: &inOrder, MessageBody: aws.String("d"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("1")}
	if _, err := f.client.SendMessage(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	f.receive(t, mine, 0)
	if _, err := f.client.SetQueueAttributes(t.Context(), &awssqs.SetQueueAttributesInput{QueueUrl: &mine, Attributes: map[string]string{"DelaySeconds": "5", "Policy": "{}"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := f.client.ListQueues(t.Context(), &awssqs.ListQueuesInput{})
	if err != nil || len(list.QueueUrls) != 2 {
		t.Errorf("queues %v, %v", list, err)
	}
	f.wantCounts(t, mine, 0, 0, 0)
	f.wantCounts(t, inOrder, 0, 0, 0)
	if a := f.attributes(t, mine, "All"); a["DelaySeconds"] != "0" || a["Policy"] != "" || a["VisibilityTimeout"] != "60" {
		t.Errorf("attributes %v", a)
	}
	if _, err := f.client.SendMessage(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	f.wantCounts(t, inOrder, 1, 0, 0)
}
