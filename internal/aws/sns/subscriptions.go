package sns

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// The operations on subscriptions, each as SNS's API reference describes it.

// tokenLife is how long a subscription may wait to be confirmed.
const tokenLife = 2 * 24 * time.Hour

// pendingARN and pendingListed stand for the ARN of a subscription that nobody
// has confirmed yet, in the answer to Subscribe and in listings.
const (
	pendingARN    = "pending confirmation"
	pendingListed = "PendingConfirmation"
)

type subscribeInput struct {
	TopicArn              string
	Protocol              string
	Endpoint              string
	Attributes            map[string]string
	ReturnSubscriptionArn bool
}

type subscriptionARNOutput struct {
	SubscriptionArn string
}

// subscribe makes a subscription, or returns the one of that topic, protocol and
// end point if what the call says of its attributes is so already. One that
// waits to be confirmed gets its message once more.
func subscribe(ctx context.Context, c *caller, in *subscribeInput) (*subscriptionARNOutput, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	r, err := newSubscriptionRecord(t.record().Address, in.Protocol, in.Endpoint, in.Attributes)
	if err != nil {
		return nil, err
	}
	if sub := c.find(t, in.Protocol, in.Endpoint); sub != nil {
		if err := sub.same(in.Attributes); err != nil {
			return nil, err
		}
		r = sub.state().subscriptionRecord
		if r.Pending {
			err = c.askToConfirm(ctx, sub)
		}
	} else {
		err = c.subscribe(ctx, t, r)
	}
	if err != nil {
		return nil, err
	}
	if r.Pending && !in.ReturnSubscriptionArn {
		return &subscriptionARNOutput{pendingARN}, nil
	}
	return &subscriptionARNOutput{r.arn()}, nil
}

// newSubscriptionRecord checks what makes a subscription. Queues and functions
// need no confirmation.
func newSubscriptionRecord(at address, protocol, endpoint string, attributes map[string]string) (subscriptionRecord, error) {
	r := subscriptionRecord{ID: uuid.New(), Topic: at, Protocol: protocol, Endpoint: endpoint, Created: time.Now().UTC()}
	if err := checkEndpoint(at, protocol, endpoint); err != nil {
		return r, err
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := r.set(name, attributes[name]); err != nil {
			return r, settingError("Attributes Reason: ", err)
		}
	}
	if err := r.checkTogether(); err != nil {
		return r, err
	}
	if r.Pending = protocol == "http" || protocol == "https"; r.Pending {
		token := make([]byte, tokenSize)
		rand.Read(token)
		r.Token = hex.EncodeToString(token)
	}
	r.Authenticated = !r.Pending
	return r, nil
}

// settingError gives an attribute's error the beginning that the operation has.
func settingError(before string, err error) error {
	if e, ok := errors.AsType[attributeError](err); ok {
		// What comes from a delivery policy is an API error already.
		return invalidParameter("%s%s: %s", before, e.name, strings.TrimPrefix(apiMessage(e.err), "Invalid parameter: "+e.name+": "))
	}
	return err
}

// find returns a topic's subscription for an end point, or nil.
func (s *Service) find(t *topic, protocol, endpoint string) *subscription {
	for _, sub := range s.subscriptionsOf(t) {
		if v := sub.state(); v.Protocol == protocol && v.Endpoint == endpoint {
			return sub
		}
	}
	return nil
}

// same refuses a subscription that is there with other attributes.
func (s *subscription) same(attributes map[string]string) error {
	texts := s.texts()
	for name, value := range attributes {
		if texts[name] != value && s.state().Attributes[name] != value {
			return invalidParameter("Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return nil
}

// subscribe stores a new subscription. Call with admin held.
func (s *Service) subscribe(ctx context.Context, t *topic, r subscriptionRecord) error {
	if len(s.subscriptionsOf(t)) >= maxSubscriptions {
		return coded("SubscriptionLimitExceeded", 403, "The topic has %d subscriptions, which is the limit.", maxSubscriptions)
	}
	if err := s.checkPolicies(t, r); err != nil {
		return err
	}
	sub, err := s.storeSubscription(ctx, r)
	if err == nil && r.Pending {
		err = s.askToConfirm(ctx, sub)
	}
	return err
}

// checkPolicies bounds a topic's filter policies.
func (s *Service) checkPolicies(t *topic, r subscriptionRecord) error {
	if r.Attributes["FilterPolicy"] == "" {
		return nil
	}
	n := 0
	for _, sub := range s.subscriptionsOf(t) {
		if v := sub.state(); v.filter != nil && v.ID != r.ID {
			n++
		}
	}
	if n >= maxPolicies {
		return coded("FilterPolicyLimitExceeded", 403, "The topic has %d filter policies, which is the limit.", maxPolicies)
	}
	return nil
}

// askToConfirm sends the message with the token. It goes the way of all others,
// so it is tried again and outlives the process.
func (s *Service) askToConfirm(ctx context.Context, sub *subscription) error {
	e := &envelope{Kind: confirmation, ID: uuid.New(), Published: time.Now().UnixMilli(), Signed: "1"}
	if v := sub.topic.record().signatureVersion(); v != "" {
		e.Signed = v
	}
	return sub.queue.Publish(ctx, bus.Message{Data: e.seal(), ID: e.ID})
}

type confirmSubscriptionInput struct {
	TopicArn                  string
	Token                     string
	AuthenticateOnUnsubscribe string
}

// tokenSize is the length of a token, in bytes; it is written in hexadecimal.
const tokenSize = 64

func confirmSubscription(ctx context.Context, c *caller, in *confirmSubscriptionInput) (*subscriptionARNOutput, error) {
	if raw, err := hex.DecodeString(in.Token); err != nil || len(raw) != tokenSize {
		return nil, invalidParameter("Token")
	}
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, invalidParameter("Topic")
	}
	for _, sub := range c.subscriptionsOf(t) {
		r := sub.state().subscriptionRecord
		if subtle.ConstantTimeCompare([]byte(r.Token), []byte(in.Token)) != 1 {
			continue
		}
		if r.Pending {
			if time.Since(r.Created) > tokenLife {
				break
			}
			r.Pending, r.Authenticated = false, c.signed
			r.Guarded = c.signed && in.AuthenticateOnUnsubscribe == "true"
			if _, err := c.storeSubscription(ctx, r); err != nil {
				return nil, err
			}
		}
		return &subscriptionARNOutput{r.arn()}, nil
	}
	return nil, plainInvalid("Invalid token")
}

type subscriptionInput struct {
	SubscriptionArn string
}

// unsubscribe succeeds for a subscription that is not there, as SNS does. The
// link in each message calls it without a signature; that is refused when the
// subscription was confirmed so.
func unsubscribe(ctx context.Context, c *caller, in *subscriptionInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	sub, err := c.subscriptionOf(in.SubscriptionArn)
	if err != nil {
		if apiCode(err) == "NotFound" {
			return nil, nil
		}
		return nil, err
	}
	if sub.state().Guarded && !c.signed {
		return nil, coded("AuthorizationError", 403, "The subscription was confirmed with AuthenticateOnUnsubscribe: sign the call.")
	}
	return nil, c.removeSubscription(ctx, sub)
}

func getSubscriptionAttributes(_ context.Context, c *caller, in *subscriptionInput) (*attributesOutput, error) {
	sub, err := c.subscriptionOf(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	return &attributesOutput{attributesOf(sub.texts())}, nil
}

type setSubscriptionAttributesInput struct {
	SubscriptionArn string
	AttributeName   string
	AttributeValue  string
}

func setSubscriptionAttributes(ctx context.Context, c *caller, in *setSubscriptionAttributesInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	sub, err := c.subscriptionOf(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	r := sub.state().subscriptionRecord
	if err := r.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, settingError("", err)
	}
	if err := errors.Join(r.checkTogether(), c.checkPolicies(sub.topic, r)); err != nil {
		return nil, err
	}
	_, err = c.storeSubscription(ctx, r)
	return nil, err
}

type listedSubscription struct {
	SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string
}

type listSubscriptionsOutput struct {
	Subscriptions list[listedSubscription]
	NextToken     string `xml:",omitempty"`
}

func listSubscriptions(_ context.Context, c *caller, in *pageInput) (*listSubscriptionsOutput, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []*subscription
	for _, sub := range c.subscriptions {
		if at := sub.state().Topic; at.Region == c.region && at.Account == c.account {
			all = append(all, sub)
		}
	}
	return listed(all, in.NextToken)
}

type listByTopicInput struct {
	TopicArn  string
	NextToken string
}

func listSubscriptionsByTopic(_ context.Context, c *caller, in *listByTopicInput) (*listSubscriptionsOutput, error) {
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	return listed(c.subscriptionsOf(t), in.NextToken)
}

func listed(all []*subscription, token string) (*listSubscriptionsOutput, error) {
	byARN := make(map[string]*settled, len(all))
	for _, sub := range all {
		v := sub.state()
		byARN[v.arn()] = v
	}
	shown, next, err := page(slices.Collect(maps.Keys(byARN)), token)
	if err != nil {
		return nil, err
	}
	out := &listSubscriptionsOutput{NextToken: next}
	for _, arn := range shown {
		v := byARN[arn]
		l := listedSubscription{arn, v.Topic.Account, v.Protocol, v.Endpoint, v.Topic.arn()}
		if v.Pending {
			l.SubscriptionArn = pendingListed
		}
		out.Subscriptions.Member = append(out.Subscriptions.Member, l)
	}
	return out, nil
}
