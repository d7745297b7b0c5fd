package sns

import (
	"context"
	"errors"
	"fmt"
)

// Len is the number of topics, those of all regions and accounts.
func (s *Service) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.topics)
}

// Reset removes all topics with their subscriptions and what waits for them, and
// forgets what was published to FIFO topics. EnsureTopic and EnsureSubscriptions
// then make those of a template anew. Attempts that have begun are waited for until
// ctx ends; after that one may still reach its end point. It may be called
// together with anything.
func (s *Service) Reset(ctx context.Context) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	s.admin.Lock()
	defer s.admin.Unlock()
	var errs []error
	work := context.WithoutCancel(ctx)
	topics, ended := s.all()
	for _, t := range topics {
		if err := s.removeTopic(work, t); err != nil {
			errs = append(errs, fmt.Errorf("remove topic %s: %w", t.record().Address.Name, err))
		}
	}
	for _, delivered := range ended {
		select {
		case <-delivered:
		case <-ctx.Done():
		}
	}
	return errors.Join(append(errs, s.forgetPublished(work))...)
}

// all returns the topics, and what tells that the deliveries to their
// subscriptions have ended.
func (s *Service) all() (topics []*topic, ended []<-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.topics {
		topics = append(topics, t)
	}
	for _, sub := range s.subscriptions {
		if sub.ended != nil {
			ended = append(ended, sub.ended)
		}
	}
	return topics, ended
}

// forgetPublished forgets what FIFO topics would not take again.
func (s *Service) forgetPublished(ctx context.Context) error {
	seen, err := s.seen.All(ctx)
	if err != nil {
		return err
	}
	for key := range seen {
		if err := s.seen.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
