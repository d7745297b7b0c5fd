//lint:file-ignore SA1019 version 1 of the SDK is here because people still have it

package sns

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	snsv1 "github.com/aws/aws-sdk-go/service/sns"
)

// The other clients that people have: what they send and what they make of the
// answers.

func TestGoSDKVersion1(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	s, err := session.NewSession(&aws.Config{Region: aws.String(region), Endpoint: &f.server.URL, Credentials: credentials.NewStaticCredentials("AKID", "secret", ""), MaxRetries: aws.Int(0)})
	if err != nil {
		t.Fatal(err)
	}
	c := snsv1.New(s)
	topic, err := c.CreateTopic(&snsv1.CreateTopicInput{Name: aws.String("t"), Tags: []*snsv1.Tag{{Key: aws.String("k"), Value: aws.String("")}}})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.Subscribe(&snsv1.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(queueA),
		Attributes: map[string]*string{"RawMessageDelivery": aws.String("true"), "FilterPolicy": aws.String(`{"n":[{"numeric":["<",5]}]}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(&snsv1.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("x"), Subject: aws.String("s"), MessageAttributes: map[string]*snsv1.MessageAttributeValue{
		"n": {DataType: aws.String("Number"), StringValue: aws.String("4")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{1}}}}); err != nil {
		t.Fatal(err)
	}
	if got := f.await(t, queueA, 1)[0].queue; got.Body != "x" || got.Attributes["n"].StringValue != "4" || string(got.Attributes["b"].BinaryValue) != "\x01" {
		t.Errorf("message %+v", got)
	}
	out, err := c.PublishBatch(&snsv1.PublishBatchInput{TopicArn: topic.TopicArn, PublishBatchRequestEntries: []*snsv1.PublishBatchRequestEntry{{Id: aws.String("1"), Message: aws.String("y")}}})
	if err != nil || len(out.Successful) != 1 {
		t.Errorf("batch %v, %v", out, err)
	}
	got, err := c.GetSubscriptionAttributes(&snsv1.GetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn})
	if err != nil || *got.Attributes["RawMessageDelivery"] != "true" {
		t.Errorf("attributes %v, %v", got, err)
	}
	tags, err := c.ListTagsForResource(&snsv1.ListTagsForResourceInput{ResourceArn: topic.TopicArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "k" {
		t.Errorf("tags %v, %v", tags, err)
	}
	_, err = c.GetTopicAttributes(&snsv1.GetTopicAttributesInput{TopicArn: aws.String(*topic.TopicArn + "x")})
	if e, ok := err.(awserr.RequestFailure); !ok || e.Code() != snsv1.ErrCodeNotFoundException || e.StatusCode() != 404 || e.Message() != "Topic does not exist" || e.RequestID() == "" {
		t.Errorf("error %v", err)
	}
}

// run runs a program with an environment that points it at the fixture, and
// returns what it writes.
func (f *fixture) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_DEFAULT_REGION="+region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL="+f.server.URL, "AWS_MAX_ATTEMPTS=1", "NO_PROXY=127.0.0.1", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestBoto3(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("boto3 is not installed (%v: %s): pip install boto3", err, out)
	}
	f := start(t, "")
	const script = `
import boto3, os
c = boto3.client("sns", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
queue = "arn:aws:sqs:eu-west-1:123456789012:a"
assert c.list_topics()["Topics"] == []
topic = c.create_topic(Name="t", Tags=[{"Key": "k", "Value": ""}])["TopicArn"]
assert c.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
attributes = c.get_topic_attributes(TopicArn=topic)["Attributes"]
assert attributes["DisplayName"] == "" and attributes["SubscriptionsPending"] == "0", attributes
assert c.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "k", "Value": ""}]
c.untag_resource(ResourceArn=topic, TagKeys=["k"])
assert c.list_tags_for_resource(ResourceArn=topic)["Tags"] == []
sub = c.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True, Attributes={"FilterPolicy": '{"a": ["x"]}'})["SubscriptionArn"]
c.set_subscription_attributes(SubscriptionArn=sub, AttributeName="RawMessageDelivery", AttributeValue="true")
c.publish(TopicArn=topic, Message="märz", MessageAttributes={"a": {"DataType": "String.Array", "StringValue": '["x"]'}, "b": {"DataType": "Binary", "BinaryValue": b"\x00"}})
out = c.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m", "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}}])
assert out["Failed"] == [] and out["Successful"][0]["Id"] == "1", out
try:
    c.publish(TopicArn=topic, Message="x", MessageAttributes={"a": {"DataType": "String", "StringValue": ""}})
    raise AssertionError("an empty attribute was taken")
except c.exceptions.InvalidParameterValueException as e:
    assert "must contain non-empty message attribute value" in str(e), e
try:
    c.get_subscription_attributes(SubscriptionArn=sub[:-1] + ("0" if sub[-1] != "0" else "1"))
    raise AssertionError("another subscription was found")
except c.exceptions.NotFoundException as e:
    assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 404
try:
    c.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}] * 2)
    raise AssertionError("a batch with one id twice was taken")
except c.exceptions.BatchEntryIdsNotDistinctException:
    pass
`
	f.run(t, "python3", "-c", script)
	got := f.await(t, queueA, 2)
	var both []string
	for _, d := range got {
		both = append(both, d.queue.Body)
	}
	if all := strings.Join(both, " "); !strings.Contains(all, "märz") || !strings.Contains(all, "m") {
		t.Errorf("delivered %q", both)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("aws", "--version").CombinedOutput(); err != nil {
		t.Skipf("the AWS command line is not installed (%v: %s): pip install awscli", err, out)
	}
	f := start(t, "")
	aws := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(f.run(t, "aws", append([]string{"--endpoint-url", f.server.URL, "--output", "text", "sns"}, args...)...))
	}
	topic := aws("create-topic", "--name", "t.fifo", "--attributes", "FifoTopic=true,ContentBasedDeduplication=true")
	aws("subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", queueF, "--attributes", `{"FilterPolicyScope":"MessageBody","FilterPolicy":"{\"a\":[1]}"}`)
	out := aws("publish", "--topic-arn", topic, "--message", `{"a":1}`, "--subject", "hi", "--message-group-id", "g")
	if len(strings.Fields(out)) != 2 {
		t.Errorf("published: %s", out)
	}
	if got := f.await(t, queueF, 1)[0].queue; got.GroupID != "g" || !strings.Contains(got.Body, `"Subject" : "hi"`) {
		t.Errorf("message %+v", got)
	}
	aws("delete-topic", "--topic-arn", topic)
}
