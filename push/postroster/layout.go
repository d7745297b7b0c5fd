package postroster

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/push"
)

// layout is how a table keeps connections.
type layout interface {
	names() *names
	// find reads the item of a connection, nil when there is none.
	find(ctx context.Context, r *Roster, id string) (item, error)
	// insert writes a new connection. When another write of the same
	// connection was faster it returns its item.
	insert(ctx context.Context, r *Roster, c push.Connection) (item, error)
	// items reads every item.
	items(ctx context.Context, r *Roster) iter.Seq2[item, error]
	// key is the part of an item that is its key.
	key(item) item
}

// connIDLayout is the first example's: the table SocketRoster with PK and SK
// "CONN#<id>".
type connIDLayout struct{}

// ConnID is the layout of a table whose items have PK and SK "CONN#<id>",
// ConnectionId and EstablishedTime, and nothing else: the first example's
// SocketRoster. A row of the example's own functions, which has no end, is
// believed in for ttl after its EstablishedTime; zero means push.DefaultTTL.
func ConnID(client API, table string, ttl time.Duration) *Roster {
	return &Roster{client: client, table: table, ttl: orDefault(ttl), layout: connIDLayout{}}
}

func orDefault(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return push.DefaultTTL
	}
	return ttl
}

const connPrefix = "CONN#"

func (connIDLayout) names() *names {
	return &names{hash: "PK", sort: "SK", id: "ConnectionId", established: "EstablishedTime", expires: "ExpiresAt",
		user: "UserId", groups: "Groups", attributes: "Attributes"}
}

func (l connIDLayout) key(it item) item { return item{"PK": it["PK"], "SK": it["SK"]} }

func (l connIDLayout) find(ctx context.Context, r *Roster, id string) (item, error) {
	key := item{"PK": text(connPrefix + id), "SK": text(connPrefix + id)}
	out, err := r.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &r.table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil || len(out.Item) == 0 {
		return nil, err
	}
	return out.Item, nil
}

func (l connIDLayout) insert(ctx context.Context, r *Roster, c push.Connection) (item, error) {
	it := l.names().item(c)
	it["PK"], it["SK"] = text(connPrefix+c.ID), text(connPrefix+c.ID)
	inserted, err := r.put(ctx, it)
	if inserted || err != nil {
		return nil, err
	}
	return l.find(ctx, r, c.ID)
}

func (l connIDLayout) items(ctx context.Context, r *Roster) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		in := &dynamodb.ScanInput{
			TableName: &r.table, ConsistentRead: aws.Bool(true),
			FilterExpression:          aws.String("begins_with(PK, :conn) AND attribute_exists(ConnectionId)"),
			ExpressionAttributeValues: item{":conn": text(connPrefix)},
		}
		for pages := dynamodb.NewScanPaginator(r.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// BySecondOptions are the settings of BySecond; the zero value is the
// example's.
type BySecondOptions struct {
	// Partition is the value of pk; "" means "connectionId".
	Partition string
	// Unit is what sk counts: time.Second, which zero means, or
	// time.Millisecond.
	Unit time.Duration
	// TTL is how long after ConnectedAt a connection is believed in; zero means
	// push.DefaultTTL. The example's own functions use 20 minutes.
	TTL time.Duration
}

// bySecondLayout is the second example's: all items in one partition, sorted
// by when the connection began.
type bySecondLayout struct {
	partition string
	unit      time.Duration
}

// BySecond is the layout of a table whose items have the key pk, the same for
// all, and sk, the second in which the connection began, with id and ttl: the
// second example's. Two connections of the same second have the same key
// there, and the later one overwrites the first; this roster moves it to a
// second that is free, a little later, and keeps the true time in an attribute
// of its own. Finding a connection by its id reads all of them.
func BySecond(client API, table string, o BySecondOptions) *Roster {
	if o.Partition == "" {
		o.Partition = "connectionId"
	}
	if o.Unit <= 0 {
		o.Unit = time.Second
	}
	return &Roster{client: client, table: table, ttl: orDefault(o.TTL), layout: &bySecondLayout{o.Partition, o.Unit}}
}

func (l *bySecondLayout) names() *names {
	return &names{hash: "pk", sort: "sk", id: "id", established: "connectedAt", expires: "ttl",
		user: "user", groups: "groups", attributes: "attributes", began: "sk", unit: l.unit}
}

func (l *bySecondLayout) key(it item) item { return item{"pk": it["pk"], "sk": it["sk"]} }

func (l *bySecondLayout) find(ctx context.Context, r *Roster, id string) (item, error) {
	in := l.query(r)
	in.FilterExpression = aws.String("id = :id")
	in.ExpressionAttributeValues[":id"] = text(id)
	for it, err := range l.pages(ctx, r, in) {
		return it, err
	}
	return nil, nil
}

// maxPlaces bounds the tries to find a free sort key. Each time the range is
// doubled, until it is 1 << widest keys, which are more than an hour of seconds;
// three quarters of them may be taken, and one insert of a thousand fails.
const (
	maxPlaces = 36
	widest    = 12
)

func (l *bySecondLayout) insert(ctx context.Context, r *Roster, c push.Connection) (item, error) {
	it := l.names().item(c)
	it["pk"] = text(l.partition)
	began := c.ConnectedAt.UnixNano() / int64(l.unit)
	for place := range maxPlaces {
		it["sk"] = number(began + rand.Int64N(1<<min(place, widest)))
		if inserted, err := r.put(ctx, it); inserted || err != nil {
			return nil, err
		}
		if old, err := l.find(ctx, r, c.ID); old != nil || err != nil {
			return old, err
		}
	}
	return nil, fmt.Errorf("more connections began within an hour than this layout has keys for")
}

func (l *bySecondLayout) items(ctx context.Context, r *Roster) iter.Seq2[item, error] {
	return l.pages(ctx, r, l.query(r))
}

func (l *bySecondLayout) query(r *Roster) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &r.table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(l.partition)},
	}
}

func (l *bySecondLayout) pages(ctx context.Context, r *Roster, in *dynamodb.QueryInput) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for pages := dynamodb.NewQueryPaginator(r.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}
