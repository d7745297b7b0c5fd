package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// queue is what the asynchronous invocations of one function need of a work queue
// of the bus.
type queue interface {
	Publish(ctx context.Context, m bus.Message) error
	Fetch(ctx context.Context, most int, wait time.Duration) ([]bus.Delivery, error)
	Hide(ctx context.Context, d time.Duration, receipts ...bus.Receipt) error
	Return(deliveries []bus.Delivery)
	Ack(ctx context.Context, receipts ...bus.Receipt) error
}

// ackWait is after how long an invocation comes back that was running when the
// process was killed.
const ackWait = 10 * time.Second

// deduplication is how long the bus knows the copies that were made of an
// envelope. A killed process makes one twice within ackWait.
const deduplication = time.Minute

// metadataKey marks this package's queues on the bus and names their function.
const metadataKey = "gatepost-lambda"

// busConfig is the work queue of a function. Invocations that are too old are
// given up when they are looked at, not by the bus, which would tell nobody.
func busConfig(function string) bus.QueueConfig {
	sum := sha256.Sum256([]byte(function))
	readable := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, strings.ToLower(function))
	return bus.QueueConfig{
		Name:           "LAMBDA-" + readable[:min(len(readable), 64)] + "-" + hex.EncodeToString(sum[:10]),
		Metadata:       map[string]string{metadataKey: function},
		MaxMessageSize: bus.MaxPayload,
		Duplicates:     deduplication,
		AckWait:        ackWait,
	}
}

func (s *Service) openOnBus(ctx context.Context, function string) (queue, error) {
	return s.config.Bus.EnsureQueue(ctx, busConfig(function))
}

// load opens the queues in which something waits, those of functions that are
// gone, too: an invocation that was accepted ends in its function or is given up
// by its age. Empty ones go; the next invocation makes them again.
func (s *Service) load(ctx context.Context) error {
	works, err := s.config.Bus.Queues(ctx)
	if err != nil {
		return err
	}
	for _, work := range works {
		function, ours := work.Config().Metadata[metadataKey]
		if !ours {
			continue
		}
		counts, err := work.Counts(ctx)
		if err != nil {
			return err
		}
		if counts == (bus.Counts{}) {
			if err := work.Delete(ctx); err != nil {
				return err
			}
			continue
		}
		// The process may have been killed while it made the queue.
		if err := work.Update(ctx, busConfig(function)); err != nil {
			return err
		}
		s.queues[function] = work
	}
	return nil
}

// queueOf returns a function's queue and makes it if there is none yet.
func (s *Service) queueOf(ctx context.Context, function string) (queue, error) {
	s.mu.RLock()
	q, ok := s.queues[function]
	s.mu.RUnlock()
	if ok {
		return q, nil
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	s.mu.RLock()
	q, ok = s.queues[function]
	s.mu.RUnlock()
	if ok {
		return q, nil
	}
	q, err := s.open(ctx, function)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues[function] = q
	if s.started && !s.closed {
		s.pollLocked(function, q)
	}
	return q, nil
}

// InvokeAsync accepts an asynchronous invocation for those inside Gatepost who
// make some. It returns nil once the invocation is stored: from then on it outlives
// the process. function is a name or an ARN, with a qualifier or without; an empty
// event is an empty object. An error that is ErrNoFunction says that there is no
// such function, one that is an *awswire.Error that the event is refused; any
// other is a fault of the store.
func (s *Service) InvokeAsync(ctx context.Context, function string, event []byte) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	return s.submit(ctx, function, event, 0)
}

// submit is InvokeAsync with the number of invocations that led here.
func (s *Service) submit(ctx context.Context, function string, event []byte, hops int) error {
	ref, err := parseReference(function)
	if err != nil {
		return err
	}
	f, err := s.resolve(ref, s.config.Region, s.config.Account, "InvokeFunction")
	if err != nil {
		return err
	}
	in := Invocation{RequestID: uuid.New()}
	if in.Event, err = s.parseEvent(event, kindEvent); err != nil {
		return err
	}
	return s.accept(ctx, f, ref, in, hops)
}

// maxHops is how many invocations may follow from one another by destinations:
// Lambda ends a loop after about 16.
const maxHops = 16

// accept stores an asynchronous invocation.
func (s *Service) accept(ctx context.Context, f Function, ref reference, in Invocation, hops int) error {
	if hops > maxHops {
		return userError(http.StatusBadRequest, "RecursiveInvocationException", "%d invocations have led to one another by destinations; the loop ends here", maxHops)
	}
	e := &envelope{head: head{ID: in.RequestID, Accepted: time.Now(), Qualifier: ref.qualifier, ClientContext: in.ClientContext, Hops: hops}, event: in.Event}
	q, err := s.queueOf(ctx, f.Name)
	if err != nil {
		return fmt.Errorf("open the queue of function %s: %w", f.Name, err)
	}
	if err := q.Publish(ctx, bus.Message{Data: e.seal()}); err != nil {
		return fmt.Errorf("store an invocation of function %s: %w", f.Name, err)
	}
	return nil
}
