package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// syncInterval is how long a write may wait for the disk when Config.Sync is
// false.
const syncInterval = 200 * time.Millisecond

// Bounds of the queue of writes: maxQueued may wait, maxGroup share one
// transaction.
const (
	maxQueued = 10_000
	maxGroup  = 256
)

var (
	errClosed = errors.New("dynamodb: closed")
	errBusy   = errors.New("dynamodb: too many writes are waiting")
)

// store is a bbolt file whose writes are committed in groups: while one
// transaction is on its way to the disk, the next writes gather, and share the
// one after. A lone write waits for nobody.
type store struct {
	db *bbolt.DB
	// temporary is the file to remove when the store closes, or "".
	temporary string
	// lazy is true when the file is synced by interval.
	lazy    bool
	log     *slog.Logger
	workers sync.WaitGroup
	// wake tells the committer, dirty the syncer, that there is work; stop
	// tells the syncer to end.
	wake, dirty, stop chan struct{}

	mu     sync.Mutex // guards what follows
	queue  []*write
	closed bool
}

// write is one change that waits for its transaction.
type write struct {
	// run makes the change. It checks everything first: an error after its
	// first write spoils the whole group.
	run func(*writeTx) error
	// alone keeps others out of the transaction: what they read outside of it
	// changes with it.
	alone bool
	// committed, if set, runs after the commit and before the next run.
	committed func()
	state     atomic.Int32
	done      chan error
}

// The states of a write: the caller may withdraw it until it starts.
const (
	stateQueued = iota
	stateStarted
	stateWithdrawn
)

// writeTx is the transaction of a group; it notes whether anything was
// written.
type writeTx struct {
	*bbolt.Tx
	wrote bool
	// news are told once the transaction is committed.
	news map[*news]bool
}

func (tx *writeTx) tells(n *news) {
	if tx.news == nil {
		tx.news = make(map[*news]bool)
	}
	tx.news[n] = true
}

// openStore opens or creates the file; path "" makes a temporary one.
func openStore(path string, durable bool, log *slog.Logger) (*store, error) {
	s := &store{log: log, lazy: !durable, wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1), stop: make(chan struct{})}
	if path == "" {
		if err := s.makeTemporary(); err != nil {
			return nil, err
		}
		path = s.temporary
	}
	options := &bbolt.Options{Timeout: time.Second, NoSync: !durable || s.temporary != "", NoFreelistSync: true, FreelistType: bbolt.FreelistMapType}
	db, err := bbolt.Open(path, 0o600, options)
	if err != nil {
		s.removeTemporary()
		return nil, fmt.Errorf("open table file %s: %w", path, err)
	}
	s.db = db
	s.removeTemporary() // where an open file may be removed, a crash leaves nothing behind
	s.workers.Go(s.commitLoop)
	s.workers.Go(s.syncLoop)
	return s, nil
}

func (s *store) makeTemporary() error {
	f, err := os.CreateTemp("", "gatepost-tables-*.db")
	if err != nil {
		return fmt.Errorf("create temporary table file: %w", err)
	}
	s.temporary, s.lazy = f.Name(), false
	return f.Close()
}

func (s *store) removeTemporary() {
	if s.temporary != "" {
		os.Remove(s.temporary)
	}
}

// close commits what is queued, syncs and closes the file. Later calls and
// writes get errClosed.
func (s *store) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.closed = true
	s.mu.Unlock()
	signal(s.wake)
	s.workers.Wait()
	var syncErr error
	if s.lazy {
		syncErr = s.db.Sync()
	}
	err := errors.Join(syncErr, s.db.Close())
	s.removeTemporary()
	if err != nil {
		return fmt.Errorf("close table file: %w", err)
	}
	return nil
}

// view runs a read transaction. Several run at once, beside the writes.
func (s *store) view(run func(*bbolt.Tx) error) error {
	err := s.db.View(run)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	return err
}

// update queues a change and waits until it is committed. When ctx ends first,
// the change is withdrawn if it has not begun.
func (s *store) update(ctx context.Context, w *write) error {
	w.done = make(chan error, 1)
	if err := s.enqueue(w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.state.CompareAndSwap(stateQueued, stateWithdrawn) {
			return ctx.Err()
		}
		return <-w.done
	}
}

func (s *store) enqueue(w *write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case len(s.queue) >= maxQueued:
		return errBusy
	}
	s.queue = append(s.queue, w)
	signal(s.wake)
	return nil
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// commitLoop commits groups until the store is closed and the queue empty.
func (s *store) commitLoop() {
	defer close(s.stop)
	for {
		group, closed := s.nextGroup()
		switch {
		case len(group) > 0:
			s.commit(group)
			// Those who have their answer now make the next group: the more of
			// them there are in it, the less of a commit each pays. A third of the
			// CPU of a write with 64 callers.
			runtime.Gosched()
		case closed:
			return
		default:
			<-s.wake
		}
	}
}

// nextGroup takes the writes that may share the next transaction.
func (s *store) nextGroup() (group []*write, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < min(len(s.queue), maxGroup) && !s.queue[n].alone {
		n++
	}
	if n == 0 && len(s.queue) > 0 {
		n = 1
	}
	group = s.queue[:n:n]
	s.queue = s.queue[n:]
	return group, s.closed
}

// commit runs a group in one transaction and tells each write its result.
func (s *store) commit(group []*write) {
	results := make([]error, len(group))
	failure := s.transact(group, results)
	if failure == nil && s.lazy {
		signal(s.dirty)
	}
	for i, w := range group {
		err := results[i]
		if failure != nil {
			err = failure
		}
		if err == nil && w.committed != nil && w.state.Load() == stateStarted {
			w.committed()
		}
		w.done <- err
	}
}

// transact fills in what each write returned. Its own error means that nothing
// of the group was kept.
func (s *store) transact(group []*write, results []error) error {
	btx, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("begin write: %w", err)
	}
	defer btx.Rollback() // does nothing after Commit
	tx := &writeTx{Tx: btx}
	for i, w := range group {
		if !w.state.CompareAndSwap(stateQueued, stateStarted) {
			continue
		}
		wroteBefore := tx.wrote
		tx.wrote = false
		results[i] = w.run(tx)
		if results[i] != nil && tx.wrote {
			return fmt.Errorf("write failed midway: %w", results[i])
		}
		tx.wrote = tx.wrote || wroteBefore
	}
	if !tx.wrote {
		return nil
	}
	if err := btx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for n := range tx.news {
		n.tell()
	}
	return nil
}

// syncLoop syncs the file an interval after it was first written; close makes
// the last sync.
func (s *store) syncLoop() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.dirty:
		}
		select {
		case <-s.stop:
			return
		case <-time.After(syncInterval):
		}
		if err := s.db.Sync(); err != nil {
			s.log.Error("cannot bring tables to the disk", "error", err)
		}
	}
}
