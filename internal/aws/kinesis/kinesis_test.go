package kinesis_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/internal/bus"
)

// patience bounds every wait.
const patience = 20 * time.Second

// service is a Kinesis with a client of the Go SDK.
type service struct {
	*kinesis.Service
	*sdk.Client
	dir string
	bus *bus.Bus
}

func open(t testing.TB, dir string) *service {
	t.Helper()
	b, err := bus.Open(bus.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := kinesis.New(t.Context(), kinesis.Config{Bus: b, Region: "eu-west-1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := &awswire.Endpoint{}
	endpoint.Register(s)
	server := httptest.NewServer(endpoint)
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(s.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	return &service{s, clientAt(server.URL, "eu-west-1"), dir, b}
}

func clientAt(url, region string) *sdk.Client {
	return sdk.New(sdk.Options{BaseEndpoint: &url, Region: region, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
}

// made makes a stream with a number of shards.
func (s *service) made(t testing.TB, name string, shards int32) {
	t.Helper()
	if _, err := s.CreateStream(t.Context(), &sdk.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
}

func (s *service) put(t testing.TB, stream, key, data string) *sdk.PutRecordOutput {
	t.Helper()
	out, err := s.PutRecord(t.Context(), &sdk.PutRecordInput{StreamName: &stream, PartitionKey: &key, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// iterator asks for one.
func (s *service) iterator(t testing.TB, stream, shard string, kind types.ShardIteratorType, change func(*sdk.GetShardIteratorInput)) *string {
	t.Helper()
	in := &sdk.GetShardIteratorInput{StreamName: &stream, ShardId: &shard, ShardIteratorType: kind}
	if change != nil {
		change(in)
	}
	out, err := s.GetShardIterator(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.ShardIterator
}

// read returns the data of what an iterator gives, and the next iterator.
func (s *service) read(t testing.TB, iterator *string, limit int32) (data []string, next *string) {
	t.Helper()
	out, err := s.GetRecords(t.Context(), &sdk.GetRecordsInput{ShardIterator: iterator, Limit: &limit})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out.Records {
		data = append(data, string(r.Data))
	}
	return data, out.NextShardIterator
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestRecordsAreReadInOrder(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "orders", 1)
	first := s.put(t, "orders", "a", "1")
	second := s.put(t, "orders", "b", "2")
	third := s.put(t, "orders", "a", "3")
	if n := func(o *sdk.PutRecordOutput) *big.Int { n, _ := new(big.Int).SetString(*o.SequenceNumber, 10); return n }; n(first).Cmp(n(second)) >= 0 || n(second).Cmp(n(third)) >= 0 {
		t.Errorf("sequence numbers %s, %s, %s do not grow", *first.SequenceNumber, *second.SequenceNumber, *third.SequenceNumber)
	}
	const shard = "shardId-000000000000"
	latest := s.iterator(t, "orders", shard, types.ShardIteratorTypeLatest, nil)
	for _, tt := range []struct {
		kind   types.ShardIteratorType
		change func(*sdk.GetShardIteratorInput)
		want   string
	}{
		{types.ShardIteratorTypeTrimHorizon, nil, "1 2 3"},
		{types.ShardIteratorTypeLatest, nil, ""},
		{types.ShardIteratorTypeAtSequenceNumber, func(in *sdk.GetShardIteratorInput) { in.StartingSequenceNumber = second.SequenceNumber }, "2 3"},
		{types.ShardIteratorTypeAfterSequenceNumber, func(in *sdk.GetShardIteratorInput) { in.StartingSequenceNumber = second.SequenceNumber }, "3"},
		{types.ShardIteratorTypeAtTimestamp, func(in *sdk.GetShardIteratorInput) { in.Timestamp = aws.Time(time.Now().Add(-time.Hour)) }, "1 2 3"},
		{types.ShardIteratorTypeAtTimestamp, func(in *sdk.GetShardIteratorInput) { in.Timestamp = aws.Time(time.Now().Add(time.Hour)) }, ""},
	} {
		got, _ := s.read(t, s.iterator(t, "orders", shard, tt.kind, tt.change), 10)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s gives %q, want %q", tt.kind, got, tt.want)
		}
	}
	got, next := s.read(t, s.iterator(t, "orders", shard, types.ShardIteratorTypeTrimHorizon, nil), 2)
	rest, end := s.read(t, next, 2)
	if fmt.Sprint(got, rest) != "[1 2] [3]" {
		t.Errorf("in pages of two: %v then %v", got, rest)
	}
	s.put(t, "orders", "c", "4")
	more, _ := s.read(t, end, 10)
	sinceLatest, _ := s.read(t, latest, 10)
	if fmt.Sprint(more, sinceLatest) != "[4] [4]" {
		t.Errorf("what came later: %v, and after LATEST %v", more, sinceLatest)
	}
}

func TestRecordsGoToTheShardOfTheirKey(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "wide", 3)
	shards, err := s.ListShards(t.Context(), &sdk.ListShardsInput{StreamName: aws.String("wide")})
	if err != nil || len(shards.Shards) != 3 {
		t.Fatalf("%+v, %v", shards, err)
	}
	for _, sh := range shards.Shards {
		for _, key := range []string{*sh.HashKeyRange.StartingHashKey, *sh.HashKeyRange.EndingHashKey} {
			out, err := s.PutRecord(t.Context(), &sdk.PutRecordInput{StreamName: aws.String("wide"), PartitionKey: aws.String("k"), ExplicitHashKey: &key, Data: []byte("x")})
			if err != nil || *out.ShardId != *sh.ShardId {
				t.Errorf("the key %s went to %+v, %v; want %s", key, out, err, *sh.ShardId)
			}
		}
	}
	used := make(map[string]bool)
	for i := range 30 {
		key := fmt.Sprint("key", i)
		shard := *s.put(t, "wide", key, "x").ShardId
		used[shard] = true
		if again := *s.put(t, "wide", key, "y").ShardId; again != shard {
			t.Errorf("%s went to %s and to %s", key, shard, again)
		}
	}
	if len(used) != 3 {
		t.Errorf("30 keys went to %v", used)
	}
}

func TestPutRecordsKeepsTheirOrder(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "many", 2)
	var in []types.PutRecordsRequestEntry
	for i := range 500 {
		in = append(in, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint(i % 7)), Data: fmt.Append(nil, i)})
	}
	out, err := s.PutRecords(t.Context(), &sdk.PutRecordsInput{StreamName: aws.String("many"), Records: in})
	if err != nil || *out.FailedRecordCount != 0 || len(out.Records) != 500 {
		t.Fatalf("%v, %v", out, err)
	}
	want := make(map[string][]string)
	for i, r := range out.Records {
		want[*r.ShardId] = append(want[*r.ShardId], fmt.Sprint(i))
	}
	for shard, records := range want {
		if got, _ := s.read(t, s.iterator(t, "many", shard, types.ShardIteratorTypeTrimHorizon, nil), 1000); !slices.Equal(got, records) {
			t.Errorf("shard %s has %v, want %v", shard, got, records)
		}
	}
}

// TestLargeRecordsComeInPages: an answer has 10 MB at most.
func TestLargeRecordsComeInPages(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "large", 1)
	for range 12 {
		s.put(t, "large", "k", strings.Repeat("x", kinesis.MaxRecord-100))
	}
	it, count := s.iterator(t, "large", "shardId-000000000000", types.ShardIteratorTypeTrimHorizon, nil), []int{}
	for range 2 {
		var got []string
		got, it = s.read(t, it, 100)
		count = append(count, len(got))
	}
	if fmt.Sprint(count) != "[10 2]" {
		t.Errorf("the pages have %v records", count)
	}
}

// TestStreamsOutliveTheProcess: a stream, its records and its settings are there
// after a restart, and numbers go on.
func TestStreamsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	var last string
	t.Run("before", func(t *testing.T) {
		s := open(t, dir)
		s.made(t, "kept", 2)
		if _, err := s.AddTagsToStream(t.Context(), &sdk.AddTagsToStreamInput{StreamName: aws.String("kept"), Tags: map[string]string{"a": "b"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.IncreaseStreamRetentionPeriod(t.Context(), &sdk.IncreaseStreamRetentionPeriodInput{StreamName: aws.String("kept"), RetentionPeriodHours: aws.Int32(48)}); err != nil {
			t.Fatal(err)
		}
		last = *s.put(t, "kept", "k", "before").SequenceNumber
	})
	s := open(t, dir)
	put := s.put(t, "kept", "k", "after")
	if *put.SequenceNumber <= last {
		t.Errorf("number %s after %s", *put.SequenceNumber, last)
	}
	if got, _ := s.read(t, s.iterator(t, "kept", *put.ShardId, types.ShardIteratorTypeTrimHorizon, nil), 10); fmt.Sprint(got) != "[before after]" {
		t.Errorf("the shard has %v", got)
	}
	d, err := s.DescribeStream(t.Context(), &sdk.DescribeStreamInput{StreamName: aws.String("kept")})
	if err != nil || *d.StreamDescription.RetentionPeriodHours != 48 || len(d.StreamDescription.Shards) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	tags, err := s.ListTagsForStream(t.Context(), &sdk.ListTagsForStreamInput{StreamName: aws.String("kept")})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "b" {
		t.Errorf("%+v, %v", tags, err)
	}
}

// TestAStreamHalfMadeIsNoStream: its first shard is made last.
func TestAStreamHalfMadeIsNoStream(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		s := open(t, dir)
		s.made(t, "half", 2)
		journals, err := s.bus.Journals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range journals {
			if strings.HasSuffix(j.Config().Name, "-0") {
				if err := j.Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	s := open(t, dir)
	if out, err := s.ListStreams(t.Context(), &sdk.ListStreamsInput{}); err != nil || len(out.StreamNames) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	s.made(t, "half", 2)
}

func TestEachRegionHasItsStreams(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "here", 1)
	elsewhere := clientAt(*s.Client.Options().BaseEndpoint, "us-east-2")
	if _, err := elsewhere.DescribeStream(t.Context(), &sdk.DescribeStreamInput{StreamName: aws.String("here")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("in another region: %v", err)
	}
	out, err := elsewhere.ListStreams(t.Context(), &sdk.ListStreamsInput{})
	if err != nil || len(out.StreamNames) != 0 {
		t.Errorf("another region has %+v, %v", out, err)
	}
}

func TestListsComeInPages(t *testing.T) {
	s := open(t, t.TempDir())
	for _, name := range []string{"c", "a", "b"} {
		s.made(t, name, 1)
	}
	page, err := s.ListStreams(t.Context(), &sdk.ListStreamsInput{Limit: aws.Int32(2)})
	if err != nil || fmt.Sprint(page.StreamNames, *page.HasMoreStreams) != "[a b] true" {
		t.Fatalf("%+v, %v", page, err)
	}
	page, err = s.ListStreams(t.Context(), &sdk.ListStreamsInput{Limit: aws.Int32(2), NextToken: page.NextToken})
	if err != nil || fmt.Sprint(page.StreamNames, *page.HasMoreStreams) != "[c] false" {
		t.Errorf("%+v, %v", page, err)
	}
	s.made(t, "wide", 5)
	var ids []string
	in := &sdk.ListShardsInput{StreamName: aws.String("wide"), MaxResults: aws.Int32(2)}
	for {
		out, err := s.ListShards(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, sh := range out.Shards {
			ids = append(ids, (*sh.ShardId)[18:])
		}
		if out.NextToken == nil {
			break
		}
		in = &sdk.ListShardsInput{NextToken: out.NextToken, MaxResults: aws.Int32(2)}
	}
	if fmt.Sprint(ids) != "[00 01 02 03 04]" {
		t.Errorf("the shards are %v", ids)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "s", 1)
	ctx, name := t.Context(), aws.String("s")
	const shard = "shardId-000000000000"
	for want, err := range map[string]error{
		"ResourceInUseException again":           second(s.CreateStream(ctx, &sdk.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)})),
		"InvalidArgumentException name":          second(s.CreateStream(ctx, &sdk.CreateStreamInput{StreamName: aws.String("a b"), ShardCount: aws.Int32(1)})),
		"InvalidArgumentException shards":        second(s.CreateStream(ctx, &sdk.CreateStreamInput{StreamName: aws.String("t"), ShardCount: aws.Int32(kinesis.MaxShards + 1)})),
		"ResourceNotFoundException put":          second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: aws.String("none"), PartitionKey: aws.String("k"), Data: []byte("x")})),
		"InvalidArgumentException no key":        second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String(""), Data: []byte("x")})),
		"InvalidArgumentException long key":      second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String(strings.Repeat("k", 257)), Data: []byte("x")})),
		"InvalidArgumentException large":         second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: bytes.Repeat([]byte("x"), kinesis.MaxRecord)})),
		"InvalidArgumentException hash":          second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("-1"), Data: []byte("x")})),
		"ResourceNotFoundException shard":        second(s.GetShardIterator(ctx, &sdk.GetShardIteratorInput{StreamName: name, ShardId: aws.String("shardId-000000000009"), ShardIteratorType: "LATEST"})),
		"InvalidArgumentException sequence":      second(s.GetShardIterator(ctx, &sdk.GetShardIteratorInput{StreamName: name, ShardId: aws.String(shard), ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: aws.String("12")})),
		"InvalidArgumentException iterator":      second(s.GetRecords(ctx, &sdk.GetRecordsInput{ShardIterator: aws.String("bm9uc2Vuc2U=")})),
		"InvalidArgumentException hash 2^128":    second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String("340282366920938463463374607431768211456"), Data: []byte("x")})),
		"InvalidArgumentException digits":        second(s.PutRecord(ctx, &sdk.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(strings.Repeat("1", 1<<20)), Data: []byte("x")})),
		"InvalidArgumentException long iterator": second(s.GetRecords(ctx, &sdk.GetRecordsInput{ShardIterator: aws.String(strings.Repeat("A", 2000))})),
		"InvalidArgumentException tag":           second(s.AddTagsToStream(ctx, &sdk.AddTagsToStreamInput{StreamName: name, Tags: map[string]string{"k": strings.Repeat("v", 257)}})),
		"InvalidArgumentException tags":          second(s.AddTagsToStream(ctx, &sdk.AddTagsToStreamInput{StreamName: name, Tags: manyTags()})),
		"InvalidArgumentException epoch":         second(s.GetShardIterator(ctx, &sdk.GetShardIteratorInput{StreamName: name, ShardId: aws.String(shard), ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: aws.String("49" + strings.Repeat("0", 54))})),
		"InvalidArgumentException limit":         second(s.GetRecords(ctx, &sdk.GetRecordsInput{ShardIterator: s.iterator(t, "s", shard, "LATEST", nil), Limit: aws.Int32(10_001)})),
		"InvalidArgumentException retention":     second(s.IncreaseStreamRetentionPeriod(ctx, &sdk.IncreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: aws.Int32(23)})),
		"UnknownOperationException":              second(s.RegisterStreamConsumer(ctx, &sdk.RegisterStreamConsumerInput{StreamARN: aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/s"), ConsumerName: aws.String("c")})),
	} {
		if got := code(err); got != strings.Fields(want)[0] {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestAccountsAreApart: an access key of twelve digits names an account.
func TestAccountsAreApart(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "mine", 1)
	o := s.Client.Options()
	o.Credentials = credentials.NewStaticCredentialsProvider("111111111111", "b", "")
	other := sdk.New(o)
	if _, err := other.DescribeStream(t.Context(), &sdk.DescribeStreamInput{StreamName: aws.String("mine")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("another account's stream: %v", err)
	}
	if _, err := other.CreateStream(t.Context(), &sdk.CreateStreamInput{StreamName: aws.String("mine"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	d, err := other.DescribeStream(t.Context(), &sdk.DescribeStreamInput{StreamName: aws.String("mine")})
	if err != nil || *d.StreamDescription.StreamARN != "arn:aws:kinesis:eu-west-1:111111111111:stream/mine" {
		t.Errorf("%+v, %v", d, err)
	}
}

func manyTags() map[string]string {
	tags := make(map[string]string)
	for i := range 51 {
		tags[fmt.Sprint("k", i)] = "v"
	}
	return tags
}

func second[T any](_ T, err error) error { return err }

// FuzzSequence: no sequence number that a client makes up does harm.
func FuzzSequence(f *testing.F) {
	s := open(f, f.TempDir())
	s.made(f, "s", 1)
	f.Add(*s.put(f, "s", "k", "x").SequenceNumber)
	f.Add("49" + strings.Repeat("0", 54))
	f.Add("49" + strings.Repeat("9", 54))
	f.Fuzz(func(t *testing.T, text string) {
		s.refusesOnly(t, "GetShardIterator", map[string]string{
			"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": text,
		}, "InvalidArgumentException")
	})
}

// FuzzIterator: nor does an iterator.
func FuzzIterator(f *testing.F) {
	s := open(f, f.TempDir())
	s.made(f, "s", 1)
	text, err := base64.URLEncoding.DecodeString(*s.iterator(f, "s", "shardId-000000000000", "LATEST", nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s.refusesOnly(t, "GetRecords", map[string]string{"ShardIterator": base64.URLEncoding.EncodeToString(text)},
			"InvalidArgumentException", "ExpiredIteratorException", "ResourceNotFoundException")
	})
}

// refusesOnly makes a call that may fail with these codes only.
func (s *service) refusesOnly(t *testing.T, operation string, in map[string]string, codes ...string) {
	t.Helper()
	_, err := s.Do(t.Context(), &awswire.Call{Operation: operation, Body: awswire.MarshalJSON(in)})
	if e, ok := errors.AsType[*awswire.Error](err); err != nil && (!ok || !slices.Contains(codes, e.Code)) {
		t.Fatalf("%v: %v", in, err)
	}
}
