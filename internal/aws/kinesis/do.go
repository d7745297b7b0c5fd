package kinesis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// TargetPrefix is the first part of X-Amz-Target.
func (s *Service) TargetPrefix() string { return "Kinesis_20131202" }

// QueryVersion is "": Kinesis has no query protocol.
func (s *Service) QueryVersion() string { return "" }

// caller is what an operation knows of its call beside the input.
type caller struct {
	*Service
	region, account string
}

// Do runs one call of the API, as awswire.Service wants it.
func (s *Service) Do(ctx context.Context, call *awswire.Call) (any, error) {
	done, err := s.begin()
	if err != nil {
		return nil, &awswire.Error{Code: "InternalFailure", Status: 500, Message: "Gatepost is stopping."}
	}
	defer done()
	run, ok := operations[call.Operation]
	if !ok {
		return nil, fault("UnknownOperationException", "Gatepost's Kinesis has no operation %s.", clip(call.Operation))
	}
	region := s.config.Region
	if call.Region != "" {
		if region = call.Region; !validRegion.MatchString(region) {
			return nil, invalid("The credential's region %s is not valid.", clip(region))
		}
	}
	return run(ctx, &caller{s, region, call.Account(s.config.Account)}, call)
}

var validRegion = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

var operations = map[string]func(context.Context, *caller, *awswire.Call) (any, error){
	"AddTagsToStream":               operate(addTags),
	"CreateStream":                  operate(createStream),
	"DecreaseStreamRetentionPeriod": operate(setRetention),
	"DeleteStream":                  operate(deleteStream),
	"DescribeLimits":                operate(describeLimits),
	"DescribeStream":                operate(describeStream),
	"DescribeStreamSummary":         operate(describeSummary),
	"GetRecords":                    operate(getRecords),
	"GetShardIterator":              operate(getShardIterator),
	"IncreaseStreamRetentionPeriod": operate(setRetention),
	"ListShards":                    operate(listShards),
	"ListStreams":                   operate(listStreams),
	"ListTagsForStream":             operate(listTags),
	"MergeShards":                   operate(mergeShards),
	"PutRecord":                     operate(putRecord),
	"PutRecords":                    operate(putRecords),
	"RemoveTagsFromStream":          operate(removeTags),
	"SplitShard":                    operate(splitShard),
	"UpdateShardCount":              operate(updateShardCount),
}

// operate makes an operation of a function over typed input and output; nil
// output is an operation without a result.
func operate[In, Out any](run func(context.Context, *caller, *In) (*Out, error)) func(context.Context, *caller, *awswire.Call) (any, error) {
	return func(ctx context.Context, c *caller, call *awswire.Call) (any, error) {
		in := new(In)
		if err := call.Decode(in); err != nil {
			return nil, err
		}
		out, err := run(ctx, c, in)
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
}

// named names the stream of a call.
type named struct{ StreamName, StreamARN string }

type none struct{}

type createStreamInput struct {
	StreamName        string
	ShardCount        *int
	StreamModeDetails *struct{ StreamMode string }
	Tags              map[string]string
}

func createStream(ctx context.Context, c *caller, in *createStreamInput) (*none, error) {
	onDemand := in.StreamModeDetails != nil && in.StreamModeDetails.StreamMode == "ON_DEMAND" || in.StreamModeDetails == nil && in.ShardCount == nil
	shards := 0
	if in.ShardCount != nil {
		shards = *in.ShardCount
	}
	d, err := c.describe(address{c.region, c.account, in.StreamName}, shards, onDemand, 0)
	if err != nil {
		return nil, err
	}
	d.Tags = in.Tags
	if err := checkTags(d.Tags); err != nil {
		return nil, err
	}
	return nil, c.create(ctx, d)
}

func deleteStream(ctx context.Context, c *caller, in *named) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return nil, c.drop(ctx, st)
}

type describeStreamInput struct {
	StreamName, StreamARN, ExclusiveStartShardId string
	Limit                                        *int
}

type describeStreamOutput struct{ StreamDescription streamDescription }

type streamDescription struct {
	StreamName, StreamARN, StreamStatus string
	StreamModeDetails                   map[string]string
	Shards                              []shardOutput
	HasMoreShards                       bool
	RetentionPeriodHours                int
	StreamCreationTimestamp             float64
	EnhancedMonitoring                  []map[string][]string
	EncryptionType                      string
}

type shardOutput struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          map[string]string
	SequenceNumberRange   map[string]string
}

func (p plan) hashKeyRange() map[string]string {
	return map[string]string{"StartingHashKey": p.First, "EndingHashKey": p.Last}
}

// shardOutput describes a shard. The API has room for two parents: of more, which
// UpdateShardCount makes, it names the outer ones.
func (st *stream) shardOutput(s *shard) shardOutput {
	p := st.plan(s)
	out := shardOutput{ShardId: s.id(), HashKeyRange: p.hashKeyRange(), SequenceNumberRange: map[string]string{"StartingSequenceNumber": s.sequenceNumber(0)}}
	if n := len(p.Parents); n > 0 {
		out.ParentShardId = shardID(p.Parents[0])
		if n > 1 {
			out.AdjacentParentShardId = shardID(p.Parents[n-1])
		}
	}
	if p.isClosed() {
		last, _ := s.newest()
		out.SequenceNumberRange["EndingSequenceNumber"] = s.sequenceNumber(last)
	}
	return out
}

// after returns the shards after the one with this id, at most limit, and whether
// there are more.
func (st *stream) after(id string, limit int) (all []shardOutput, more bool) {
	all = []shardOutput{}
	for _, s := range st.listed() {
		if s.id() <= id {
			continue
		}
		if len(all) == limit {
			return all, true
		}
		all = append(all, st.shardOutput(s))
	}
	return all, false
}

func mode(d description) map[string]string {
	if d.OnDemand {
		return map[string]string{"StreamMode": "ON_DEMAND"}
	}
	return map[string]string{"StreamMode": "PROVISIONED"}
}

// limitOf is a call's limit, or otherwise.
func limitOf(given *int, otherwise, most int) (int, error) {
	if given == nil {
		return otherwise, nil
	}
	if *given < 1 || *given > most {
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value from 1 to %d", *given, most)
	}
	return *given, nil
}

func describeStream(_ context.Context, c *caller, in *describeStreamInput) (*describeStreamOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, 100, 10_000)
	if err != nil {
		return nil, err
	}
	d := st.now()
	out := streamDescription{
		StreamName: d.Name, StreamARN: d.ARN, StreamStatus: "ACTIVE", StreamModeDetails: mode(d),
		RetentionPeriodHours: int(d.Retention / time.Hour), StreamCreationTimestamp: float64(d.Created.UnixMilli()) / 1000,
		EnhancedMonitoring: []map[string][]string{{"ShardLevelMetrics": {}}}, EncryptionType: "NONE",
	}
	out.Shards, out.HasMoreShards = st.after(in.ExclusiveStartShardId, limit)
	return &describeStreamOutput{out}, nil
}

type describeSummaryOutput struct{ StreamDescriptionSummary streamSummary }

type streamSummary struct {
	StreamName, StreamARN, StreamStatus string
	StreamModeDetails                   map[string]string
	RetentionPeriodHours                int
	StreamCreationTimestamp             float64
	EnhancedMonitoring                  []map[string][]string
	EncryptionType                      string
	OpenShardCount, ConsumerCount       int
}

func describeSummary(_ context.Context, c *caller, in *named) (*describeSummaryOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	d := st.now()
	return &describeSummaryOutput{streamSummary{
		StreamName: d.Name, StreamARN: d.ARN, StreamStatus: "ACTIVE", StreamModeDetails: mode(d),
		RetentionPeriodHours: int(d.Retention / time.Hour), StreamCreationTimestamp: float64(d.Created.UnixMilli()) / 1000,
		EnhancedMonitoring: []map[string][]string{{"ShardLevelMetrics": {}}}, EncryptionType: "NONE", OpenShardCount: d.openShards(),
	}}, nil
}

type listShardsInput struct {
	StreamName, StreamARN, NextToken, ExclusiveStartShardId string
	MaxResults                                              *int
}

type listShardsOutput struct {
	Shards    []shardOutput
	NextToken string `json:",omitempty"`
}

// listShards pages with tokens that are the stream's ARN and the last shard's id.
func listShards(_ context.Context, c *caller, in *listShardsInput) (*listShardsOutput, error) {
	if in.NextToken != "" {
		if in.StreamName != "" || in.StreamARN != "" {
			return nil, invalid("NextToken and StreamName cannot be provided together.")
		}
		arn, last, ok := strings.Cut(in.NextToken, "#")
		if !ok {
			return nil, fault("ExpiredNextTokenException", "The pagination token is invalid.")
		}
		in.StreamARN, in.ExclusiveStartShardId = arn, last
	}
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.MaxResults, 1000, 10_000)
	if err != nil {
		return nil, err
	}
	shards, more := st.after(in.ExclusiveStartShardId, limit)
	out := &listShardsOutput{Shards: shards}
	if more {
		out.NextToken = st.ARN + "#" + shards[len(shards)-1].ShardId
	}
	return out, nil
}

type listStreamsInput struct {
	ExclusiveStartStreamName, NextToken string
	Limit                               *int
}

type listStreamsOutput struct {
	StreamNames     []string
	StreamSummaries []streamListed
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"`
}

type streamListed struct {
	StreamName, StreamARN, StreamStatus string
	StreamModeDetails                   map[string]string
	StreamCreationTimestamp             float64
}

func listStreams(_ context.Context, c *caller, in *listStreamsInput) (*listStreamsOutput, error) {
	limit, err := limitOf(in.Limit, 100, 10_000)
	if err != nil {
		return nil, err
	}
	start := max(in.ExclusiveStartStreamName, in.NextToken)
	prefix := address{c.region, c.account, ""}.arn()
	c.mu.RLock()
	arns := slices.Sorted(maps.Keys(c.streams))
	c.mu.RUnlock()
	out := &listStreamsOutput{StreamNames: []string{}, StreamSummaries: []streamListed{}}
	for _, arn := range arns {
		st, ok := c.find(arn)
		if !ok || !strings.HasPrefix(arn, prefix) || st.Name <= start {
			continue
		}
		if len(out.StreamNames) == limit {
			out.HasMoreStreams, out.NextToken = true, out.StreamNames[limit-1]
			break
		}
		d := st.now()
		out.StreamNames = append(out.StreamNames, d.Name)
		out.StreamSummaries = append(out.StreamSummaries, streamListed{d.Name, d.ARN, "ACTIVE", mode(d), float64(d.Created.UnixMilli()) / 1000})
	}
	return out, nil
}

type setRetentionInput struct {
	StreamName, StreamARN string
	RetentionPeriodHours  int
}

func setRetention(ctx context.Context, c *caller, in *setRetentionInput) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if n := in.RetentionPeriodHours; n < minRetention || n > maxRetention {
		return nil, invalid("The retention period is %d hours and must be from %d to %d.", n, minRetention, maxRetention)
	}
	return nil, c.alter(ctx, st, func(d *description) error {
		d.Retention = time.Duration(in.RetentionPeriodHours) * time.Hour
		return nil
	})
}

type describeLimitsOutput struct{ ShardLimit, OpenShardCount, OnDemandStreamCount, OnDemandStreamCountLimit int }

func describeLimits(_ context.Context, c *caller, _ *none) (*describeLimitsOutput, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := &describeLimitsOutput{ShardLimit: 20_000, OnDemandStreamCountLimit: 50}
	prefix := address{c.region, c.account, ""}.arn()
	for arn, st := range c.streams {
		if !strings.HasPrefix(arn, prefix) {
			continue
		}
		d := st.now()
		out.OpenShardCount += d.openShards()
		if d.OnDemand {
			out.OnDemandStreamCount++
		}
	}
	return out, nil
}

type tagsInput struct {
	StreamName, StreamARN string
	Tags                  map[string]string
	TagKeys               []string
}

// The bounds of a stream's tags: their number, and the characters of keys and
// values ("AddTagsToStream" in the Kinesis API reference).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("A stream has at most %d tags.", maxTags)
	}
	for key, value := range tags {
		if n := utf8.RuneCountInString(key); n < 1 || n > maxTagKey || utf8.RuneCountInString(value) > maxTagValue {
			return invalid("A tag has a key of 1 to %d characters and a value of at most %d: %s.", maxTagKey, maxTagValue, clip(key))
		}
	}
	return nil
}

func addTags(ctx context.Context, c *caller, in *tagsInput) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return nil, c.alter(ctx, st, func(d *description) error {
		tags := make(map[string]string)
		maps.Copy(tags, d.Tags)
		maps.Copy(tags, in.Tags)
		if err := checkTags(tags); err != nil {
			return err
		}
		d.Tags = tags
		return nil
	})
}

func removeTags(ctx context.Context, c *caller, in *tagsInput) (*none, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return nil, c.alter(ctx, st, func(d *description) error {
		d.Tags = maps.Clone(d.Tags) // who reads them holds no lock
		for _, key := range in.TagKeys {
			delete(d.Tags, key)
		}
		return nil
	})
}

type listTagsOutput struct {
	Tags        []tag
	HasMoreTags bool
}

type tag struct{ Key, Value string }

func listTags(_ context.Context, c *caller, in *named) (*listTagsOutput, error) {
	st, err := c.lookup(in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	out := &listTagsOutput{Tags: []tag{}}
	tags := st.now().Tags
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, tag{key, tags[key]})
	}
	return out, nil
}
