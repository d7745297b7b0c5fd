// Package sdk2 works with a table through the AWS SDK for Go v2. All versions of
// the SDK build it.
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
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

type item = map[string]types.AttributeValue

var (
	table = aws.String(os.Getenv("TABLE"))
	ctx   = context.Background()
)

// patience bounds the waiters.
const patience = 20 * time.Second

// Run prints what it sees. Changes reads the table's stream.
func Run(changes func(cfg aws.Config, endpoint, table string) error) {
	log.SetFlags(0)
	cfg, err := config.LoadDefaultConfig(ctx)
	check(err)
	// Versions since November 2023 know AWS_ENDPOINT_URL and are left alone.
	at := os.Getenv("ENDPOINT")
	db := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if at != "" {
			o.EndpointResolver = dynamodb.EndpointResolverFromURL(at)
		}
	})
	create(db)
	items(db)
	several(db)
	failures(db)
	_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: item{"id": text("ann")}})
	check(err)
	check(changes(cfg, at, *table))
	_, err = db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: table})
	check(err)
	check(dynamodb.NewTableNotExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: table}, patience))
	fmt.Println("deleted")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
func plain(v types.AttributeValue) string  { return v.(*types.AttributeValueMemberS).Value }
func digits(v types.AttributeValue) string { return v.(*types.AttributeValueMemberN).Value }

func key(name string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: &name, KeyType: types.KeyTypeHash}}
}

func create(db *dynamodb.Client) {
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest, KeySchema: key("id"),
		AttributeDefinitions:   []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("city"), AttributeType: "S"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("byCity"), KeySchema: key("city"), Projection: &types.Projection{ProjectionType: "ALL"}}},
		StreamSpecification:    &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: "NEW_AND_OLD_IMAGES"},
	})
	check(err)
	check(dynamodb.NewTableExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: table}, patience))
	_, err = db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ends"), Enabled: aws.Bool(true)}})
	check(err)
	ttl, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: table})
	check(err)
	fmt.Println("created, items end by", *ttl.TimeToLiveDescription.AttributeName)
}

func items(db *dynamodb.Client) {
	ann := item{"id": text("ann"), "city": text("Bern"), "n": number("1"), "big": number("12345678901234567890.123456789012345678"), "bytes": &types.AttributeValueMemberB{Value: []byte("b\x00")},
		"yes": &types.AttributeValueMemberBOOL{Value: true}, "none": &types.AttributeValueMemberNULL{Value: true}, "set": &types.AttributeValueMemberSS{Value: []string{"x"}},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: item{"deep": number("1")}}}}}
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: ann})
	check(err)
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: item{"id": text("ann")}, ConsistentRead: aws.Bool(true)})
	check(err)
	got := out.Item
	fmt.Printf("got %s %s %q %v %v %s %s\n", plain(got["city"]), digits(got["big"]), got["bytes"].(*types.AttributeValueMemberB).Value, got["yes"].(*types.AttributeValueMemberBOOL).Value,
		got["none"].(*types.AttributeValueMemberNULL).Value, got["set"].(*types.AttributeValueMemberSS).Value[0],
		digits(got["list"].(*types.AttributeValueMemberL).Value[0].(*types.AttributeValueMemberM).Value["deep"]))
	updated, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: table, Key: item{"id": text("ann")}, UpdateExpression: aws.String("SET #c = :c ADD n :one"), ReturnValues: "ALL_NEW",
		ExpressionAttributeNames: map[string]string{"#c": "city"}, ExpressionAttributeValues: item{":c": text("Rome"), ":one": number("1")}})
	check(err)
	fmt.Println("updated to", plain(updated.Attributes["city"]), digits(updated.Attributes["n"]))
}

func several(db *dynamodb.Client) {
	var puts []types.WriteRequest
	for _, id := range []string{"bob", "cyd"} {
		puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"id": text(id), "city": text("Rome")}}})
	}
	_, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*table: puts}})
	check(err)
	pages, found := 0, 0
	query := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{TableName: table, IndexName: aws.String("byCity"), KeyConditionExpression: aws.String("city = :c"), ExpressionAttributeValues: item{":c": text("Rome")}, Limit: aws.Int32(2)})
	for query.HasMorePages() {
		page, err := query.NextPage(ctx)
		check(err)
		pages, found = pages+1, found+len(page.Items)
	}
	scan, err := db.Scan(ctx, &dynamodb.ScanInput{TableName: table, FilterExpression: aws.String("attribute_exists(n)")})
	check(err)
	fmt.Println("found", found, "on", pages, "pages,", scan.Count, "of", scan.ScannedCount)
}

func failures(db *dynamodb.Client) {
	_, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item{"id": text("ann")}, ConditionExpression: aws.String("attribute_not_exists(id)")})
	var condition *types.ConditionalCheckFailedException
	tell("put", err, errors.As(err, &condition))
	_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: table, Item: item{"id": text("dan")}}},
		{ConditionCheck: &types.ConditionCheck{TableName: table, Key: item{"id": text("bob")}, ConditionExpression: aws.String("attribute_not_exists(id)")}},
	}})
	var canceled *types.TransactionCanceledException
	typed := errors.As(err, &canceled) && len(canceled.CancellationReasons) == 2 && *canceled.CancellationReasons[1].Code == "ConditionalCheckFailed"
	tell("transact", err, typed)
	_, err = db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("missing"), Key: item{"id": text("ann")}})
	var missing *types.ResourceNotFoundException
	tell("get", err, errors.As(err, &missing))
}

func tell(what string, err error, typed bool) {
	var known smithy.APIError
	if !errors.As(err, &known) || !typed {
		log.Fatalf("%s: %v", what, err)
	}
	fmt.Println(what, "failed:", known.ErrorCode())
}
