package push

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Recent yields the connections of the last window, as Roster says.
func (d *DynamoDB) Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		if window <= 0 {
			return
		}
		d.since(ctx, timestamp(time.Now().Add(-window)), yield)
	}
}

// All yields every connection, as Roster says.
func (d *DynamoDB) All(ctx context.Context) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) { d.since(ctx, "", yield) }
}

// since yields the live rows of every shard that were entered at or after a
// timestamp. They have a fixed width, so that their order as strings is their
// order in time, and "" comes before all of them.
func (d *DynamoDB) since(ctx context.Context, since string, yield func(Connection, error) bool) {
	for shard := range d.shards {
		for c, err := range d.query(ctx, d.recent(shard, since)) {
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Count counts the connections, as Roster says. It reads what All reads.
func (d *DynamoDB) Count(ctx context.Context) (int, error) {
	total := 0
	for shard := range d.shards {
		in := d.recent(shard, "")
		in.Select = types.SelectCount
		for pages := dynamodb.NewQueryPaginator(d.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return 0, d.queryError(in, err)
			}
			total += int(page.Count)
		}
	}
	return total, nil
}

// ByUser yields a user's connections, as Roster says.
func (d *DynamoDB) ByUser(ctx context.Context, user string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		if user == "" || len(user) > MaxName {
			return
		}
		in := d.living("UserId = :user", text(user), ":user")
		in.IndexName = aws.String(usersIndex)
		d.query(ctx, in)(yield)
	}
}

// ByGroup yields a group's connections, as Roster says, with strong
// consistency.
func (d *DynamoDB) ByGroup(ctx context.Context, group string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		if checkGroup(group) != nil {
			return
		}
		in := d.living("PK = :group", text(groupPrefix+group), ":group")
		in.ConsistentRead = aws.Bool(true)
		d.query(ctx, in)(yield)
	}
}

// recent is the query of one shard of the recency index.
func (d *DynamoDB) recent(shard int, since string) *dynamodb.QueryInput {
	in := d.living("RecencyShard = :shard", number(int64(shard)), ":shard")
	in.IndexName = aws.String(recentIndex)
	if since != "" {
		in.KeyConditionExpression = aws.String("RecencyShard = :shard AND EstablishedTime >= :since")
		in.ExpressionAttributeValues[":since"] = text(since)
	}
	return in
}

// living is a query that leaves out expired rows, which DynamoDB deletes up to
// days late.
func (d *DynamoDB) living(key string, value types.AttributeValue, name string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:                 &d.table,
		KeyConditionExpression:    &key,
		FilterExpression:          aws.String("ExpiresAt > :now"),
		ExpressionAttributeValues: map[string]types.AttributeValue{name: value, ":now": epoch(time.Now())},
	}
	if d.page > 0 {
		in.Limit = &d.page
	}
	return in
}

// query yields what a query finds, page by page.
func (d *DynamoDB) query(ctx context.Context, in *dynamodb.QueryInput) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for pages := dynamodb.NewQueryPaginator(d.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Connection{}, d.queryError(in, err))
				return
			}
			for _, item := range page.Items {
				if !yield(connectionOf(item), nil) {
					return
				}
			}
		}
	}
}

func (d *DynamoDB) queryError(in *dynamodb.QueryInput, err error) error {
	if in.IndexName == nil {
		return fmt.Errorf("query table %s: %w", d.table, err)
	}
	return fmt.Errorf("query index %s of table %s: %w", *in.IndexName, d.table, err)
}
