// Package sdk1 works with queues and topics through the AWS SDK for Go v1.
package sdk1

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sns"
	"github.com/aws/aws-sdk-go/service/sqs"
)

var (
	name   = os.Getenv("NAME")
	s      = session.Must(session.NewSession(aws.NewConfig().WithEndpoint(os.Getenv("ENDPOINT"))))
	queues = sqs.New(s)
	topics = sns.New(s)
)

// Order puts a message of a FIFO topic in its group; SDKs from before such
// topics have none.
type Order func(in *sns.PublishInput, group, id string)

// Run prints what it sees.
func Run(order Order) {
	log.SetFlags(0)
	jobs := create(name, nil)
	_, err := queues.CreateQueue(&sqs.CreateQueueInput{QueueName: &name, Attributes: aws.StringMap(map[string]string{"VisibilityTimeout": "7"})})
	fmt.Println("made twice, otherwise", code(err))
	messages(jobs)
	handles(jobs)
	tags(jobs)
	ordered := create(name+".fifo", map[string]string{"FifoQueue": "true"})
	inOrder(ordered)
	_, err = queues.GetQueueUrl(&sqs.GetQueueUrlInput{QueueName: aws.String("missing")})
	fmt.Println("missing:", code(err))
	standard := topic(name, jobs, nil)
	if order != nil {
		fifo := topic(name+".fifo", ordered, order)
		_, err = topics.DeleteTopic(&sns.DeleteTopicInput{TopicArn: fifo})
		check(err)
	}
	_, err = topics.DeleteTopic(&sns.DeleteTopicInput{TopicArn: standard})
	check(err)
	_, err = topics.GetTopicAttributes(&sns.GetTopicAttributesInput{TopicArn: standard})
	fmt.Println("no topic:", code(err))
	for _, url := range []*string{jobs, ordered} {
		_, err := queues.DeleteQueue(&sqs.DeleteQueueInput{QueueUrl: url})
		check(err)
	}
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func code(err error) string {
	e, ok := err.(awserr.Error)
	if !ok {
		log.Fatalf("no error of the service: %v", err)
	}
	return e.Code()
}

// create makes a queue twice.
func create(queue string, attributes map[string]string) *string {
	var urls [2]*string
	for i := range urls {
		out, err := queues.CreateQueue(&sqs.CreateQueueInput{QueueName: &queue, Attributes: aws.StringMap(attributes)})
		check(err)
		urls[i] = out.QueueUrl
	}
	if *urls[0] != *urls[1] {
		log.Fatal("made again, it has another URL")
	}
	return urls[0]
}

// receive waits for one message with its attributes.
func receive(url *string) *sqs.Message {
	out, err := queues.ReceiveMessage(&sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: aws.Int64(20),
		AttributeNames: aws.StringSlice([]string{"All"}), MessageAttributeNames: aws.StringSlice([]string{"All"})})
	check(err)
	if len(out.Messages) != 1 {
		log.Fatalf("received %v", out.Messages)
	}
	return out.Messages[0]
}

func remove(url *string, m *sqs.Message) {
	_, err := queues.DeleteMessage(&sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
	check(err)
}

func messages(url *string) {
	_, err := queues.SendMessage(&sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("one"), MessageAttributes: map[string]*sqs.MessageAttributeValue{
		"color": {DataType: aws.String("String"), StringValue: aws.String("red")},
		"n":     {DataType: aws.String("Number"), StringValue: aws.String("4")},
		"raw":   {DataType: aws.String("Binary"), BinaryValue: []byte("b\x00")}}})
	check(err)
	m := receive(url)
	a := m.MessageAttributes
	fmt.Println("received", *m.Body, *a["color"].StringValue, *a["n"].StringValue, a["raw"].BinaryValue)
	_, err = queues.ChangeMessageVisibility(&sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: aws.Int64(0)})
	check(err)
	m = receive(url)
	fmt.Println("again", *m.Body, *m.Attributes["ApproximateReceiveCount"])
	remove(url, m)
	out, err := queues.SendMessageBatch(&sqs.SendMessageBatchInput{QueueUrl: url, Entries: []*sqs.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("a")}, {Id: aws.String("b"), MessageBody: aws.String("b")},
		{Id: aws.String("c"), MessageBody: aws.String("c"), DelaySeconds: aws.Int64(901)}}})
	check(err)
	fmt.Println("sent", len(out.Successful), "not", *out.Failed[0].Id, *out.Failed[0].Code)
}

func handles(url *string) {
	entries := []*sqs.DeleteMessageBatchRequestEntry{{Id: aws.String("bad"), ReceiptHandle: aws.String("bad")}}
	for _, id := range []string{"x", "y"} {
		entries = append(entries, &sqs.DeleteMessageBatchRequestEntry{Id: aws.String(id), ReceiptHandle: receive(url).ReceiptHandle})
	}
	out, err := queues.DeleteMessageBatch(&sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries})
	check(err)
	left, err := queues.GetQueueAttributes(&sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: aws.StringSlice([]string{"All"})})
	check(err)
	fmt.Println("deleted", len(out.Successful), "not", *out.Failed[0].Id, *out.Failed[0].Code,
		"left", *left.Attributes["ApproximateNumberOfMessages"], *left.Attributes["ApproximateNumberOfMessagesNotVisible"])
}

func tags(url *string) {
	_, err := queues.TagQueue(&sqs.TagQueueInput{QueueUrl: url, Tags: aws.StringMap(map[string]string{"team": "orders"})})
	check(err)
	out, err := queues.ListQueueTags(&sqs.ListQueueTagsInput{QueueUrl: url})
	check(err)
	fmt.Println("tagged", *out.Tags["team"])
}

func inOrder(url *string) {
	var ids []string
	for _, m := range [][2]string{{"first", "1"}, {"again", "1"}, {"second", "2"}} {
		out, err := queues.SendMessage(&sqs.SendMessageInput{QueueUrl: url, MessageBody: &m[0], MessageGroupId: aws.String("g"), MessageDeduplicationId: &m[1]})
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
func topic(name string, url *string, order Order) *string {
	in, says, kinds := &sns.CreateTopicInput{Name: &name}, "topic", []string{"small", "big"}
	if order != nil {
		in.Attributes, says, kinds = aws.StringMap(map[string]string{"FifoTopic": "true"}), "ordered topic", append(kinds, "big")
	}
	made, err := topics.CreateTopic(in)
	check(err)
	queue, err := queues.GetQueueAttributes(&sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: aws.StringSlice([]string{"QueueArn"})})
	check(err)
	sub, err := topics.Subscribe(&sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("sqs"), Endpoint: queue.Attributes["QueueArn"],
		Attributes: aws.StringMap(map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["big"]}`})})
	check(err)
	for i, kind := range kinds {
		in := &sns.PublishInput{TopicArn: made.TopicArn, Message: aws.String(fmt.Sprint(kind, i)), MessageAttributes: map[string]*sns.MessageAttributeValue{
			"kind": {DataType: aws.String("String"), StringValue: &kind}}}
		if order != nil {
			order(in, "g", fmt.Sprint("t", i))
		}
		_, err := topics.Publish(in)
		check(err)
	}
	fmt.Println(says, bodies(url, len(kinds)-1))
	_, err = topics.Unsubscribe(&sns.UnsubscribeInput{SubscriptionArn: sub.SubscriptionArn})
	check(err)
	return made.TopicArn
}
