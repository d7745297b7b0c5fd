package push

import (
	"context"
	"errors"
	"iter"
	"maps"
	"time"
)

// DefaultTTL is how long a roster believes in a connection that nobody
// removed: the 2 h after which API Gateway ends every connection, and some
// slack for clocks that differ.
const DefaultTTL = 2*time.Hour + 10*time.Minute

// ErrExists says that the roster already holds another row for a connection's
// id, or one that has expired. API Gateway never uses an id twice, so this Add
// is a late or repeated one and must not bring back what has ended.
var ErrExists = errors.New("push: the roster already holds this connection id")

// ErrNoID says that a connection has no id.
var ErrNoID = errors.New("push: a connection without an id")

// Connection is one client's WebSocket connection as the roster knows it.
type Connection struct {
	// ID is API Gateway's connection id. It is opaque; print and store it as
	// it is.
	ID string
	// User is who is connected, "" when that is not known.
	User string
	// ConnectedAt is when the connection was entered, kept to the millisecond
	// and in UTC. Enter a connection as the last step of $connect: the
	// Publisher takes this time for the moment just before the connection
	// opens.
	ConnectedAt time.Time
	// ExpiresAt is when the roster stops to believe in the connection, kept to
	// the second, rounded up.
	ExpiresAt time.Time
	// Attributes are the application's own, a few short ones; nil for none.
	Attributes map[string]string
}

// Roster knows who is connected. All methods may be called together from many
// goroutines. rostertest.Run checks an implementation against what is said
// here.
type Roster interface {
	// Add enters a connection. A zero ConnectedAt means now; a zero ExpiresAt
	// means the store's time to live after ConnectedAt. Repeating an Add with
	// the same ID and ConnectedAt changes nothing and is no error, as a retry
	// after a lost answer needs. Another ConnectedAt, or an expired row, gives
	// ErrExists; an empty ID gives ErrNoID.
	Add(ctx context.Context, c Connection) error

	// Remove takes a connection out. Removing one that is not there is no
	// error: $disconnect and a Publisher may both find the same dead one.
	Remove(ctx context.Context, id string) error

	// Recent yields the connections entered within the last window, each once,
	// in no particular order; nothing when window is not positive. Expired ones
	// are left out. An error is yielded last, with a zero Connection. The
	// sequence may be ranged over more than once and reads anew each time; the
	// loop's body may call Add and Remove.
	Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error]

	// All yields every connection, as Recent does.
	All(ctx context.Context) iter.Seq2[Connection, error]
}

// complete fills in what an Add left empty and cuts the times to what stores
// keep, so that all stores keep the same.
func (c Connection) complete(now time.Time, ttl time.Duration) (Connection, error) {
	if c.ID == "" {
		return c, ErrNoID
	}
	if c.ConnectedAt.IsZero() {
		c.ConnectedAt = now
	}
	c.ConnectedAt = c.ConnectedAt.UTC().Truncate(time.Millisecond)
	if c.ExpiresAt.IsZero() {
		c.ExpiresAt = c.ConnectedAt.Add(ttl)
	}
	c.ExpiresAt = c.ExpiresAt.UTC().Add(time.Second - 1).Truncate(time.Second)
	if len(c.Attributes) == 0 {
		c.Attributes = nil
	}
	c.Attributes = maps.Clone(c.Attributes)
	return c, nil
}

// ttlOr is a store's time to live, with its default.
func ttlOr(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return DefaultTTL
	}
	return ttl
}
