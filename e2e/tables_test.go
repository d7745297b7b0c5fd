package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// changesWithin is how long changes waits for what is to come.
const changesWithin = 20 * time.Second

// item writes and reads items of a table with the AWS SDK. Values are strings,
// and numbers where they are seconds from now: NAME=+60s, NAME=-2h.
//
//	item put TABLE NAME=VALUE...
//	item delete TABLE NAME=VALUE...
//	item get TABLE NAME=VALUE...       prints the item, "none" if there is none
func item(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: item put|delete|get TABLE NAME=VALUE...")
	}
	client, ctx, values := dynamodb.NewFromConfig(config(ts)), context.Background(), attributes(ts, args[2:])
	var err error
	switch args[0] {
	case "put":
		_, err = client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &args[1], Item: values})
	case "delete":
		_, err = client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &args[1], Key: values})
	case "get":
		var out *dynamodb.GetItemOutput
		out, err = client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &args[1], Key: values, ConsistentRead: aws.Bool(true)})
		if err == nil {
			var found map[string]string
			ts.Check(attributevalue.UnmarshalMap(out.Item, &found))
			fmt.Fprintln(ts.Stdout(), written(found))
		}
	default:
		ts.Fatalf("item has no %q", args[0])
	}
	ts.Check(err)
}

func attributes(ts *testscript.TestScript, pairs []string) map[string]types.AttributeValue {
	all := make(map[string]types.AttributeValue)
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			ts.Fatalf("%q is not NAME=VALUE", pair)
		}
		all[name] = &types.AttributeValueMemberS{Value: value}
		if from, err := time.ParseDuration(value); err == nil && strings.ContainsAny(value[:1], "+-") {
			all[name] = &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(from).Unix(), 10)}
		}
	}
	return all
}

// changes TABLE N reads the stream of a table from its beginning with the AWS
// SDK until it has N records, and prints them with their images, and the
// principal that made a change which was not a caller's. "! changes TABLE" holds
// that it has no stream.
func changes(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg != (len(args) == 1) {
		ts.Fatalf("usage: changes TABLE N, ! changes TABLE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), changesWithin)
	defer cancel()
	arn := streamOf(ctx, ts, args[0])
	if neg != (arn == nil) {
		ts.Fatalf("the stream of %s is %q", args[0], aws.ToString(arn))
	}
	if neg {
		return
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	client := dynamodbstreams.NewFromConfig(config(ts))
	next := oldest(ctx, ts, client, arn)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for got := 0; ; {
		out, err := client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: next})
		ts.Check(err)
		for _, r := range out.Records {
			fmt.Fprintln(ts.Stdout(), change(ts, r))
		}
		if got, next = got+len(out.Records), out.NextShardIterator; got > want {
			ts.Fatalf("the stream of %s has %d records, want %d", args[0], got, want)
		}
		if got == want {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			ts.Fatalf("after %s the stream of %s has %d records, want %d", changesWithin, args[0], got, want)
		}
	}
}

// streamOf is the stream that a table has now, or nil.
func streamOf(ctx context.Context, ts *testscript.TestScript, table string) *string {
	out, err := dynamodb.NewFromConfig(config(ts)).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	ts.Check(err)
	if s := out.Table.StreamSpecification; s == nil || !aws.ToBool(s.StreamEnabled) {
		return nil
	}
	return out.Table.LatestStreamArn
}

// oldest is an iterator at the beginning of a stream.
func oldest(ctx context.Context, ts *testscript.TestScript, client *dynamodbstreams.Client, arn *string) *string {
	stream, err := client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	ts.Check(err)
	if len(stream.StreamDescription.Shards) != 1 {
		ts.Fatalf("%s has %d shards", *arn, len(stream.StreamDescription.Shards))
	}
	out, err := client.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn,
		ShardId: stream.StreamDescription.Shards[0].ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon})
	ts.Check(err)
	return out.ShardIterator
}

// change writes a record: "MODIFY id=ann: city=Bern id=ann -> city=Rome id=ann".
func change(ts *testscript.TestScript, r streamtypes.Record) string {
	image := func(of map[string]streamtypes.AttributeValue) string {
		plain, err := attributevalue.FromDynamoDBStreamsMap(of)
		ts.Check(err)
		var values map[string]string
		ts.Check(attributevalue.UnmarshalMap(plain, &values))
		return written(values)
	}
	text := fmt.Sprintf("%s %s: %s -> %s", r.EventName, image(r.Dynamodb.Keys), image(r.Dynamodb.OldImage), image(r.Dynamodb.NewImage))
	if r.UserIdentity != nil {
		text += " by " + aws.ToString(r.UserIdentity.PrincipalId)
	}
	return text
}

// written are values in the order of their names; numbers, which are times, are
// left out.
func written(values map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, err := strconv.Atoi(values[name]); err != nil {
			list = append(list, name+"="+values[name])
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " ")
}
