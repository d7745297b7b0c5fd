package push

import (
	"context"
	"iter"
	"time"
)

// Target chooses the connections that a message is for. It yields each of them
// once and ends at its first error, as the sequences of a Roster do. Everyone
// is one; RecentWithin and Only make others; write your own to choose by an
// attribute, for example.
type Target func(ctx context.Context, r Roster) iter.Seq2[Connection, error]

// Everyone is the Target of all connections of the roster.
func Everyone(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.All(ctx) }

// RecentWithin is the Target of the connections entered within the last d.
func RecentWithin(d time.Duration) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.Recent(ctx, d) }
}

// Only is the Target of these connections, whether or not the roster has them.
// Give each id once.
func Only(ids ...string) Target {
	return func(context.Context, Roster) iter.Seq2[Connection, error] {
		return func(yield func(Connection, error) bool) {
			for _, id := range ids {
				if !yield(Connection{ID: id}, nil) {
					return
				}
			}
		}
	}
}
