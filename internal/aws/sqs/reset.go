package sqs

import (
	"context"
	"errors"
)

// Reset empties the service, for the time between two tests: queues that clients
// made are gone with their messages, those of the template are empty and as the
// template declares them; what was sent before is forgotten, and
// message move tasks are ended and forgotten.
func (s *Service) Reset(ctx context.Context) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	s.admin.Lock()
	defer s.admin.Unlock()
	errs := []error{s.resetMoves(ctx)}
	for _, q := range s.all() {
		errs = append(errs, s.reset(ctx, q))
	}
	for at, wanted := range s.declared {
		if _, there := s.lookup(at); !there { // a client deleted it
			_, err := s.create(ctx, wanted.record(at))
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Service) all() (queues []*queue) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, q := range s.queues {
		queues = append(queues, q)
	}
	return queues
}

// reset keeps a queue of the template, so that receives which wait at it go on.
func (s *Service) reset(ctx context.Context, q *queue) error {
	r := q.record()
	wanted, ours := s.declared[r.Address]
	if !ours {
		return s.delete(ctx, q)
	}
	if err := q.line.purge(ctx); err != nil {
		return err
	}
	if l, ok := q.line.(*fifo); ok {
		l.forgetSent()
	}
	q.purged.Store(0)
	r.Settings, r.Tags = wanted.settings, wanted.tags
	return q.update(ctx, r)
}

// resetMoves ends all message move tasks.
func (s *Service) resetMoves(ctx context.Context) error {
	s.moves.mu.Lock()
	defer s.moves.mu.Unlock()
	var errs []error
	for handle, t := range s.moves.tasks {
		if t.Status == moveRunning {
			t.Status = moveCancelling
			t.cancel()
		}
		t.forgotten = true
		errs = append(errs, s.moves.store.Delete(ctx, handle))
		delete(s.moves.tasks, handle)
	}
	return errors.Join(errs...)
}
