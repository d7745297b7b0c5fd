package push

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// MigrateOptions are the settings of Migrate; the zero value is fine.
type MigrateOptions struct {
	// DryRun reads and counts, and writes nothing.
	DryRun bool
	// Parallelism is how many connections are written at once; zero means 16.
	Parallelism int
	// Progress is called now and then with what has been done, from one
	// goroutine at a time; nil for nobody.
	Progress func(Migration)
}

// Migration says what a Migrate has done.
type Migration struct {
	// Read counts the live connections of the old roster.
	Read int
	// Copied counts those that the new roster has now, including those that
	// it had already from an earlier Migrate.
	Copied int
	// Refused counts those that the new roster has had and removed meanwhile.
	Refused int
	// Failed are those that could not be written.
	Failed []Failure
}

// progressEvery is how many connections lie between two calls of Progress.
const progressEvery = 1000

// Migrate copies the live connections of one roster to another, with all that
// is known of them. The old one is not changed, and both may be in use: begin
// to enter new connections in the new roster first, then migrate, then publish
// from the new one. Connections that end meanwhile are found gone by the first
// publish. It may be repeated. The error says why the old roster was not read
// to its end, or that connections failed; the Migration is right in any case.
func Migrate(ctx context.Context, from, to Roster, o MigrateOptions) (Migration, error) {
	if o.Parallelism <= 0 {
		o.Parallelism = 16
	}
	m := &migration{to: to, options: o}
	err := m.run(ctx, from)
	if m.options.Progress != nil {
		m.options.Progress(m.done)
	}
	if err == nil && len(m.done.Failed) > 0 {
		first := m.done.Failed[0]
		err = fmt.Errorf("migrate: %d of %d connections were not written, the first is %s: %w", len(m.done.Failed), m.done.Read, first.ConnectionID, first.Err)
	}
	return m.done, err
}

type migration struct {
	to      Roster
	options MigrateOptions

	mu   sync.Mutex
	done Migration
}

func (m *migration) run(ctx context.Context, from Roster) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	pending := make(chan struct{}, m.options.Parallelism)
	for c, err := range from.All(ctx) {
		if err != nil {
			return fmt.Errorf("migrate: read the old roster: %w", err)
		}
		pending <- struct{}{}
		wg.Go(func() {
			defer func() { <-pending }()
			m.copy(ctx, c)
		})
	}
	return nil
}

func (m *migration) copy(ctx context.Context, c Connection) {
	var err error
	if !m.options.DryRun {
		err = m.to.Add(ctx, c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done.Read++
	switch {
	case errors.Is(err, ErrExists):
		m.done.Refused++
	case err != nil:
		m.done.Failed = append(m.done.Failed, Failure{c.ID, err})
	case !m.options.DryRun:
		m.done.Copied++
	}
	if m.options.Progress != nil && m.done.Read%progressEvery == 0 {
		m.options.Progress(m.done)
	}
}
