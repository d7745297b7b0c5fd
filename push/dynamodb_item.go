package push

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TTLAttribute is the attribute to name in the table's time to live
// specification: the row's end in seconds since the epoch.
const TTLAttribute = "ExpiresAt"

const (
	recentIndex     = "Recent"
	keyPrefix       = "CONN#"
	attrPK          = "PK"
	attrSK          = "SK"
	attrID          = "ConnectionId"
	attrEstablished = "EstablishedTime"
	attrShard       = "RecencyShard"
	attrUser        = "UserId"
	attrAttributes  = "Attributes"
	// timestampLayout is RFC 3339 in UTC with three decimals: a program that
	// keeps a time.Time in this attribute reads it, and it sorts.
	timestampLayout = "2006-01-02T15:04:05.000Z"
)

// DynamoDBTable is the definition of the roster's table, for programs and
// tests that create it themselves; templates declare the same. Time to live is
// a setting of its own in DynamoDB: switch it on for TTLAttribute.
func DynamoDBTable(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrPK), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrSK), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrShard), AttributeType: types.ScalarAttributeTypeN},
			{AttributeName: aws.String(attrEstablished), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: keySchema(attrPK, attrSK),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(recentIndex),
			KeySchema:  keySchema(attrShard, attrEstablished),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	}
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &hash, KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}

func keyOf(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{attrPK: text(keyPrefix + id), attrSK: text(keyPrefix + id)}
}

// itemOf is the row of a completed connection.
func itemOf(c Connection, shards int) map[string]types.AttributeValue {
	item := keyOf(c.ID)
	item[attrID] = text(c.ID)
	item[attrEstablished] = text(timestamp(c.ConnectedAt))
	item[attrShard] = number(int64(shardOf(c.ID, shards)))
	item[TTLAttribute] = epoch(c.ExpiresAt)
	if c.User != "" {
		item[attrUser] = text(c.User)
	}
	if len(c.Attributes) > 0 {
		values := make(map[string]types.AttributeValue, len(c.Attributes))
		for k, v := range c.Attributes {
			values[k] = text(v)
		}
		item[attrAttributes] = &types.AttributeValueMemberM{Value: values}
	}
	return item
}

// connectionOf reads a row. It never fails: a row that somebody else wrote
// oddly must not keep a message from all the others, so what cannot be read
// stays empty. The id is always there, in the key.
func connectionOf(item map[string]types.AttributeValue) Connection {
	c := Connection{ID: strings.TrimPrefix(stringIn(item[attrPK]), keyPrefix), User: stringIn(item[attrUser])}
	if t, err := time.Parse(time.RFC3339Nano, stringIn(item[attrEstablished])); err == nil {
		c.ConnectedAt = t.UTC()
	}
	if n, ok := item[TTLAttribute].(*types.AttributeValueMemberN); ok {
		if seconds, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			c.ExpiresAt = time.Unix(seconds, 0).UTC()
		}
	}
	if m, ok := item[attrAttributes].(*types.AttributeValueMemberM); ok && len(m.Value) > 0 {
		c.Attributes = make(map[string]string, len(m.Value))
		for k, v := range m.Value {
			c.Attributes[k] = stringIn(v)
		}
	}
	return c
}

// shardOf spreads connections evenly over the shards. It must give the same
// answer in every version of this package, though only reading all shards
// relies on it.
func shardOf(id string, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % uint32(shards))
}

func timestamp(t time.Time) string { return t.UTC().Format(timestampLayout) }

func epoch(t time.Time) types.AttributeValue { return number(t.Unix()) }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func stringIn(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
