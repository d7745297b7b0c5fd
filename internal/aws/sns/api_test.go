package sns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestTopics(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	c, ctx := f.client, t.Context()
	arn := f.create(t, "news", map[string]string{"DisplayName": "News <&>"})
	if want := "arn:aws:sns:eu-west-1:123456789012:news"; arn != want {
		t.Errorf("ARN %s, want %s", arn, want)
	}
	if again := f.create(t, "news", nil); again != arn {
		t.Errorf("made again, it is %s", again)
	}
	_, err := c.CreateTopic(ctx, &awssns.CreateTopicInput{Name: aws.String("news"), Attributes: map[string]string{"DisplayName": "Other"}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes")
	_, err = c.CreateTopic(ctx, &awssns.CreateTopicInput{Name: aws.String("news"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")

	got, err := c.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"TopicArn": arn, "Owner": account, "DisplayName": "News <&>", "SubscriptionsConfirmed": "0",
		"SubscriptionsPending": "0", "SubscriptionsDeleted": "0"} {
		if got.Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, got.Attributes[name], want)
		}
	}
	retry := document(t, got.Attributes["EffectiveDeliveryPolicy"])["http"].(map[string]any)["defaultHealthyRetryPolicy"].(map[string]any)
	if retry["numRetries"] != 3.0 || retry["minDelayTarget"] != 20.0 || !strings.Contains(got.Attributes["Policy"], arn) {
		t.Errorf("policies %v", got.Attributes)
	}
	if _, err := c.SetTopicAttributes(ctx, &awssns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: aws.String("DisplayName")}); err != nil {
		t.Fatal(err)
	}
	got, _ = c.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &arn})
	if name, ok := got.Attributes["DisplayName"]; !ok || name != "" {
		t.Errorf("DisplayName %q, %v", name, ok)
	}
	if _, err := c.DeleteTopic(ctx, &awssns.DeleteTopicInput{TopicArn: &arn}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteTopic(ctx, &awssns.DeleteTopicInput{TopicArn: &arn}); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
	_, err = c.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &arn})
	wantError(t, err, "NotFound", "Topic does not exist")
}

func TestTopicRules(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	c, ctx := f.client, t.Context()
	for _, x := range []struct {
		name       string
		attributes map[string]string
		text       string
	}{
		{"", nil, "Topic Name"},
		{strings.Repeat("x", 257), nil, "Topic Name"},
		{"with space", nil, "Topic Name"},
		{"a.fifo", nil, "Topic Name"},
		{"a", map[string]string{"FifoTopic": "true"}, "Topic Name"},
		{"a", map[string]string{"FifoTopic": "yes"}, "Attributes Reason: FifoTopic"},
		{"a", map[string]string{"Nonsense": "1"}, "AttributeName"},
		{"a", map[string]string{"ContentBasedDeduplication": "true"}, "ContentBasedDeduplication"},
		{"a", map[string]string{"SignatureVersion": "3"}, "SignatureVersion"},
		{"a", map[string]string{"TracingConfig": "x"}, "TracingConfig"},
		{"a", map[string]string{"Policy": "x"}, "Policy Reason"},
		{"a", map[string]string{"DisplayName": strings.Repeat("x", 101)}, "DisplayName"},
		{"a", map[string]string{"DeliveryPolicy": `[]`}, "DeliveryPolicy: failed to parse JSON."},
		{"a", map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}`}, "DeliveryPolicy: numRetries"},
		{"a", map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"numRetries":100,"maxDelayTarget":3600}}}`}, "DeliveryPolicy: the total"},
		{"a", map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":0}}}`}, "DeliveryPolicy: minDelay"},
		{"a", map[string]string{"DeliveryPolicy": `{"http":{"defaultThrottlePolicy":{"maxReceivesPerSecond":0}}}`}, "DeliveryPolicy: throttle"},
		{"a", map[string]string{"DeliveryPolicy": `{"http":{"defaultRequestPolicy":{"headerContentType":"x\r\ny/z"}}}`}, "DeliveryPolicy: requestPolicy"},
	} {
		_, err := c.CreateTopic(ctx, &awssns.CreateTopicInput{Name: &x.name, Attributes: x.attributes})
		wantError(t, err, "InvalidParameter", "Invalid parameter: "+x.text)
	}
	for arn, text := range map[string]string{
		"x":                                      "TopicArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws:sns":                            "TopicArn Reason: An ARN must have at least 6 elements, not 3",
		"arn:aws:sqs:eu-west-1:123456789012:a":   "TopicArn",
		"arn:aws:sns:us-east-1:123456789012:a":   "TopicArn",
		"arn:aws:sns:eu-west-1:123456789012:a:b": "TopicArn",
	} {
		_, err := c.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &arn})
		wantError(t, err, "InvalidParameter", "Invalid parameter: "+text)
	}
}

func TestListsHavePages(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	for i := range 203 {
		if err := f.EnsureTopic(t.Context(), TopicSpec{Name: fmt.Sprintf("t%03d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := awssns.NewListTopicsPaginator(f.client, &awssns.ListTopicsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range page.Topics {
			names = append(names, *topic.TopicArn)
		}
	}
	if len(names) != 203 || !slices.IsSorted(names) || len(slices.Compact(names)) != 203 {
		t.Errorf("%d topics", len(names))
	}
	_, err := f.client.ListTopics(t.Context(), &awssns.ListTopicsInput{NextToken: aws.String("***")})
	wantError(t, err, "InvalidParameter", "Invalid parameter: NextToken")
}

func TestTags(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	c, ctx := f.client, t.Context()
	tags := func(pairs ...string) (all []types.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return all
	}
	out, err := c.CreateTopic(ctx, &awssns.CreateTopicInput{Name: aws.String("t"), Tags: tags("k1", "v1", "k2", "")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.TagResource(ctx, &awssns.TagResourceInput{ResourceArn: out.TopicArn, Tags: tags("k1", "new", "k3", "v3")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(ctx, &awssns.UntagResourceInput{ResourceArn: out.TopicArn, TagKeys: []string{"k3", "none"}}); err != nil {
		t.Fatal(err)
	}
	got, err := c.ListTagsForResource(ctx, &awssns.ListTagsForResourceInput{ResourceArn: out.TopicArn})
	if err != nil || len(got.Tags) != 2 || *got.Tags[0].Value != "new" || *got.Tags[1].Key != "k2" {
		t.Errorf("tags %v, %v", got, err)
	}
	_, err = c.TagResource(ctx, &awssns.TagResourceInput{ResourceArn: out.TopicArn, Tags: tags("a", "1", "a", "2")})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Duplicated keys are not allowed.")
	_, err = c.ListTagsForResource(ctx, &awssns.ListTagsForResourceInput{ResourceArn: aws.String(*out.TopicArn + "x")})
	wantError(t, err, "ResourceNotFound", "Resource does not exist")
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprint(i), "v")
	}
	_, err = c.TagResource(ctx, &awssns.TagResourceInput{ResourceArn: out.TopicArn, Tags: tags(many...)})
	wantError(t, err, "TagLimitExceeded", "Could not complete request")
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	c, ctx := f.client, t.Context()
	topic, other := f.create(t, "t", nil), f.create(t, "other", nil)
	arn := f.join(t, topic, queueA, map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"a":["x"]}`})
	if !strings.HasPrefix(arn, topic+":") || len(arn) != len(topic)+37 {
		t.Errorf("ARN %s", arn)
	}
	if again := f.join(t, topic, queueA, map[string]string{"RawMessageDelivery": "true"}); again != arn {
		t.Errorf("made again, it is %s", again)
	}
	_, err := c.Subscribe(ctx, &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queueA),
		Attributes: map[string]string{"RawMessageDelivery": "false"}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: Subscription already exists with different attributes")
	f.join(t, other, worker1, nil)

	got, err := c.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"SubscriptionArn": arn, "TopicArn": topic, "Owner": account, "Protocol": "sqs", "Endpoint": queueA,
		"RawMessageDelivery": "true", "FilterPolicy": `{"a":["x"]}`, "FilterPolicyScope": "MessageAttributes", "PendingConfirmation": "false",
		"ConfirmationWasAuthenticated": "true"} {
		if got.Attributes[name] != want {
			t.Errorf("%s = %q, want %q", name, got.Attributes[name], want)
		}
	}
	set := func(name, value string) error {
		_, err := c.SetSubscriptionAttributes(ctx, &awssns.SetSubscriptionAttributesInput{SubscriptionArn: &arn, AttributeName: &name, AttributeValue: &value})
		return err
	}
	if err := set("FilterPolicy", ""); err != nil {
		t.Error(err)
	}
	if got, _ = c.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &arn}); got.Attributes["FilterPolicyScope"] != "" {
		t.Errorf("a scope without a policy: %v", got.Attributes)
	}
	for _, x := range []struct{ name, value, text string }{
		{"Nonsense", "x", "AttributeName"},
		{"RawMessageDelivery", "TRUE", "RawMessageDelivery: Invalid value [TRUE]. Must be true or false."},
		{"FilterPolicyScope", "x", "FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes"},
		{"FilterPolicy", `{"a":"x"}`, `FilterPolicy: "a" must be an object or an array`},
		{"FilterPolicy", `{"a":{"b":["x"]}}`, "Filter policy scope MessageAttributes does not support nested filter policy"},
		{"RedrivePolicy", `{invalid`, "RedrivePolicy: failed to parse JSON."},
		{"RedrivePolicy", `{"deadLetterTargetArn":"x"}`, "RedrivePolicy: deadLetterTargetArn is an invalid arn"},
		{"RedrivePolicy", `{"deadLetterTargetArn":"` + dlq + `.fifo"}`, "RedrivePolicy: must use a standard queue"},
		{"DeliveryPolicy", `{}`, "DeliveryPolicy: only http"},
	} {
		wantError(t, set(x.name, x.value), "InvalidParameter", "Invalid parameter: "+x.text)
	}
	_, err = c.Subscribe(ctx, &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queueB),
		Attributes: map[string]string{"FilterPolicy": `{"a":[]}`}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: FilterPolicy: Empty arrays are not allowed")

	all, err := c.ListSubscriptions(ctx, &awssns.ListSubscriptionsInput{})
	if err != nil || len(all.Subscriptions) != 2 {
		t.Errorf("subscriptions %v, %v", all, err)
	}
	mine, err := c.ListSubscriptionsByTopic(ctx, &awssns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if err != nil || len(mine.Subscriptions) != 1 || *mine.Subscriptions[0].SubscriptionArn != arn || *mine.Subscriptions[0].Endpoint != queueA {
		t.Errorf("subscriptions %v, %v", mine, err)
	}
	for range 2 {
		if _, err := c.Unsubscribe(ctx, &awssns.UnsubscribeInput{SubscriptionArn: &arn}); err != nil {
			t.Errorf("Unsubscribe: %v", err)
		}
	}
	_, err = c.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	wantError(t, err, "NotFound", "Subscription does not exist")
	for wrong, text := range map[string]string{
		"x":                                "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws:sns:eu-west-1:1234567890": "SubscriptionArn Reason: An ARN must have at least 6 elements, not 5",
		topic:                              "SubscriptionId",
	} {
		_, err := c.Unsubscribe(ctx, &awssns.UnsubscribeInput{SubscriptionArn: &wrong})
		wantError(t, err, "InvalidParameter", "Invalid parameter: "+text)
	}
	if queues, err := f.bus.Queues(ctx); err != nil || len(queues) != 1 {
		t.Errorf("%d queues are left (%v), want that of the other topic", len(queues), err)
	}
	f.client.DeleteTopic(ctx, &awssns.DeleteTopicInput{TopicArn: &other})
	if all, err := c.ListSubscriptions(ctx, &awssns.ListSubscriptionsInput{}); err != nil || len(all.Subscriptions) != 0 {
		t.Errorf("subscriptions of a deleted topic %v, %v", all, err)
	}
}

func TestSubscribeRules(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic, fifo := f.create(t, "t", nil), f.create(t, "t.fifo", nil)
	for _, x := range []struct{ topic, protocol, endpoint, text string }{
		{topic, "test-protocol", "x", "Amazon SNS does not support this protocol string: test-protocol"},
		{topic, "email", "a@example.com", "Protocol Reason: Gatepost does not deliver to email"},
		{topic, "sms", "+15551234567", "Protocol Reason: Gatepost does not deliver to sms"},
		{topic, "application", "arn:x", "Protocol Reason: Gatepost does not deliver to application"},
		{topic, "firehose", "arn:x", "Protocol Reason: Gatepost does not deliver to firehose"},
		{topic, "sqs", "http://localhost/123456789012/a", "SQS endpoint ARN"},
		{topic, "sqs", queueA + ".fifo", "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"},
		{topic, "lambda", "worker", "Lambda endpoint ARN"},
		{topic, "http", "https://example.com", "Endpoint must match the specified protocol"},
		{topic, "https", "https://", "Endpoint must match the specified protocol"},
		{fifo, "lambda", worker1, "Protocol Reason: a FIFO topic delivers to SQS queues only"},
	} {
		_, err := f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &x.topic, Protocol: &x.protocol, Endpoint: &x.endpoint})
		wantError(t, err, "InvalidParameter", "Invalid parameter: "+x.text)
	}
	_, err := f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: aws.String(topic + "x"), Protocol: aws.String("sqs"), Endpoint: aws.String(queueA)})
	wantError(t, err, "NotFound", "Topic does not exist")
	_, err = f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("lambda"), Endpoint: aws.String(worker1),
		Attributes: map[string]string{"RawMessageDelivery": "true"}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: RawMessageDelivery: Delivery protocol [lambda] does not support")
	_, err = f.client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: &fifo, Protocol: aws.String("sqs"), Endpoint: aws.String(queueA + ".fifo"),
		Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dlq + `"}`}})
	wantError(t, err, "InvalidParameter", "Invalid parameter: Attributes Reason: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
}

func TestPublishRules(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic, fifo := f.create(t, "t", nil), f.create(t, "t.fifo", nil)
	attribute := func(name string, v types.MessageAttributeValue) *awssns.PublishInput {
		return &awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{name: v}}
	}
	text := func(kind, value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, StringValue: &value}
	}
	const ip, pv = "InvalidParameter", "ParameterValueInvalid"
	for _, x := range []struct {
		in         *awssns.PublishInput
		code, text string
	}{
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("")}, ip, "Invalid parameter: Empty message"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String(strings.Repeat("x", MaxMessageSize+1))}, ip, "Invalid parameter: Message too long"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), Subject: aws.String("")}, ip, "Invalid parameter: Subject"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), Subject: aws.String("a\nb")}, ip, "Invalid parameter: Subject"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), Subject: aws.String(strings.Repeat("é", 101))}, ip, "Invalid parameter: Subject"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), MessageStructure: aws.String("xml")}, ip, "Invalid parameter: MessageStructure"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String(`{"a":1}`), MessageStructure: aws.String("json")}, ip, "Invalid parameter: Message Structure - No default entry in JSON message body"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String(`{"default":1}`), MessageStructure: aws.String("json")}, ip, "Invalid parameter: Message Structure - No default entry in JSON message body"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String(`x`), MessageStructure: aws.String("json")}, ip, "Invalid parameter: Message Structure - JSON message body failed to parse"},
		{&awssns.PublishInput{TopicArn: aws.String(topic + "x"), Message: aws.String("x")}, "NotFound", "Topic does not exist"},
		{&awssns.PublishInput{Message: aws.String("x")}, ip, "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"},
		{&awssns.PublishInput{PhoneNumber: aws.String("+15551234567"), Message: aws.String("x")}, ip, "Invalid parameter: PhoneNumber Reason: Gatepost sends no text messages"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), MessageDeduplicationId: aws.String("d")}, ip, "Invalid parameter: MessageDeduplicationId Reason: The request includes"},
		{&awssns.PublishInput{TopicArn: &topic, Message: aws.String("x"), MessageGroupId: aws.String("a b")}, ip, "Invalid parameter: MessageGroupId Reason"},
		{&awssns.PublishInput{TopicArn: &fifo, Message: aws.String("x")}, ip, "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"},
		{&awssns.PublishInput{TopicArn: &fifo, Message: aws.String("x"), MessageGroupId: aws.String("g")}, ip, "Invalid parameter: The topic should either have ContentBasedDeduplication enabled"},
		{&awssns.PublishInput{TopicArn: &fifo, Message: aws.String("x"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String(strings.Repeat("d", 129))}, ip, "Invalid parameter: MessageDeduplicationId Reason"},
		{attribute("a", text("String", "")), pv, "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'."},
		{attribute("a", types.MessageAttributeValue{DataType: aws.String("Binary")}), pv, "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'Binary'."},
		{attribute("a", types.MessageAttributeValue{DataType: aws.String("Number"), BinaryValue: []byte("x")}), pv, "The message attribute 'a' with type 'Number' must use field 'String'."},
		{attribute("a", text("Binary", "x")), pv, "The message attribute 'a' with type 'Binary' must use field 'Binary'."},
		{attribute("a", text("Stringy", "x")), pv, "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."},
		{attribute("a", text("Number", "1-2")), pv, "Could not cast message attribute 'a' value to number."},
		{attribute("a", text("Number", "e5")), pv, "Could not cast message attribute 'a' value to number."},
		{attribute(strings.Repeat("a", 257), text("String", "x")), pv, "Length of message attribute name must be less than 256 bytes."},
		{attribute("^a", text("String", "x")), pv, "Invalid non-alphanumeric character '#x5E' was found in the message attribute name."},
		{attribute(".a", text("String", "x")), pv, "Invalid message attribute name starting with character '.' was found."},
		{attribute("a.", text("String", "x")), pv, "Invalid message attribute name ending with character '.' was found."},
		{attribute("a..b", text("String", "x")), pv, "Message attribute name can not have successive '.' character."},
		{attribute("AWS.b", text("String", "x")), pv, "Message attribute name can not begin with"},
	} {
		_, err := f.client.Publish(t.Context(), x.in)
		wantError(t, err, x.code, x.text)
	}
	for _, number := range []string{"1", "-0.5", "+7", ".5", "1.", "1E-9", "007"} {
		if _, err := f.client.Publish(t.Context(), attribute("a", text("Number.int", number))); err != nil {
			t.Errorf("number %s: %v", number, err)
		}
	}
	large := attribute("name", text("String", "1234"))
	large.Message = aws.String(strings.Repeat("x", MaxMessageSize-len("name")-len("String")-len("1234")))
	if _, err := f.client.Publish(t.Context(), large); err != nil {
		t.Errorf("a message of 262,144 bytes: %v", err)
	}
	*large.Message += "x"
	_, err := f.client.Publish(t.Context(), large)
	wantError(t, err, ip, "Invalid parameter: Message too long")
}

func TestPublishBatchRules(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	entry := func(id string) types.PublishBatchRequestEntry {
		return types.PublishBatchRequestEntry{Id: &id, Message: aws.String("x")}
	}
	batch := func(entries ...types.PublishBatchRequestEntry) (*awssns.PublishBatchOutput, error) {
		return f.client.PublishBatch(t.Context(), &awssns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: entries})
	}
	var eleven []types.PublishBatchRequestEntry
	for i := range 11 {
		eleven = append(eleven, entry(fmt.Sprint(i)))
	}
	half := entry("half")
	half.Message = aws.String(strings.Repeat("x", MaxMessageSize/2+1))
	half2 := half
	half2.Id = aws.String("half2")
	bad := entry("bad")
	bad.MessageAttributes = map[string]types.MessageAttributeValue{"a": {DataType: aws.String("x"), StringValue: aws.String("x")}}
	for _, x := range []struct {
		entries    []types.PublishBatchRequestEntry
		code, text string
	}{
		{[]types.PublishBatchRequestEntry{}, "EmptyBatchRequest", "The batch request doesn't contain any entries."},
		{eleven, "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible."},
		{[]types.PublishBatchRequestEntry{entry("a"), entry("a")}, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."},
		{[]types.PublishBatchRequestEntry{entry("a.b")}, "InvalidBatchEntryId", "The Id of a batch entry in the batch request contains an impermissible character: a.b"},
		{[]types.PublishBatchRequestEntry{entry(strings.Repeat("a", 81))}, "InvalidBatchEntryId", "The Id of a batch entry in the batch request is too long: "},
		{[]types.PublishBatchRequestEntry{half, half2}, "BatchRequestTooLong", "The length of all the messages put together is more than the limit."},
		{[]types.PublishBatchRequestEntry{entry("a"), bad}, "ParameterValueInvalid", "The message attribute 'a' has an invalid message attribute type"},
	} {
		_, err := batch(x.entries...)
		wantError(t, err, x.code, x.text)
	}
	out, err := batch(eleven[:10]...)
	if err != nil || len(out.Successful) != 10 || len(out.Failed) != 0 || *out.Successful[3].Id != "3" || len(*out.Successful[3].MessageId) != 36 {
		t.Errorf("batch %v, %v", out, err)
	}
}

func TestUnknownOperation(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	_, err := f.client.ListPlatformApplications(t.Context(), &awssns.ListPlatformApplicationsInput{})
	wantError(t, err, "InvalidAction", "Gatepost's SNS has no operation ListPlatformApplications.")
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	topic := f.create(t, "t", nil)
	f.Service.Close()
	f.Service.Close()
	_, err := f.client.Publish(t.Context(), &awssns.PublishInput{TopicArn: &topic, Message: aws.String("x")})
	wantError(t, err, "ServiceUnavailable", "The service is stopping.")
	if err := f.EnsureTopic(t.Context(), TopicSpec{Name: "x"}); err == nil {
		t.Error("EnsureTopic worked after Close")
	}
}
