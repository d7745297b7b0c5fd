// Package postroster keeps a push.Roster in the tables of two published
// examples of WebSocket push on Lambda, as their functions do, so that a
// system that began as one of them can use this library on its table at once,
// and move to push.DynamoDB later with push.Migrate.
//
// A connection is one item, which the examples' own functions read and write
// too; what they do not know (user, groups, attributes) stands in attributes
// that they ignore. These layouts have no index: every read but Add, Remove,
// Touch, Join and Leave reads the whole table, strongly consistent. That is
// fine for hundreds of connections and dear for tens of thousands.
//
// They have no place for a note that a connection was removed either, so an Add
// that comes later than the Remove is not refused.
package postroster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/push"
)

// API is what a Roster uses of *dynamodb.Client.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Roster is a push.Roster in a table of one of the layouts. Its reads see all
// writes before them.
type Roster struct {
	client API
	table  string
	ttl    time.Duration
	layout layout
}

// Add enters a connection, as push.Roster says.
func (r *Roster) Add(ctx context.Context, c push.Connection) error {
	now := time.Now()
	c, err := c.Complete(now, r.ttl)
	if err != nil {
		return err
	}
	old, err := r.find(ctx, c.ID)
	if err != nil {
		return err
	}
	if old == nil {
		if old, err = r.layout.insert(ctx, r, c); err != nil {
			return r.wrap("add a connection to", err)
		}
	}
	if was := r.connection(old); old == nil || r.alive(&was, now) && was.ConnectedAt.Equal(c.ConnectedAt) {
		return nil
	}
	return push.ErrExists
}

// put writes an item unless there is one with its key.
func (r *Roster) put(ctx context.Context, it item) (inserted bool, err error) {
	_, err = r.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &r.table, Item: it,
		ConditionExpression: aws.String("attribute_not_exists(" + r.layout.names().hash + ")"),
	})
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// Remove takes a connection out, as push.Roster says.
func (r *Roster) Remove(ctx context.Context, id string) error {
	if id == "" {
		return push.ErrNoID
	}
	for range maxTries { // again when it was touched meanwhile
		old, err := r.find(ctx, id)
		if err != nil || old == nil {
			return err
		}
		if deleted, err := r.delete(ctx, old); deleted || err != nil {
			return err
		}
	}
	return r.tooBusy()
}

func (r *Roster) tooBusy() error {
	return fmt.Errorf("change a connection of table %s: others were faster %d times", r.table, maxTries)
}

// delete removes an item if it is still the same connection's, with the same
// end.
func (r *Roster) delete(ctx context.Context, it item) (deleted bool, err error) {
	n := r.layout.names()
	in := &dynamodb.DeleteItemInput{
		TableName: &r.table, Key: r.layout.key(it),
		ConditionExpression:       aws.String("#id = :id AND attribute_not_exists(#expires)"),
		ExpressionAttributeNames:  map[string]string{"#id": n.id, "#expires": n.expires},
		ExpressionAttributeValues: item{":id": it[n.id]},
	}
	if expires := it[n.expires]; expires != nil {
		in.ConditionExpression = aws.String("#id = :id AND #expires = :expires")
		in.ExpressionAttributeValues[":expires"] = expires
	}
	_, err = r.client.DeleteItem(ctx, in)
	if refused(err) {
		return false, nil
	}
	return err == nil, r.wrap("remove a connection from", err)
}

// Get returns a connection, as push.Roster says.
func (r *Roster) Get(ctx context.Context, id string) (push.Connection, error) {
	if id == "" {
		return push.Connection{}, push.ErrNoID
	}
	found, err := r.find(ctx, id)
	if err != nil {
		return push.Connection{}, err
	}
	c := r.connection(found)
	if found == nil || !r.alive(&c, time.Now()) {
		return push.Connection{}, push.ErrUnknown
	}
	return c, nil
}

// Touch lets a connection live longer, as push.Roster says.
func (r *Roster) Touch(ctx context.Context, id string, expires time.Time) error {
	if id == "" {
		return push.ErrNoID
	}
	expires = expires.UTC().Add(time.Second - 1).Truncate(time.Second)
	return r.change(ctx, id, func(c *push.Connection) (*change, error) {
		if !expires.After(c.ExpiresAt) {
			return nil, nil
		}
		return &change{expression: "SET #attribute = :value", attribute: r.layout.names().expires, value: epoch(expires),
			condition: " AND (attribute_not_exists(#attribute) OR #attribute < :value)"}, nil
	})
}

// Join puts a connection into a group, as push.Roster says.
func (r *Roster) Join(ctx context.Context, id, group string) error {
	if err := push.CheckMembership(id, group); err != nil {
		return err
	}
	return r.change(ctx, id, func(c *push.Connection) (*change, error) {
		if slices.Contains(c.Groups, group) {
			return nil, nil
		}
		c.Groups = append(c.Groups, group)
		if _, err := c.Complete(time.Now(), r.ttl); err != nil {
			return nil, err
		}
		return &change{expression: "ADD #attribute :value", attribute: r.layout.names().groups, value: texts([]string{group}),
			condition: " AND (attribute_not_exists(#attribute) OR size(#attribute) < :most)"}, nil
	})
}

// Leave takes a connection out of a group, as push.Roster says.
func (r *Roster) Leave(ctx context.Context, id, group string) error {
	if err := push.CheckMembership(id, group); err != nil {
		return err
	}
	err := r.change(ctx, id, func(c *push.Connection) (*change, error) {
		if !slices.Contains(c.Groups, group) {
			return nil, nil
		}
		return &change{expression: "DELETE #attribute :value", attribute: r.layout.names().groups, value: texts([]string{group})}, nil
	})
	if errors.Is(err, push.ErrUnknown) {
		return nil
	}
	return err
}

// change is an update of one attribute.
type change struct {
	expression, attribute string
	value                 types.AttributeValue
	// condition is ANDed to the item's being the connection's.
	condition string
}

// maxTries bounds how often a change is tried that meets others.
const maxTries = 10

// change writes the change that f chooses for a live connection; nil for none.
func (r *Roster) change(ctx context.Context, id string, f func(*push.Connection) (*change, error)) error {
	for range maxTries {
		old, err := r.find(ctx, id)
		if err != nil {
			return err
		}
		c := r.connection(old)
		if old == nil || !r.alive(&c, time.Now()) {
			return push.ErrUnknown
		}
		change, err := f(&c)
		if err != nil || change == nil {
			return err
		}
		if err = r.update(ctx, old, change); !refused(err) {
			return r.wrap("change a connection of", err)
		}
	}
	return r.tooBusy()
}

func (r *Roster) update(ctx context.Context, old item, ch *change) error {
	n := r.layout.names()
	values := item{":id": old[n.id], ":value": ch.value}
	if ch.attribute == n.groups && ch.condition != "" {
		values[":most"] = number(push.MaxGroups)
	}
	_, err := r.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &r.table, Key: r.layout.key(old),
		UpdateExpression:          &ch.expression,
		ConditionExpression:       aws.String("#id = :id" + ch.condition),
		ExpressionAttributeNames:  map[string]string{"#id": n.id, "#attribute": ch.attribute},
		ExpressionAttributeValues: values,
	})
	return err
}

// ByUser yields a user's connections, as push.Roster says.
func (r *Roster) ByUser(ctx context.Context, user string) iter.Seq2[push.Connection, error] {
	return r.where(ctx, func(c *push.Connection) bool { return user != "" && c.User == user })
}

// ByGroup yields a group's connections, as push.Roster says.
func (r *Roster) ByGroup(ctx context.Context, group string) iter.Seq2[push.Connection, error] {
	return r.where(ctx, func(c *push.Connection) bool { return slices.Contains(c.Groups, group) })
}

// Recent yields the connections of the last window, as push.Roster says.
func (r *Roster) Recent(ctx context.Context, window time.Duration) iter.Seq2[push.Connection, error] {
	return func(yield func(push.Connection, error) bool) {
		since := time.Now().Add(-window)
		r.where(ctx, func(c *push.Connection) bool { return window > 0 && !c.ConnectedAt.Before(since) })(yield)
	}
}

// All yields every connection, as push.Roster says.
func (r *Roster) All(ctx context.Context) iter.Seq2[push.Connection, error] {
	return r.where(ctx, func(*push.Connection) bool { return true })
}

// where yields the live connections that are wanted, each once.
func (r *Roster) where(ctx context.Context, wanted func(*push.Connection) bool) iter.Seq2[push.Connection, error] {
	return func(yield func(push.Connection, error) bool) {
		seen := map[string]bool{}
		for it, err := range r.layout.items(ctx, r) {
			if err != nil {
				yield(push.Connection{}, r.wrap("read", err))
				return
			}
			c := r.connection(it)
			if c.ID == "" || seen[c.ID] || !r.alive(&c, time.Now()) || !wanted(&c) {
				continue
			}
			seen[c.ID] = true
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Count counts the connections, as push.Roster says.
func (r *Roster) Count(ctx context.Context) (n int, err error) {
	for _, err := range r.All(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Prune removes connections that have expired, as push.Roster says.
func (r *Roster) Prune(ctx context.Context, limit int) (removed int, err error) {
	for it, err := range r.layout.items(ctx, r) {
		if err != nil {
			return removed, r.wrap("read", err)
		}
		if removed >= limit {
			return removed, nil
		}
		c := r.connection(it)
		if c.ID == "" || r.alive(&c, time.Now()) {
			continue
		}
		deleted, err := r.delete(ctx, it)
		if err != nil {
			return removed, err
		}
		if deleted {
			removed++
		}
	}
	return removed, nil
}

func (r *Roster) find(ctx context.Context, id string) (item, error) {
	it, err := r.layout.find(ctx, r, id)
	return it, r.wrap("read", err)
}

// alive is also said of a row whose end nobody wrote down and nobody can know.
func (r *Roster) alive(c *push.Connection, now time.Time) bool {
	return c.ExpiresAt.IsZero() || c.ExpiresAt.After(now)
}

func refused(err error) bool {
	_, refused := errors.AsType[*types.ConditionalCheckFailedException](err)
	return refused
}

func (r *Roster) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s table %s: %w", what, r.table, err)
}
