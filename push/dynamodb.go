package push

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDBAPI is what the DynamoDB roster uses of *dynamodb.Client.
type DynamoDBAPI interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// DefaultShards is how many partitions the recency index spreads its writes
// over. One takes 1,000 writes a second; 500 new connections a second (API
// Gateway's default quota) that all leave again are exactly that, and four
// leave room. Every read of the index costs one query per shard, so more is
// not better.
const DefaultShards = 4

// DynamoDBOptions are the settings of a DynamoDB roster; the zero value is
// fine.
type DynamoDBOptions struct {
	// TTL is how long after ConnectedAt a connection is believed in when its
	// Add does not say; zero means DefaultTTL.
	TTL time.Duration
	// Shards is the number of partitions of the recency index; zero means
	// DefaultShards. Every user of a table must have the same. It can be
	// raised once all readers know the higher number, and lowered once no row
	// of a higher shard is left, that is after one TTL.
	Shards int
	// PageSize bounds the rows of one query; zero means what fits in
	// DynamoDB's 1 MB, about 4,000.
	PageSize int32
}

// DynamoDB is a Roster in one DynamoDB table. README.md has the layout. Adding
// is one conditional write, removing one delete, reading one query per shard
// and page; no method scans.
//
// Recent and All read a global secondary index, which DynamoDB brings up to
// date some moments after the write, normally within tens of milliseconds but
// without a promise. A connection entered just before a read may therefore be
// missing. Let a client ask for the present state once it is open, and push it
// the changes after that.
type DynamoDB struct {
	client DynamoDBAPI
	table  string
	ttl    time.Duration
	shards int
	page   int32
}

// NewDynamoDB returns the roster in a table that has the layout of
// DynamoDBTable. It does not touch the table.
func NewDynamoDB(client DynamoDBAPI, table string, o DynamoDBOptions) *DynamoDB {
	if o.Shards <= 0 {
		o.Shards = DefaultShards
	}
	return &DynamoDB{client: client, table: table, ttl: ttlOr(o.TTL), shards: o.Shards, page: o.PageSize}
}

// Add enters a connection with one conditional write, as Roster says.
func (d *DynamoDB) Add(ctx context.Context, c Connection) error {
	now := time.Now()
	c, err := c.complete(now, d.ttl)
	if err != nil {
		return err
	}
	item := itemOf(c, d.shards)
	_, err = d.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &d.table,
		Item:      item,
		// A row of the same moment is this write, sent again after its answer
		// was lost. Any other row is another life of the id, or an ended one.
		ConditionExpression: aws.String("attribute_not_exists(PK) OR (EstablishedTime = :established AND ExpiresAt > :now)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":established": item[attrEstablished],
			":now":         epoch(now),
		},
	})
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("add a connection to table %s: %w", d.table, err)
	}
	return nil
}

// Remove deletes a connection's row, as Roster says.
func (d *DynamoDB) Remove(ctx context.Context, id string) error {
	if id == "" {
		return ErrNoID
	}
	_, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &d.table, Key: keyOf(id)})
	if err != nil {
		return fmt.Errorf("remove a connection from table %s: %w", d.table, err)
	}
	return nil
}

// Recent yields the connections of the last window, as Roster says.
func (d *DynamoDB) Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		if window <= 0 {
			return
		}
		d.read(ctx, timestamp(time.Now().Add(-window)), yield)
	}
}

// All yields every connection, as Roster says.
func (d *DynamoDB) All(ctx context.Context) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) { d.read(ctx, "", yield) }
}

// read yields the live rows of every shard that were entered at or after
// since. The timestamps have a fixed width, so that their order as strings is
// their order in time, and "" comes before all of them.
func (d *DynamoDB) read(ctx context.Context, since string, yield func(Connection, error) bool) {
	for shard := range d.shards {
		if !d.readShard(ctx, shard, since, yield) {
			return
		}
	}
}

func (d *DynamoDB) readShard(ctx context.Context, shard int, since string, yield func(Connection, error) bool) bool {
	pages := dynamodb.NewQueryPaginator(d.client, d.query(shard, since))
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			yield(Connection{}, fmt.Errorf("query index %s of table %s: %w", recentIndex, d.table, err))
			return false
		}
		for _, item := range page.Items {
			if !yield(connectionOf(item), nil) {
				return false
			}
		}
	}
	return true
}

func (d *DynamoDB) query(shard int, since string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:              &d.table,
		IndexName:              aws.String(recentIndex),
		KeyConditionExpression: aws.String("RecencyShard = :shard"),
		// DynamoDB deletes expired rows up to days late.
		FilterExpression: aws.String("ExpiresAt > :now"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":shard": number(int64(shard)),
			":now":   epoch(time.Now()),
		},
	}
	if since != "" {
		in.KeyConditionExpression = aws.String("RecencyShard = :shard AND EstablishedTime >= :since")
		in.ExpressionAttributeValues[":since"] = text(since)
	}
	if d.page > 0 {
		in.Limit = &d.page
	}
	return in
}
