package push

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// DefaultTTL is how long a roster believes in a connection that nobody
// removed: the 2 h after which API Gateway ends every connection, and some
// slack for clocks that differ.
const DefaultTTL = 2*time.Hour + 10*time.Minute

// What a store takes; more is ErrInvalid. The bounds keep a connection and its
// memberships within one transaction of DynamoDB, and its row within the few
// hundred bytes that the costs of README.md are reckoned with.
const (
	// MaxGroups is how many groups a connection may be in.
	MaxGroups = 50
	// MaxName is the longest name of a user or a group, in bytes.
	MaxName = 256
	// MaxAttributes bounds a connection's attributes, names and values
	// together, in bytes.
	MaxAttributes = 4 << 10
)

// Settling is how long a late or repeated Add of a connection may be under way:
// longer than API Gateway waits for a $connect function (29 s). Until then a
// roster remembers what it has removed.
const Settling = time.Minute

var (
	// ErrExists says that the roster already holds another row for a
	// connection's id, one that has expired, or a note that it was removed. API
	// Gateway never uses an id twice, so this Add is a late or repeated one and
	// must not bring back what has ended.
	ErrExists = errors.New("push: the roster already holds this connection id")
	// ErrNoID says that a connection has no id.
	ErrNoID = errors.New("push: a connection without an id")
	// ErrUnknown says that the roster has no live connection of that id.
	ErrUnknown = errors.New("push: the roster does not know this connection")
	// ErrInvalid says that a connection, a user or a group is not what a
	// roster keeps; the error's text says what is wrong with it.
	ErrInvalid = errors.New("push: the roster cannot keep this")
)

// Connection is one client's WebSocket connection as the roster knows it.
type Connection struct {
	// ID is API Gateway's connection id. It is opaque; print and store it as
	// it is.
	ID string
	// User is who is connected, "" when that is not known; at most MaxName
	// bytes. One user may have many connections.
	User string
	// Groups are the groups that the connection is in, sorted and each once;
	// nil for none. At most MaxGroups names of 1 to MaxName bytes.
	Groups []string
	// ConnectedAt is when the connection was entered, kept to the millisecond
	// and in UTC. Enter a connection as the last step of $connect: the
	// Publisher takes this time for the moment just before the connection
	// opens.
	ConnectedAt time.Time
	// ExpiresAt is when the roster stops to believe in the connection, kept to
	// the second, rounded up.
	ExpiresAt time.Time
	// Attributes are the application's own, a few short ones of MaxAttributes
	// bytes together; nil for none.
	Attributes map[string]string
}

// Complete returns the connection as a store keeps it, and is the first step of
// every store's Add: what Add left empty is filled in, times are cut to what
// stores keep, groups are sorted, and nothing is shared with c. A zero
// ConnectedAt becomes now, a zero ExpiresAt ttl later. The error is ErrNoID or
// an ErrInvalid.
func (c Connection) Complete(now time.Time, ttl time.Duration) (Connection, error) {
	if err := c.check(); err != nil {
		return c, err
	}
	if c.ConnectedAt.IsZero() {
		c.ConnectedAt = now
	}
	c.ConnectedAt = c.ConnectedAt.UTC().Truncate(time.Millisecond)
	if c.ExpiresAt.IsZero() {
		c.ExpiresAt = c.ConnectedAt.Add(ttl)
	}
	c.ExpiresAt = wholeSecond(c.ExpiresAt)
	c.Groups = normal(c.Groups)
	if len(c.Attributes) == 0 {
		c.Attributes = nil
	}
	c.Attributes = maps.Clone(c.Attributes)
	return c, nil
}

func (c Connection) check() error {
	if c.ID == "" {
		return ErrNoID
	}
	if len(c.User) > MaxName {
		return fmt.Errorf("%w: the user's name has %d bytes, at most %d are kept", ErrInvalid, len(c.User), MaxName)
	}
	if len(c.Groups) > MaxGroups {
		return tooManyGroups()
	}
	for _, group := range c.Groups {
		if err := checkGroup(group); err != nil {
			return err
		}
	}
	size := 0
	for k, v := range c.Attributes {
		size += len(k) + len(v)
	}
	if size > MaxAttributes {
		return fmt.Errorf("%w: its attributes have %d bytes, at most %d are kept", ErrInvalid, size, MaxAttributes)
	}
	return nil
}

// CheckMembership is the first step of every store's Join and Leave: an empty
// id is ErrNoID, a group's name that is empty or too long is ErrInvalid.
func CheckMembership(id, group string) error {
	if id == "" {
		return ErrNoID
	}
	return checkGroup(group)
}

func checkGroup(group string) error {
	if group == "" || len(group) > MaxName {
		return fmt.Errorf("%w: a group's name has %d bytes, it must have 1 to %d", ErrInvalid, len(group), MaxName)
	}
	return nil
}

func tooManyGroups() error {
	return fmt.Errorf("%w: a connection is in at most %d groups", ErrInvalid, MaxGroups)
}

// normal sorts a copy of the groups and drops what is there twice.
func normal(groups []string) []string {
	if len(groups) == 0 {
		return nil
	}
	groups = slices.Clone(groups)
	slices.Sort(groups)
	return slices.Compact(groups)
}

// wholeSecond is how stores keep the end of a connection.
func wholeSecond(t time.Time) time.Time {
	return t.UTC().Add(time.Second - 1).Truncate(time.Second)
}

// ttlOr is a store's time to live, with its default.
func ttlOr(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return DefaultTTL
	}
	return ttl
}
