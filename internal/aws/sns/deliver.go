package sns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
)

// errNoQueues and errNoFunctions: Config names nobody to deliver to.
var (
	errNoQueues    = fmt.Errorf("no queues run here: %w", ErrNoEndpoint)
	errNoFunctions = fmt.Errorf("no functions run here: %w", ErrNoEndpoint)
)

// send makes one attempt to deliver a message.
func (s *subscription) send(ctx context.Context, e *envelope) error {
	v := s.state()
	switch {
	case e.Kind == confirmation && !v.Pending:
		return nil // confirmed meanwhile: nothing to ask any more
	case v.Protocol == "sqs":
		if v.raw() && len(e.Attributes) > maxQueueAttributes {
			return fmt.Errorf("%w: a raw message for a queue can have %d attributes", errRejected, maxQueueAttributes)
		}
		return s.sendToQueue(ctx, v.Endpoint, e)
	case v.Protocol == "lambda":
		return s.invoke(ctx, v.Endpoint, e)
	}
	return s.post(ctx, v.Endpoint, e)
}

// maxQueueAttributes is how many attributes a queue's message can have.
const maxQueueAttributes = 10

// sendToQueue sends a message to a queue of the subscription's: its end point,
// or its dead-letter queue.
func (s *subscription) sendToQueue(ctx context.Context, arn string, e *envelope) error {
	if s.service.config.Queues == nil {
		return errNoQueues
	}
	m := QueueMessage{Body: e.body, Attributes: e.Attributes}
	if !s.state().raw() || len(e.Attributes) > maxQueueAttributes {
		body, err := s.notification(e)
		if err != nil {
			return err
		}
		m.Body, m.Attributes = body, nil
	}
	toFIFO := strings.HasSuffix(arn, fifoSuffix)
	if toFIFO || e.Sequence == "" {
		m.GroupID = e.Group
	}
	if toFIFO {
		m.DeduplicationID = e.Dedup
	}
	return s.service.config.Queues.SendToQueue(ctx, arn, m)
}

func (s *subscription) invoke(ctx context.Context, arn string, e *envelope) error {
	if s.service.config.Functions == nil {
		return errNoFunctions
	}
	event, err := s.lambdaEvent(e)
	if err != nil {
		return err
	}
	return s.service.config.Functions.InvokeFunction(ctx, arn, event)
}

// maxAnswer is how much of an HTTP answer is read, so that the connection can be
// used again.
const maxAnswer = 64 << 10

// post sends a message to an HTTP end point.
func (s *subscription) post(ctx context.Context, endpoint string, e *envelope) error {
	v := s.state()
	record := s.topic.record()
	policy := v.delivery.effective(record.delivery())
	if err := s.pace.wait(ctx, policy.Throttle); err != nil {
		return err
	}
	body, err := s.httpBody(e)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %v", errRejected, err)
	}
	s.setHeaders(req.Header, e, policy.Request.HeaderContentType)
	res, err := s.service.config.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, maxAnswer)
	return statusError(res.StatusCode)
}

func (s *subscription) httpBody(e *envelope) (string, error) {
	switch {
	case e.Kind == confirmation:
		return s.confirmation(e)
	case s.state().raw():
		return e.body, nil
	}
	return s.notification(e)
}

func (s *subscription) setHeaders(h http.Header, e *envelope, contentType string) {
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("x-amz-sns-message-id", e.ID)
	h.Set("x-amz-sns-topic-arn", s.state().Topic.arn())
	if e.Kind == confirmation {
		h.Set("x-amz-sns-message-type", "SubscriptionConfirmation")
		h.Set("Content-Type", defaultContentType)
		return
	}
	h.Set("x-amz-sns-message-type", "Notification")
	h.Set("x-amz-sns-subscription-arn", s.state().arn())
	h.Set("Content-Type", contentType)
	if s.state().raw() {
		h.Set("x-amz-sns-rawdelivery", "true")
	}
}

// statusError says what a status means: an answer of the server's fault, and
// one that asks to wait, is worth another try.
func statusError(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusTooManyRequests || status >= 500:
		return fmt.Errorf("the end point answered %d", status)
	}
	return fmt.Errorf("%w: it answered %d", errRejected, status)
}

// pace keeps deliveries under a throttle policy.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait returns when the next delivery may begin, or with ctx's error.
func (p *pace) wait(ctx context.Context, t *throttlePolicy) error {
	if t == nil {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	begin := p.next
	if begin.Before(now) {
		begin = now
	}
	p.next = begin.Add(time.Second / time.Duration(t.MaxReceivesPerSecond))
	p.mu.Unlock()
	select {
	case <-time.After(begin.Sub(now)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// verdict is what follows from an attempt.
type verdict int

const (
	done  verdict = iota // delivered
	again                // try again after a wait
	bury                 // to the dead-letter queue
	drop                 // given up: the failure is the function's own
)

// judge says what follows from an attempt that ended with err; e counts the
// attempts, this one included.
func (s *subscription) judge(e *envelope, err error) (verdict, time.Duration) {
	switch {
	case err == nil:
		return done, 0
	case errors.Is(err, ErrNoEndpoint), errors.Is(err, errRejected):
		return bury, 0
	case errors.Is(err, ErrFunctionFailed):
		waits := s.service.config.FunctionRetries
		if e.Faults > len(waits) {
			return drop, 0
		}
		return again, waits[e.Faults-1]
	}
	if wait, ok := s.retries().wait(e.Tries - e.Faults); ok {
		return again, wait
	}
	return bury, 0
}

// retries is the policy for an end point that cannot be reached.
func (s *subscription) retries() RetryPolicy {
	v := s.state()
	if v.Protocol == "http" || v.Protocol == "https" {
		record := s.topic.record()
		return v.delivery.effective(record.delivery()).Retry.policy()
	}
	return *s.service.config.Retries
}

// count notes a failed attempt in the envelope.
func (e *envelope) count(err error) {
	e.Tries++
	if errors.Is(err, ErrFunctionFailed) {
		e.Faults++
	}
}

// report tells what became of a message that needs no further attempt.
func (s *subscription) report(e *envelope, v verdict, cause string) {
	state := s.state()
	event := telemetry.Event{Kind: telemetry.Delivered, Source: state.Topic.arn(), RequestID: e.ID, Bytes: len(e.body), Text: "to " + state.Endpoint}
	switch {
	case e.Kind == confirmation && v != done:
		event.Failed, event.Text = true, "not asked to confirm: "+cause
		s.service.config.Log.Error("the end point cannot be asked to confirm its subscription; subscribe it again", "subscription", state.arn(), "error", cause)
	case v == drop:
		event.Failed, event.Text = true, "given up: "+cause
		s.service.config.Log.Error("the function failed on every attempt; its message is given up", "subscription", state.arn(), "message", e.ID, "error", cause)
	case v == bury && state.deadLetter == "":
		event.Failed, event.Text = true, "given up, as the subscription has no RedrivePolicy: "+cause
		s.service.config.Log.Error("message cannot be delivered and is given up; give the subscription a RedrivePolicy to keep such messages",
			"subscription", state.arn(), "message", e.ID, "error", cause)
	case v == bury:
		event.Kind, event.Failed, event.Text = telemetry.DeadLettered, true, "moved to "+state.deadLetter+": "+cause
	}
	s.service.config.Feed.Record(event)
}
