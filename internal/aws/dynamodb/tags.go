package dynamodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

const maxTags = 50

type tag struct{ Key, Value *string }

func (c *constraints) tags(tags []tag) {
	for i, t := range tags {
		at := fmt.Sprintf("tags.%d.member.", i+1)
		c.length(t.Key, at+"key", 1, 128)
		c.optionalLength(t.Value, at+"value", 0, 256)
		if t.Value == nil {
			c.add(nil, at+"value", notNull)
		}
	}
}

// checkTags refuses tags that AWS keeps for itself, and a key given twice.
func checkTags(tags []tag) error {
	seen := make(map[string]bool)
	for _, t := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(*t.Key), "aws:"):
			return invalid("Tag Key cannot be prefixed with aws:, Key: %s", *t.Key)
		case seen[*t.Key]:
			return invalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found %s", *t.Key)
		}
		seen[*t.Key] = true
	}
	if len(tags) > maxTags {
		return errTooManyTags
	}
	return nil
}

var errTooManyTags = invalid("Number of Tags exceed the current limit for the provided ResourceArn")

func tagMap(tags []tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string)
	for _, t := range tags {
		out[*t.Key] = *t.Value
	}
	return out
}

// checkARN finds what AWS says of the ARN of a resource to tag; without is
// true when the call lacks the tags or keys that member names.
func checkARN(call *awswire.Call, account string, arn *string, member string, without bool) error {
	switch {
	case arn == nil:
		return invalid("Invalid TableArn")
	case !strings.Contains(*arn, "/") || strings.Count(*arn, ":") < 5:
		resource := *arn
		if resource == "" {
			resource = "*"
		}
		return awswire.Errorf("AccessDeniedException", "User: arn:aws:iam::%s:user/gatepost is not authorized to perform: dynamodb:%s on resource: %s", account, call.Operation, clip(resource))
	case without:
		var c constraints
		c.add(nil, member, notNull)
		return c.err()
	}
	if name := nameOf(*arn); name == *arn || len(name) < 3 || len(name) > 255 || !isName(name) {
		return invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", clip(*arn))
	}
	return nil
}

// taggedTable is the table with the ARN, or nil.
func (s *Service) taggedTable(call *awswire.Call, arn string) *table {
	t := s.lookup(s.tableID(call, arn))
	if t == nil || t.ARN != arn {
		return nil
	}
	return t
}

func (s *Service) tagResource(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		ResourceArn *string
		Tags        []tag `aws:"Tag"`
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := checkARN(call, call.Account(s.cfg.Account), in.ResourceArn, "tags", in.Tags == nil); err != nil {
		return nil, err
	}
	var c constraints
	c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, invalid("Atleast one Tag needs to be provided as Input.")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return nil, s.retag(ctx, call, *in.ResourceArn, "Requested resource not found: ResourcArn: %s not found", func(tags map[string]string) {
		maps.Copy(tags, tagMap(in.Tags))
	})
}

func (s *Service) untagResource(ctx context.Context, call *awswire.Call) (any, error) {
	var in struct {
		ResourceArn *string
		TagKeys     []string
	}
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := checkARN(call, call.Account(s.cfg.Account), in.ResourceArn, "tagKeys", in.TagKeys == nil); err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, invalid("Atleast one Tag Key needs to be provided as Input.")
	}
	return nil, s.retag(ctx, call, *in.ResourceArn, "Requested resource not found", func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

// retag changes a table's tags; missing is the message when there is no such
// table, which may hold the ARN.
func (s *Service) retag(ctx context.Context, call *awswire.Call, arn, missing string, change func(map[string]string)) error {
	t := s.taggedTable(call, arn)
	if t == nil {
		if strings.Contains(missing, "%s") {
			missing = fmt.Sprintf(missing, arn)
		}
		return awswire.Errorf("ResourceNotFoundException", "%s", missing)
	}
	return s.alter(ctx, t.id, func(r *record) error {
		r.Tags = maps.Clone(r.Tags)
		if r.Tags == nil {
			r.Tags = make(map[string]string)
		}
		change(r.Tags)
		if len(r.Tags) > maxTags {
			return errTooManyTags
		}
		return nil
	})
}

func (s *Service) listTagsOfResource(_ context.Context, call *awswire.Call) (any, error) {
	var in struct{ ResourceArn, NextToken *string }
	if err := decode(call, &in); err != nil {
		return nil, err
	}
	if err := checkARN(call, call.Account(s.cfg.Account), in.ResourceArn, "", false); err != nil {
		return nil, err
	}
	t := s.taggedTable(call, *in.ResourceArn)
	if t == nil {
		return nil, awswire.Errorf("ResourceNotFoundException", "Requested resource not found: ResourcArn: %s not found", *in.ResourceArn)
	}
	type listed struct{ Key, Value string }
	tags := []listed{}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		tags = append(tags, listed{key, t.Tags[key]})
	}
	return map[string]any{"Tags": tags}, nil
}
