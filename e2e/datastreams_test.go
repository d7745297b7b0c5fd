package e2e

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// record works with a data stream through the AWS SDK.
//
//	record put STREAM KEY DATA...   puts records of one key, in one call if there are several
//	record all STREAM               prints the records of each shard, "KEY DATA"
//	record drop STREAM              deletes the stream
//	record make STREAM              makes one of a shard
func record(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: record put|all|drop|make STREAM [KEY DATA...]")
	}
	client, ctx, stream := kinesis.NewFromConfig(config(ts)), context.Background(), &args[1]
	var err error
	switch {
	case args[0] == "put" && len(args) == 4:
		_, err = client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: &args[2], Data: []byte(args[3])})
	case args[0] == "put" && len(args) > 4:
		var all []types.PutRecordsRequestEntry
		for _, data := range args[3:] {
			all = append(all, types.PutRecordsRequestEntry{PartitionKey: &args[2], Data: []byte(data)})
		}
		_, err = client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: stream, Records: all})
	case args[0] == "all":
		err = printRecords(ctx, ts, client, stream)
	case args[0] == "drop":
		_, err = client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: stream})
	case args[0] == "make":
		one := int32(1)
		_, err = client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: &one})
	default:
		ts.Fatalf("record cannot do %q", args)
	}
	ts.Check(err)
}

func printRecords(ctx context.Context, ts *testscript.TestScript, client *kinesis.Client, stream *string) error {
	shards, err := client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: stream})
	if err != nil {
		return err
	}
	for _, s := range shards.Shards {
		at, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
		if err != nil {
			return err
		}
		out, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
		if err != nil {
			return err
		}
		for _, r := range out.Records {
			fmt.Fprintf(ts.Stdout(), "%s %s\n", *r.PartitionKey, r.Data)
		}
	}
	return nil
}
