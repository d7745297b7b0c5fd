package push

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TTLAttribute is the attribute to name in the table's time to live
// specification: the item's end in seconds since the epoch. Every item has it.
const TTLAttribute = "ExpiresAt"

const (
	recentIndex     = "Recent"
	usersIndex      = "Users"
	keyPrefix       = "CONN#"
	groupPrefix     = "GROUP#"
	attrPK          = "PK"
	attrSK          = "SK"
	attrID          = "ConnectionId"
	attrEstablished = "EstablishedTime"
	attrShard       = "RecencyShard"
	attrUser        = "UserId"
	attrGroups      = "Groups"
	attrAttributes  = "Attributes"
	// attrMember is the user in a membership, which must not be in the index
	// of users.
	attrMember = "Member"
	// attrEnded is in the note that a removed connection leaves.
	attrEnded = "EndedTime"
	// timestampLayout is RFC 3339 in UTC with three decimals: a program that
	// keeps a time.Time in this attribute reads it, and it sorts.
	timestampLayout = "2006-01-02T15:04:05.000Z"
)

func keyOf(id string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{attrPK: text(keyPrefix + id), attrSK: text(keyPrefix + id)}
}

func membershipKey(id, group string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{attrPK: text(groupPrefix + group), attrSK: text(keyPrefix + id)}
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
	if len(c.Groups) > 0 {
		item[attrGroups] = texts(c.Groups)
	}
	putAttributes(item, c.Attributes)
	return item
}

// membershipOf is the item of a connection in a group. It repeats what never
// changes in the row, so that a group is read with one query.
func membershipOf(c Connection, group string) map[string]types.AttributeValue {
	item := membershipKey(c.ID, group)
	item[attrEstablished] = text(timestamp(c.ConnectedAt))
	item[TTLAttribute] = epoch(c.ExpiresAt)
	if c.User != "" {
		item[attrMember] = text(c.User)
	}
	putAttributes(item, c.Attributes)
	return item
}

func putAttributes(item map[string]types.AttributeValue, attributes map[string]string) {
	if len(attributes) == 0 {
		return
	}
	values := make(map[string]types.AttributeValue, len(attributes))
	for k, v := range attributes {
		values[k] = text(v)
	}
	item[attrAttributes] = &types.AttributeValueMemberM{Value: values}
}

// connectionOf reads a row or a membership. It never fails: an item that
// somebody else wrote oddly must not keep a message from all the others, so
// what cannot be read stays empty. The id is always there, in the key.
func connectionOf(item map[string]types.AttributeValue) Connection {
	c := Connection{ID: strings.TrimPrefix(stringIn(item[attrSK]), keyPrefix), User: stringIn(item[attrUser])}
	if c.User == "" {
		c.User = stringIn(item[attrMember])
	}
	if groups, ok := item[attrGroups].(*types.AttributeValueMemberSS); ok {
		c.Groups = normal(groups.Value)
	}
	c.ConnectedAt = timeIn(item[attrEstablished])
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

func texts(s []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: s} }

// timeIn reads a timestamp; what is none is the zero time.
func timeIn(v types.AttributeValue) time.Time {
	t, err := time.Parse(time.RFC3339Nano, stringIn(v))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func stringIn(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
