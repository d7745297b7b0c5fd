package lambda

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// deletable is a queue that Reset can take away; those of the bus are.
type deletable interface {
	Counts(ctx context.Context) (bus.Counts, error)
	Delete(ctx context.Context) error
}

// Reset drops all asynchronous invocations: those that wait for their time or
// their next attempt, and those that run, which are cut off and tell no
// destination. It returns how many there were. Events that are accepted
// meanwhile may be dropped or not; those that come after it has returned are kept.
// It may be called at any time, and by several at once.
func (s *Service) Reset(ctx context.Context) (dropped int, err error) {
	done, err := s.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	s.admin.Lock()
	defer s.admin.Unlock()
	s.haltPollers()
	// No goroutine touches the queues now but those that publish.
	var errs []error
	for function, q := range s.takeQueues() {
		d, ok := q.(deletable)
		if !ok {
			continue
		}
		counts, err := d.Counts(ctx)
		dropped += counts.Ready + counts.Hidden + counts.Delayed
		if err = errors.Join(err, d.Delete(ctx)); err != nil {
			errs = append(errs, fmt.Errorf("drop the invocations of function %s: %w", function, err))
		}
	}
	s.goOn()
	return dropped, errors.Join(errs...)
}

// haltPollers ends the goroutines that run invocations, and waits for them.
func (s *Service) haltPollers() {
	s.mu.RLock()
	now := s.round
	s.mu.RUnlock()
	now.stop()
	s.pollers.Wait()
}

// takeQueues forgets the queues; queueOf makes them again, once admin is free.
func (s *Service) takeQueues() map[string]queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	queues := s.queues
	s.queues = make(map[string]queue)
	return queues
}

// goOn lets invocations run again. After Close or Pause it changes nothing.
func (s *Service) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round = s.newRound()
}

// round is the time between two resets.
type round struct {
	// taking ends when no further invocation is to begin, running when those that
	// run are to be cut off: with the service or with the round.
	taking, running context.Context
	stop            context.CancelFunc
}

func (s *Service) newRound() round {
	taking, stopTaking := context.WithCancel(s.taking)
	running, cutRunning := context.WithCancel(s.running)
	return round{taking, running, func() { stopTaking(); cutRunning() }}
}
