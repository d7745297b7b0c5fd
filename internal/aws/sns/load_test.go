package sns

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestEnsureTopic(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	ctx := t.Context()
	if err := f.EnsureTopic(ctx, TopicSpec{Name: "t", Attributes: map[string]string{"DisplayName": "one"}, Tags: map[string]string{"a": "1"}}); err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:sns:eu-west-1:123456789012:t"
	f.join(t, arn, queueA, nil)
	f.client.TagResource(ctx, &awssns.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
	if err := f.EnsureTopic(ctx, TopicSpec{Name: "t", ARN: arn, Attributes: map[string]string{"SignatureVersion": "2"}}); err != nil {
		t.Fatal(err)
	}
	got, err := f.client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil || got.Attributes["DisplayName"] != "" || got.Attributes["SignatureVersion"] != "2" || got.Attributes["SubscriptionsConfirmed"] != "1" {
		t.Errorf("topic %v, %v", got, err)
	}
	if tags, err := f.client.ListTagsForResource(ctx, &awssns.ListTagsForResourceInput{ResourceArn: &arn}); err != nil || len(tags.Tags) != 2 {
		t.Errorf("tags %v, %v", tags, err)
	}
	for spec, want := range map[*TopicSpec]string{
		{Name: "t", ARN: "arn:aws:sns:eu-west-1:123456789012:other"}: "names another topic",
		{Name: "t", ARN: "x"}: "An ARN must have",
		{Name: "t t"}:         "Topic Name",
		{Name: "t.fifo"}:      "Topic Name",
		{Name: "t", Attributes: map[string]string{"Nonsense": "x"}}: "AttributeName",
	} {
		if err := f.EnsureTopic(ctx, *spec); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "topic t") {
			t.Errorf("%+v: %v, want %s", *spec, err, want)
		}
	}
}

func TestEnsureSubscriptions(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	ctx := t.Context()
	topic := f.create(t, "t", nil)
	f.join(t, topic, queueB, nil) // a client's
	raw := map[string]string{"RawMessageDelivery": "true"}
	specs := []SubscriptionSpec{{topic, "sqs", queueA, raw}, {topic, "lambda", worker1, nil}}
	subscriptions := func() map[string]string {
		t.Helper()
		out, err := f.client.ListSubscriptions(ctx, &awssns.ListSubscriptionsInput{})
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]string)
		for _, s := range out.Subscriptions {
			all[*s.Endpoint] = *s.SubscriptionArn
		}
		return all
	}
	if err := f.EnsureSubscriptions(ctx, specs); err != nil {
		t.Fatal(err)
	}
	before := subscriptions()
	specs = []SubscriptionSpec{{topic, "sqs", queueA, map[string]string{"FilterPolicy": `{"a":["x"]}`}}}
	if err := f.EnsureSubscriptions(ctx, specs); err != nil {
		t.Fatal(err)
	}
	after := subscriptions()
	if len(before) != 3 || len(after) != 2 || after[queueA] != before[queueA] || after[queueB] == "" {
		t.Errorf("subscriptions %v, then %v", before, after)
	}
	got, err := f.client.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: aws.String(after[queueA])})
	if err != nil || got.Attributes["RawMessageDelivery"] != "false" || got.Attributes["FilterPolicy"] == "" {
		t.Errorf("attributes %v, %v", got, err)
	}
	for _, spec := range []SubscriptionSpec{{topic + "x", "sqs", queueA, nil}, {"x", "sqs", queueA, nil}, {topic, "email", "a@b", nil},
		{topic, "sqs", queueA, map[string]string{"FilterPolicy": "x"}}} {
		if err := f.EnsureSubscriptions(ctx, []SubscriptionSpec{spec}); err == nil || !strings.HasPrefix(err.Error(), "subscription of ") {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	tt, err := f.lookup(address{region, account, "t"})
	if err != nil {
		t.Fatal(err)
	}
	// Pretend that there are many: making them takes a while.
	one, err := settle(subscriptionRecord{Topic: address{region, account, "t"}, Attributes: map[string]string{"FilterPolicy": `{}`}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]*subscription, maxPolicies)
	for i := range many {
		many[i] = &subscription{service: f.Service, topic: tt}
		many[i].current.Store(one)
	}
	f.Service.mu.Lock()
	tt.subscriptions = many
	f.Service.mu.Unlock()
	_, err = f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queueA),
		Attributes: map[string]string{"FilterPolicy": `{"a":["x"]}`}})
	wantError(t, err, "FilterPolicyLimitExceeded", "The topic has 200 filter policies")
	f.Service.mu.Lock()
	for len(tt.subscriptions) < maxSubscriptions {
		tt.subscriptions = append(tt.subscriptions, many...)
	}
	f.Service.mu.Unlock()
	_, err = f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queueA)})
	wantError(t, err, "SubscriptionLimitExceeded", "The topic has 1000 subscriptions")
}
