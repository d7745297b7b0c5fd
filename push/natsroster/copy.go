package natsroster

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/gatepost-dev/gatepost/push"
)

// row is a connection at a revision of its key.
type row struct {
	push.Connection
	revision uint64
}

// clone shares nothing that a caller might change.
func (r row) clone() push.Connection {
	c := r.Connection
	c.Groups, c.Attributes = slices.Clone(c.Groups), maps.Clone(c.Attributes)
	return c
}

// bucketCopy is what a bucket holds, by key, user and group.
type bucketCopy struct {
	mu            sync.Mutex
	rows          map[string]row
	users, groups map[string]map[string]struct{} // keys; an empty set is deleted
	// revision is the bucket's up to which the copy has everything.
	revision uint64
	// changed is closed, and replaced, when revision has grown.
	changed chan struct{}
	closed  bool
}

func newCopy() *bucketCopy {
	return &bucketCopy{rows: map[string]row{}, users: map[string]map[string]struct{}{}, groups: map[string]map[string]struct{}{}, changed: make(chan struct{})}
}

// set puts a key's new value in place, or removes it when c is nil.
func (b *bucketCopy) set(key string, c *push.Connection, revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removeLocked(key)
	if c != nil {
		b.rows[key] = row{*c, revision}
		if c.User != "" {
			insert(b.users, c.User, key)
		}
		for _, group := range c.Groups {
			insert(b.groups, group, key)
		}
	}
	b.reachedLocked(revision)
}

func (b *bucketCopy) removeLocked(key string) {
	old := b.rows[key]
	delete(b.rows, key)
	remove(b.users, old.User, key)
	for _, group := range old.Groups {
		remove(b.groups, group, key)
	}
}

func insert(sets map[string]map[string]struct{}, name, key string) {
	if sets[name] == nil {
		sets[name] = map[string]struct{}{}
	}
	sets[name][key] = struct{}{}
}

func remove(sets map[string]map[string]struct{}, name, key string) {
	delete(sets[name], key)
	if len(sets[name]) == 0 {
		delete(sets, name)
	}
}

// reached notes that the copy has everything up to a revision.
func (b *bucketCopy) reached(revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reachedLocked(revision)
}

func (b *bucketCopy) reachedLocked(revision uint64) {
	if revision > b.revision {
		b.revision = revision
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bucketCopy) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait returns once the copy has a revision.
func (b *bucketCopy) wait(ctx context.Context, revision uint64) error {
	for {
		b.mu.Lock()
		reached, closed, changed := b.revision >= revision, b.closed, b.changed
		b.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case reached:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *bucketCopy) get(key string) (row, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, found := b.rows[key]
	r.Connection = r.clone()
	return r, found
}

func (b *bucketCopy) ofUser(user string) []row {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.membersLocked(b.users[user])
}

func (b *bucketCopy) inGroup(group string) []row {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.membersLocked(b.groups[group])
}

func (b *bucketCopy) membersLocked(keys map[string]struct{}) []row {
	out := make([]row, 0, len(keys))
	for key := range keys {
		out = append(out, b.rows[key])
	}
	return out
}

func (b *bucketCopy) all(wanted func(*push.Connection) bool) []row {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []row
	for _, r := range b.rows {
		if wanted(&r.Connection) {
			out = append(out, r)
		}
	}
	return out
}
