package postroster

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/push"
)

type item = map[string]types.AttributeValue

// names are what a layout calls a connection's fields.
type names struct {
	hash, sort, id, established, expires, user, groups, attributes string
	// began is a number that says when the connection began, in unit, for
	// items without established.
	began string
	unit  time.Duration
}

// established times have a fixed width and are RFC 3339, which the examples'
// own functions read.
const timestampLayout = "2006-01-02T15:04:05.000Z"

// item is a connection without its key.
func (n *names) item(c push.Connection) item {
	it := item{n.id: text(c.ID), n.established: text(c.ConnectedAt.Format(timestampLayout)), n.expires: epoch(c.ExpiresAt)}
	if c.User != "" {
		it[n.user] = text(c.User)
	}
	if len(c.Groups) > 0 {
		it[n.groups] = texts(c.Groups)
	}
	if len(c.Attributes) > 0 {
		values := item{}
		for k, v := range c.Attributes {
			values[k] = text(v)
		}
		it[n.attributes] = &types.AttributeValueMemberM{Value: values}
	}
	return it
}

// connection reads an item; what cannot be read stays empty. One of the
// examples' own functions has no end in the first layout: it is believed in for
// the roster's time to live, as API Gateway ends it in any case.
func (r *Roster) connection(it item) push.Connection {
	n := r.layout.names()
	c := push.Connection{ID: stringIn(it[n.id]), User: stringIn(it[n.user]), ConnectedAt: n.beganAt(it)}
	if seconds, ok := integer(it[n.expires]); ok {
		c.ExpiresAt = time.Unix(seconds, 0).UTC()
	} else if !c.ConnectedAt.IsZero() {
		c.ExpiresAt = c.ConnectedAt.Add(r.ttl)
	}
	if groups, ok := it[n.groups].(*types.AttributeValueMemberSS); ok {
		c.Groups = slices.Sorted(slices.Values(groups.Value))
	}
	if m, ok := it[n.attributes].(*types.AttributeValueMemberM); ok && len(m.Value) > 0 {
		c.Attributes = map[string]string{}
		for k, v := range m.Value {
			c.Attributes[k] = stringIn(v)
		}
	}
	return c
}

// beganAt is when a connection began, zero when that is not known.
func (n *names) beganAt(it item) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, stringIn(it[n.established])); err == nil {
		return t.UTC()
	}
	if count, ok := integer(it[n.began]); ok && count < math.MaxInt64/int64(max(1, n.unit)) {
		return time.Unix(0, count*int64(n.unit)).UTC()
	}
	return time.Time{}
}

// integer reads a number that is none too large.
func integer(v types.AttributeValue) (int64, bool) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	return i, err == nil && i > 0
}

func epoch(t time.Time) types.AttributeValue { return number(t.Unix()) }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func texts(s []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: s} }

func stringIn(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
