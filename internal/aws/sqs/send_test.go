package sqs

import (
	"errors"
	"testing"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

func TestSendFromWithin(t *testing.T) {
	f := start(t, "")
	url := f.create(t, "inside", map[string]string{"MaximumMessageSize": "1024"})
	arn := f.attributes(t, url, types.QueueAttributeNameQueueArn)["QueueArn"]
	value := "v"
	if err := f.Send(t.Context(), arn, Outgoing{Body: "hello", Attributes: map[string]MessageAttribute{"a": {DataType: "String", StringValue: &value}}, Sender: "sns.amazonaws.com"}); err != nil {
		t.Fatal(err)
	}
	got, err := f.client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, WaitTimeSeconds: 20,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("received %+v, %v", got, err)
	}
	m := got.Messages[0]
	if *m.Body != "hello" || *m.MessageAttributes["a"].StringValue != "v" || m.Attributes["SenderId"] != "sns.amazonaws.com" {
		t.Errorf("received %+v", m)
	}
	if err := f.Send(t.Context(), arn+"x", Outgoing{Body: "x"}); !errors.Is(err, ErrNoQueue) {
		t.Errorf("a queue that is not there: %v", err)
	}
	if _, refused := errors.AsType[*awswire.Error](f.Send(t.Context(), arn, Outgoing{Body: string(make([]byte, 2000))})); !refused {
		t.Error("a message over the queue's limit was not refused")
	}
}
