// Package streams2 reads a table's stream through the AWS SDK for Go v2.
package streams2

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// Changes prints what is in the stream. The endpoint is for versions that do not
// know AWS_ENDPOINT_URL; newer ones are given none.
func Changes(cfg aws.Config, endpoint, table string) error {
	ctx := context.Background()
	streams := dynamodbstreams.NewFromConfig(cfg, func(o *dynamodbstreams.Options) {
		if endpoint != "" {
			o.EndpointResolver = dynamodbstreams.EndpointResolverFromURL(endpoint)
		}
	})
	list, err := streams.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	if err != nil {
		return err
	}
	arn := list.Streams[0].StreamArn
	stream, err := streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		return err
	}
	at, err := streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: stream.StreamDescription.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON"})
	if err != nil {
		return err
	}
	out, err := streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: at.ShardIterator})
	if err != nil {
		return err
	}
	for _, r := range out.Records {
		fmt.Println(r.EventName, r.Dynamodb.Keys["id"].(*types.AttributeValueMemberS).Value, city(r.Dynamodb.OldImage), city(r.Dynamodb.NewImage))
	}
	return nil
}

func city(image map[string]types.AttributeValue) string {
	if v, ok := image["city"].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return "none"
}
