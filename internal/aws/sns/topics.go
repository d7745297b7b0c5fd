package sns

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The operations on topics, each as SNS's API reference describes it.

type tag struct {
	Key, Value string
}

type createTopicInput struct {
	Name       string
	Attributes map[string]string
	Tags       []tag
}

type topicARNOutput struct {
	TopicArn string
}

// createTopic makes a topic, or returns the one of that name if what the call
// says of it is so already.
func createTopic(ctx context.Context, c *caller, in *createTopicInput) (*topicARNOutput, error) {
	at := address{c.region, c.account, in.Name}
	tags, err := tagsFrom(in.Tags)
	if err != nil {
		return nil, err
	}
	r, err := newTopicRecord(at, in.Attributes, tags)
	if err != nil {
		return nil, err
	}
	c.admin.Lock()
	defer c.admin.Unlock()
	if t, err := c.lookup(at); err == nil {
		return &topicARNOutput{at.arn()}, sameTopic(t.record(), in.Attributes, tags)
	}
	if c.topicCount() >= maxTopics {
		return nil, coded("TopicLimitExceeded", 403, "There are %d topics already, which is the limit.", maxTopics)
	}
	return &topicARNOutput{at.arn()}, c.storeTopic(ctx, r)
}

func newTopicRecord(at address, attributes, tags map[string]string) (topicRecord, error) {
	r := topicRecord{Address: at, Created: time.Now().UTC().Truncate(time.Second), Tags: tags}
	fifo := attributes["FifoTopic"]
	if fifo != "" && fifo != "true" && fifo != "false" {
		return r, invalidParameter("Attributes Reason: FifoTopic: Invalid value [%s]. Must be true or false.", clip(fifo))
	}
	if err := checkTopicName(at.Name, fifo == "true"); err != nil {
		return r, err
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "FifoTopic" {
			continue
		}
		if err := r.set(name, attributes[name]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// sameTopic refuses to make a topic again that is different in what the call
// says.
func sameTopic(have *topicRecord, attributes, tags map[string]string) error {
	texts := have.texts()
	for name, value := range attributes {
		if name == "FifoTopic" {
			continue // the name says it
		}
		if texts[name] != value {
			return invalidParameter("Attributes Reason: Topic already exists with different attributes")
		}
	}
	for key, value := range tags {
		if had, ok := have.Tags[key]; !ok || had != value {
			return invalidParameter("Tags Reason: Topic already exists with different tags")
		}
	}
	return nil
}

func (s *Service) topicCount() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.topics)
}

type topicInput struct {
	TopicArn string
}

// deleteTopic succeeds for a topic that is not there, as SNS does.
func deleteTopic(ctx context.Context, c *caller, in *topicInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		if apiCode(err) == "NotFound" {
			return nil, nil
		}
		return nil, err
	}
	return nil, c.removeTopic(ctx, t)
}

type pageInput struct {
	NextToken string
}

// pageSize is how many topics or subscriptions a listing has at most.
const pageSize = 100

// page returns the names after a token and the token for what comes after them.
func page(names []string, token string) (shown []string, next string, err error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalidParameter("NextToken")
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, string(after))
	if found {
		start++
	}
	if token == "" {
		start = 0
	}
	names = names[start:]
	if len(names) > pageSize {
		names = names[:pageSize]
		next = base64.RawURLEncoding.EncodeToString([]byte(names[pageSize-1]))
	}
	return names, next, nil
}

type listTopicsOutput struct {
	Topics    list[topicARNOutput]
	NextToken string `xml:",omitempty"`
}

func listTopics(_ context.Context, c *caller, in *pageInput) (*listTopicsOutput, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []string
	for at := range c.topics {
		if at.Region == c.region && at.Account == c.account {
			all = append(all, at.arn())
		}
	}
	shown, next, err := page(all, in.NextToken)
	out := &listTopicsOutput{NextToken: next}
	for _, arn := range shown {
		out.Topics.Member = append(out.Topics.Member, topicARNOutput{arn})
	}
	return out, err
}

type attributesOutput struct {
	Attributes attributeMap
}

func getTopicAttributes(_ context.Context, c *caller, in *topicInput) (*attributesOutput, error) {
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	all := t.record().texts()
	confirmed, pending := 0, 0
	for _, sub := range c.subscriptionsOf(t) {
		if sub.state().Pending {
			pending++
		} else {
			confirmed++
		}
	}
	all["SubscriptionsConfirmed"], all["SubscriptionsPending"] = strconv.Itoa(confirmed), strconv.Itoa(pending)
	all["SubscriptionsDeleted"] = strconv.FormatInt(t.deleted.Load(), 10)
	return &attributesOutput{attributesOf(all)}, nil
}

type setTopicAttributesInput struct {
	TopicArn       string
	AttributeName  string
	AttributeValue string
}

func setTopicAttributes(ctx context.Context, c *caller, in *setTopicAttributesInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	r := *t.record()
	if err := r.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, err
	}
	return nil, c.storeTopic(ctx, r)
}

// tagsFrom reads tags; a key must not come twice.
func tagsFrom(in []tag) (map[string]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	tags := make(map[string]string, len(in))
	for _, t := range in {
		if _, twice := tags[t.Key]; twice {
			return nil, invalidParameter("Duplicated keys are not allowed.")
		}
		if t.Key == "" || len(t.Key) > 4*128 || len(t.Value) > 4*256 {
			return nil, invalidParameter("Tags Reason: a key has 1 to 128 characters and a value up to 256")
		}
		tags[t.Key] = t.Value
	}
	return tags, checkTags(tags)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return coded("TagLimitExceeded", 400, "Could not complete request: tag quota of per resource exceeded")
	}
	return nil
}

// tagged finds the topic that has tags.
func (c *caller) tagged(arn string) (*topic, error) {
	t, err := c.topicOf("ResourceArn", arn)
	if apiCode(err) == "NotFound" {
		return nil, coded("ResourceNotFound", 404, "Resource does not exist")
	}
	return t, err
}

type tagResourceInput struct {
	ResourceArn string
	Tags        []tag
}

func tagResource(ctx context.Context, c *caller, in *tagResourceInput) (*empty, error) {
	tags, err := tagsFrom(in.Tags)
	if err != nil {
		return nil, err
	}
	return c.retag(ctx, in.ResourceArn, func(old map[string]string) map[string]string { return merged(old, tags) })
}

type untagResourceInput struct {
	ResourceArn string
	TagKeys     []string
}

func untagResource(ctx context.Context, c *caller, in *untagResourceInput) (*empty, error) {
	return c.retag(ctx, in.ResourceArn, func(old map[string]string) map[string]string {
		tags := maps.Clone(old)
		maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
		return tags
	})
}

func (c *caller) retag(ctx context.Context, arn string, change func(map[string]string) map[string]string) (*empty, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.tagged(arn)
	if err != nil {
		return nil, err
	}
	r := *t.record()
	r.Tags = change(r.Tags)
	if err := checkTags(r.Tags); err != nil {
		return nil, err
	}
	return new(empty), c.storeTopic(ctx, r)
}

type listTagsInput struct {
	ResourceArn string
}

type listTagsOutput struct {
	Tags list[tag]
}

func listTagsForResource(_ context.Context, c *caller, in *listTagsInput) (*listTagsOutput, error) {
	t, err := c.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := t.record().Tags
	out := new(listTagsOutput)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags.Member = append(out.Tags.Member, tag{key, tags[key]})
	}
	return out, nil
}
