package sns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/gatepost-dev/gatepost/internal/bus"
	"github.com/gatepost-dev/gatepost/internal/uuid"
)

// maxBatch is how many messages one PublishBatch has at most.
const maxBatch = 10

// published is what the publisher of a message learns.
type published struct {
	MessageID      string `json:"messageId"`
	SequenceNumber string `json:"sequenceNumber,omitempty"`
}

// Publish publishes a message to the topic of an ARN and returns its id once
// every subscription that wants it has it in the store. After an error some may
// have it.
func (s *Service) Publish(ctx context.Context, topicARN string, m Message) (messageID string, err error) {
	done, err := s.begin()
	if err != nil {
		return "", apiError(err)
	}
	defer done()
	at, err := parseTopicARN("TopicArn", topicARN)
	if err != nil {
		return "", err
	}
	t, err := s.lookup(at)
	if err != nil {
		return "", err
	}
	if err := m.check(t.record()); err != nil {
		return "", err
	}
	results := s.publish(ctx, t, []Message{m})
	return results[0].MessageID, apiError(results[0].err)
}

// result is what became of one message of a batch.
type result struct {
	published
	err error
}

// publish stores messages, which have been checked, for all subscriptions that
// want them, in their order.
func (s *Service) publish(ctx context.Context, t *topic, messages []Message) []result {
	record := t.record()
	now := time.Now().UnixMilli()
	if !record.Address.fifo() {
		f := newFanOut(s.subscriptionsOf(t))
		for i := range messages {
			f.add(record, &messages[i], envelope{ID: uuid.New(), Published: now}, "")
		}
		return f.store(ctx)
	}
	t.order.Lock()
	defer t.order.Unlock()
	return s.publishInOrder(ctx, t, messages, now)
}

// publishInOrder is publish for a FIFO topic: what was published in the last
// five minutes is accepted and goes no further. The note that a message was
// published is made last, so that a publisher who was told nothing can publish
// again; the queues themselves then drop what they have already.
func (s *Service) publishInOrder(ctx context.Context, t *topic, messages []Message, now int64) []result {
	record := t.record()
	f := newFanOut(s.subscriptionsOf(t))
	results := make([]result, len(messages))
	keys := make([]string, len(messages))
	first := make(map[string]int) // of the messages of this batch, by key
	var stored []int
	for i := range messages {
		m := &messages[i]
		keys[i] = seenKey(record, m)
		if _, twice := first[keys[i]]; twice {
			continue
		}
		first[keys[i]] = i
		earlier, err := s.earlier(ctx, keys[i])
		if err != nil || earlier != nil {
			results[i] = known(earlier, err)
			continue
		}
		e := envelope{ID: uuid.New(), Published: now, Dedup: m.deduplicationID(), Sequence: t.nextSequence()}
		f.add(record, m, e, keys[i])
		stored = append(stored, i)
	}
	for n, r := range f.store(ctx) {
		i := stored[n]
		if results[i] = r; r.err == nil {
			results[i].err = s.note(ctx, keys[i], r.published)
		}
	}
	for i, key := range keys {
		results[i] = results[first[key]]
	}
	return results
}

func known(earlier *published, err error) result {
	if err != nil {
		return result{err: err}
	}
	return result{published: *earlier}
}

// seenKey is where the note lies that a message was published. The scope is the
// topic, or the message's group when the topic says so.
func seenKey(r *topicRecord, m *Message) string {
	group := ""
	if r.Attributes["FifoThroughputScope"] == "MessageGroup" {
		group = m.GroupID
	}
	// The time of its making tells a topic from a former one of its name.
	return hashOf(r.Address.arn(), r.Created.String(), group, m.deduplicationID())
}

// earlier returns what the publisher of the same message was told, or nil.
func (s *Service) earlier(ctx context.Context, key string) (*published, error) {
	text, ok, err := s.seen.Get(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	p := new(published)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("read what was published: %w", err)
	}
	return p, nil
}

func (s *Service) note(ctx context.Context, key string, p published) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.seen.Put(ctx, key, text)
}

// fanOut collects what goes to each subscription.
type fanOut struct {
	subscriptions []*subscription
	results       []result
	lots          []lot // one for each subscription
}

// lot is what one subscription gets; of tells which message of the fan-out each
// of its messages is.
type lot struct {
	messages []bus.Message
	of       []int
}

func newFanOut(subscriptions []*subscription) *fanOut {
	return &fanOut{subscriptions: subscriptions, lots: make([]lot, len(subscriptions))}
}

// add gives a message to the subscriptions that want it. The id, if there is
// one, makes a second message with it a success without effect.
func (f *fanOut) add(t *topicRecord, m *Message, e envelope, id string) {
	n := len(f.results)
	f.results = append(f.results, result{published: published{e.ID, e.Sequence}})
	e.Subject, e.Attributes, e.Group, e.Signed = m.Subject, m.Attributes, m.GroupID, t.signatureVersion()
	bodies, err := m.bodies()
	if err != nil {
		f.results[n].err = err
		return
	}
	for i, sub := range f.subscriptions {
		v := sub.state()
		body, own := bodies[v.Protocol]
		if !own {
			body = bodies[""]
		}
		if v.Pending || !v.accepts(m, body) {
			continue
		}
		copy := e
		copy.body = body
		f.lots[i].messages = append(f.lots[i].messages, bus.Message{Data: copy.seal(), ID: id})
		f.lots[i].of = append(f.lots[i].of, n)
	}
}

// store puts everything into the queues, all at once, and returns a result for
// each message: nil once every queue has it.
func (f *fanOut) store(ctx context.Context) []result {
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i, l := range f.lots {
		if len(l.messages) == 0 {
			continue
		}
		wait.Go(func() {
			for j, err := range f.subscriptions[i].queue.PublishAll(ctx, l.messages) {
				// A queue that is gone is a subscription that has ended.
				if err == nil || errors.Is(err, bus.ErrNoQueue) {
					continue
				}
				mu.Lock()
				f.results[l.of[j]].err = err
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return f.results
}

type publishInput struct {
	TopicArn, TargetArn, PhoneNumber string
	Message                          string
	MessageStructure                 string
	Subject                          *string
	MessageAttributes                map[string]wireAttribute `query:"MessageAttributes,,Name,Value"`
	MessageGroupId                   string
	MessageDeduplicationId           string
}

type publishOutput struct {
	MessageId      string
	SequenceNumber string `xml:",omitempty"`
}

func publish(ctx context.Context, c *caller, in *publishInput) (*publishOutput, error) {
	if in.PhoneNumber != "" {
		return nil, invalidParameter("PhoneNumber Reason: Gatepost sends no text messages; publish to a topic")
	}
	arn, parameter := in.TopicArn, "TopicArn"
	if arn == "" && in.TargetArn != "" {
		arn, parameter = in.TargetArn, "TargetArn"
	}
	attributes, err := attributesFrom(in.MessageAttributes, "messageAttributes")
	if err != nil {
		return nil, err
	}
	t, err := c.topicOf(parameter, arn)
	if err != nil {
		return nil, err
	}
	m := Message{in.Message, in.MessageStructure, in.Subject, attributes, in.MessageGroupId, in.MessageDeduplicationId}
	if err := m.check(t.record()); err != nil {
		return nil, err
	}
	r := c.publish(ctx, t, []Message{m})[0]
	if r.err != nil {
		return nil, r.err
	}
	return &publishOutput{r.MessageID, r.SequenceNumber}, nil
}

type batchEntry struct {
	Id                     string
	Message                string
	MessageStructure       string
	Subject                *string
	MessageAttributes      map[string]wireAttribute `query:"MessageAttributes,,Name,Value"`
	MessageGroupId         string
	MessageDeduplicationId string
}

type publishBatchInput struct {
	TopicArn                   string
	PublishBatchRequestEntries []batchEntry
}

type batchDone struct {
	Id, MessageId  string
	SequenceNumber string `xml:",omitempty"`
}

type batchFailed struct {
	Id, Code, Message string
	SenderFault       bool
}

type publishBatchOutput struct {
	Failed     list[batchFailed]
	Successful list[batchDone]
}

// publishBatch refuses a batch with an entry that breaks a rule, as SNS does;
// what cannot be stored fails by itself.
func publishBatch(ctx context.Context, c *caller, in *publishBatchInput) (*publishBatchOutput, error) {
	t, err := c.topicOf("TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.PublishBatchRequestEntries); err != nil {
		return nil, err
	}
	messages, err := batchMessages(t.record(), in.PublishBatchRequestEntries)
	if err != nil {
		return nil, err
	}
	out := new(publishBatchOutput)
	for i, r := range c.publish(ctx, t, messages) {
		id := in.PublishBatchRequestEntries[i].Id
		if r.err != nil {
			err := apiError(r.err)
			code := apiCode(err)
			if code == "" {
				c.config.Log.Error("message cannot be stored", "topic", in.TopicArn, "error", r.err)
				err, code = coded("InternalError", 500, "The message could not be stored."), "InternalError"
			}
			out.Failed.Member = append(out.Failed.Member, batchFailed{id, code, apiMessage(err), false})
			continue
		}
		out.Successful.Member = append(out.Successful.Member, batchDone{id, r.MessageID, r.SequenceNumber})
	}
	return out, nil
}

var validEntryID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func checkBatch(entries []batchEntry) error {
	if len(entries) == 0 {
		return coded("EmptyBatchRequest", 400, "The batch request doesn't contain any entries.")
	}
	if len(entries) > maxBatch {
		return coded("TooManyEntriesInBatchRequest", 400, "The batch request contains more entries than permissible.")
	}
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		switch {
		case len(e.Id) > 80:
			return coded("InvalidBatchEntryId", 400, "The Id of a batch entry in the batch request is too long: %s", clip(e.Id))
		case !validEntryID.MatchString(e.Id):
			return coded("InvalidBatchEntryId", 400, "The Id of a batch entry in the batch request contains an impermissible character: %s", clip(e.Id))
		case seen[e.Id]:
			return coded("BatchEntryIdsNotDistinct", 400, "Two or more batch entries in the request have the same Id.")
		}
		seen[e.Id] = true
	}
	return nil
}

func batchMessages(t *topicRecord, entries []batchEntry) ([]Message, error) {
	messages := make([]Message, len(entries))
	total := 0
	for i, e := range entries {
		attributes, err := attributesFrom(e.MessageAttributes, fmt.Sprintf("publishBatchRequestEntries.%d.member.messageAttributes", i+1))
		if err != nil {
			return nil, err
		}
		messages[i] = Message{e.Message, e.MessageStructure, e.Subject, attributes, e.MessageGroupId, e.MessageDeduplicationId}
		total += messages[i].size()
	}
	if total > MaxMessageSize {
		return nil, coded("BatchRequestTooLong", 400, "The length of all the messages put together is more than the limit.")
	}
	for i := range messages {
		if err := messages[i].check(t); err != nil {
			return nil, err
		}
	}
	return messages, nil
}
