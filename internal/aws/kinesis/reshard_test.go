package kinesis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/gatepost-dev/gatepost/internal/aws/kinesis"
)

const (
	zeroth, oneth, secondShard = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"
	half                       = "170141183460469231731687303715884105728" // 2^127
	most                       = "340282366920938463463374607431768211455"
)

func (s *service) putAt(t testing.TB, stream, hash, data string) *sdk.PutRecordOutput {
	t.Helper()
	out, err := s.PutRecord(t.Context(), &sdk.PutRecordInput{StreamName: &stream, PartitionKey: aws.String("k"), ExplicitHashKey: &hash, Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// layout writes the shards of a stream: number, parents, hash keys, and whether
// they are closed.
func (s *service) layout(t testing.TB, stream string) string {
	t.Helper()
	out, err := s.ListShards(t.Context(), &sdk.ListShardsInput{StreamName: &stream})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	number := func(id *string) string {
		return strings.TrimLeft(strings.TrimPrefix(aws.ToString(id), "shardId-"), "0")
	}
	for _, sh := range out.Shards {
		text := fmt.Sprintf("%s(%s,%s)", number(sh.ShardId), number(sh.ParentShardId), number(sh.AdjacentParentShardId))
		if sh.ParentShardId == nil {
			text = number(sh.ShardId) + "()"
		}
		text += fmt.Sprintf(" %.4s-%.4s", *sh.HashKeyRange.StartingHashKey, *sh.HashKeyRange.EndingHashKey)
		if sh.SequenceNumberRange.EndingSequenceNumber != nil {
			text += " closed"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// TestSplitAndMerge: what was put before is in the parents, what comes later in
// the children, with larger sequence numbers; all of it outlives the process.
func TestSplitAndMerge(t *testing.T) {
	dir := t.TempDir()
	t.Run("made", func(t *testing.T) {
		s := open(t, dir)
		s.made(t, "s", 1)
		before := s.putAt(t, "s", "1", "before")
		if _, err := s.SplitShard(t.Context(), &sdk.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: aws.String(zeroth), NewStartingHashKey: aws.String(half)}); err != nil {
			t.Fatal(err)
		}
		low, high := s.putAt(t, "s", "1", "low"), s.putAt(t, "s", most, "high")
		if *low.ShardId != oneth || *high.ShardId != secondShard || *low.SequenceNumber <= *before.SequenceNumber {
			t.Errorf("put to %s (%s after %s) and %s", *low.ShardId, *low.SequenceNumber, *before.SequenceNumber, *high.ShardId)
		}
		if got, want := s.layout(t, "s"), "() 0-3402 closed; 1(,) 0-1701; 2(,) 1701-3402"; got != want {
			t.Errorf("the shards are %s, want %s", got, want)
		}
		data, next := s.read(t, s.iterator(t, "s", zeroth, types.ShardIteratorTypeTrimHorizon, nil), 10)
		if fmt.Sprint(data) != "[before]" || next != nil {
			t.Errorf("the parent has %q, then %v", data, next)
		}
		end, err := s.GetRecords(t.Context(), &sdk.GetRecordsInput{ShardIterator: s.iterator(t, "s", zeroth, types.ShardIteratorTypeLatest, nil)})
		if err != nil || end.NextShardIterator != nil || len(end.ChildShards) != 2 || *end.ChildShards[0].ShardId != oneth || *end.ChildShards[1].HashKeyRange.StartingHashKey != half || end.ChildShards[1].ParentShards[0] != zeroth {
			t.Errorf("the end of the parent: %+v, %v", end, err)
		}
	})
	t.Run("opened again and merged", func(t *testing.T) {
		s := open(t, dir)
		if got, want := s.layout(t, "s"), "() 0-3402 closed; 1(,) 0-1701; 2(,) 1701-3402"; got != want {
			t.Errorf("the shards are %s, want %s", got, want)
		}
		if _, err := s.MergeShards(t.Context(), &sdk.MergeShardsInput{StreamName: aws.String("s"), ShardToMerge: aws.String(secondShard), AdjacentShardToMerge: aws.String(oneth)}); err != nil {
			t.Fatal(err)
		}
		if got, want := s.layout(t, "s"), "() 0-3402 closed; 1(,) 0-1701 closed; 2(,) 1701-3402 closed; 3(2,1) 0-3402"; got != want {
			t.Errorf("the shards are %s, want %s", got, want)
		}
		if out := s.putAt(t, "s", most, "after"); *out.ShardId != "shardId-000000000003" {
			t.Errorf("put to %s", *out.ShardId)
		}
		if data, next := s.read(t, s.iterator(t, "s", secondShard, types.ShardIteratorTypeTrimHorizon, nil), 10); fmt.Sprint(data) != "[high]" || next != nil {
			t.Errorf("a parent has %q, then %v", data, next)
		}
		summary, err := s.DescribeStreamSummary(t.Context(), &sdk.DescribeStreamSummaryInput{StreamName: aws.String("s")})
		if err != nil || *summary.StreamDescriptionSummary.OpenShardCount != 1 {
			t.Errorf("%+v, %v", summary, err)
		}
	})
}

// TestReadingToTheEndOfAShard: who waits at a shard is told when it is closed.
func TestReadingToTheEndOfAShard(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "s", 2)
	const arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"
	read := make(chan kinesis.Reading, 1)
	go func() {
		r, err := s.Read(context.WithoutCancel(t.Context()), arn, zeroth, kinesis.Position{}, 10, patience)
		if err != nil {
			t.Error(err)
		}
		read <- r
	}()
	out, err := s.UpdateShardCount(t.Context(), &sdk.UpdateShardCountInput{StreamName: aws.String("s"), TargetShardCount: aws.Int32(3), ScalingType: types.ScalingTypeUniformScaling})
	if err != nil || *out.CurrentShardCount != 2 || *out.TargetShardCount != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if r := <-read; !r.Ended || len(r.Records) != 0 {
		t.Errorf("the end of a shard is %+v", r)
	}
	shards, err := s.Shards(arn)
	if got, want := fmt.Sprint(shards), "[{"+zeroth+" [] false} {"+oneth+" [] false} {"+secondShard+" ["+zeroth+"] true} "+
		"{shardId-000000000003 ["+zeroth+" "+oneth+"] true} {shardId-000000000004 ["+oneth+"] true}]"; err != nil || got != want {
		t.Errorf("the shards are %s, want %s (%v)", got, want, err)
	}
}

// TestNothingIsLostBetweenShards: records that come while shards are split and
// merged are all there, those of a key in their order.
func TestNothingIsLostBetweenShards(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "s", 1)
	var putting sync.WaitGroup
	const puts = 200
	for _, key := range []string{"a", "b", "c"} {
		putting.Go(func() {
			for i := range puts {
				s.put(t, "s", key, fmt.Sprint(i))
			}
		})
	}
	for _, count := range []int32{2, 4, 2, 1} {
		if _, err := s.UpdateShardCount(t.Context(), &sdk.UpdateShardCountInput{StreamName: aws.String("s"), TargetShardCount: &count, ScalingType: types.ScalingTypeUniformScaling}); err != nil {
			t.Fatal(err)
		}
	}
	putting.Wait()
	next := make(map[string]int)
	shards, err := s.ListShards(t.Context(), &sdk.ListShardsInput{StreamName: aws.String("s")})
	if err != nil || len(shards.Shards) != 10 {
		t.Fatalf("%d shards, %v", len(shards.Shards), err)
	}
	for _, sh := range shards.Shards { // parents first
		out, err := s.GetRecords(t.Context(), &sdk.GetRecordsInput{ShardIterator: s.iterator(t, "s", *sh.ShardId, types.ShardIteratorTypeTrimHorizon, nil)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Records {
			if string(r.Data) != fmt.Sprint(next[*r.PartitionKey]) {
				t.Fatalf("%s: %s comes in the place of %d", *r.PartitionKey, r.Data, next[*r.PartitionKey])
			}
			next[*r.PartitionKey]++
		}
	}
	if next["a"] != puts || next["b"] != puts || next["c"] != puts {
		t.Errorf("read %v of %d each", next, puts)
	}
}

func TestShardsThatCannotBeSplitOrMerged(t *testing.T) {
	s := open(t, t.TempDir())
	s.made(t, "s", 4)
	ctx, name := t.Context(), aws.String("s")
	split := func(shard, at string) error {
		return second(s.SplitShard(ctx, &sdk.SplitShardInput{StreamName: name, ShardToSplit: &shard, NewStartingHashKey: &at}))
	}
	merge := func(one, other string) error {
		return second(s.MergeShards(ctx, &sdk.MergeShardsInput{StreamName: name, ShardToMerge: &one, AdjacentShardToMerge: &other}))
	}
	scale := func(n int32) error {
		return second(s.UpdateShardCount(ctx, &sdk.UpdateShardCountInput{StreamName: name, TargetShardCount: &n, ScalingType: types.ScalingTypeUniformScaling}))
	}
	for want, err := range map[string]error{
		"InvalidArgumentException at its first key":    split(zeroth, "0"),
		"InvalidArgumentException outside":             split(zeroth, most),
		"InvalidArgumentException no number":           split(zeroth, "x"),
		"ResourceNotFoundException no shard":           split("shardId-000000000009", "1"),
		"InvalidArgumentException not adjacent":        merge(zeroth, secondShard),
		"InvalidArgumentException with itself":         merge(zeroth, zeroth),
		"InvalidArgumentException more than double":    scale(9),
		"InvalidArgumentException less than half":      scale(1),
		"ResourceNotFoundException no stream to scale": second(s.UpdateShardCount(ctx, &sdk.UpdateShardCountInput{StreamName: aws.String("none"), TargetShardCount: aws.Int32(1), ScalingType: types.ScalingTypeUniformScaling})),
	} {
		if got := code(err); got != strings.Fields(want)[0] {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := merge(zeroth, oneth); err != nil {
		t.Fatal(err)
	}
	if err := split(zeroth, "5"); code(err) != "InvalidArgumentException" {
		t.Errorf("a shard that is closed is split: %v", err)
	}
}
