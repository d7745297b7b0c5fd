package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// load opens what the bus holds, and completes what a killed process left half
// done: subscriptions whose topic is gone, queues whose subscription is, and
// subscriptions that nobody confirmed in time.
func (s *Service) load(ctx context.Context) error {
	var err error
	if s.records, err = s.config.Bus.EnsureBucket(ctx, "SNS", 0); err != nil {
		return err
	}
	if s.seen, err = s.config.Bus.EnsureBucket(ctx, "SNS-seen", deduplication); err != nil {
		return err
	}
	records, err := s.records.All(ctx)
	if err != nil {
		return fmt.Errorf("recover topics: %w", err)
	}
	if err := s.loadTopics(records); err != nil {
		return err
	}
	if err := s.loadSubscriptions(ctx, records); err != nil {
		return err
	}
	return s.sweepQueues(ctx)
}

func (s *Service) loadTopics(records map[string][]byte) error {
	for key, text := range records {
		if !strings.HasPrefix(key, topicKeys) {
			continue
		}
		var r topicRecord
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("recover topics: read record %s: %w", key, err)
		}
		t := new(topic)
		t.current.Store(&r)
		s.topics[r.Address] = t
	}
	return nil
}

func (s *Service) loadSubscriptions(ctx context.Context, records map[string][]byte) error {
	var all []subscriptionRecord
	for key, text := range records {
		if !strings.HasPrefix(key, subscriptionKeys) {
			continue
		}
		var r subscriptionRecord
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("recover subscriptions: read record %s: %w", key, err)
		}
		if _, ok := s.topics[r.Topic]; !ok || r.Pending && time.Since(r.Created) > tokenLife {
			if err := s.records.Delete(ctx, key); err != nil {
				return err
			}
			continue // sweepQueues drops its queue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b subscriptionRecord) int { return a.Created.Compare(b.Created) })
	for _, r := range all {
		if err := s.open(ctx, r); err != nil {
			return fmt.Errorf("recover subscription %s: %w", r.arn(), err)
		}
	}
	return nil
}

// open puts a stored subscription in force.
func (s *Service) open(ctx context.Context, r subscriptionRecord) error {
	v, err := settle(r)
	if err != nil {
		return err
	}
	queue, err := s.config.Bus.EnsureQueue(ctx, s.busConfig(&r))
	if err != nil {
		return err
	}
	sub := &subscription{service: s, topic: s.topics[r.Topic], queue: queue}
	sub.current.Store(v)
	s.subscriptions[r.ID] = sub
	sub.topic.subscriptions = append(sub.topic.subscriptions, sub)
	return nil
}

func (s *Service) sweepQueues(ctx context.Context) error {
	queues, err := s.config.Bus.Queues(ctx)
	if err != nil {
		return fmt.Errorf("recover subscriptions: %w", err)
	}
	for _, queue := range queues {
		id, ours := queue.Config().Metadata[metadataKey]
		if _, known := s.subscriptions[id]; !ours || known {
			continue
		}
		if err := queue.Delete(ctx); err != nil {
			return fmt.Errorf("recover subscriptions: %w", err)
		}
	}
	return nil
}

// TopicSpec is a topic that a template declares (AWS::SNS::Topic).
type TopicSpec struct {
	// Name is the topic's name, which ends in .fifo for a FIFO topic. ARN says
	// in which region and account it is; empty means those of Config.
	Name, ARN string
	// Attributes are topic attributes by the names that SetTopicAttributes has:
	// DisplayName, ContentBasedDeduplication, DeliveryPolicy and so on.
	// FifoTopic may be among them.
	Attributes map[string]string
	Tags       map[string]string
}

// SubscriptionSpec is a subscription that a template declares
// (AWS::SNS::Subscription, a topic's Subscription property, a function's SNS
// event).
type SubscriptionSpec struct {
	TopicARN string
	// Protocol is sqs, lambda, http or https, Endpoint the ARN or URL.
	Protocol, Endpoint string
	// Attributes are subscription attributes by the names that
	// SetSubscriptionAttributes has, JSON documents as text: FilterPolicy,
	// FilterPolicyScope, RawMessageDelivery, RedrivePolicy, DeliveryPolicy.
	Attributes map[string]string
}

// EnsureTopic makes the topic that a template declares, or brings the one of that
// name to the template's attributes; its subscriptions and tags that the
// template does not know stay.
func (s *Service) EnsureTopic(ctx context.Context, spec TopicSpec) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	at := address{s.config.Region, s.config.Account, spec.Name}
	if spec.ARN != "" {
		if at, err = parseTopicARN("TopicArn", spec.ARN); err != nil {
			return fmt.Errorf("topic %s: %w", spec.Name, err)
		}
		if at.Name != spec.Name {
			return fmt.Errorf("topic %s: its ARN %s names another topic", spec.Name, spec.ARN)
		}
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	r, err := newTopicRecord(at, spec.Attributes, spec.Tags)
	if err != nil {
		return fmt.Errorf("topic %s: %w", spec.Name, err)
	}
	if t, err := s.lookup(at); err == nil {
		r.Created, r.Tags = t.record().Created, merged(t.record().Tags, spec.Tags)
	}
	if err := s.storeTopic(ctx, r); err != nil {
		return fmt.Errorf("topic %s: %w", spec.Name, err)
	}
	return nil
}

// EnsureSubscriptions makes the subscriptions that a template declares, brings
// those that are there already to the template's attributes, and ends those
// that an earlier call declared and this one does not. Their topics must exist.
// A subscription is told by its topic, protocol and end point; those that
// clients made are left alone.
func (s *Service) EnsureSubscriptions(ctx context.Context, specs []SubscriptionSpec) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	s.admin.Lock()
	defer s.admin.Unlock()
	declared := make(map[string]bool)
	for _, spec := range specs {
		r, err := s.declare(ctx, spec)
		if err != nil {
			return fmt.Errorf("subscription of %s %s to %s: %w", spec.Protocol, spec.Endpoint, spec.TopicARN, err)
		}
		declared[r.ID] = true
	}
	for _, sub := range s.declaredBefore() {
		if declared[sub.state().ID] {
			continue
		}
		if err := s.removeSubscription(ctx, sub); err != nil {
			return fmt.Errorf("end subscription %s: %w", sub.state().arn(), err)
		}
	}
	return nil
}

func (s *Service) declaredBefore() []*subscription {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*subscription
	for _, sub := range s.subscriptions {
		if sub.state().Declared {
			all = append(all, sub)
		}
	}
	return all
}

// declare makes or changes one subscription. Call with admin held.
func (s *Service) declare(ctx context.Context, spec SubscriptionSpec) (subscriptionRecord, error) {
	at, err := parseTopicARN("TopicArn", spec.TopicARN)
	if err != nil {
		return subscriptionRecord{}, err
	}
	t, err := s.lookup(at)
	if err != nil {
		return subscriptionRecord{}, err
	}
	r, err := newSubscriptionRecord(at, spec.Protocol, spec.Endpoint, spec.Attributes)
	if err != nil {
		return r, err
	}
	r.Declared = true
	if sub := s.find(t, spec.Protocol, spec.Endpoint); sub != nil {
		attributes := r.Attributes
		r = sub.state().subscriptionRecord
		r.Attributes, r.Declared = attributes, true
		_, err := s.storeSubscription(ctx, r)
		return r, err
	}
	return r, s.subscribe(ctx, t, r)
}

// merged returns tags with others in place of those of the same key.
func merged(tags, others map[string]string) map[string]string {
	all := make(map[string]string, len(tags)+len(others))
	for _, m := range []map[string]string{tags, others} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
