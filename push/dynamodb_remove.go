package push

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Remove takes a connection out, as Roster says.
//
// A row without groups that is older than Settling is simply deleted. Otherwise
// the row is turned into a note that it has ended, in one write: the note is in
// no index, no Join or Touch takes it for a connection, and an Add that was
// under way finds it. Then the memberships are deleted, at most MaxGroups. The
// note names them until then, so that a Remove that was interrupted can be
// repeated; DynamoDB deletes it when it expires.
func (d *DynamoDB) Remove(ctx context.Context, id string) error {
	if id == "" {
		return ErrNoID
	}
	_, err := d.remove(ctx, id, func(row) bool { return true })
	return err
}

// remove removes a row that wanted says yes to, and reports whether it did.
func (d *DynamoDB) remove(ctx context.Context, id string, wanted func(row) bool) (removed bool, err error) {
	err = d.again(ctx, "remove a connection from", func() error {
		r, err := d.row(ctx, id)
		if err != nil || !wanted(r) {
			return err
		}
		removed = true
		return conflict(d.removeRow(ctx, id, r))
	})
	return removed && err == nil, err
}

func (d *DynamoDB) removeRow(ctx context.Context, id string, r row) (err error) {
	settled := time.Since(r.began()) > Settling
	switch {
	case !r.found:
		return d.entomb(ctx, id)
	case !r.ended && settled && len(r.Groups) == 0:
		return d.delete(ctx, keyOf(id), "attribute_not_exists(#groups)", map[string]string{"#groups": attrGroups})
	case !r.ended:
		if r, err = d.end(ctx, id, r); err != nil {
			return err
		}
	}
	for _, group := range r.Groups {
		if err := d.delete(ctx, membershipKey(id, group), "", nil); err != nil {
			return err
		}
	}
	if settled {
		return d.delete(ctx, keyOf(id), "", nil)
	}
	return nil
}

// entomb leaves a note for a connection that the table does not have, so that
// an Add which comes later than the Remove is refused.
func (d *DynamoDB) entomb(ctx context.Context, id string) error {
	now := time.Now()
	note := keyOf(id)
	note[attrEnded], note[TTLAttribute] = text(timestamp(now)), epoch(now.Add(2*Settling))
	_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &d.table, Item: note, ConditionExpression: aws.String("attribute_not_exists(PK)")})
	return conditionError(err)
}

// end turns a row into a note, which lives as long as the memberships that it
// names may.
func (d *DynamoDB) end(ctx context.Context, id string, r row) (row, error) {
	now := time.Now()
	expires := now.Add(2 * Settling)
	if r.ExpiresAt.After(expires) && len(r.Groups) > 0 {
		expires = r.ExpiresAt
	}
	out, err := d.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &d.table, Key: keyOf(id),
		UpdateExpression:         aws.String("SET EndedTime = :now, ExpiresAt = :expires REMOVE RecencyShard, UserId, ConnectionId, #attributes"),
		ConditionExpression:      aws.String("attribute_exists(PK)"),
		ExpressionAttributeNames: map[string]string{"#attributes": attrAttributes},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":now": text(timestamp(now)), ":expires": epoch(expires),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return row{}, conditionError(err)
	}
	return rowOf(out.Attributes), nil
}

func (d *DynamoDB) delete(ctx context.Context, key map[string]types.AttributeValue, condition string, names map[string]string) error {
	in := &dynamodb.DeleteItemInput{TableName: &d.table, Key: key, ExpressionAttributeNames: names}
	if condition != "" {
		in.ConditionExpression = &condition
	}
	_, err := d.client.DeleteItem(ctx, in)
	return conditionError(err)
}

// Prune removes connections that have expired, as Roster says, oldest first. It
// reads the recency index, which costs what All costs; DynamoDB's own time to
// live deletes the same rows for nothing, some time later.
func (d *DynamoDB) Prune(ctx context.Context, limit int) (int, error) {
	removed, now := 0, time.Now()
	for shard := range d.shards {
		in := d.recent(shard, "")
		in.FilterExpression = aws.String("ExpiresAt <= :now")
		for c, err := range d.query(ctx, in) {
			if err != nil {
				return removed, err
			}
			if removed >= limit {
				return removed, nil
			}
			gone, err := d.remove(ctx, c.ID, func(r row) bool { return r.found && !r.ended && !r.alive(now) })
			if err != nil {
				return removed, err
			}
			if gone {
				removed++
			}
		}
	}
	return removed, nil
}
