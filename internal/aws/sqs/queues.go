package sqs

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The operations on queues, each as SQS's API reference describes it.

// none is the output of operations that have no result.
type none struct{}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string `query:"Attribute,flat,Name,Value"`
	// Tags is spelled in lower case in JSON.
	Tags map[string]string `json:"tags" query:"Tag,flat,Key,Value"`
}

type queueURLOutput struct {
	QueueUrl string
}

// createQueue makes a queue, or returns the one of that name if what the call
// says of its attributes is so already.
func createQueue(ctx context.Context, c *caller, in *createQueueInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	at := address{c.region, c.account, in.QueueName}
	wanted, err := c.settingsOfNew(in.QueueName, in.Attributes)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	c.admin.Lock()
	defer c.admin.Unlock()
	if q, ok := c.lookup(at); ok {
		have := q.record().Settings
		if name := difference(have.texts(), wanted.texts(), in.Attributes); name != "" {
			return nil, errQueueExists(name)
		}
		return &queueURLOutput{c.queueURL(at)}, nil
	}
	if err := c.checkRedrive(at, wanted); err != nil {
		return nil, err
	}
	r := newRecord(at, wanted)
	r.Tags = in.Tags
	if _, err := c.create(ctx, r); err != nil {
		return nil, err
	}
	return &queueURLOutput{c.queueURL(at)}, nil
}

// settingsOfNew reads the attributes of a queue that is to be made.
func (c *caller) settingsOfNew(name string, attributes map[string]string) (settings, error) {
	s := defaults()
	s.MaxMessageSize = c.config.MaxMessageSize
	switch fifo, given := attributes["FifoQueue"]; {
	case fifo == "true":
		s.FIFO = fifoDefaults()
	case fifo == "false":
		return s, unknownAttribute("FifoQueue") // as SQS says
	case given:
		return s, invalidAttribute("FifoQueue")
	}
	if err := checkName(name, s.FIFO != nil); err != nil {
		return s, err
	}
	return c.changed(s, attributes)
}

// changed returns the settings with attributes as clients write them.
func (c *caller) changed(s settings, attributes map[string]string) (settings, error) {
	s, err := s.with(attributes)
	if err == nil && s.MaxMessageSize > c.config.MaxMessageSize {
		err = invalidAttribute("MaximumMessageSize")
	}
	return s, err
}

// difference names an attribute, of those asked for, that is not as wanted.
func difference(have, wanted, asked map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if have[name] != wanted[name] {
			return name
		}
	}
	return ""
}

// checkRedrive wants a dead-letter queue to exist in the same region and
// account, and to allow it.
func (s *Service) checkRedrive(source address, wanted settings) error {
	if wanted.Redrive == nil {
		return nil
	}
	invalid := func(reason string) error {
		return invalidParameter("Value %s for parameter RedrivePolicy is invalid. Reason: %s", wanted.Redrive, reason)
	}
	at, err := parseARN(wanted.Redrive.ARN)
	if err != nil || at.Region != source.Region || at.Account != source.Account {
		return invalid("Dead-letter target owner should be same as the source.")
	}
	q, ok := s.lookup(at)
	if !ok {
		return invalid("Dead letter target does not exist.")
	}
	if at.fifo() != source.fifo() {
		return invalid("Dead-letter queue must be same type of queue as the source.")
	}
	if have := q.record().Settings; !have.allows(source.arn()) {
		return invalid("Queue " + source.arn() + " is not allowed by the RedriveAllowPolicy of the dead-letter queue.")
	}
	return nil
}

type queueInput struct {
	QueueUrl string
}

func deleteQueue(ctx context.Context, c *caller, in *queueInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, c.delete(ctx, q)
}

func purgeQueue(ctx context.Context, c *caller, in *queueInput) (*none, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	last, now := q.purged.Load(), time.Now().UnixMilli()
	if now-last < purgePause.Milliseconds() || !q.purged.CompareAndSwap(last, now) {
		return nil, errPurging(q.record().Address.Name)
	}
	if err := q.line.purge(ctx); err != nil {
		q.purged.Store(last)
		return nil, err
	}
	return nil, nil
}

// purgePause is how long SQS refuses the next purge of a queue.
const purgePause = time.Minute

type getQueueURLInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

func getQueueURL(_ context.Context, c *caller, in *getQueueURLInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	at := address{c.region, c.account, in.QueueName}
	if in.QueueOwnerAWSAccountId != "" {
		at.Account = in.QueueOwnerAWSAccountId
	}
	if _, ok := c.lookup(at); !ok {
		return nil, errNoQueue()
	}
	return &queueURLOutput{c.queueURL(at)}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
	MaxResults      *int
	NextToken       string
}

type listQueuesOutput struct {
	QueueUrls []string `json:",omitempty" query:"QueueUrl,flat"`
	NextToken string   `json:",omitempty"`
}

// maxResults is the most queues that one listing has.
const maxResults = 1000

func listQueues(_ context.Context, c *caller, in *listQueuesInput) (*listQueuesOutput, error) {
	found, next, err := c.page(c.list(in.QueueNamePrefix), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listQueuesOutput{found, next}, nil
}

// page returns the URLs of the queues on one page of a listing, and the token for
// the next. Like SQS, a call that does not ask for pages gets no token.
func (c *caller) page(all []address, size *int, token string) (urls []string, next string, err error) {
	most := maxResults
	if size != nil {
		if most = *size; most < 1 || most > maxResults {
			return nil, "", invalidParameter("Value %d for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000, if provided.", most)
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalidParameter("Value %s for parameter NextToken is invalid. Reason: Invalid or expired next token.", clip(token))
	}
	last := ""
	for _, at := range all {
		if at.Name <= string(after) {
			continue
		}
		if len(urls) == most {
			if size != nil {
				next = base64.RawURLEncoding.EncodeToString([]byte(last))
			}
			break
		}
		urls, last = append(urls, c.queueURL(at)), at.Name
	}
	return urls, next, nil
}

// list returns the caller's queues with the prefix, by name.
func (c *caller) list(prefix string) []address {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []address
	for at := range c.queues {
		if at.Region == c.region && at.Account == c.account && strings.HasPrefix(at.Name, prefix) {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, func(a, b address) int { return strings.Compare(a.Name, b.Name) })
	return all
}

type listDeadLetterSourceQueuesInput struct {
	QueueUrl   string
	MaxResults *int
	NextToken  string
}

type listDeadLetterSourceQueuesOutput struct {
	// QueueUrls is spelled in lower case in JSON.
	QueueUrls []string `json:"queueUrls" query:"QueueUrl,flat"`
	NextToken string   `json:",omitempty"`
}

func listDeadLetterSourceQueues(_ context.Context, c *caller, in *listDeadLetterSourceQueuesInput) (*listDeadLetterSourceQueuesOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	urls, next, err := c.page(c.sourcesOf(q.record().Address.arn()), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listDeadLetterSourceQueuesOutput{append([]string{}, urls...), next}, nil
}

// sourcesOf returns the queues whose dead letters go to a queue, by name.
func (s *Service) sourcesOf(arn string) []address {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []address
	for at, q := range s.queues {
		if policy := q.record().Settings.Redrive; policy != nil && policy.ARN == arn {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, func(a, b address) int { return strings.Compare(a.Name, b.Name) })
	return all
}

type setQueueAttributesInput struct {
	QueueUrl   string
	Attributes map[string]string `query:"Attribute,flat,Name,Value"`
}

func setQueueAttributes(ctx context.Context, c *caller, in *setQueueAttributesInput) (*none, error) {
	c.admin.Lock()
	defer c.admin.Unlock()
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, missingParameter("Attribute.Name")
	}
	r := q.record()
	if r.Settings, err = c.changed(r.Settings, in.Attributes); err != nil {
		return nil, err
	}
	if _, named := in.Attributes["RedrivePolicy"]; named {
		if err := c.checkRedrive(r.Address, r.Settings); err != nil {
			return nil, err
		}
	}
	return nil, q.update(ctx, r)
}

type getQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string `query:"AttributeName,flat"`
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute,flat,Name,Value"`
}

// absent are the attributes that a queue may have and this one has not: asking
// for one is no error.
func absent(name string) bool {
	return name == "RedrivePolicy" || kept[name] || fifoOnly[name]
}

func getQueueAttributes(ctx context.Context, c *caller, in *getQueueAttributesInput) (*getQueueAttributesOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.AttributeNames) == 0 {
		return &getQueueAttributesOutput{}, nil
	}
	all, err := q.attributes(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(in.AttributeNames, "All") {
		return &getQueueAttributesOutput{all}, nil
	}
	out := make(map[string]string, len(in.AttributeNames))
	for _, name := range in.AttributeNames {
		text, ok := all[name]
		if ok {
			out[name] = text
		} else if !absent(name) {
			return nil, unknownAttribute(name)
		}
	}
	return &getQueueAttributesOutput{out}, nil
}

// attributes are all that clients can read of the queue.
func (q *queue) attributes(ctx context.Context) (map[string]string, error) {
	counts, err := q.line.counts(ctx)
	if err != nil {
		return nil, err
	}
	r := q.record()
	all := r.Settings.texts()
	all["QueueArn"] = r.Address.arn()
	all["CreatedTimestamp"] = strconv.FormatInt(r.Created.Unix(), 10)
	all["LastModifiedTimestamp"] = strconv.FormatInt(r.Modified.Unix(), 10)
	all["ApproximateNumberOfMessages"] = strconv.Itoa(counts.Ready)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(counts.Hidden)
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(counts.Delayed)
	return all, nil
}
