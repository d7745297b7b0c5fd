package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds that keep one instance's store and goroutines in hand; AWS's are higher.
const (
	maxTopics        = 10_000
	maxSubscriptions = 1000 // of a topic
	maxPolicies      = 200  // filter policies of a topic, as on AWS
	maxTags          = 50
	maxAttribute     = 32 << 10
)

// Keys of records begin with what they are of.
const (
	topicKeys        = "topic."
	subscriptionKeys = "subscription."
)

// topicRecord is all that is known of a topic beside its subscriptions.
type topicRecord struct {
	Address address   `json:"address"`
	Created time.Time `json:"created"`
	// Attributes are those that were set.
	Attributes map[string]string `json:"attributes,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
}

func (r *topicRecord) contentDeduplication() bool {
	return r.Attributes["ContentBasedDeduplication"] == "true"
}

// signatureVersion is "" for messages that are not signed: those of FIFO topics
// are not.
func (r *topicRecord) signatureVersion() string {
	if r.Address.fifo() {
		return ""
	}
	if v := r.Attributes["SignatureVersion"]; v != "" {
		return v
	}
	return "1"
}

// delivery is the topic's DeliveryPolicy, which was checked when it was set.
func (r *topicRecord) delivery() topicDelivery {
	d, err := parseTopicDelivery(r.Attributes["DeliveryPolicy"])
	if err != nil {
		return topicDelivery{}
	}
	return d
}

// topic is one topic. All methods may be called together.
type topic struct {
	current atomic.Pointer[topicRecord]
	// deleted counts the subscriptions that ended since the start.
	deleted atomic.Int64
	// subscriptions is replaced, never changed, under the service's mu.
	subscriptions []*subscription

	// order is held while a message of a FIFO topic is stored, so that all of the
	// topic's subscriptions have the messages in one order.
	order sync.Mutex
	last  uint64 // the latest sequence number; guarded by order
}

func (t *topic) record() *topicRecord { return t.current.Load() }

// nextSequence returns a sequence number: 20 digits that grow. It comes from the
// clock, so it grows over restarts as well. Call with order held.
func (t *topic) nextSequence() string {
	const base = 10_000_000_000_000_000_000
	t.last = max(t.last+1, base+uint64(time.Now().UnixNano()))
	return strconv.FormatUint(t.last, 10)
}

// attributeCheck checks a value that a topic's attribute is to have.
type attributeCheck func(r *topicRecord, value string) error

// topicAttributes are those that can be set. Those without a check are kept and
// returned and change nothing here.
var topicAttributes = map[string]attributeCheck{
	"DisplayName": func(_ *topicRecord, value string) error {
		if len(value) > 100 {
			return invalidParameter("DisplayName")
		}
		return nil
	},
	"DeliveryPolicy": func(_ *topicRecord, value string) error {
		_, err := parseTopicDelivery(value)
		return err
	},
	"Policy": func(_ *topicRecord, value string) error {
		if !json.Valid([]byte(value)) || !strings.HasPrefix(strings.TrimSpace(value), "{") {
			return invalidParameter("Policy Reason: failed to parse JSON.")
		}
		return nil
	},
	"ContentBasedDeduplication": func(r *topicRecord, value string) error {
		if !r.Address.fifo() || value != "true" && value != "false" {
			return invalidParameter("ContentBasedDeduplication")
		}
		return nil
	},
	"FifoThroughputScope": func(r *topicRecord, value string) error {
		if !r.Address.fifo() || value != "Topic" && value != "MessageGroup" {
			return invalidParameter("FifoThroughputScope")
		}
		return nil
	},
	"SignatureVersion": func(_ *topicRecord, value string) error {
		if value != "1" && value != "2" {
			return invalidParameter("SignatureVersion")
		}
		return nil
	},
	"TracingConfig": func(_ *topicRecord, value string) error {
		if value != "PassThrough" && value != "Active" {
			return invalidParameter("TracingConfig")
		}
		return nil
	},
	"KmsMasterKeyId": nil,
}

func init() {
	for _, protocol := range []string{"HTTP", "SQS", "Lambda", "Firehose", "Application"} {
		for _, what := range []string{"SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"} {
			topicAttributes[protocol+what] = nil
		}
	}
}

// set changes one attribute; "" takes away one that has no other empty meaning.
func (r *topicRecord) set(name, value string) error {
	check, known := topicAttributes[name]
	if !known {
		return invalidParameter("AttributeName")
	}
	if len(value) > maxAttribute {
		return invalidParameter("%s Reason: it is larger than %d bytes", name, maxAttribute)
	}
	if check != nil && value != "" {
		if err := check(r, value); err != nil {
			return err
		}
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

// texts are the attributes as clients read them, without the counts.
func (r *topicRecord) texts() map[string]string {
	all := map[string]string{
		"TopicArn": r.Address.arn(), "Owner": r.Address.Account, "DisplayName": "",
		"Policy": defaultPolicy(r.Address), "EffectiveDeliveryPolicy": compactJSON(r.delivery().effective()),
	}
	if r.Address.fifo() {
		all["FifoTopic"], all["ContentBasedDeduplication"] = "true", "false"
	}
	maps.Copy(all, r.Attributes)
	return all
}

// defaultPolicy is the policy that SNS gives a topic: it is the owner's.
func defaultPolicy(at address) string {
	return fmt.Sprintf(`{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},`+
		`"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],`+
		`"Resource":"%s","Condition":{"StringEquals":{"AWS:SourceOwner":"%s"}}}]}`, at.arn(), at.Account)
}

func compactJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("sns: " + err.Error()) // plain structs only
	}
	return string(text)
}

// lookup finds a topic.
func (s *Service) lookup(at address) (*topic, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.topics[at]
	if !ok {
		return nil, errNoTopic()
	}
	return t, nil
}

// storeTopic stores a record and puts it in force. Call with admin held.
func (s *Service) storeTopic(ctx context.Context, r topicRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := s.records.Put(ctx, r.Address.key(), text); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.topics[r.Address]
	if !ok {
		t = new(topic)
		s.topics[r.Address] = t
	}
	t.current.Store(&r)
	return nil
}

// removeTopic removes a topic with its subscriptions and what waits for them.
// Call with admin held.
func (s *Service) removeTopic(ctx context.Context, t *topic) error {
	if err := s.records.Delete(ctx, t.record().Address.key()); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.topics, t.record().Address)
	s.mu.Unlock()
	for _, sub := range s.subscriptionsOf(t) {
		if err := s.removeSubscription(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}
