package push

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Target chooses the connections that a message is for. It yields each of them
// once and ends at its first error, as the sequences of a Roster do. Everyone
// is one; the functions below make others; write your own to choose by an
// attribute, for example.
type Target func(ctx context.Context, r Roster) iter.Seq2[Connection, error]

// Everyone is the Target of all connections of the roster.
func Everyone(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.All(ctx) }

// RecentWithin is the Target of the connections entered within the last d.
func RecentWithin(d time.Duration) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.Recent(ctx, d) }
}

// ToUser is the Target of all connections of one user.
func ToUser(user string) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.ByUser(ctx, user) }
}

// ToGroup is the Target of the connections in a group. It has those whose Join
// returned before the publish began.
func ToGroup(group string) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] { return r.ByGroup(ctx, group) }
}

// Only is the Target of these connections, each once, whether or not the
// roster has them.
func Only(ids ...string) Target {
	return func(context.Context, Roster) iter.Seq2[Connection, error] {
		return once(func(yield func(Connection, error) bool) {
			for _, id := range ids {
				if !yield(Connection{ID: id}, nil) {
					return
				}
			}
		})
	}
}

// Known is the Target of those of these connections that the roster has, each
// once. It reads the roster once per id. A message that is tried again later is
// meant for it rather than for Only: who was removed meanwhile gets nothing.
func Known(ids ...string) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] {
		return func(yield func(Connection, error) bool) {
			for asked := range Only(ids...)(ctx, r) {
				c, err := r.Get(ctx, asked.ID)
				if errors.Is(err, ErrUnknown) || errors.Is(err, ErrNoID) {
					continue
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// AnyOf is the Target of the connections of several targets. One that is in
// more than one of them gets the message once; that costs memory for every id.
func AnyOf(targets ...Target) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] {
		return once(func(yield func(Connection, error) bool) {
			for _, target := range targets {
				for c, err := range target(ctx, r) {
					if !yield(c, err) || err != nil {
						return
					}
				}
			}
		})
	}
}

// Except is a Target without these connections: without the sender of a
// message, for example.
func Except(target Target, ids ...string) Target {
	return func(ctx context.Context, r Roster) iter.Seq2[Connection, error] {
		return without(target(ctx, r), ids)
	}
}

func without(all iter.Seq2[Connection, error], ids []string) iter.Seq2[Connection, error] {
	excluded := set(ids)
	return func(yield func(Connection, error) bool) {
		for c, err := range all {
			if _, out := excluded[c.ID]; out && err == nil {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// once drops what a sequence yields again.
func once(all iter.Seq2[Connection, error]) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		seen := map[string]struct{}{}
		for c, err := range all {
			if _, again := seen[c.ID]; again && err == nil {
				continue
			}
			seen[c.ID] = struct{}{}
			if !yield(c, err) {
				return
			}
		}
	}
}

func set(ids []string) map[string]struct{} {
	out := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		out[id] = struct{}{}
	}
	return out
}
