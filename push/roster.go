package push

import (
	"context"
	"iter"
	"time"
)

// Roster knows who is connected. All methods may be called together from many
// goroutines. rostertest.Run checks an implementation against what is said
// here.
//
// The sequences yield live connections, each once and in no particular order,
// and never one that has expired. An error is yielded last, with a zero
// Connection. A sequence may be ranged over more than once and reads anew each
// time; the loop's body may call any method.
type Roster interface {
	// Add enters a connection, with its groups. A zero ConnectedAt means now; a
	// zero ExpiresAt means the store's time to live after ConnectedAt.
	// Repeating an Add with the same ID and ConnectedAt changes nothing and is
	// no error, as a retry after a lost answer needs. Another ConnectedAt, an
	// expired row, or an id that was removed within the time Settling gives
	// ErrExists; an empty ID gives ErrNoID, too much of something ErrInvalid.
	Add(ctx context.Context, c Connection) error

	// Remove takes a connection out of the roster and of all its groups.
	// Removing one that is not there is no error: $disconnect and a Publisher
	// may both find the same dead one. After an error part of it may be done;
	// repeating it does the rest.
	Remove(ctx context.Context, id string) error

	// Get returns a live connection as it is now; ErrUnknown when it is not
	// there or has expired.
	Get(ctx context.Context, id string) (Connection, error)

	// Touch lets a connection live until expires, at least: it never shortens a
	// life. It gives ErrUnknown when the connection is not there or has
	// expired.
	Touch(ctx context.Context, id string, expires time.Time) error

	// Join puts a connection into a group. A ByGroup that begins after Join has
	// returned yields it. Joining twice is no error. It gives ErrUnknown when
	// the connection is not there or has expired, ErrInvalid for a bad name and
	// when the connection is in MaxGroups groups.
	Join(ctx context.Context, id, group string) error

	// Leave takes a connection out of a group. A ByGroup that begins after
	// Leave has returned does not yield it. It is no error when the connection
	// is not in the group or not there.
	Leave(ctx context.Context, id, group string) error

	// ByUser yields the connections of a user, as All does; none for "".
	ByUser(ctx context.Context, user string) iter.Seq2[Connection, error]

	// ByGroup yields the connections in a group. Their Groups may be missing;
	// all else is there.
	ByGroup(ctx context.Context, group string) iter.Seq2[Connection, error]

	// Recent yields the connections entered within the last window; none when
	// window is not positive.
	Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error]

	// All yields every connection. It reads page by page.
	All(ctx context.Context) iter.Seq2[Connection, error]

	// Count counts what All yields.
	Count(ctx context.Context) (int, error)

	// Prune removes connections that have expired, at most limit of them, and
	// says how many it removed, also beside an error. Call it again while it
	// removes as many as limit.
	Prune(ctx context.Context, limit int) (int, error)
}
