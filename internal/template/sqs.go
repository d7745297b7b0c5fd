package template

import (
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/stack"
)

func queueTypes() map[string]resourceType {
	url := func(e *evaluator, r *resource) (string, error) {
		name, err := e.queueName(r)
		return "https://sqs." + e.opts.Region + ".amazonaws.com/" + e.opts.Account + "/" + name, err
	}
	arn := func(e *evaluator, r *resource) (string, error) {
		name, err := e.queueName(r)
		return e.arn("sqs", name), err
	}
	return map[string]resourceType{
		"AWS::SQS::Queue": {complete: true, ref: url, attributes: map[string]attribute{
			"Arn": arn, "QueueUrl": url, "QueueName": (*evaluator).queueName}},
	}
}

// queueName is the queue's name; one that FifoQueue makes ends in ".fifo", as
// AWS asks for.
func (e *evaluator) queueName(r *resource) (string, error) {
	name, err := e.nameOf(r, "QueueName")
	if err == nil && name == e.defaultName(r.id, "QueueName") && r.properties.field("FifoQueue") != nil {
		fifo, err := e.text(r.properties.field("FifoQueue"))
		if strings.EqualFold(fifo, "true") {
			name = name[:min(len(name), maxQueueName-len(".fifo"))] + ".fifo"
		}
		return name, err
	}
	return name, err
}

// maxQueueName is how long a queue's name can be, its suffix included.
const maxQueueName = 80

var queueNameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,80}(\.fifo)?$`)

// defaultMaxMessage is 1 MiB, the largest message that SQS takes.
const defaultMaxMessage = 1 << 20

// loadQueue reads AWS::SQS::Queue; AWS's defaults and ranges are those of the
// SetQueueAttributes reference.
func (l *loader) loadQueue(r *resource) {
	p := l.properties(r)
	name := l.name(p, "QueueName", queueNameForm, "1 to 80 letters, digits, hyphens and underscores")
	if name == "" {
		return
	}
	arn, _ := l.attributeOf(r.node, r, "Arn")
	if other := l.stack.QueueByARN(arn); other != nil {
		l.problem(nodeOr(p.raw("QueueName"), r.node), "the queue in line %d has the name %s already; names are unique", other.Line, name)
		return
	}
	name, _ = l.attributeOf(r.node, r, "QueueName")
	q := stack.Queue{
		LogicalID: r.id, Name: name, ARN: arn, Line: r.line,
		VisibilityTimeout: p.seconds("VisibilityTimeout", 0, 43200, 30),
		Delay:             p.seconds("DelaySeconds", 0, 900, 0),
		Retention:         p.seconds("MessageRetentionPeriod", 60, 1209600, 345600),
		ReceiveWait:       p.seconds("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
		MaxMessageSize:    p.number("MaximumMessageSize", 1024, 1<<20, defaultMaxMessage),
		Redrive:           redrive(p.nested("RedrivePolicy")),
	}
	q.RedriveAllow = redriveAllow(p.nested("RedriveAllowPolicy"))
	q.FIFO = p.fifo(name)
	q.Tags = l.tags(p.raw("Tags"))
	p.rest([]string{"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "SqsManagedSseEnabled"}, nil)
	l.stack.Queues = append(l.stack.Queues, q)
}

// tags reads a list of tags. They do nothing, so one that cannot be read is no
// reason not to run.
func (l *loader) tags(n *node) map[string]string {
	if n == nil {
		return nil
	}
	items, err := l.evaluator.list(n)
	if err != nil {
		return nil
	}
	tags := make(map[string]string)
	for _, item := range items {
		if item.kind != kindObject || item.field("Key") == nil || item.field("Value") == nil {
			continue
		}
		key, keyErr := l.evaluator.text(item.field("Key"))
		value, valueErr := l.evaluator.text(item.field("Value"))
		if keyErr == nil && valueErr == nil && key != "" {
			tags[key] = value
		}
	}
	return tags
}

// fifo reads what only FIFO queues have; without FifoQueue it is nil.
func (p *properties) fifo(name string) *stack.FIFO {
	if !p.flag("FifoQueue", false) {
		for _, only := range []string{"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"} {
			if p.given(only) {
				p.loader.problem(p.raw(only), "%s is for FIFO queues; give the queue FifoQueue: true, or leave it out", only)
			}
		}
		if strings.HasSuffix(name, ".fifo") {
			p.loader.problem(nodeOr(p.raw("QueueName"), p.resource.node), "only the names of FIFO queues end in .fifo; give the queue FifoQueue: true, or another name")
		}
		return nil
	}
	if !strings.HasSuffix(name, ".fifo") {
		p.loader.problem(nodeOr(p.raw("QueueName"), p.resource.node), "the name of a FIFO queue ends in .fifo")
	}
	f := &stack.FIFO{ContentBasedDeduplication: p.flag("ContentBasedDeduplication", false)}
	if p.given("DeduplicationScope") {
		f.DeduplicationScope = p.oneOf("DeduplicationScope", "queue", "messageGroup")
	}
	if p.given("FifoThroughputLimit") {
		f.ThroughputLimit = p.oneOf("FifoThroughputLimit", "perQueue", "perMessageGroupId")
	}
	return f
}

func redriveAllow(p *properties) *stack.RedriveAllow {
	if p == nil {
		return nil
	}
	p.require("redrivePermission", "it is allowAll, denyAll or byQueue")
	allow := &stack.RedriveAllow{Permission: p.oneOf("redrivePermission", "allowAll", "denyAll", "byQueue"), SourceARNs: p.texts("sourceQueueArns")}
	p.rest(nil, nil)
	return allow
}

func redrive(p *properties) *stack.Redrive {
	if p == nil {
		return nil
	}
	p.require("deadLetterTargetArn", "it is the ARN of the dead-letter queue")
	p.require("maxReceiveCount", "it is how often a message may be received before it moves")
	policy := &stack.Redrive{DeadLetterARN: p.text("deadLetterTargetArn"), MaxReceiveCount: p.number("maxReceiveCount", 1, 1000, 1)}
	p.rest(nil, nil)
	return policy
}

// checkRedrive reports a dead-letter queue that does not exist; it runs once
// all queues are known.
func (l *loader) checkRedrive(r *resource) {
	policy := l.properties(r).nested("RedrivePolicy")
	if policy == nil {
		return
	}
	target := policy.value("deadLetterTargetArn")
	if target == nil || !target.isScalar() || l.stack.QueueByARN(target.text) != nil {
		return
	}
	l.problem(policy.raw("deadLetterTargetArn"), "the dead-letter queue is %s, which no resource of this template declares; give the Arn of an AWS::SQS::Queue", quote(target.text))
}
