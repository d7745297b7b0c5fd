package push

import (
	"context"
	"iter"
	"maps"
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
// programs that run as one process. It is lost when the process ends.
type Memory struct {
	ttl time.Duration

	mu   sync.Mutex
	rows map[string]Connection
}

// NewMemory returns an empty roster.
func NewMemory(o MemoryOptions) *Memory {
	return &Memory{ttl: ttlOr(o.TTL), rows: make(map[string]Connection)}
}

// Add enters a connection, as Roster says.
func (m *Memory) Add(ctx context.Context, c Connection) error {
	now := time.Now()
	c, err := c.complete(now, m.ttl)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, found := m.rows[c.ID]
	if !found {
		m.rows[c.ID] = c
		return nil
	}
	if old.ConnectedAt.Equal(c.ConnectedAt) && old.ExpiresAt.After(now) {
		return nil
	}
	return ErrExists
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
	delete(m.rows, id)
	return nil
}

// Recent yields the connections of the last window, as Roster says.
func (m *Memory) Recent(ctx context.Context, window time.Duration) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		if window <= 0 {
			return
		}
		m.each(ctx, time.Now().Add(-window), yield)
	}
}

// All yields every connection, as Roster says.
func (m *Memory) All(ctx context.Context) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) { m.each(ctx, time.Time{}, yield) }
}

// each yields from a copy, so that the loop's body may change the roster.
func (m *Memory) each(ctx context.Context, since time.Time, yield func(Connection, error) bool) {
	for _, c := range m.alive(since) {
		if err := ctx.Err(); err != nil {
			yield(Connection{}, err)
			return
		}
		if !yield(c, nil) {
			return
		}
	}
	if err := ctx.Err(); err != nil {
		yield(Connection{}, err)
	}
}

// alive copies the live rows entered at or after since. Rows that have been
// dead for a whole time to live are dropped here, so that a process that
// misses $disconnect events does not grow for ever; until then they stay, so
// that a late Add finds them.
func (m *Memory) alive(since time.Time) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var out []Connection
	for id, c := range m.rows {
		if c.ExpiresAt.Add(m.ttl).Before(now) {
			delete(m.rows, id)
			continue
		}
		if c.ExpiresAt.After(now) && !c.ConnectedAt.Before(since) {
			c.Attributes = maps.Clone(c.Attributes)
			out = append(out, c)
		}
	}
	return out
}
