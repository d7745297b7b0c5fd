package kinesis

import (
	"context"
	"errors"
	"maps"

	"github.com/gatepost-dev/gatepost/stack"
)

// EnsureStream makes a stream that a template declares, or brings the one of its
// name to it: records stay. The number of shards is an exception: a stream that
// has another one keeps it, and Log is told.
func (s *Service) EnsureStream(ctx context.Context, wanted stack.DataStream) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	d, err := s.describe(address{s.config.Region, s.config.Account, wanted.Name}, wanted.Shards, wanted.OnDemand, wanted.Retention)
	if err != nil {
		return err
	}
	d.Tags = wanted.Tags
	s.admin.Lock()
	defer s.admin.Unlock()
	s.declared[d.ARN] = d
	st, there := s.find(d.ARN)
	if !there {
		return s.createLocked(ctx, d)
	}
	if has := st.now().openShards(); has != d.Shards && !d.OnDemand {
		s.config.Log.Warn("a stream keeps its number of shards; `aws kinesis update-shard-count` changes it",
			"stream", d.Name, "shards", has, "declared", d.Shards)
	}
	return st.restore(ctx, d)
}

// Undeclare says that a template does not declare a stream any more: it stays,
// with its records, until it is deleted, and Reset does not make it again. It may
// be called of a stream that nobody knows.
func (s *Service) Undeclare(name string) {
	s.admin.Lock()
	defer s.admin.Unlock()
	maps.DeleteFunc(s.declared, func(_ string, d description) bool { return d.Name == name })
}

// restore makes a stream as it is declared. Call with admin held.
func (st *stream) restore(ctx context.Context, d description) error {
	if now := st.now(); now.OnDemand == d.OnDemand && now.Retention == d.Retention && maps.Equal(now.Tags, d.Tags) {
		return nil
	}
	return st.alterLocked(ctx, func(now *description) error {
		now.OnDemand, now.Retention, now.Tags = d.OnDemand, d.Retention, d.Tags
		return nil
	})
}

// Reset empties the service, for the time between two tests: streams that
// clients made are gone with their records, those of the template are empty and
// as the template declares them. Reads that wait at them go on.
func (s *Service) Reset(ctx context.Context) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	s.admin.Lock()
	defer s.admin.Unlock()
	var errs []error
	for _, st := range s.all() {
		errs = append(errs, s.resetLocked(ctx, st))
	}
	for arn, d := range s.declared {
		if _, there := s.find(arn); !there { // a client deleted it
			errs = append(errs, s.createLocked(ctx, d))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) all() (streams []*stream) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, st := range s.streams {
		streams = append(streams, st)
	}
	return streams
}

func (s *Service) resetLocked(ctx context.Context, st *stream) error {
	d, ours := s.declared[st.ARN]
	if !ours {
		return s.dropLocked(ctx, st)
	}
	if len(st.all()) != d.Shards { // it was split or merged
		return errors.Join(s.dropLocked(ctx, st), s.createLocked(ctx, d))
	}
	for _, shard := range st.all() {
		if err := shard.empty(ctx); err != nil {
			return err
		}
	}
	return st.restore(ctx, d)
}
