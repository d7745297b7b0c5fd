package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
)

// metadataKey marks the work queues of this package; the value is the
// subscription's id.
const metadataKey = "gatepost.sns"

// deduplication is how long SNS remembers what was published to a FIFO topic.
const deduplication = 5 * time.Minute

// maxEndpoint is the longest end point, in bytes.
const maxEndpoint = 2048

// protocols are those that SNS has; false are those that Gatepost cannot
// deliver to.
var protocols = map[string]bool{
	"sqs": true, "lambda": true, "http": true, "https": true,
	"email": false, "email-json": false, "sms": false, "application": false, "firehose": false,
}

// subscriptionRecord is all that is known of a subscription beside the messages
// that wait for it.
type subscriptionRecord struct {
	ID       string    `json:"id"`
	Topic    address   `json:"topic"`
	Protocol string    `json:"protocol"`
	Endpoint string    `json:"endpoint"`
	Created  time.Time `json:"created"`
	// Attributes are those that were set.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Token is what confirms the subscription; Pending says that it has not yet.
	Token   string `json:"token,omitempty"`
	Pending bool   `json:"pending,omitempty"`
	// Authenticated: who confirmed it signed the call. Guarded: who ends it must.
	Authenticated bool `json:"authenticated,omitempty"`
	Guarded       bool `json:"guarded,omitempty"`
	// Declared is true when a template declares it.
	Declared bool `json:"declared,omitempty"`
}

func (r *subscriptionRecord) arn() string { return r.Topic.arn() + ":" + r.ID }

func (r *subscriptionRecord) key() string { return subscriptionKeys + r.ID }

// raw says that the message goes out as it is, without SNS's JSON around it.
func (r *subscriptionRecord) raw() bool { return r.Attributes["RawMessageDelivery"] == "true" }

func (r *subscriptionRecord) overBody() bool {
	return r.Attributes["FilterPolicyScope"] == scopeBody
}

// busConfig is the work queue that holds what waits for a subscription.
func (s *Service) busConfig(r *subscriptionRecord) bus.QueueConfig {
	return bus.QueueConfig{
		Name:           "SNS-" + r.ID,
		Metadata:       map[string]string{metadataKey: r.ID},
		Retention:      retention,
		Duplicates:     deduplication,
		AckWait:        s.config.ackWait,
		MaxMessageSize: bus.MaxPayload,
	}
}

// subscription is one subscription. All methods may be called together.
type subscription struct {
	service *Service
	topic   *topic
	queue   *bus.WorkQueue
	current atomic.Pointer[settled]
	pace    pace
	// stop lets no further delivery begin; nil while none may. It is guarded by
	// the service's mu, as is ended, which is closed after the last one.
	stop  func()
	ended chan struct{}
}

// settled is a record with what is read out of its attributes.
type settled struct {
	subscriptionRecord
	filter     *filter // nil lets everything pass
	delivery   subscriptionDelivery
	deadLetter string // the queue's ARN, or ""
}

func (s *subscription) state() *settled { return s.current.Load() }

// settle reads a record's attributes. Its errors are about what cannot have been
// stored, as each attribute is checked when it is set.
func settle(r subscriptionRecord) (*settled, error) {
	v := &settled{subscriptionRecord: r}
	var err error
	if text := r.Attributes["FilterPolicy"]; text != "" {
		if v.filter, err = parseFilter(text); err != nil {
			return nil, invalidParameter("FilterPolicy: %v", err)
		}
	}
	if v.delivery, err = parseSubscriptionDelivery(r.Attributes["DeliveryPolicy"]); err != nil {
		return nil, err
	}
	v.deadLetter, err = parseRedrive(r.Attributes["RedrivePolicy"])
	return v, err
}

// accepts applies the filter policy to a message that goes to this subscription
// with that body.
func (v *settled) accepts(m *Message, body string) bool {
	switch {
	case v.filter == nil:
		return true
	case v.overBody():
		return v.filter.passesBody(body)
	}
	return v.filter.passesAttributes(m.Attributes)
}

// The two values of FilterPolicyScope.
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

// set changes one attribute. The error's text is without the beginning that
// Subscribe and SetSubscriptionAttributes give it.
func (r *subscriptionRecord) set(name, value string) error {
	var err error
	switch name {
	case "RawMessageDelivery":
		err = r.checkRaw(value)
	case "FilterPolicy":
		if value != "" {
			_, err = parseFilter(value)
		}
	case "FilterPolicyScope":
		if value != scopeAttributes && value != scopeBody {
			err = policyError("Invalid value [%s]. Please use either MessageBody or MessageAttributes", clip(value))
		}
	case "RedrivePolicy":
		err = r.checkRedrive(value)
	case "DeliveryPolicy":
		err = r.checkDelivery(value)
	default:
		return invalidParameter("AttributeName")
	}
	if err != nil {
		return attributeError{name, err}
	}
	r.Attributes = maps.Clone(r.Attributes)
	if r.Attributes == nil {
		r.Attributes = make(map[string]string)
	}
	if r.Attributes[name] = value; value == "" {
		delete(r.Attributes, name)
	}
	return nil
}

// attributeError is an attribute's own error.
type attributeError struct {
	name string
	err  error
}

func (e attributeError) Error() string { return e.name + ": " + e.err.Error() }

func (r *subscriptionRecord) checkRaw(value string) error {
	if value != "true" && value != "false" {
		return policyError("Invalid value [%s]. Must be true or false.", clip(value))
	}
	if value == "true" && r.Protocol == "lambda" {
		return policyError("Delivery protocol [%s] does not support raw message delivery.", r.Protocol)
	}
	return nil
}

func (r *subscriptionRecord) checkRedrive(value string) error {
	target, err := parseRedrive(value)
	if err != nil || target == "" {
		return err
	}
	toFIFO := r.Protocol == "sqs" && strings.HasSuffix(r.Endpoint, fifoSuffix)
	if r.Topic.fifo() && toFIFO && !strings.HasSuffix(target, fifoSuffix) {
		return policyError("must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
	}
	if !toFIFO && strings.HasSuffix(target, fifoSuffix) {
		return policyError("must use a standard queue as DLQ for a standard subscription.")
	}
	return nil
}

// parseRedrive returns the dead-letter queue's ARN of a RedrivePolicy, or "".
func parseRedrive(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if len(text) > maxAttribute {
		return "", policyError("it is larger than %d bytes", maxAttribute)
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return "", policyError("failed to parse JSON. %v", err)
	}
	if !isQueueARN(policy.Target) {
		return "", policyError("deadLetterTargetArn is an invalid arn")
	}
	return policy.Target, nil
}

func (r *subscriptionRecord) checkDelivery(value string) error {
	if value != "" && r.Protocol != "http" && r.Protocol != "https" {
		return policyError("only http and https subscriptions have one")
	}
	_, err := parseSubscriptionDelivery(value)
	return err
}

// checkTogether checks what concerns several attributes.
func (r *subscriptionRecord) checkTogether() error {
	if policy := r.Attributes["FilterPolicy"]; policy != "" && !r.overBody() && nested(policy) {
		return invalidParameter("Filter policy scope MessageAttributes does not support nested filter policy")
	}
	return nil
}

// checkEndpoint checks the protocol and the end point of a subscription.
func checkEndpoint(at address, protocol, endpoint string) error {
	deliverable, known := protocols[protocol]
	switch {
	case !known:
		return invalidParameter("Amazon SNS does not support this protocol string: %s", clip(protocol))
	case !deliverable:
		return invalidParameter("Protocol Reason: Gatepost does not deliver to %s; it delivers to sqs, lambda, http and https", protocol)
	case at.fifo() && protocol != "sqs":
		return invalidParameter("Protocol Reason: a FIFO topic delivers to SQS queues only, not to %s", protocol)
	}
	switch protocol {
	case "sqs":
		if !isQueueARN(endpoint) {
			return invalidParameter("SQS endpoint ARN")
		}
		if strings.HasSuffix(endpoint, fifoSuffix) && !at.fifo() {
			return invalidParameter("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case "lambda":
		if !isFunctionARN(endpoint) {
			return invalidParameter("Lambda endpoint ARN")
		}
	default:
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != protocol || u.Host == "" || len(endpoint) > maxEndpoint {
			return invalidParameter("Endpoint must match the specified protocol")
		}
	}
	return nil
}

// texts are the attributes as clients read them.
func (s *subscription) texts() map[string]string {
	v := s.state()
	all := map[string]string{
		"SubscriptionArn": v.arn(), "TopicArn": v.Topic.arn(), "Owner": v.Topic.Account,
		"Protocol": v.Protocol, "Endpoint": v.Endpoint, "RawMessageDelivery": "false",
		"SubscriptionPrincipal": "arn:aws:iam::" + v.Topic.Account + ":root",
		"PendingConfirmation":   fmt.Sprint(v.Pending), "ConfirmationWasAuthenticated": fmt.Sprint(v.Authenticated),
	}
	maps.Copy(all, v.Attributes)
	if v.filter == nil {
		delete(all, "FilterPolicyScope") // SNS shows it beside a policy only
	} else if all["FilterPolicyScope"] == "" {
		all["FilterPolicyScope"] = scopeAttributes
	}
	if v.Protocol == "http" || v.Protocol == "https" {
		record := s.topic.record()
		all["EffectiveDeliveryPolicy"] = compactJSON(v.delivery.effective(record.delivery()))
		if _, set := v.Attributes["DeliveryPolicy"]; set {
			all["DeliveryPolicy"] = compactJSON(v.delivery)
		}
	}
	return all
}

// subscriptionsOf returns a topic's subscriptions in the order in which they
// were made.
func (s *Service) subscriptionsOf(t *topic) []*subscription {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.subscriptions
}

// bySubscription finds the subscription of an ARN.
func (s *Service) bySubscription(at address, id string) (*subscription, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sub, ok := s.subscriptions[id]
	if !ok || sub.state().Topic != at {
		return nil, errNoSubscription()
	}
	return sub, nil
}

// storeSubscription stores a record and puts it in force; one that is new gets
// its queue first, so that no message can miss it. Call with admin held.
func (s *Service) storeSubscription(ctx context.Context, r subscriptionRecord) (*subscription, error) {
	v, err := settle(r)
	if err != nil {
		return nil, err
	}
	t, err := s.lookup(r.Topic)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	sub, err := s.bySubscription(r.Topic, r.ID)
	if err != nil {
		sub = &subscription{service: s, topic: t}
		if sub.queue, err = s.config.Bus.EnsureQueue(ctx, s.busConfig(&r)); err != nil {
			return nil, err
		}
	}
	if err := s.records.Put(ctx, r.key(), text); err != nil {
		return nil, err
	}
	sub.current.Store(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subscriptions[r.ID] == nil {
		s.subscriptions[r.ID] = sub
		t.subscriptions = append(slices.Clip(t.subscriptions), sub)
	}
	s.deliverLocked(sub)
	return sub, nil
}

// removeSubscription ends a subscription: what waits for it is dropped, as SNS
// does. Call with admin held.
func (s *Service) removeSubscription(ctx context.Context, sub *subscription) error {
	r := sub.state().subscriptionRecord
	if err := s.records.Delete(ctx, r.key()); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.subscriptions, r.ID)
	sub.topic.subscriptions = slices.DeleteFunc(slices.Clone(sub.topic.subscriptions), func(other *subscription) bool { return other == sub })
	if sub.stop != nil {
		sub.stop()
	}
	s.mu.Unlock()
	sub.topic.deleted.Add(1)
	return sub.queue.Delete(ctx)
}
