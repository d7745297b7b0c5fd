package sns

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	add := func(label string, actions ...string) error {
		_, err := f.client.AddPermission(t.Context(), &awssns.AddPermissionInput{TopicArn: &topic, Label: &label, AWSAccountId: []string{"111122223333"}, ActionName: actions})
		return err
	}
	policy := func() string {
		t.Helper()
		out, err := f.client.GetTopicAttributes(t.Context(), &awssns.GetTopicAttributesInput{TopicArn: &topic})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes["Policy"]
	}
	before := policy()
	if err := add("one", "Publish"); err != nil {
		t.Fatal(err)
	}
	const statement = `,{"Action":"SNS:Publish","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Resource":"arn:aws:sns:eu-west-1:123456789012:t","Sid":"one"}]}`
	if got, want := policy(), strings.TrimSuffix(before, "]}")+statement; got != want {
		t.Errorf("policy %s\nwant %s", got, want)
	}
	wantError(t, add("one", "Publish", "Subscribe"), "InvalidParameter", "Invalid parameter: Statement already exists")
	wantError(t, add("two", "Publish", "Fold"), "InvalidParameter", "Invalid parameter: Policy statement action out of service scope!")
	wantError(t, add("", []string{}...), "ValidationError", "AddPermission needs")
	for range 2 {
		if _, err := f.client.RemovePermission(t.Context(), &awssns.RemovePermissionInput{TopicArn: &topic, Label: aws.String("one")}); err != nil {
			t.Fatal(err)
		}
		if got := policy(); got != before {
			t.Errorf("policy %s\nwant %s", got, before)
		}
	}
}

// TestAccounts: an access key of twelve digits is an account of its own.
func TestAccounts(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	ours := f.create(t, "t", nil)
	as := func(o *awssns.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("111122223333", "x", "")
	}
	out, err := f.client.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String("t")}, as)
	if err != nil || *out.TopicArn != "arn:aws:sns:eu-west-1:111122223333:t" {
		t.Fatalf("%v, %v", out, err)
	}
	f.join(t, *out.TopicArn, queueA, nil)
	for arn, options := range map[string][]func(*awssns.Options){ours: nil, *out.TopicArn: {as}} {
		topics, err := f.client.ListTopics(t.Context(), &awssns.ListTopicsInput{}, options...)
		if err != nil || len(topics.Topics) != 1 || *topics.Topics[0].TopicArn != arn {
			t.Errorf("topics %v, %v; want %s", topics, err, arn)
		}
		list, err := f.client.ListSubscriptions(t.Context(), &awssns.ListSubscriptionsInput{}, options...)
		if err != nil || len(list.Subscriptions) != len(options) {
			t.Errorf("subscriptions %v, %v; want %d", list, err, len(options))
		}
	}
}
