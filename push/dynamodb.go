package push

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDBAPI is what the DynamoDB roster uses of *dynamodb.Client.
type DynamoDBAPI interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
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

// DynamoDB is a Roster in one DynamoDB table. README.md has the layout and says
// what each method costs; no method scans.
//
// ByGroup reads the table itself, strongly consistent. All, Recent, Count and
// ByUser read global secondary indexes, which DynamoDB brings up to date some
// moments after the write, normally within tens of milliseconds but without a
// promise. A connection entered just before a read may therefore be missing
// there. Let a client ask for the present state once it is open, and push it
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

// Add enters a connection, as Roster says: with one conditional write, or with
// one transaction when it is in groups from the start.
func (d *DynamoDB) Add(ctx context.Context, c Connection) error {
	now := time.Now()
	c, err := c.Complete(now, d.ttl)
	if err != nil {
		return err
	}
	return d.again(ctx, "add a connection to", func() error {
		err := d.insert(ctx, c)
		if !errors.Is(err, errCondition) {
			return err
		}
		old, err := d.row(ctx, c.ID)
		if err != nil {
			return err
		}
		// A row of the same moment is this write, sent again after its answer
		// was lost. Any other row is another life of the id, or an ended one.
		if old.alive(now) && old.ConnectedAt.Equal(c.ConnectedAt) {
			return nil
		}
		return ErrExists
	})
}

func (d *DynamoDB) insert(ctx context.Context, c Connection) error {
	row := types.Put{TableName: &d.table, Item: itemOf(c, d.shards), ConditionExpression: aws.String("attribute_not_exists(PK)")}
	if len(c.Groups) == 0 {
		_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: row.TableName, Item: row.Item, ConditionExpression: row.ConditionExpression})
		return conditionError(err)
	}
	actions := []types.TransactWriteItem{{Put: &row}}
	for _, group := range c.Groups {
		actions = append(actions, types.TransactWriteItem{Put: &types.Put{TableName: &d.table, Item: membershipOf(c, group)}})
	}
	return d.transact(ctx, actions...)
}

// Get returns a connection, as Roster says, with one strongly consistent read.
func (d *DynamoDB) Get(ctx context.Context, id string) (Connection, error) {
	if id == "" {
		return Connection{}, ErrNoID
	}
	r, err := d.row(ctx, id)
	if err != nil {
		return Connection{}, d.wrap("read a connection of", err)
	}
	if !r.alive(time.Now()) {
		return Connection{}, ErrUnknown
	}
	return r.Connection, nil
}

// Touch lets a connection live longer, as Roster says: one conditional write,
// and one for each of its groups. After an error some of them may be done;
// repeating it does the rest.
func (d *DynamoDB) Touch(ctx context.Context, id string, expires time.Time) error {
	if id == "" {
		return ErrNoID
	}
	expires = wholeSecond(expires)
	return d.again(ctx, "touch a connection of", func() error {
		now := time.Now()
		_, err := d.client.UpdateItem(ctx, d.extend(keyOf(id), expires, "ExpiresAt > :now AND ExpiresAt < :expires AND attribute_not_exists(EndedTime)",
			map[string]types.AttributeValue{":now": epoch(now)}))
		if err = conditionError(err); err != nil && !errors.Is(err, errCondition) {
			return err
		}
		row, err := d.row(ctx, id)
		if err != nil {
			return err
		}
		if !row.alive(now) {
			return ErrUnknown
		}
		return d.touchMemberships(ctx, &row.Connection)
	})
}

// touchMemberships gives a connection's memberships the end of its row. One
// that has been left meanwhile stays away, one that has a later end keeps it.
func (d *DynamoDB) touchMemberships(ctx context.Context, c *Connection) error {
	for _, group := range c.Groups {
		_, err := d.client.UpdateItem(ctx, d.extend(membershipKey(c.ID, group), c.ExpiresAt, "ExpiresAt < :expires", nil))
		if err = conditionError(err); err != nil && !errors.Is(err, errCondition) {
			return err
		}
	}
	return nil
}

func (d *DynamoDB) extend(key map[string]types.AttributeValue, expires time.Time, condition string, values map[string]types.AttributeValue) *dynamodb.UpdateItemInput {
	if values == nil {
		values = map[string]types.AttributeValue{}
	}
	values[":expires"] = epoch(expires)
	return &dynamodb.UpdateItemInput{
		TableName: &d.table, Key: key, UpdateExpression: aws.String("SET ExpiresAt = :expires"),
		ConditionExpression: &condition, ExpressionAttributeValues: values,
	}
}

// Join puts a connection into a group, as Roster says: the row and the
// membership change in one transaction, which holds only while the row is as
// it was read. So no membership is made for a row that has ended, and none
// outlives its row.
func (d *DynamoDB) Join(ctx context.Context, id, group string) error {
	if err := CheckMembership(id, group); err != nil {
		return err
	}
	return d.again(ctx, "join a group in", func() error {
		row, err := d.row(ctx, id)
		switch {
		case err != nil:
			return err
		case !row.alive(time.Now()):
			return ErrUnknown
		case slices.Contains(row.Groups, group):
			return nil
		case len(row.Groups) >= MaxGroups:
			return tooManyGroups()
		}
		return conflict(d.transact(ctx,
			types.TransactWriteItem{Update: &types.Update{
				TableName: &d.table, Key: keyOf(id),
				UpdateExpression:         aws.String("ADD #groups :group"),
				ConditionExpression:      aws.String("ExpiresAt = :seen AND attribute_not_exists(EndedTime) AND (attribute_not_exists(#groups) OR size(#groups) < :most)"),
				ExpressionAttributeNames: map[string]string{"#groups": attrGroups},
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":group": texts([]string{group}), ":seen": epoch(row.ExpiresAt), ":most": number(MaxGroups),
				},
			}},
			types.TransactWriteItem{Put: &types.Put{TableName: &d.table, Item: membershipOf(row.Connection, group)}},
		))
	})
}

// Leave takes a connection out of a group, as Roster says, in one transaction.
func (d *DynamoDB) Leave(ctx context.Context, id, group string) error {
	if err := CheckMembership(id, group); err != nil {
		return err
	}
	return d.again(ctx, "leave a group in", func() error {
		row, err := d.row(ctx, id)
		if err != nil {
			return err
		}
		if !slices.Contains(row.Groups, group) {
			return nil
		}
		return conflict(d.transact(ctx,
			types.TransactWriteItem{Update: &types.Update{
				TableName: &d.table, Key: keyOf(id),
				UpdateExpression:          aws.String("DELETE #groups :group"),
				ConditionExpression:       aws.String("attribute_exists(PK)"),
				ExpressionAttributeNames:  map[string]string{"#groups": attrGroups},
				ExpressionAttributeValues: map[string]types.AttributeValue{":group": texts([]string{group})},
			}},
			types.TransactWriteItem{Delete: &types.Delete{TableName: &d.table, Key: membershipKey(id, group)}},
		))
	})
}

// row is a connection's row as it is now, read with strong consistency.
type row struct {
	Connection
	found bool
	// ended marks the note that remove leaves, made at endedAt.
	ended   bool
	endedAt time.Time
}

// began is when the connection was entered. The note of one that never was
// counts from its own time: until it has settled it must survive another
// Remove, or the same one sent again after its answer was lost.
func (r *row) began() time.Time {
	if r.ended && r.ConnectedAt.IsZero() {
		return r.endedAt
	}
	return r.ConnectedAt
}

func (r *row) alive(now time.Time) bool { return r.found && !r.ended && r.ExpiresAt.After(now) }

func (d *DynamoDB) row(ctx context.Context, id string) (row, error) {
	out, err := d.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &d.table, Key: keyOf(id), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return row{}, err
	}
	return rowOf(out.Item), nil
}

func rowOf(item map[string]types.AttributeValue) row {
	if len(item) == 0 {
		return row{}
	}
	_, ended := item[attrEnded]
	return row{Connection: connectionOf(item), found: true, ended: ended, endedAt: timeIn(item[attrEnded])}
}

// wrap says what failed, but leaves the Roster's own errors bare.
func (d *DynamoDB) wrap(what string, err error) error {
	if err == nil || errors.Is(err, ErrExists) || errors.Is(err, ErrUnknown) || errors.Is(err, ErrInvalid) {
		return err
	}
	return fmt.Errorf("%s table %s: %w", what, d.table, err)
}
