package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gatepost-dev/gatepost/push/function"
)

// TopicMain runs the function behind a topic.
func TopicMain() {
	function.Main(func(ctx context.Context, env *function.Environment) (function.Handler[events.SNSEvent, any], error) {
		o, ok, err := options(ctx, env)
		if !ok {
			return nil, err
		}
		return NewTopic(o).Handle, nil
	})
}

// Topic publishes the messages of a topic.
type Topic struct{ *publication }

// NewTopic returns the handler of a topic's messages.
func NewTopic(o Options) *Topic { return &Topic{newPublication(o)} }

// Handle posts every message, byte for byte, to the audience that its message
// attributes name. What no attempt can deliver goes to Letters. When something
// else failed it returns an error: Lambda tries the event again, twice unless
// told otherwise, and then hands it, with the error, to the function's
// destination for failures.
func (t *Topic) Handle(ctx context.Context, event events.SNSEvent) (any, error) {
	messages := make([]message, len(event.Records))
	for i, record := range event.Records {
		messages[i] = topicMessage(&record.SNS)
	}
	var failed error
	for i, o := range t.publish(ctx, messages) {
		if !o.settled() {
			failed = errors.Join(failed, fmt.Errorf("message %s: %s", messages[i].id, o.reason()))
		}
	}
	return nil, failed
}

func topicMessage(m *events.SNSEntity) message {
	attribute := func(name string) string {
		fields, _ := m.MessageAttributes[name].(map[string]any)
		value, _ := fields["Value"].(string)
		return value
	}
	return message{
		id: m.MessageID, source: "topic", body: []byte(m.Message),
		audience: function.Audience{
			Target: attribute(function.TargetAttribute), Except: attribute(function.ExceptAttribute), Missed: attribute(function.MissedAttribute),
		},
	}
}
