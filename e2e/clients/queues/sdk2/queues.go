// Package sdk2 works with queues and topics through the AWS SDK for Go v2. All
// versions of the SDK build it.
package sdk2

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	topictypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

var (
	name   = os.Getenv("NAME")
	ctx    = context.Background()
	queues *sqs.Client
	topics *sns.Client
)

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	open()
	jobs := create(name, nil)
	_, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "7"}})
	fmt.Println("made twice, otherwise", code(err))
	messages(jobs)
	handles(jobs)
	tags(jobs)
	ordered := create(name+".fifo", map[string]string{"FifoQueue": "true"})
	inOrder(ordered)
	_, err = queues.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("missing")})
	fmt.Println("missing:", code(err))
	standard, fifo := topic(name, jobs, false), topic(name+".fifo", ordered, true)
	for _, arn := range []*string{standard, fifo} {
		_, err := topics.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: arn})
		check(err)
	}
	_, err = topics.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: standard})
	fmt.Println("no topic:", code(err))
	for _, url := range []*string{jobs, ordered} {
		_, err := queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
		check(err)
	}
	fmt.Println("deleted")
}

// open makes the clients. Versions since November 2023 know AWS_ENDPOINT_URL and
// are left alone.
func open() {
	cfg, err := config.LoadDefaultConfig(ctx)
	check(err)
	at := os.Getenv("ENDPOINT")
	queues = sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if at != "" {
			o.EndpointResolver = sqs.EndpointResolverFromURL(at)
		}
	})
	topics = sns.NewFromConfig(cfg, func(o *sns.Options) {
		if at != "" {
			o.EndpointResolver = sns.EndpointResolverFromURL(at)
		}
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func code(err error) string {
	var e smithy.APIError
	if !errors.As(err, &e) {
		log.Fatalf("no error of the service: %v", err)
	}
	return e.ErrorCode()
}

// create makes a queue twice.
func create(queue string, attributes map[string]string) *string {
	var urls [2]*string
	for i := range urls {
		out, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &queue, Attributes: attributes})
		check(err)
		urls[i] = out.QueueUrl
	}
	if *urls[0] != *urls[1] {
		log.Fatal("made again, it has another URL")
	}
	return urls[0]
}

// receive waits for one message with its attributes.
func receive(url *string) types.Message {
	out, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20,
		AttributeNames: []types.QueueAttributeName{"All"}, MessageAttributeNames: []string{"All"}})
	check(err)
	if len(out.Messages) != 1 {
		log.Fatalf("received %v", out.Messages)
	}
	return out.Messages[0]
}

func remove(url *string, m types.Message) {
	_, err := queues.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
	check(err)
}

func messages(url *string) {
	_, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("one"), MessageAttributes: map[string]types.MessageAttributeValue{
		"color": {DataType: aws.String("String"), StringValue: aws.String("red")},
		"n":     {DataType: aws.String("Number"), StringValue: aws.String("4")},
		"raw":   {DataType: aws.String("Binary"), BinaryValue: []byte("b\x00")}}})
	check(err)
	m := receive(url)
	a := m.MessageAttributes
	fmt.Println("received", *m.Body, *a["color"].StringValue, *a["n"].StringValue, a["raw"].BinaryValue)
	_, err = queues.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0})
	check(err)
	m = receive(url)
	fmt.Println("again", *m.Body, m.Attributes["ApproximateReceiveCount"])
	remove(url, m)
	out, err := queues.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("a")}, {Id: aws.String("b"), MessageBody: aws.String("b")},
		{Id: aws.String("c"), MessageBody: aws.String("c"), DelaySeconds: 901}}})
	check(err)
	fmt.Println("sent", len(out.Successful), "not", *out.Failed[0].Id, *out.Failed[0].Code)
}

func handles(url *string) {
	entries := []types.DeleteMessageBatchRequestEntry{{Id: aws.String("bad"), ReceiptHandle: aws.String("bad")}}
	for _, id := range []string{"x", "y"} {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(id), ReceiptHandle: receive(url).ReceiptHandle})
	}
	out, err := queues.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries})
	check(err)
	left, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
	check(err)
	fmt.Println("deleted", len(out.Successful), "not", *out.Failed[0].Id, *out.Failed[0].Code,
		"left", left.Attributes["ApproximateNumberOfMessages"], left.Attributes["ApproximateNumberOfMessagesNotVisible"])
}

func tags(url *string) {
	_, err := queues.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"team": "orders"}})
	check(err)
	out, err := queues.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
	check(err)
	fmt.Println("tagged", out.Tags["team"])
}

func inOrder(url *string) {
	var ids []string
	for _, m := range [][2]string{{"first", "1"}, {"again", "1"}, {"second", "2"}} {
		out, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &m[0], MessageGroupId: aws.String("g"), MessageDeduplicationId: &m[1]})
		check(err)
		ids = append(ids, *out.MessageId)
	}
	fmt.Println("ordered", bodies(url, 2), ids[0] == ids[1], ids[1] == ids[2])
}

// bodies takes and deletes messages.
func bodies(url *string, n int) string {
	var all []string
	for range n {
		m := receive(url)
		all = append(all, *m.Body)
		remove(url, m)
	}
	return strings.Join(all, " ")
}

// topic makes a topic with a subscription of a queue, which wants one kind of
// message only, and publishes.
func topic(name string, url *string, fifo bool) *string {
	in, says, kinds := &sns.CreateTopicInput{Name: &name}, "topic", []string{"small", "big"}
	if fifo {
		in.Attributes, says, kinds = map[string]string{"FifoTopic": "true"}, "ordered topic", append(kinds, "big")
	}
	made, err := topics.CreateTopic(ctx, in)
	check(err)
	queue, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	check(err)
	sub, err := topics.Subscribe(ctx, &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String(queue.Attributes["QueueArn"]),
		Attributes: map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["big"]}`}})
	check(err)
	for i, kind := range kinds {
		in := &sns.PublishInput{TopicArn: made.TopicArn, Message: aws.String(fmt.Sprint(kind, i)), MessageAttributes: map[string]topictypes.MessageAttributeValue{
			"kind": {DataType: aws.String("String"), StringValue: &kind}}}
		if fifo {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String("g"), aws.String(fmt.Sprint("t", i))
		}
		_, err := topics.Publish(ctx, in)
		check(err)
	}
	fmt.Println(says, bodies(url, len(kinds)-1))
	_, err = topics.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: sub.SubscriptionArn})
	check(err)
	return made.TopicArn
}
