// Package sdk1 works with a table and its stream through the AWS SDK for Go v1.
package sdk1

import (
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/aws/aws-sdk-go/service/dynamodbstreams"
)

type (
	value = dynamodb.AttributeValue
	item  = map[string]*value
)

var table = aws.String(os.Getenv("TABLE"))

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	s := session.Must(session.NewSession(aws.NewConfig().WithEndpoint(os.Getenv("ENDPOINT"))))
	db := dynamodb.New(s)
	create(db)
	items(db)
	several(db)
	failures(db)
	changes(db, dynamodbstreams.New(s))
	_, err := db.DeleteTable(&dynamodb.DeleteTableInput{TableName: table})
	check(err)
	check(db.WaitUntilTableNotExists(&dynamodb.DescribeTableInput{TableName: table}))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func text(s string) *value   { return &value{S: &s} }
func number(s string) *value { return &value{N: &s} }

func key(name, kind string) []*dynamodb.KeySchemaElement {
	return []*dynamodb.KeySchemaElement{{AttributeName: &name, KeyType: &kind}}
}

func create(db *dynamodb.DynamoDB) {
	_, err := db.CreateTable(&dynamodb.CreateTableInput{
		TableName: table, BillingMode: aws.String("PAY_PER_REQUEST"), KeySchema: key("id", "HASH"),
		AttributeDefinitions:   []*dynamodb.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: aws.String("S")}, {AttributeName: aws.String("city"), AttributeType: aws.String("S")}},
		GlobalSecondaryIndexes: []*dynamodb.GlobalSecondaryIndex{{IndexName: aws.String("byCity"), KeySchema: key("city", "HASH"), Projection: &dynamodb.Projection{ProjectionType: aws.String("ALL")}}},
		StreamSpecification:    &dynamodb.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: aws.String("NEW_AND_OLD_IMAGES")},
	})
	check(err)
	check(db.WaitUntilTableExists(&dynamodb.DescribeTableInput{TableName: table}))
	_, err = db.UpdateTimeToLive(&dynamodb.UpdateTimeToLiveInput{TableName: table, TimeToLiveSpecification: &dynamodb.TimeToLiveSpecification{AttributeName: aws.String("ends"), Enabled: aws.Bool(true)}})
	check(err)
	ttl, err := db.DescribeTimeToLive(&dynamodb.DescribeTimeToLiveInput{TableName: table})
	check(err)
	fmt.Println("created, items end by", *ttl.TimeToLiveDescription.AttributeName)
}

func items(db *dynamodb.DynamoDB) {
	ann := item{"id": text("ann"), "city": text("Bern"), "n": number("1"), "big": number("12345678901234567890.123456789012345678"), "bytes": {B: []byte("b\x00")}, "yes": {BOOL: aws.Bool(true)},
		"none": {NULL: aws.Bool(true)}, "set": {SS: []*string{aws.String("x")}}, "list": {L: []*value{{M: item{"deep": number("1")}}}}}
	_, err := db.PutItem(&dynamodb.PutItemInput{TableName: table, Item: ann})
	check(err)
	out, err := db.GetItem(&dynamodb.GetItemInput{TableName: table, Key: item{"id": text("ann")}, ConsistentRead: aws.Bool(true)})
	check(err)
	got := out.Item
	fmt.Printf("got %s %s %q %v %v %s %s\n", *got["city"].S, *got["big"].N, got["bytes"].B, *got["yes"].BOOL, *got["none"].NULL, *got["set"].SS[0], *got["list"].L[0].M["deep"].N)
	updated, err := db.UpdateItem(&dynamodb.UpdateItemInput{TableName: table, Key: item{"id": text("ann")}, UpdateExpression: aws.String("SET #c = :c ADD n :one"), ReturnValues: aws.String("ALL_NEW"),
		ExpressionAttributeNames: map[string]*string{"#c": aws.String("city")}, ExpressionAttributeValues: item{":c": text("Rome"), ":one": number("1")}})
	check(err)
	fmt.Println("updated to", *updated.Attributes["city"].S, *updated.Attributes["n"].N)
}

func several(db *dynamodb.DynamoDB) {
	var puts []*dynamodb.WriteRequest
	for _, id := range []string{"bob", "cyd"} {
		puts = append(puts, &dynamodb.WriteRequest{PutRequest: &dynamodb.PutRequest{Item: item{"id": text(id), "city": text("Rome")}}})
	}
	_, err := db.BatchWriteItem(&dynamodb.BatchWriteItemInput{RequestItems: map[string][]*dynamodb.WriteRequest{*table: puts}})
	check(err)
	pages, found := 0, 0
	check(db.QueryPages(&dynamodb.QueryInput{TableName: table, IndexName: aws.String("byCity"), KeyConditionExpression: aws.String("city = :c"), ExpressionAttributeValues: item{":c": text("Rome")}, Limit: aws.Int64(2)},
		func(page *dynamodb.QueryOutput, last bool) bool {
			pages, found = pages+1, found+len(page.Items)
			return true
		}))
	scan, err := db.Scan(&dynamodb.ScanInput{TableName: table, FilterExpression: aws.String("attribute_exists(n)")})
	check(err)
	fmt.Println("found", found, "on", pages, "pages,", *scan.Count, "of", *scan.ScannedCount)
}

func failures(db *dynamodb.DynamoDB) {
	_, err := db.PutItem(&dynamodb.PutItemInput{TableName: table, Item: item{"id": text("ann")}, ConditionExpression: aws.String("attribute_not_exists(id)")})
	tell("put", err)
	_, err = db.TransactWriteItems(&dynamodb.TransactWriteItemsInput{TransactItems: []*dynamodb.TransactWriteItem{
		{Put: &dynamodb.Put{TableName: table, Item: item{"id": text("dan")}}},
		{ConditionCheck: &dynamodb.ConditionCheck{TableName: table, Key: item{"id": text("bob")}, ConditionExpression: aws.String("attribute_not_exists(id)")}},
	}})
	tell("transact", err)
	_, err = db.GetItem(&dynamodb.GetItemInput{TableName: aws.String("missing"), Key: item{"id": text("ann")}})
	tell("get", err)
}

func tell(what string, err error) {
	known, ok := err.(awserr.Error)
	if !ok {
		log.Fatalf("%s: %v", what, err)
	}
	fmt.Println(what, "failed:", known.Code())
}

func changes(db *dynamodb.DynamoDB, streams *dynamodbstreams.DynamoDBStreams) {
	_, err := db.DeleteItem(&dynamodb.DeleteItemInput{TableName: table, Key: item{"id": text("ann")}})
	check(err)
	list, err := streams.ListStreams(&dynamodbstreams.ListStreamsInput{TableName: table})
	check(err)
	arn := list.Streams[0].StreamArn
	stream, err := streams.DescribeStream(&dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	check(err)
	at, err := streams.GetShardIterator(&dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: stream.StreamDescription.Shards[0].ShardId, ShardIteratorType: aws.String("TRIM_HORIZON")})
	check(err)
	out, err := streams.GetRecords(&dynamodbstreams.GetRecordsInput{ShardIterator: at.ShardIterator})
	check(err)
	for _, r := range out.Records {
		fmt.Println(*r.EventName, *r.Dynamodb.Keys["id"].S, city(r.Dynamodb.OldImage), city(r.Dynamodb.NewImage))
	}
}

func city(image item) string {
	if image["city"] == nil {
		return "none"
	}
	return *image["city"].S
}
