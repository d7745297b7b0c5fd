package sqs

import (
	"context"
	"maps"
	"strings"
	"unicode/utf8"
)

// maxTags is how many tags a queue can have (SQS developer guide, "Amazon SQS cost
// allocation tags").
const maxTags = 50

type tagQueueInput struct {
	QueueUrl string
	Tags     map[string]string `query:"Tag,flat,Key,Value"`
}

func tagQueue(ctx context.Context, c *caller, in *tagQueueInput) (*none, error) {
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	return nil, c.retag(ctx, in.QueueUrl, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

type untagQueueInput struct {
	QueueUrl string
	TagKeys  []string `query:"TagKey,flat"`
}

func untagQueue(ctx context.Context, c *caller, in *untagQueueInput) (*none, error) {
	if len(in.TagKeys) == 0 {
		return nil, invalidParameter("Tag keys must be between 1 and 128 characters in length.")
	}
	return nil, c.retag(ctx, in.QueueUrl, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

// retag stores the tags of a queue as change leaves them.
func (c *caller) retag(ctx context.Context, queueURL string, change func(map[string]string)) error {
	c.admin.Lock()
	defer c.admin.Unlock()
	q, err := c.queue(queueURL)
	if err != nil {
		return err
	}
	r := q.record()
	tags := make(map[string]string)
	maps.Copy(tags, r.Tags)
	change(tags)
	if err := checkTags(tags); err != nil {
		return err
	}
	r.Tags = tags
	return q.update(ctx, r)
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidParameter("Too many tags added for queue: a queue can have %d.", maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128:
			return invalidParameter("Tag keys must be between 1 and 128 characters in length.")
		case utf8.RuneCountInString(value) > 256:
			return invalidParameter("Tag values must be between 0 and 256 characters in length.")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return invalidParameter("Tag keys must not begin with aws:.")
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return invalidParameter("Tag keys and values must be valid Unicode.")
		}
	}
	return nil
}

type listQueueTagsOutput struct {
	Tags map[string]string `json:",omitempty" query:"Tag,flat,Key,Value"`
}

func listQueueTags(_ context.Context, c *caller, in *queueInput) (*listQueueTagsOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &listQueueTagsOutput{q.record().Tags}, nil
}
