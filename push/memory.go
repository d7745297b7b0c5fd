package push

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// MemoryOptions are the settings of a Memory; the zero value is fine.
type MemoryOptions struct {
	// TTL is how long after ConnectedAt a connection is believed in when its
	// Add does not say; zero means DefaultTTL.
	TTL time.Duration
}

// Memory is a Roster in the memory of one process: for tests, and for
// programs that run as one process. It is lost when the process ends. Every
// read sees every write before it.
type Memory struct {
	ttl time.Duration

	mu   sync.Mutex
	rows map[string]Connection
	// users and groups hold the ids of rows; an empty set is deleted.
	users, groups index
	// removed remembers ids for the time Settling, oldest first in the order.
	removed      map[string]bool
	removedOrder []removal
}

type removal struct {
	id string
	at time.Time
}

// index is sets of ids by a name.
type index map[string]map[string]struct{}

func (x index) add(name, id string) {
	if x[name] == nil {
		x[name] = make(map[string]struct{})
	}
	x[name][id] = struct{}{}
}

func (x index) remove(name, id string) {
	delete(x[name], id)
	if len(x[name]) == 0 {
		delete(x, name)
	}
}

// NewMemory returns an empty roster.
func NewMemory(o MemoryOptions) *Memory {
	return &Memory{ttl: ttlOr(o.TTL), rows: map[string]Connection{}, users: index{}, groups: index{}, removed: map[string]bool{}}
}

// Add enters a connection, as Roster says.
func (m *Memory) Add(ctx context.Context, c Connection) error {
	now := time.Now()
	c, err := c.Complete(now, m.ttl)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetLocked(now)
	old, found := m.rows[c.ID]
	switch {
	case found && old.ConnectedAt.Equal(c.ConnectedAt) && old.ExpiresAt.After(now):
		return nil
	case found || m.removed[c.ID]:
		return ErrExists
	}
	m.rows[c.ID] = c
	if c.User != "" {
		m.users.add(c.User, c.ID)
	}
	for _, group := range c.Groups {
		m.groups.add(group, c.ID)
	}
	return nil
}

// Remove takes a connection out, as Roster says.
func (m *Memory) Remove(ctx context.Context, id string) error {
	if id == "" {
		return ErrNoID
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removeLocked(id, time.Now())
	return nil
}

func (m *Memory) removeLocked(id string, now time.Time) {
	m.dropLocked(id)
	m.forgetLocked(now)
	if !m.removed[id] {
		m.removed[id] = true
		m.removedOrder = append(m.removedOrder, removal{id, now})
	}
}

// dropLocked takes a row out of the map and of the sets, without a note.
func (m *Memory) dropLocked(id string) {
	c := m.rows[id]
	delete(m.rows, id)
	m.users.remove(c.User, id)
	for _, group := range c.Groups {
		m.groups.remove(group, id)
	}
}

// forgetLocked drops the notes of removals that are older than Settling.
func (m *Memory) forgetLocked(now time.Time) {
	done := 0
	for done < len(m.removedOrder) && now.Sub(m.removedOrder[done].at) > Settling {
		delete(m.removed, m.removedOrder[done].id)
		done++
	}
	m.removedOrder = m.removedOrder[done:]
}

// Get returns a connection, as Roster says.
func (m *Memory) Get(ctx context.Context, id string) (found Connection, err error) {
	if id == "" {
		return found, ErrNoID
	}
	err = m.change(ctx, id, func(c *Connection) error {
		found = c.clone()
		return nil
	})
	return found, err
}

// Touch lets a connection live longer, as Roster says.
func (m *Memory) Touch(ctx context.Context, id string, expires time.Time) error {
	if id == "" {
		return ErrNoID
	}
	return m.change(ctx, id, func(c *Connection) error {
		if expires = wholeSecond(expires); expires.After(c.ExpiresAt) {
			c.ExpiresAt = expires
		}
		return nil
	})
}

// Join puts a connection into a group, as Roster says.
func (m *Memory) Join(ctx context.Context, id, group string) error {
	if err := CheckMembership(id, group); err != nil {
		return err
	}
	return m.change(ctx, id, func(c *Connection) error {
		if slices.Contains(c.Groups, group) {
			return nil
		}
		if len(c.Groups) >= MaxGroups {
			return tooManyGroups()
		}
		c.Groups = normal(append(c.Groups, group))
		m.groups.add(group, id)
		return nil
	})
}

// Leave takes a connection out of a group, as Roster says.
func (m *Memory) Leave(ctx context.Context, id, group string) error {
	if err := CheckMembership(id, group); err != nil {
		return err
	}
	err := m.change(ctx, id, func(c *Connection) error {
		c.Groups = leave(c.Groups, group)
		m.groups.remove(group, id)
		return nil
	})
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// leave is the groups less one, nil when none is left.
func leave(groups []string, group string) []string {
	var rest []string
	for _, g := range groups {
		if g != group {
			rest = append(rest, g)
		}
	}
	return rest
}

// change calls f with a live row, under the lock, and stores what f made of it.
func (m *Memory) change(ctx context.Context, id string, f func(*Connection) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, found := m.rows[id]
	if !found || !c.ExpiresAt.After(time.Now()) {
		return ErrUnknown
	}
	if err := f(&c); err != nil {
		return err
	}
	m.rows[id] = c
	return nil
}

// ByUser yields a user's connections, as Roster says.
func (m *Memory) ByUser(ctx context.Context, user string) iter.Seq2[Connection, error] {
	return m.each(ctx, func() []Connection { return m.membersLocked(m.users[user]) })
}

// ByGroup yields a group's connections, as Roster says.
func (m *Memory) ByGroup(ctx context.Context, group string) iter.Seq2[Connection, error] {
	return m.each(ctx, func() []Connection { return m.membersLocked(m.groups[group]) })
}

// Recent yields the connections of the last window, as Roster says.
func (m *Memory) Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error] {
	return m.each(ctx, func() []Connection {
		if window <= 0 {
			return nil
		}
		return m.sinceLocked(time.Now().Add(-window))
	})
}

// All yields every connection, as Roster says.
func (m *Memory) All(ctx context.Context) iter.Seq2[Connection, error] {
	return m.each(ctx, func() []Connection { return m.sinceLocked(time.Time{}) })
}

// Count counts the connections, as Roster says.
func (m *Memory) Count(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, now := 0, time.Now()
	for _, c := range m.rows {
		if c.ExpiresAt.After(now) {
			n++
		}
	}
	return n, nil
}

// Prune removes connections that have expired, as Roster says.
func (m *Memory) Prune(ctx context.Context, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, now := 0, time.Now()
	for id, c := range m.rows {
		if n >= limit {
			break
		}
		if !c.ExpiresAt.After(now) {
			m.removeLocked(id, now)
			n++
		}
	}
	return n, nil
}

// each yields from a copy, so that the loop's body may change the roster.
func (m *Memory) each(ctx context.Context, copyLocked func() []Connection) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.locked(copyLocked) {
			if ctx.Err() != nil {
				break
			}
			if !yield(c, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Connection{}, err)
		}
	}
}

func (m *Memory) locked(copyLocked func() []Connection) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copyLocked()
}

func (m *Memory) membersLocked(ids map[string]struct{}) []Connection {
	var out []Connection
	now := time.Now()
	for id := range ids {
		if c := m.rows[id]; c.ExpiresAt.After(now) {
			out = append(out, c.clone())
		}
	}
	return out
}

// sinceLocked copies the live rows entered at or after since. Rows that have
// been dead for a whole time to live are dropped here, so that a process that
// misses $disconnect events does not grow for ever; until then they stay, so
// that a late Add finds them.
func (m *Memory) sinceLocked(since time.Time) []Connection {
	now := time.Now()
	var out []Connection
	for id, c := range m.rows {
		if c.ExpiresAt.Add(m.ttl).Before(now) {
			m.dropLocked(id)
			continue
		}
		if c.ExpiresAt.After(now) && !c.ConnectedAt.Before(since) {
			out = append(out, c.clone())
		}
	}
	return out
}

// clone shares nothing that a caller might change.
func (c Connection) clone() Connection {
	c.Groups = slices.Clone(c.Groups)
	c.Attributes = maps.Clone(c.Attributes)
	return c
}
