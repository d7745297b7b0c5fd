// Package sdk2 works with a data stream through the AWS SDK for Go v2. All
// versions of the SDK build it.
package sdk2

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

var (
	stream = aws.String(os.Getenv("STREAM"))
	ctx    = context.Background()
)

// patience bounds the waiters.
const patience = 20 * time.Second

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	cfg, err := config.LoadDefaultConfig(ctx)
	check(err)
	// Versions since November 2023 know AWS_ENDPOINT_URL and are left alone.
	k := kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
		if at := os.Getenv("ENDPOINT"); at != "" {
			o.EndpointResolver = kinesis.EndpointResolverFromURL(at)
		}
	})
	create(k)
	put(k)
	read(k)
	_, err = k.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("missing"), PartitionKey: aws.String("k"), Data: []byte("x")})
	var known smithy.APIError
	var typed *types.ResourceNotFoundException
	if !errors.As(err, &known) || !errors.As(err, &typed) {
		log.Fatal(err)
	}
	fmt.Println("put failed:", known.ErrorCode())
	_, err = k.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: stream})
	check(err)
	check(kinesis.NewStreamNotExistsWaiter(k).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: stream}, patience))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func create(k *kinesis.Client) {
	_, err := k.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(2)})
	check(err)
	check(kinesis.NewStreamExistsWaiter(k).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: stream}, patience))
	out, err := k.DescribeStream(ctx, &kinesis.DescribeStreamInput{StreamName: stream})
	check(err)
	d := out.StreamDescription
	fmt.Println("created", d.StreamStatus, "with", len(d.Shards), "shards for", *d.RetentionPeriodHours, "hours")
}

func put(k *kinesis.Client) {
	one, err := k.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("ann"), Data: []byte("b\x00")})
	check(err)
	fmt.Println("put one to", *one.ShardId)
	var records []types.PutRecordsRequestEntry
	for _, hash := range []string{"0", "340282366920938463463374607431768211455"} {
		records = append(records, types.PutRecordsRequestEntry{PartitionKey: aws.String("bob"), ExplicitHashKey: aws.String(hash), Data: []byte("Rome")})
	}
	out, err := k.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: stream, Records: records})
	check(err)
	fmt.Println("put", *out.Records[0].ShardId, *out.Records[1].ShardId, *out.FailedRecordCount, "failed")
}

func read(k *kinesis.Client) {
	shards, err := k.ListShards(ctx, &kinesis.ListShardsInput{StreamName: stream})
	check(err)
	for _, s := range shards.Shards {
		at, err := k.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: stream, ShardId: s.ShardId, ShardIteratorType: "TRIM_HORIZON"})
		check(err)
		out, err := k.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
		check(err)
		for _, r := range out.Records {
			fmt.Printf("read %s %q, %d digits, %v\n", *r.PartitionKey, r.Data, len(*r.SequenceNumber), !r.ApproximateArrivalTimestamp.IsZero())
		}
	}
}
