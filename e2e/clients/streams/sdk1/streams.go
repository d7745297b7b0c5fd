// Package sdk1 works with a data stream through the AWS SDK for Go v1.
package sdk1

import (
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/kinesis"
)

var stream = aws.String(os.Getenv("STREAM"))

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	k := kinesis.New(session.Must(session.NewSession(aws.NewConfig().WithEndpoint(os.Getenv("ENDPOINT")))))
	create(k)
	put(k)
	read(k)
	_, err := k.PutRecord(&kinesis.PutRecordInput{StreamName: aws.String("missing"), PartitionKey: aws.String("k"), Data: []byte("x")})
	known, ok := err.(awserr.Error)
	if !ok {
		log.Fatal(err)
	}
	fmt.Println("put failed:", known.Code())
	_, err = k.DeleteStream(&kinesis.DeleteStreamInput{StreamName: stream})
	check(err)
	check(k.WaitUntilStreamNotExists(&kinesis.DescribeStreamInput{StreamName: stream}))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func create(k *kinesis.Kinesis) {
	_, err := k.CreateStream(&kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int64(2)})
	check(err)
	check(k.WaitUntilStreamExists(&kinesis.DescribeStreamInput{StreamName: stream}))
	out, err := k.DescribeStream(&kinesis.DescribeStreamInput{StreamName: stream})
	check(err)
	d := out.StreamDescription
	fmt.Println("created", *d.StreamStatus, "with", len(d.Shards), "shards for", *d.RetentionPeriodHours, "hours")
}

func put(k *kinesis.Kinesis) {
	one, err := k.PutRecord(&kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("ann"), Data: []byte("b\x00")})
	check(err)
	fmt.Println("put one to", *one.ShardId)
	var records []*kinesis.PutRecordsRequestEntry
	for _, hash := range []string{"0", "340282366920938463463374607431768211455"} {
		records = append(records, &kinesis.PutRecordsRequestEntry{PartitionKey: aws.String("bob"), ExplicitHashKey: aws.String(hash), Data: []byte("Rome")})
	}
	out, err := k.PutRecords(&kinesis.PutRecordsInput{StreamName: stream, Records: records})
	check(err)
	fmt.Println("put", *out.Records[0].ShardId, *out.Records[1].ShardId, *out.FailedRecordCount, "failed")
}

func read(k *kinesis.Kinesis) {
	shards, err := k.ListShards(&kinesis.ListShardsInput{StreamName: stream})
	check(err)
	for _, s := range shards.Shards {
		at, err := k.GetShardIterator(&kinesis.GetShardIteratorInput{StreamName: stream, ShardId: s.ShardId, ShardIteratorType: aws.String("TRIM_HORIZON")})
		check(err)
		out, err := k.GetRecords(&kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
		check(err)
		for _, r := range out.Records {
			fmt.Printf("read %s %q, %d digits, %v\n", *r.PartitionKey, r.Data, len(*r.SequenceNumber), !r.ApproximateArrivalTimestamp.IsZero())
		}
	}
}
